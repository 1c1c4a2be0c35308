"""What every client connection has in common: one write per loop turn, bounded bytes, a bounded end. And the register of them all."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from causeway_common.contracts.codes import CLOSE_REASONS, CloseCode
from causeway_common.telemetry import get_logger
from causeway_gateway.adapters.limits import Limits
from causeway_gateway.domain.frames.codecs import Codec
from causeway_gateway.ports import Gate, Peer, Visit

log = get_logger("gateway.wire")

CLOSE_SECONDS: Final = 5.0
SLICE: Final = 256  # connections written to in one loop turn, about 2 ms
SMALL: Final = 65_536  # a transport that is not paused has fewer bytes than this waiting
CONNECTION_CLOSED: Final = 3000

OPEN: Final = 0
CLOSING: Final = 1  # told to close, the peer's word is awaited
ENDED: Final = 2


def write_end(transport: asyncio.WriteTransport) -> None:
    """Say that nothing more will be sent. Whoever is gone already, which asyncio's transport raises, need not hear it."""
    with suppress(OSError):
        transport.write_eof()


class Nobody:
    """The peer of a connection that has none, or none any more."""

    busy = False

    def received(self, frame: bytes) -> None:
        """Nobody hears it."""

    def gone(self) -> None:
        """Nobody was here."""

    def overflowed(self) -> None:
        """Nobody sent it."""

    def drained(self) -> None:
        """Nobody waits."""


NOBODY: Final = Nobody()


class Wires:
    """All connections of the transports: flushed once per loop turn, ended in bounded time.

    Args:
        limits: counts them.
        queue_max: bytes that may wait for a slow reader, beyond: its peer is told that it overflowed.
        broken: called with the code where a transport itself closes a connection.

    Attributes:
        bytes_in: of messages that came from clients.
        bytes_out: of frames that were written to them.
    """

    def __init__(self, limits: Limits, queue_max: int, broken: Callable[[int], None]) -> None:
        self.limits, self.queue_max, self.broken = limits, queue_max, broken
        self._loop = asyncio.get_running_loop()
        self._all: set[Wire] = set()
        self._dirty: list[Wire] = []
        self._late: list[Wire] = []  # of a large fan-out: the rest of those that had something to write at once
        self._flushes = False
        self._closing: deque[tuple[float, Wire]] = deque()
        self._empty = asyncio.Event()
        self.bytes_in = self.bytes_out = 0

    def __len__(self) -> int:
        """How many connections there are."""
        return len(self._all)

    def add(self, wire: Wire) -> None:
        """A new connection."""
        self._all.add(wire)

    def remove(self, wire: Wire, address: str) -> None:
        """A connection is lost."""
        if wire in self._all:
            self._all.remove(wire)
            self.limits.give(address)
            if not self._all:
                self._empty.set()

    def mark(self, wire: Wire) -> None:
        """`wire` has something to write."""
        self._dirty.append(wire)
        if not self._flushes:
            self._flushes = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        """A slice: half of it for what came just now, so that an answer does not wait for the whole of a large fan-out."""
        dirty, self._dirty = self._dirty, []
        due = dirty if len(dirty) <= SLICE and not self._late else dirty[: SLICE // 2]
        self._late.extend(dirty[len(due) :])
        if self._late:
            room = SLICE - len(due)
            due += self._late[:room]
            del self._late[:room]
        self._flushes = bool(self._late)
        if self._flushes:
            self._loop.call_soon(self._flush)  # what is read meanwhile gets its turn
        for wire in due:
            wire.flush()

    def closing(self, wire: Wire) -> None:
        """`wire` must be gone after `CLOSE_SECONDS`."""
        if not self._closing:
            self._loop.call_later(CLOSE_SECONDS, self._sweep)
        self._closing.append((self._loop.time() + CLOSE_SECONDS, wire))

    def _sweep(self) -> None:
        now = self._loop.time()
        while self._closing and self._closing[0][0] <= now:
            self._closing.popleft()[1].abort()
        if self._closing:
            self._loop.call_at(self._closing[0][0], self._sweep)

    async def finish(self, seconds: float) -> None:
        """Wait until all are gone; cut off who is not in time."""
        if self._all:
            self._empty.clear()
            try:
                async with asyncio.timeout(seconds):
                    await self._empty.wait()
            except TimeoutError:
                log.warning("connections are cut off that did not close in time", connections=len(self._all))
                for wire in list(self._all):
                    wire.abort()
                await asyncio.sleep(0)


class Wire(asyncio.Protocol):
    """One connection: the link that the gateway writes to, and the protocol that its transport feeds.

    Args:
        wires: where it is registered.
        transport: the socket's, with the transport's own handshake done.
        address: of the client.
    """

    __slots__ = ("_awaited", "_paused", "_pending", "_state", "_transport", "_wires", "address", "peer")

    def __init__(self, wires: Wires, transport: asyncio.Transport, address: str) -> None:
        self._wires, self._transport, self.address = wires, transport, address
        self._pending: list[bytes] | None = None
        self._state, self._paused, self._awaited = OPEN, False, False
        self.peer: Peer = NOBODY
        wires.add(self)

    def send(self, frame: bytes) -> None:
        """Queue one whole frame."""
        if self._state:
            return
        if self._pending is None:
            self._wires.mark(self)
            self._pending = [frame]
        else:
            self._pending.append(frame)

    @property
    def backlog(self) -> int:
        """Bytes that wait to be read by the client, here and in the socket's buffer."""
        pending = sum(map(len, self._pending)) if self._pending else 0
        return pending + (self._transport.get_write_buffer_size() if self._state < ENDED else 0)

    def flush(self) -> None:
        """Write what is pending in one write, unless too much waits already."""
        pending = self._pending
        if pending is None:
            return
        self._pending = None
        block = pending[0] if len(pending) == 1 else b"".join(pending)
        if (self._paused or len(block) > SMALL) and len(block) + self._transport.get_write_buffer_size() > self.queue_max:
            self.peer.overflowed()
            self.shut(CloseCode.SLOW, CLOSE_REASONS[CloseCode.SLOW])  # for a peer that does not: a part was not sent
            return
        self._wires.bytes_out += len(block)
        self.write(block)
        if self._awaited and not self._paused:
            self._awaited = False
            self.peer.drained()

    def call_drained(self) -> None:
        """Tell the peer when little waits. What it had queued may go at once, without the socket's buffer ever being full."""
        self._awaited = True

    def shut(self, code: int, reason: str) -> None:
        """Flush (a slow reader's queue is dropped instead) and close with `code`."""
        if self._state:
            return
        if code in (CloseCode.SLOW, CONNECTION_CLOSED):
            self._pending = None
        else:
            self.flush()
            if self._state:
                return  # too much waited
        self._state = CLOSING
        self._wires.closing(self)
        self.say_goodbye(code, reason)

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return self._state == ENDED

    @property
    def queue_max(self) -> int:
        """Bytes that may wait for this client."""
        return self._wires.queue_max

    def write(self, block: bytes) -> None:
        """Write whole frames."""
        self._transport.write(block)

    def say_goodbye(self, code: int, reason: str) -> None:
        """Tell the client that this is the end."""
        raise NotImplementedError

    def end(self) -> None:
        """Close once the client has read what was written, in bounded time."""
        if self._state < CLOSING:
            self._wires.closing(self)
        self._state = ENDED
        self._transport.close()
        self._leave()

    def abort(self) -> None:
        """Cut the connection off."""
        self._transport.abort()

    def introduce(self, gate: Gate, codec: Codec, visit: Visit) -> None:
        """Bring the client to the gate; who cannot be let in by a fault of ours is cut off."""
        try:
            self.peer = gate.open(self, codec, visit)
        except Exception:
            log.exception("a client could not be let in")
            self.abort()

    def deliver(self, message: bytes) -> None:
        """Hand a message to the peer; a fault of ours ends this connection alone."""
        self._wires.bytes_in += len(message)
        try:
            self.peer.received(message)
        except Exception:
            log.exception("a client's message failed")
            self.shut(CloseCode.INTERNAL_ERROR, CLOSE_REASONS[CloseCode.INTERNAL_ERROR])

    def pause_writing(self) -> None:
        """The socket's buffer is above its high-water mark."""
        self._paused = True

    def resume_writing(self) -> None:
        """It has been written out."""
        self._paused = self._awaited = False
        self.peer.drained()

    def connection_lost(self, _exc: Exception | None) -> None:
        """The connection is over."""
        self._state = ENDED
        self._wires.remove(self, self.address)
        self._leave()

    def _leave(self) -> None:
        self._pending = None
        peer, self.peer = self.peer, NOBODY  # they hold each other
        peer.gone()
