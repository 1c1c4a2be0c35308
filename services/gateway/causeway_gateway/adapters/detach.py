"""Between our protocol objects and aiohttp's: a connection handed to aiohttp, and one taken back from it in the middle of a request.

What this needs of aiohttp's inside (`RequestHandler._cache`, `._message_tail`, `._current_request`, `.transport`, `.connection_lost`),
checked with 3.14.5, stays here; so that an idle client holds no request, parser, handler or task.
"""

from __future__ import annotations

import asyncio

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.web_request import BaseRequest


class Detached(web.StreamResponse):
    """The response of a request whose connection was taken: nothing is written."""

    async def prepare(self, _request: BaseRequest) -> AbstractStreamWriter | None:
        """Nothing."""
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing."""


def make_room(server: web.Server, most: int) -> bool:
    """Whether aiohttp may serve one connection more: where it has `most`, the oldest that is between two requests is ended for it."""
    handlers = server.connections
    if len(handlers) < most:
        return True
    for handler in handlers:
        if handler._current_request is None:  # noqa: SLF001 - aiohttp tells nowhere else who is idle
            handler.force_close()
            return True
    return False


def adopt(server: web.Server, transport: asyncio.Transport, address: str, data: bytes) -> None:
    """Have aiohttp serve a connection.

    Args:
        server: aiohttp's.
        transport: the connection's.
        address: whom aiohttp is to see as the peer.
        data: what was read already.
    """
    handler = server()
    handler._cache["peername"] = (address, 0)  # noqa: SLF001 - so that it is the PROXY protocol's, and no system call is made
    transport.set_protocol(handler)
    handler.connection_made(transport)
    handler.data_received(data)


def release(request: web.Request) -> bytes:
    """After `transport.set_protocol`: aiohttp forgets this connection. Returns what it had read beyond the request.

    The handler must return `Detached` next.
    """
    handler = request.protocol
    tail, handler._message_tail = handler._message_tail, b""  # noqa: SLF001 - aiohttp has no other way to it
    transport, handler.transport = handler.transport, None  # or connection_lost would close it
    handler.connection_lost(None)
    if transport is not None:
        transport.resume_reading()
    return tail
