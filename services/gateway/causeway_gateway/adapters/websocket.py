"""The WebSocket transport: aiohttp reads and shakes hands; frames are written here, one write per connection and loop turn."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from aiohttp import WebSocketError, WSMsgType, web

from causeway_common.contracts.codes import CLOSE_REASONS, CloseCode
from causeway_common.telemetry import get_logger
from causeway_gateway.adapters.origins import origin_allowed
from causeway_gateway.ports import Link, Peer

log = get_logger("gateway.websocket")
SUBPROTOCOL: Final = "centrifuge-json"
CLOSE_SECONDS: Final = 5.0


class Flusher:
    """Writes what all connections have pending once per loop turn: one callback in the loop, whatever the number of connections."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._dirty: list[WebSocketLink] = []

    def mark(self, link: WebSocketLink) -> None:
        """`link` has something to write."""
        if not self._dirty:
            self._loop.call_soon(self._flush)
        self._dirty.append(link)

    def _flush(self) -> None:
        dirty, self._dirty = self._dirty, []
        for link in dirty:
            link.flush()


class WebSocketLink:
    """The writing side of one connection.

    Args:
        ws: the prepared response; only its closing handshake is used.
        transport: the socket's.
        flusher: shared by all connections.
        max_bytes: what may wait to be read by the client, beyond: the peer is told that it overflowed.
    """

    __slots__ = ("_flusher", "_max", "_pending", "_transport", "_ws", "closing", "peer")

    def __init__(self, ws: web.WebSocketResponse, transport: asyncio.Transport, flusher: Flusher, max_bytes: int) -> None:
        self._ws, self._transport, self._flusher, self._max = ws, transport, flusher, max_bytes
        self._pending: list[bytes] = []
        self.peer: Peer | None = None
        self.closing: asyncio.Task[None] | None = None

    def send(self, frame: bytes) -> None:
        """Queue one whole frame."""
        if self.closing is not None:
            return
        if not self._pending:
            self._flusher.mark(self)
        self._pending.append(frame)

    def flush(self) -> None:
        """Write what is pending in one write, unless too much waits already."""
        if not self._pending:
            return
        block = b"".join(self._pending)
        self._pending.clear()
        if self._transport.is_closing():
            return
        if len(block) + self._transport.get_write_buffer_size() > self._max and self.closing is None and self.peer is not None:
            self.peer.overflowed()
            return
        self._transport.write(block)

    def shut(self, code: CloseCode) -> None:
        """Flush (a slow reader's queue is dropped instead) and close with `code`."""
        if self.closing is not None:
            return
        if code is CloseCode.SLOW:
            self._pending.clear()
        else:
            self.flush()
        self.closing = asyncio.get_running_loop().create_task(self._close(code))

    async def _close(self, code: CloseCode) -> None:
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._ws.close(code=code, message=CLOSE_REASONS[code].encode())
        except (TimeoutError, ConnectionError):
            self._transport.abort()  # it does not read: there is nobody to shake hands with


class WebSocketEndpoint:
    """`GET /connection/websocket`.

    Args:
        opened: called for each new connection.
        broken: called with WebSocket's own close code when a client broke RFC 6455 or the message limit (1009).
        message_max: bytes of one message of a client.
        queue_max: bytes that may wait for a slow reader.
        origins: allowed origins, globs.
    """

    def __init__(
        self,
        opened: Callable[[Link], Peer],
        broken: Callable[[int], None],
        *,
        message_max: int,
        queue_max: int,
        origins: Sequence[str],
    ) -> None:
        self._opened, self._broken = opened, broken
        self._message_max, self._queue_max, self._origins = message_max, queue_max, origins
        self._flusher = Flusher()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """One connection, from its handshake to its end."""
        if not origin_allowed(request.headers.get("Origin"), request.host, self._origins):
            return web.Response(status=403, text="this origin is not allowed, see client.allowed_origins\n")
        if "protobuf" in (request.query.get("format"), request.query.get("cf_protocol")):
            return web.Response(status=400, text="the Protobuf protocol is not served here, use JSON\n")
        ws = web.WebSocketResponse(
            protocols=(SUBPROTOCOL,),
            compress=False,
            max_msg_size=self._message_max,
            decode_text=False,
            timeout=CLOSE_SECONDS,
        )
        await ws.prepare(request)
        transport = request.transport
        if transport is None:
            return ws  # gone while shaking hands
        link = WebSocketLink(ws, transport, self._flusher, self._queue_max)
        peer = link.peer = self._opened(link)
        try:
            async for message in ws:
                if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                    peer.received(message.data)
                elif isinstance(message.data, WebSocketError):
                    self._broken(int(message.data.code))
        finally:
            peer.gone()
            if link.closing is not None:
                await link.closing  # aiohttp drops the connection when this returns, the close frame must be out before
        return ws
