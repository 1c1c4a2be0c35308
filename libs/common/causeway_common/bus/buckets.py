"""A live copy of a JetStream KV bucket.

A KV put is a publish on `$KV.<bucket>.<key>` (NATS ADR-8), so a plain subscription hears it; what was put before, or while the
connection was away, is read by JetStream's direct get. There is no server-side watcher that could be lost. An empty value removes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from causeway_common.bus.connection import Bus, Listener
from causeway_common.bus.deadline import Deadline
from causeway_common.bus.jetstream import API, api
from causeway_common.contracts.errors import CausewayError, unavailable
from causeway_common.contracts.subjects import Subject
from causeway_common.telemetry import get_logger

log = get_logger("bucket")
RELOAD_SECONDS: Final = 30.0
RETRY_SECONDS: Final = 0.25


async def load(bus: Bus, stream: str, subject: Subject, deadline: Deadline) -> dict[str, bytes]:
    """Every key's subject and value.

    Raises:
        CausewayError: 100 unavailable.
    """
    found: dict[str, bytes] = {}
    names: list[str] = []
    while True:
        answer = await api(bus, f"STREAM.INFO.{stream}", {"subjects_filter": subject.wildcard(), "offset": len(names)}, deadline)
        if "error" in answer:
            raise unavailable(f"the bucket {stream} is not there yet")
        page = list(answer.get("state", {}).get("subjects") or {})
        names += page
        if not page or len(names) >= answer.get("total", len(names)):
            break
    for name in names:
        try:
            reply = await bus.ask(f"{API}.DIRECT.GET.{stream}.{name}", b"", deadline)
        except TimeoutError as error:
            raise unavailable("JetStream did not answer a direct get in time") from error
        if reply.headers.get("", "").startswith("404") or "KV-Operation" in reply.headers:
            continue
        if "" in reply.headers:
            raise unavailable("JetStream is not there")
        found[name] = reply.body
    return found


class LiveBucket:
    """Follows a bucket.

    Args:
        bus: the connection.
        stream: the bucket's stream.
        subject: of its keys.
        changed: called with subject and value (b"" where it was removed), also at each load; must be quick and not raise.
        read: called after each load; likewise.
        pause: seconds until the next load.
    """

    def __init__(
        self,
        bus: Bus,
        stream: str,
        subject: Subject,
        changed: Callable[[str, bytes], None],
        *,
        read: Callable[[], None] = lambda: None,
        pause: Callable[[], float] = lambda: RELOAD_SECONDS,
    ) -> None:
        self._bus, self._stream, self._subject, self._changed = bus, stream, subject, changed
        self._read, self._pause = read, pause
        self._known: set[str] = set()
        self._heard: set[str] = set()
        self._wake = asyncio.Event()
        self._loaded = asyncio.Event()
        self._listener: Listener | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def ready(self) -> bool:
        """Whether it was read once."""
        return self._loaded.is_set()

    async def start(self) -> None:
        """Begin to follow; `ready` once it was read."""
        self._listener = await self._bus.listen(self._subject.wildcard(), self._put)
        self._bus.on_reconnect(self._wake.set)
        self._task = asyncio.get_running_loop().create_task(self._follow())

    async def stop(self) -> None:
        """Follow no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._listener is not None:
            await self._listener.close()

    async def loaded(self) -> None:
        """Wait until it was read once."""
        await self._loaded.wait()

    def _put(self, subject: str, body: bytes) -> None:
        self._heard.add(subject)
        if body:
            self._known.add(subject)
        else:
            self._known.discard(subject)
        self._changed(subject, body)

    async def _follow(self) -> None:
        while True:
            self._wake.clear()
            self._heard.clear()
            try:
                found = await load(self._bus, self._stream, self._subject, Deadline.after(5))
                self._take(found)
                self._loaded.set()
                self._read()
                wait = self._pause()
            except CausewayError as error:
                log.debug("a bucket cannot be read yet", bucket=self._stream, reason=error.message)
                wait = RETRY_SECONDS
            try:
                async with asyncio.timeout(wait):
                    await self._wake.wait()
            except TimeoutError:
                continue

    def _take(self, found: dict[str, bytes]) -> None:
        """What was read, but for what was heard of meanwhile, which is newer."""
        for subject, body in found.items():
            if subject not in self._heard and body:
                self._known.add(subject)
                self._changed(subject, body)
        for subject in self._known - found.keys() - self._heard:
            self._known.discard(subject)
            self._changed(subject, b"")
