"""A stream read message by message from a place of its own, for whoever only looks: no consumer is made, nothing is acknowledged."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from causeway_common.bus.connection import Bus
from causeway_common.bus.deadline import Deadline
from causeway_common.bus.jetstream import API, api
from causeway_common.contracts.errors import CausewayError, unavailable
from causeway_common.telemetry import get_logger

log = get_logger("jetstream")
ASK_SECONDS: Final = 2.0
RETRY_SECONDS: Final = 0.25
LOOK_SECONDS: Final = 1.0
"""So often the stream is looked at though nothing was heard: a notice may be lost."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A message of a stream, and its place there."""

    sequence: int
    subject: str
    body: bytes


class StreamTail:
    """The messages of a stream under a subject, in order, none left out; what comes is awaited.

    Args:
        bus: the connection; its user may ask for the stream's state, get its messages directly and hear the subject.
        stream: its name.
        subject: of the messages, wildcards allowed.
    """

    def __init__(self, bus: Bus, stream: str, subject: str) -> None:
        self._bus, self._stream, self._subject = bus, stream, subject
        self._wake = asyncio.Event()

    async def end(self) -> int:
        """The place behind the newest message.

        Raises:
            CausewayError: 100 unavailable, also where there is no such stream.
        """
        answer = await api(self._bus, f"STREAM.INFO.{self._stream}", None, Deadline.after(ASK_SECONDS))
        if "error" in answer:
            raise unavailable(f"there is no stream {self._stream}")
        return int(answer["state"]["last_seq"]) + 1

    async def messages(self, since: int | datetime) -> AsyncIterator[Kept]:
        """From a place or a time on, without end. While the bus is away it waits."""
        listener = await self._bus.listen(self._subject, lambda _subject, _body: self._wake.set())
        self._bus.on_reconnect(self._wake.set)
        at: dict[str, Any] = {"seq": since} if isinstance(since, int) else {"start_time": since.astimezone(UTC).isoformat()}
        try:
            while True:
                self._wake.clear()
                try:
                    found = await self._next(at)
                except CausewayError as error:
                    log.debug("a stream cannot be read, trying again", stream=self._stream, reason=error.message)
                    await asyncio.sleep(RETRY_SECONDS)
                    continue
                if found is None:
                    await self._rest()
                    continue
                at = {"seq": found.sequence + 1}
                yield found
        finally:
            await listener.close()

    async def _next(self, at: dict[str, Any]) -> Kept | None:
        request = json.dumps({**at, "next_by_subj": self._subject}).encode()
        try:
            reply = await self._bus.ask(f"{API}.DIRECT.GET.{self._stream}", request, Deadline.after(ASK_SECONDS))
        except TimeoutError as error:
            raise unavailable("JetStream did not answer a direct get in time") from error
        status = reply.headers.get("", "")
        if status.startswith("404"):
            return None
        if status:
            raise unavailable(f"JetStream refused a direct get: {status}")
        return Kept(int(reply.headers["Nats-Sequence"]), reply.headers["Nats-Subject"], reply.body)

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await self._wake.wait()
        except TimeoutError:
            return
