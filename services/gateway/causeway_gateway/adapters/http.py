"""The public listener: the WebSocket endpoint, the server API, and a short page at `/`."""

from __future__ import annotations

import hmac
import socket
from typing import Final

from aiohttp import web

from causeway_gateway.adapters.websocket import WebSocketEndpoint
from causeway_gateway.ports import Api

API_BODY_MAX_BYTES: Final = 1024 * 1024
BACKLOG: Final = 4096
FINISH_SECONDS: Final = 4.5

PAGE: Final = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Causeway</title>
<body style="font-family: sans-serif; max-width: 42em; margin: 3em auto; line-height: 1.5">
<h1>Causeway {version}</h1>
<p>A gateway runs here. Clients speak the Centrifuge protocol (JSON) with any Centrifuge SDK:</p>
<pre>new Centrifuge("{socket_scheme}://{host}/connection/websocket", {{ token: "…" }})</pre>
<p>{api}</p>
<p>On a development machine: <code>causeway token --user USER</code>, <code>causeway tail CHANNEL</code>,
<code>causeway publish CHANNEL DATA</code>, <code>causeway call METHOD DATA --user USER</code>.</p>
"""
API_ON: Final = "Servers publish by <code>POST {scheme}://{host}/api/publish</code> with the header <code>X-API-Key</code>."
API_OFF: Final = "The server API is off: set <code>http_api.key</code> to use it."


def bind(address: str, port: int, *, reuse_port: bool) -> socket.socket:
    """A bound socket that does not listen yet. Raises OSError where the address is taken or not ours."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind((address, port))
    except OSError:
        bound.close()
        raise
    bound.setblocking(False)
    return bound


class PublicServer:
    """The listener.

    Args:
        bound: the socket (`bind`).
        endpoint: serves WebSocket connections.
        api: answers the server API.
        api_key: what X-API-Key must hold; "" switches the server API off.
        version: told at `/`.
    """

    def __init__(self, bound: socket.socket, endpoint: WebSocketEndpoint, api: Api, *, api_key: str, version: str) -> None:
        self._bound, self._api, self._key, self._version = bound, api, api_key.encode(), version
        app = web.Application(client_max_size=API_BODY_MAX_BYTES)
        app.router.add_get("/", self._page)
        app.router.add_get("/connection/websocket", endpoint.handle)
        app.router.add_post("/api/{method}", self._call)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=FINISH_SECONDS)
        self._site: web.SockSite | None = None

    async def start(self) -> int:
        """Take connections; returns the port."""
        await self._runner.setup()
        self._site = web.SockSite(self._runner, self._bound, backlog=BACKLOG)
        await self._site.start()
        port: int = self._bound.getsockname()[1]
        return port

    async def stop_accepting(self) -> None:
        """Take no more connections; those that are open go on."""
        if self._site is not None:
            await self._site.stop()
            self._site = None

    async def stop(self) -> None:
        """Finish the requests under way, then end."""
        await self._runner.cleanup()
        self._bound.close()

    async def _page(self, request: web.Request) -> web.Response:
        scheme = "https" if request.secure else "http"
        host = "".join(each for each in request.host if each.isalnum() or each in ".:-[]")
        api = API_ON.format(scheme=scheme, host=host) if self._key else API_OFF
        text = PAGE.format(version=self._version, socket_scheme=scheme.replace("http", "ws"), host=host, api=api)
        return web.Response(text=text, content_type="text/html")

    async def _call(self, request: web.Request) -> web.Response:
        response = await self._answer(request)
        if self._site is None:  # leaving: who keeps connections open moves on with the next one, not in the middle of a request
            response.force_close()
        return response

    async def _answer(self, request: web.Request) -> web.Response:
        if not self._key:
            return web.Response(status=404, text="the server API is off: set http_api.key\n")
        if not hmac.compare_digest(_key_of(request).encode("utf-8", "surrogateescape"), self._key):
            return web.Response(status=401)
        body = await request.read()
        try:
            answer = await self._api.handle(request.match_info["method"], body)
        except LookupError:
            return web.Response(status=404, text="no such method\n")
        except ValueError as error:
            return web.Response(status=400, text=f"the body cannot be decoded: {error}\n")
        return web.Response(body=answer, content_type="application/json")


def _key_of(request: web.Request) -> str:
    """`X-API-Key`, or where it is absent `Authorization: apikey <key>`."""
    if (key := request.headers.get("X-API-Key")) is not None:
        return key
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "apikey" else ""
