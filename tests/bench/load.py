"""The load generator: raw WebSocket clients on uvloop that look at every byte they get.

An `Audience` knows what was published. The first of its subscribers to see a message reads it and compares it with what was sent;
the bytes it came in are from then on what every other subscriber must get, at this place of its stream and nowhere else. So each
message is checked to be whole, there once, and in order, at the price of one comparison of bytes.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from bench.frames import CLOSE, client_frame, frame_at

PONG: Final = client_frame(b"{}")
OPENINGS_AT_ONCE: Final = 64
PATIENCE_SECONDS: Final = 30.0
FAULTS_MAX: Final = 20
UPGRADE: Final = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


class WrongError(Exception):
    """A message was missing, broken, doubled, out of order or never sent: the figure does not count."""


class Peer(asyncio.Protocol):
    """A WebSocket client after its opening: cuts frames, answers pings, keeps what went wrong."""

    __slots__ = ("faults", "leaving", "rest", "transport")

    transport: asyncio.Transport

    def __init__(self) -> None:
        self.rest = b""
        self.faults: list[str] = []
        self.leaving = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.leaving:
            self.fault("the connection was lost")

    def data_received(self, data: bytes) -> None:
        buffer, at = self.rest + data, 0
        while (found := frame_at(buffer, at)) is not None:
            start, end = found
            payload = buffer[start:end]
            if buffer[at] & 0x0F == CLOSE:
                self.leaving = True
                self.fault(f"closed with {payload!r}")
            elif payload == b"{}":
                self.transport.write(PONG)
            else:
                self.frame(buffer[at:end], payload)
            at = end
        self.rest = buffer[at:]

    def frame(self, whole: bytes, payload: bytes) -> None:
        """A frame that is no ping."""
        self.fault(f"unasked for: {payload[:200]!r}")

    def fault(self, what: str) -> None:
        """Something is wrong."""
        if len(self.faults) < FAULTS_MAX:
            self.faults.append(what)

    def leave(self) -> None:
        """Cut the connection."""
        self.leaving = True
        self.transport.abort()


P = TypeVar("P", bound=Peer)


class Opening(asyncio.Protocol):
    """One connection until it is ready: the upgrade, then `first` is sent and its replies are awaited; then `then(replies)` takes over."""

    def __init__(
        self, upgrade: bytes, first: bytes, replies: int, then: Callable[[list[dict[str, Any]]], P], ready: asyncio.Future[P]
    ) -> None:
        self._upgrade, self._first, self._replies, self._then, self._ready = upgrade, first, replies, then, ready
        self._buffer, self._got, self._upgraded = b"", list[dict[str, Any]](), False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        self._transport.write(self._upgrade)  # type: ignore[union-attr]

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(f"lost while opening, after {self._buffer[:200]!r}")

    def data_received(self, data: bytes) -> None:
        transport = self._transport
        assert transport is not None
        self._buffer += data
        if not self._upgraded:
            head, end, rest = self._buffer.partition(b"\r\n\r\n")
            if not end:
                return
            if not head.startswith(b"HTTP/1.1 101"):
                self._fail(f"no upgrade: {head!r}")
                return
            self._upgraded, self._buffer = True, rest
            if self._first:
                transport.write(self._first)
        while len(self._got) < self._replies and (found := frame_at(self._buffer, 0)) is not None:
            start, end_at = found
            payload, opcode = self._buffer[start:end_at], self._buffer[0] & 0x0F
            self._buffer = self._buffer[end_at:]
            replies = [] if opcode == CLOSE else [json.loads(line) for line in payload.split(b"\n")]
            if not replies or any("error" in reply or "id" not in reply for reply in replies):
                self._fail(f"refused: {payload!r}")
                return
            self._got += replies
        if len(self._got) >= self._replies and not self._ready.done():
            peer = self._then(self._got)
            transport.set_protocol(peer)
            peer.connection_made(transport)
            if self._buffer:
                peer.data_received(self._buffer)
            self._ready.set_result(peer)

    def _fail(self, why: str) -> None:
        if not self._ready.done():
            self._ready.set_exception(WrongError(why))


async def open_all(
    port: int,
    count: int,
    first: Callable[[int], bytes],
    replies: int,
    then: Callable[[int, list[dict[str, Any]]], P],
    *,
    path: str = "/connection/websocket",
) -> list[P]:
    """Open `count` connections, `OPENINGS_AT_ONCE` at a time.

    Args:
        port: of 127.0.0.1.
        count: how many.
        first: the frame that connection number `n` sends after the upgrade; b"" sends none.
        replies: how many replies with an id it gets for that.
        then: the peer that takes over, made of the number and the replies.
        path: of the upgrade.

    Raises:
        WrongError: one was refused or lost.
    """
    loop = asyncio.get_running_loop()
    upgrade = UPGRADE.format(path=path, port=port).encode()
    peers: list[P] = []
    numbers = iter(range(count))

    async def worker() -> None:
        for number in numbers:
            ready: asyncio.Future[P] = loop.create_future()

            def then_numbered(got: list[dict[str, Any]], number: int = number) -> P:
                return then(number, got)

            opening = Opening(upgrade, first(number), replies, then_numbered, ready)
            async with asyncio.timeout(PATIENCE_SECONDS):
                await loop.create_connection(lambda opening=opening: opening, "127.0.0.1", port)  # type: ignore[misc]
                peers.append(await ready)

    await asyncio.gather(*(worker() for _ in range(min(count, OPENINGS_AT_ONCE))))
    return peers


class Audience:
    """The subscribers of one stream of messages. Each sender's messages keep their order; between senders there is none.

    Args:
        read: what was published, from a frame's payload or one line of it.
        senders: hands over one message; message `n` is the one of sender `n` modulo their number.
    """

    def __init__(self, read: Callable[[bytes], bytes], senders: Sequence[Callable[[bytes], None]]) -> None:
        self.read, self._senders = read, senders
        self._awaited: list[deque[bytes]] = [deque() for _ in senders]
        self.sent, self._data = 0, list[bytes]()
        self.stream = bytearray()
        self.ends, self.levels, self.at = [0], {0: 0}, [0]
        self.low = 0
        self.lower: Callable[[], None] = lambda: None
        self.members: list[Subscriber] = []

    def member(self) -> Subscriber:
        """One more subscriber, before the first message is sent."""
        member = Subscriber(self)
        self.members.append(member)
        self.at[0] += 1
        return member

    def send(self, data: bytes) -> None:
        """Send the next message."""
        number = self.sent % len(self._senders)
        self.sent += 1
        self._awaited[number].append(data)
        self._senders[number](data)

    def is_message(self, level: int, line: bytes) -> bool:
        """Whether this is message `level` of the stream, as somebody had it already."""
        return level < len(self._data) and self.read(line) == self._data[level]

    def learn(self, line: bytes, frame: bytes) -> bool:
        """Whether this, which nobody had yet, is the next message of some sender; from now on it comes in these bytes."""
        data = self.read(line)
        awaited = next((queue for queue in self._awaited if queue and queue[0] == data), None)
        if awaited is None:
            return False
        self._data.append(awaited.popleft())
        self.stream += frame
        self.levels[len(self.stream)] = len(self.ends)
        self.ends.append(len(self.stream))
        self.at.append(0)
        return True

    def moved(self, old: int, new: int) -> None:
        """A subscriber that had `old` messages has `new` ones."""
        at = self.at
        at[old] -= 1
        at[new] += 1
        if not at[old] and old == self.low:
            while not at[self.low]:
                self.low += 1
            self.lower()

    def check(self) -> None:
        """Raises WrongError unless all have all, each once and in order."""
        require_right(self.members)
        if self.low != self.sent:
            raise WrongError(f"{self.sent} were sent, somebody has only {self.low}")


class Subscriber(Peer):
    """One of an audience; `level` is how many messages it has."""

    __slots__ = ("audience", "level")

    def __init__(self, audience: Audience) -> None:
        super().__init__()
        self.audience, self.level = audience, 0

    def data_received(self, data: bytes) -> None:
        audience, level = self.audience, self.level
        start = audience.ends[level]
        end = start + len(data)
        reached = audience.levels.get(end)
        if reached is not None and not self.rest and audience.stream[start:end] == data:
            self.level = reached
            audience.moved(level, reached)
        else:
            super().data_received(data)

    def frame(self, whole: bytes, payload: bytes) -> None:
        lines = payload.split(b"\n")
        for line in lines:
            audience, level = self.audience, self.level
            known = level + 1 < len(audience.ends)
            if known and len(lines) == 1 and audience.stream[audience.ends[level] : audience.ends[level + 1]] == whole:
                right = True
            else:
                right = audience.is_message(level, line) if known else audience.learn(line, whole if len(lines) == 1 else line)
            if not right:
                self.fault(f"message {level + 1} is not what comes next: {line[:200]!r}")
                return
            self.level += 1
            audience.moved(level, level + 1)


async def pump(audience: Audience, message: Callable[[int], bytes], in_flight: int, seconds: float) -> int:
    """Send for this long, a message only when fewer than `in_flight` are not with everybody yet; returns how many, all arrived.

    Raises:
        WrongError: something arrived wrong, or not all arrived.
    """
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    stop, first = time.perf_counter() + seconds, audience.sent

    def refill() -> None:
        while audience.sent - audience.low < in_flight and time.perf_counter() < stop:
            audience.send(message(audience.sent))
        if audience.low == audience.sent and not done.done():
            done.set_result(None)

    audience.lower = refill
    refill()
    try:
        async with asyncio.timeout(seconds + PATIENCE_SECONDS):
            await done
    except TimeoutError:
        audience.check()
        raise
    audience.check()
    return audience.sent - first


def require_right(peers: Sequence[Peer]) -> None:
    """Raises WrongError with the first faults there are."""
    wrong = [fault for peer in peers for fault in peer.faults]
    if wrong:
        raise WrongError(f"{len(wrong)} faults, such as: " + "; ".join(wrong[:3]))
