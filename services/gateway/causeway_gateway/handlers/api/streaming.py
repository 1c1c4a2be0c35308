"""Operations whose answer goes on: lines of JSON, from a bounded mailbox that what happens is put into and the asker's connection drains."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Final

import msgspec

from causeway_common.bus import Deadline
from causeway_common.contracts.errors import CausewayError, ErrorName
from causeway_common.contracts.verbs import CLIENT_COMMAND_SECONDS
from causeway_common.telemetry import Kind, get_logger, names, span
from causeway_gateway.domain.keyring import ApiCaller
from causeway_gateway.handlers import metrics
from causeway_gateway.handlers.api import bodies as b
from causeway_gateway.handlers.api.answers import ApiAnswer, answer_of, failed, permit, readable

log = get_logger("gateway.api")
ALIVE_SECONDS: Final = 5.0
ROOM: Final = 100
WAITING_MAX: Final = 1000
"""Lines that may wait for whoever reads a stream too slowly; beyond, the oldest are left out and counted."""
WAITING_MAX_BYTES: Final = 4 * 1024 * 1024
_encoder: Final = msgspec.json.Encoder()


class Mailbox:
    """Lines on their way to one asker. `skipped` counts those that were left out since the last line that was told."""

    def __init__(self) -> None:
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._skipped = 0
        self._end = ""
        self._wake, self._room = asyncio.Event(), asyncio.Event()

    def put(self, line: Any) -> None:
        """One line more: a JSON-like value."""
        packed = _encoder.encode(line)
        self._waiting.append(packed)
        self._bytes += len(packed)
        while len(self._waiting) > WAITING_MAX or (self._bytes > WAITING_MAX_BYTES and len(self._waiting) > 1):
            self._bytes -= len(self._waiting.popleft())
            self._skipped += 1
        self._wake.set()

    async def room(self) -> None:
        """Wait until little waits to be read: for whoever can wait, so that nothing is left out."""
        while len(self._waiting) >= ROOM:
            self._room.clear()
            await self._room.wait()

    def missed(self, count: int) -> None:
        """So many never came here."""
        self._skipped += count
        self._wake.set()

    def end(self, reason: str) -> None:
        """After what waits there is nothing more."""
        self._end = reason
        self._wake.set()

    async def lines(self) -> AsyncIterator[bytes]:
        """The lines, and one that says so where there is none for a while."""
        while True:
            self._wake.clear()
            while self._skipped or self._waiting:
                if self._skipped:
                    count, self._skipped = self._skipped, 0
                    yield _line({"type": "skipped", "count": count})
                    continue
                packed = self._waiting.popleft()
                self._bytes -= len(packed)
                self._room.set()
                yield packed + b"\n"
            if self._end:
                yield _line({"type": "end", "reason": self._end})
                return
            try:
                async with asyncio.timeout(ALIVE_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                yield _line({"type": "alive"})


class Lines:
    """What one asker is told, and the end of it: whoever takes the lines closes them, also where none was taken."""

    def __init__(self, mailbox: Mailbox, close: Callable[[], Awaitable[None]]) -> None:
        self._mailbox, self._close = mailbox, close

    def __aiter__(self) -> AsyncIterator[bytes]:
        """The lines, without end until the mailbox has one."""
        return self._mailbox.lines()

    async def aclose(self) -> None:
        """Nobody listens any more."""
        await self._close()


class Mailboxes:
    """All that are open. Bounded by who opens them."""

    def __init__(self) -> None:
        self._open: set[Mailbox] = set()

    def open(self) -> Mailbox:
        """A new one; `close` it."""
        mailbox = Mailbox()
        self._open.add(mailbox)
        return mailbox

    def close(self, mailbox: Mailbox) -> None:
        """It is read no more."""
        self._open.discard(mailbox)

    async def end(self) -> None:
        """This gateway leaves: every asker is told, and may ask another one."""
        for mailbox in self._open:
            mailbox.end("the gateway leaves, ask again")


StreamRow = tuple[type[b.Body], Callable[[Any, ApiCaller, Deadline], Awaitable[Lines]]]
"""The type of a request, and what begins to answer it."""


class Streams:
    """Answers what goes on.

    Args:
        table: the operations, by name.

    Attributes:
        requests: the types of their requests.
    """

    def __init__(self, table: Mapping[str, StreamRow]) -> None:
        self.requests = {name: request for name, (request, _) in table.items()}
        self._table = {name: (msgspec.json.Decoder(request), begin) for name, (request, begin) in table.items()}

    async def open(self, name: str, body: bytes, caller: ApiCaller) -> ApiAnswer | Lines:
        """The lines, or the answer that says why there are none.

        Raises:
            LookupError: no such stream.
            ValueError: the body cannot be decoded.
        """
        decoder, begin = self._table[name]
        try:
            request = decoder.decode(readable(body))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            metrics.api_requests.add(1, "undecodable")
            raise ValueError(str(error)) from error
        try:
            with span(names.SPAN_API.format(method=name), kind=Kind.SERVER, attributes={names.HTTP_METHOD: "POST"}):
                permit(caller, name, request)
                lines = await begin(request, caller, Deadline.after(CLIENT_COMMAND_SECONDS))
        except CausewayError as error:
            return answer_of(failed(error), transport_errors=False)
        except Exception:
            log.exception("a stream could not begin", operation=name)
            return answer_of(failed(CausewayError(ErrorName.INTERNAL)), transport_errors=False)
        metrics.api_requests.add(1, "ok")
        return lines


def _line(value: Any) -> bytes:
    return _encoder.encode(value) + b"\n"
