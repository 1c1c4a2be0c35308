"""The first bytes of a connection, before anything is built for it: the PROXY header, and the head of its first request.

An upgrade goes straight to the WebSocket transport, everything else to aiohttp.
"""

from __future__ import annotations

import asyncio
import re
from typing import Final, cast

from aiohttp import HttpVersion11, web
from aiohttp.http import HttpProcessingError, HttpRequestParser

from causeway_gateway.adapters import metrics
from causeway_gateway.adapters.detach import adopt, make_room
from causeway_gateway.adapters.forwarded import Proxies, claims, may_claim, proxy_header
from causeway_gateway.adapters.head import Head, raw_refusal
from causeway_gateway.adapters.limits import Refused
from causeway_gateway.adapters.settings import TransportSettings
from causeway_gateway.adapters.websocket import WebSocketEndpoint
from causeway_gateway.adapters.wire import write_end

HEAD_MAX: Final = 16_384
WAITING_MAX: Final = 4096
HTTP_MAX: Final = 4096  # connections of plain HTTP, which no limit of clients counts
SWEEP_SECONDS: Final = 0.5
LINGER_SECONDS: Final = 1.0  # a socket closed with unread bytes would reset the answer away

_END: Final = b"\r\n\r\n"
_HAS_BODY: Final = re.compile(rb"\r\n(?:content-length|transfer-encoding)[ \t]*:", re.IGNORECASE)


class Doorways:
    """The connections that have not said what they want. Each has `header_seconds`; beyond `WAITING_MAX` the oldest is dropped.

    Args:
        endpoint: serves WebSocket.
        server: aiohttp's, for the rest.
        proxies: whose word on addresses is taken.
        settings: what holds for connections.
    """

    def __init__(self, endpoint: WebSocketEndpoint, server: web.Server, proxies: Proxies, settings: TransportSettings) -> None:
        self.endpoint, self.server, self.proxies = endpoint, server, proxies
        self.proxied = settings.proxy_protocol
        self.upgrades: Final = tuple(f"GET {path}".encode() for path in endpoint.paths)
        self._seconds = settings.header_seconds
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[Doorway, float] = {}

    def opened(self, address: str) -> Doorway:
        """A new connection's protocol object."""
        return Doorway(self, address)

    def enter(self, doorway: Doorway) -> None:
        """Its time runs."""
        if not self._waiting:
            self._loop.call_later(SWEEP_SECONDS, self._sweep)
        self._waiting[doorway] = self._loop.time() + self._seconds
        if len(self._waiting) > WAITING_MAX:
            next(iter(self._waiting)).drop("crowd")

    def leave(self, doorway: Doorway) -> None:
        """It has said what it wants, or is gone."""
        self._waiting.pop(doorway, None)

    def clear(self) -> None:
        """Drop all of them."""
        for doorway in list(self._waiting):
            doorway.drop("shutdown")

    def _sweep(self) -> None:
        now = self._loop.time()
        for doorway in [doorway for doorway, due in self._waiting.items() if due <= now]:
            doorway.late()
        if self._waiting:
            self._loop.call_later(SWEEP_SECONDS, self._sweep)


class Doorway(asyncio.Protocol):
    """One connection until the head of its first request is there."""

    __slots__ = ("_address", "_buffer", "_doorways", "_over", "_proxied", "_transport")

    _transport: asyncio.Transport

    def __init__(self, doorways: Doorways, address: str) -> None:
        self._doorways, self._address, self._buffer = doorways, address, b""
        self._over = False
        self._proxied = doorways.proxied and doorways.proxies.trusts(address)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It begins."""
        self._transport = cast(asyncio.Transport, transport)
        self._doorways.enter(self)

    def connection_lost(self, _exc: Exception | None) -> None:
        """It is over."""
        self._doorways.leave(self)

    def drop(self, reason: str) -> None:
        """Cut it off."""
        metrics.dropped.add(1, reason)
        self._doorways.leave(self)
        self._transport.abort()

    def late(self) -> None:
        """It did not say what it wants in time; who has begun to is told."""
        if not self._buffer:
            self.drop("header_timeout")
            return
        metrics.dropped.add(1, "header_timeout")
        self._refuse(Refused(408, "the head of the request did not come in time"))

    def data_received(self, data: bytes) -> None:
        """Bytes of the client."""
        if self._over or self._transport.is_closing():
            return
        self._buffer += data
        if (self._proxied and not self._read_proxy_header()) or not self._begun():
            return
        end = self._buffer.find(_END)
        if end >= 0:
            self._doorways.leave(self)
            self._enter(end)
        elif len(self._buffer) > HEAD_MAX:
            metrics.dropped.add(1, "head_too_large")
            self._refuse(Refused(431, f"the head of a request may have {HEAD_MAX} bytes"))

    def _begun(self) -> bool:
        """Whether a request begins here. Blank lines before it are skipped (RFC 9112, section 2.2): they are no head's end."""
        if may_claim(self._buffer):
            return False
        if claims(self._buffer):
            metrics.unbelieved.add(1, "proxy")
            self._refuse(Refused(400, "no PROXY protocol header is taken from this address"))
            return False
        self._buffer = self._buffer.lstrip(b"\r\n")
        return True

    def _read_proxy_header(self) -> bool:
        try:
            header = proxy_header(self._buffer)
        except ValueError:
            self.drop("proxy_header")
            return False
        if header is None:
            return False
        self._address = header.address or self._address
        self._buffer, self._proxied = self._buffer[header.size :], False
        return True

    def _enter(self, end: int) -> None:
        buffer = self._buffer
        if buffer.startswith(self._doorways.upgrades) and not _HAS_BODY.search(buffer, 0, end) and self._upgraded():
            return
        if not make_room(self._doorways.server, HTTP_MAX):
            metrics.refused.add(1, "http_limit")
            self._refuse(Refused(503, "too many requests are under way", {"Retry-After": "1"}))
            return
        adopt(self._doorways.server, self._transport, self._address, buffer)

    def _upgraded(self) -> bool:
        """Whether it is an upgrade; an odd one is aiohttp's to answer."""
        doorways = self._doorways
        parser = HttpRequestParser(None, asyncio.get_running_loop(), HEAD_MAX, max_line_size=HEAD_MAX)
        try:
            messages, upgraded, tail = parser.feed_data(self._buffer)
        except HttpProcessingError:
            metrics.refused.add(1, "bad_request")
            return False
        if not upgraded or len(messages) != 1:
            return False
        request = messages[0][0]
        if request.url.path not in doorways.endpoint.paths or request.version < HttpVersion11:
            return False
        address = doorways.proxies.client(self._address, request.headers.getall("X-Forwarded-For", ()))
        try:
            wire = doorways.endpoint.accept(Head(request.url.path, request.url.query, request.headers, address), self._transport)
        except Refused as refused:
            self._refuse(refused)
            return True
        if tail:
            wire.data_received(tail)
        return True

    def _refuse(self, refused: Refused) -> None:
        self._doorways.leave(self)
        self._over = True
        self._transport.write(raw_refusal(refused))
        write_end(self._transport)
        asyncio.get_running_loop().call_later(LINGER_SECONDS, self._transport.abort)
