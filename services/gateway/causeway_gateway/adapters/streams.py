"""HTTP streaming and server-sent events, with and without an uplink (reference/centrifuge-protocol.md, sections 14 and 15).

aiohttp reads the request; the response is written by our own protocol object, which takes the connection over.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from aiohttp import HttpVersion11, web

from causeway_gateway.adapters import metrics
from causeway_gateway.adapters.bodies import read_body
from causeway_gateway.adapters.cors import PREFLIGHT, cors
from causeway_gateway.adapters.detach import Detached, release
from causeway_gateway.adapters.forwarded import Proxies
from causeway_gateway.adapters.head import Head, head_of, refusal
from causeway_gateway.adapters.limits import Refused
from causeway_gateway.adapters.origins import origin_allowed
from causeway_gateway.adapters.settings import Endpoints, TransportSettings
from causeway_gateway.adapters.wire import Wire, Wires
from causeway_gateway.domain.frames.codecs import (
    JSON_HTTP_STREAM,
    JSON_SSE,
    PROTOBUF_HTTP_STREAM,
    UNI_JSON_HTTP_STREAM,
    UNI_JSON_SSE,
    Codec,
)
from causeway_gateway.ports import Gate, Visit

JSON_TYPE: Final = "application/json; charset=utf-8"
PROTOBUF_TYPE: Final = "application/octet-stream"
SSE_TYPE: Final = "text/event-stream; charset=utf-8"
SSE_START: Final = b"\n"
"""An empty line, so that the head leaves at once. No CR LF: npm's `eventsource` 2 loses an event that comes in one piece behind it."""
NO_CACHE: Final = {
    "Cache-Control": "private, no-cache, no-store, must-revalidate, max-age=0",
    "Pragma": "no-cache",
    "Expires": "0",
    "X-Accel-Buffering": "no",
}


@dataclass(frozen=True, slots=True)
class Stream:
    """A streaming endpoint.

    Attributes:
        name: of the transport, which is also its path's last part and its option.
        codec: what is written.
        content_type: what it is called.
        opening: written first.
        by_get: the connect request may also come by GET, in `cf_connect`.
        by_get_required: and then it must be there.
    """

    name: str
    codec: Codec
    content_type: str
    opening: bytes = b""
    by_get: bool = False
    by_get_required: bool = False

    @property
    def path(self) -> str:
        """Where it is served."""
        return f"/connection/{self.name}"

    @property
    def methods(self) -> tuple[str, ...]:
        """How it may be asked for."""
        return ("GET", "POST") if self.by_get else ("POST",)


STREAMS: Final = (
    Stream("http_stream", JSON_HTTP_STREAM, JSON_TYPE),
    Stream("sse", JSON_SSE, SSE_TYPE, SSE_START, by_get=True, by_get_required=True),
    Stream("uni_http_stream", UNI_JSON_HTTP_STREAM, JSON_TYPE),
    Stream("uni_sse", UNI_JSON_SSE, SSE_TYPE, SSE_START, by_get=True),
)
_PROTOBUF_STREAM: Final = Stream("http_stream", PROTOBUF_HTTP_STREAM, PROTOBUF_TYPE)


def enabled(endpoints: Endpoints, name: str) -> bool:
    """Whether the transport of this name is served."""
    return bool(getattr(endpoints, name))


def off(option: str) -> Refused:
    """What a switched-off path answers."""
    return Refused(404, f"this transport is off: set {option}")


class StreamWire(Wire):
    """An HTTP response without end. What the client sends on this connection is not looked at."""

    __slots__ = ("_chunked",)

    def __init__(self, wires: Wires, transport: asyncio.Transport, address: str, *, chunked: bool) -> None:
        super().__init__(wires, transport, address)
        self._chunked = chunked

    def write(self, block: bytes) -> None:
        """One chunk."""
        self._transport.write(b"%x\r\n%b\r\n" % (len(block), block) if self._chunked else block)

    def say_goodbye(self, _code: int, _reason: str) -> None:
        """End the response; a push has told why."""
        if self._chunked:
            self._transport.write(b"0\r\n\r\n")
        self._transport.close()


class StreamEndpoint:
    """One of `STREAMS`.

    Args:
        stream: which.
        gate: where clients are brought.
        wires: where connections are registered.
        proxies: whose word on addresses is taken.
        settings: what holds for connections.
    """

    def __init__(self, stream: Stream, gate: Gate, wires: Wires, proxies: Proxies, settings: TransportSettings) -> None:
        self._stream, self._gate, self._wires, self._proxies, self._settings = stream, gate, wires, proxies, settings

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """One connection's beginning."""
        head = head_of(request, self._proxies.client(request.remote or "", request.headers.getall("X-Forwarded-For", ())))
        allowed: dict[str, str] = {}
        try:
            check_origin(head, self._settings)
            allowed = cors(request.headers)
            if request.method == "OPTIONS":
                return web.Response(status=204, headers=allowed | PREFLIGHT)
            connect = await self._connect_request(request)
            return self._begin(request, head, connect, allowed)
        except Refused as refused:
            return refusal(refused, allowed)

    async def _connect_request(self, request: web.Request) -> bytes:
        if request.method not in self._stream.methods:
            raise Refused(405, "method not allowed", {"Allow": ", ".join((*self._stream.methods, "OPTIONS"))})
        if request.method == "POST":
            return await read_body(request, self._settings.message_max, self._settings.header_seconds)
        text = request.query.get("cf_connect", "")
        if not text and self._stream.by_get_required:
            raise Refused(400, "cf_connect is missing")
        connect = text.encode("utf-8", "surrogateescape")
        if len(connect) > self._settings.message_max:
            raise Refused(413, f"cf_connect may have {self._settings.message_max} bytes")
        return connect

    def _begin(self, request: web.Request, head: Head, connect: bytes, allowed: dict[str, str]) -> web.StreamResponse:
        stream = self._stream
        if stream.name == "http_stream" and request.content_type == PROTOBUF_TYPE and "Content-Type" in request.headers:
            stream = _PROTOBUF_STREAM
        transport = request.transport
        if transport is None or transport.is_closing():
            return Detached()
        self._wires.limits.take(head.address)
        chunked = request.version >= HttpVersion11
        transport.write(_response_head(stream, allowed, chunked=chunked))
        wire = StreamWire(self._wires, transport, head.address, chunked=chunked)
        transport.set_protocol(wire)
        release(request)
        if stream.opening:
            wire.send(stream.opening)
        wire.introduce(self._gate, stream.codec, Visit(stream.name, head.address))
        wire.deliver(connect)
        return Detached()


def check_origin(head: Head, settings: TransportSettings) -> None:
    """Raises Refused (403) where this page may not connect."""
    if not origin_allowed(head.headers.get("Origin"), head.host, settings.origins):
        metrics.refused.add(1, "origin")
        raise Refused(403, "this origin is not allowed, see client.allowed_origins")


def _response_head(stream: Stream, allowed: dict[str, str], *, chunked: bool) -> bytes:
    headers = {"Content-Type": stream.content_type} | NO_CACHE | allowed | {"Connection": "close"}
    if chunked:
        headers["Transfer-Encoding"] = "chunked"
    lines = ["HTTP/1.1 200 OK", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode("utf-8", "surrogateescape")
