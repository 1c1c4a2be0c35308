"""The public listener: every endpoint of clients, the server API, and at `/` a short page or the web application."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import HttpVersion11, web
from aiohttp.http import HttpProcessingError

from causeway_gateway.adapters.acceptor import BACKLOG, Acceptor, bind
from causeway_gateway.adapters.api import BODY_MAX_BYTES, Api, ApiEndpoint, KeyRing
from causeway_gateway.adapters.detach import Detached, release
from causeway_gateway.adapters.doorway import HEAD_MAX, Doorways
from causeway_gateway.adapters.emulation import PATH as EMULATION
from causeway_gateway.adapters.emulation import EmulationEndpoint
from causeway_gateway.adapters.forwarded import Proxies
from causeway_gateway.adapters.head import head_of, refusal
from causeway_gateway.adapters.limits import Limits, Refused
from causeway_gateway.adapters.pages import Pages
from causeway_gateway.adapters.settings import TransportSettings
from causeway_gateway.adapters.streams import STREAMS, StreamEndpoint
from causeway_gateway.adapters.websocket import ECHO, UNI_WEBSOCKET, WEBSOCKET, WebSocketEndpoint
from causeway_gateway.adapters.wire import Wires
from causeway_gateway.ports import Gate

__all__ = ["PublicServer", "bind"]

FINISH_SECONDS: Final = 4.5
KEEPALIVE_SECONDS: Final = 75.0
LINGER_SECONDS: Final = 1.0  # for what a client still sends after its request was refused

PAGE: Final = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Causeway</title>
<body style="font-family: sans-serif; max-width: 42em; margin: 3em auto; line-height: 1.5">
<h1>Causeway {version}</h1>
<p>A gateway runs here. Clients speak the Centrifuge protocol (JSON or Protobuf) with any Centrifuge SDK:</p>
<pre>new Centrifuge("{socket_scheme}://{host}/connection/websocket", {{ token: "…" }})</pre>
<p>{api}</p>
<p>On a development machine: <code>causeway token --user USER</code>, <code>causeway tail CHANNEL</code>,
<code>causeway publish CHANNEL DATA</code>, <code>causeway call METHOD DATA --user USER</code>.</p>
"""
API_ON: Final = "Servers publish by <code>POST {scheme}://{host}/api/publish</code> with the header <code>X-API-Key</code>."
API_OFF: Final = "The server API is off: set <code>http_api.key</code> to use it."
API_ELSEWHERE: Final = "The server API has a port of its own."
OFF: Final = {
    WEBSOCKET: "websocket.disabled = false",
    UNI_WEBSOCKET: "uni_websocket.enabled = true",
    ECHO: "CAUSEWAY_GATEWAY_TEST_ECHO=1",
}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class PublicServer:
    """The listener. Made inside a running loop.

    Args:
        bound: the socket (`bind`).
        gate: where clients are brought.
        api: answers the server API; None: there is none.
        keys: the API's keys.
        settings: what holds for connections.
        version: told at `/`.
        broken: called with the code where a client broke RFC 6455, the message limit (1009) or answered no native ping.
        api_bound: a socket of the server API's own; None: it is served at `bound`.
        pages: the web application at `/`; None: a short page says what runs.
    """

    def __init__(
        self,
        bound: socket.socket,
        gate: Gate,
        api: Api | None,
        keys: KeyRing,
        settings: TransportSettings,
        *,
        version: str,
        broken: Callable[[int], None],
        api_bound: socket.socket | None = None,
        pages: Pages | None = None,
    ) -> None:
        self._version, self._has_api, self._api_bound = version, api is not None, api_bound
        self._proxies = Proxies(settings.trusted_proxies)
        self._wires = Wires(Limits(settings.connection_limit, settings.connection_limit_per_ip), settings.queue_max, broken)
        self._sockets = WebSocketEndpoint(gate, self._wires, settings)
        app = web.Application(client_max_size=BODY_MAX_BYTES)
        self._add_routes(app, gate, settings)
        endpoint = ApiEndpoint(api, keys, settings.header_seconds, lambda: not self._acceptor.accepting)
        api_app = app if api_bound is None else web.Application(client_max_size=BODY_MAX_BYTES)
        endpoint.add_to(api_app)
        if pages is None:
            app.router.add_get("/", self._page)
        else:
            app.router.add_route("*", "/{path:.*}", pages.handle)  # what nothing else has taken
        self._runner = runner_of(app)
        self._api_runner = None if api_bound is None else runner_of(api_app)
        self._settings = settings
        self._doorways: Doorways | None = None
        self._acceptor = Acceptor(bound, self._opened, settings.connection_rate)

    @property
    def connections(self) -> int:
        """Connections of clients, whatever their transport."""
        return len(self._wires)

    @property
    def bytes_in(self) -> int:
        """Bytes of messages that came from clients."""
        return self._wires.bytes_in

    @property
    def bytes_out(self) -> int:
        """Bytes of frames that were written to clients."""
        return self._wires.bytes_out

    async def start(self) -> int:
        """Take connections; returns the port."""
        await self._runner.setup()
        server = self._runner.server
        if server is None:
            raise RuntimeError("the runner has no server after its set-up")
        self._doorways = Doorways(self._sockets, server, self._proxies, self._settings)
        if self._api_runner is not None and self._api_bound is not None:
            await self._api_runner.setup()
            await web.SockSite(self._api_runner, self._api_bound, backlog=BACKLOG).start()
        return self._acceptor.start()

    async def stop_accepting(self) -> None:
        """Take no more connections; those that are open go on."""
        await self._acceptor.stop()
        if self._api_runner is not None:
            for site in list(self._api_runner.sites):
                await site.stop()

    async def stop(self) -> None:
        """Finish the requests under way and the closing handshakes, then end."""
        await self.stop_accepting()
        if self._doorways is not None:
            self._doorways.clear()
        runners = [runner.cleanup() for runner in (self._runner, self._api_runner) if runner is not None]
        await asyncio.gather(self._wires.finish(FINISH_SECONDS), *runners)

    def _opened(self, address: str) -> asyncio.Protocol:
        if self._doorways is None:
            raise RuntimeError("not started")
        return self._doorways.opened(address)

    def _add_routes(self, app: web.Application, gate: Gate, settings: TransportSettings) -> None:
        router = app.router
        router.add_route("*", "/connection/init", _init)
        for path, option in OFF.items():
            router.add_route("*", path, self._upgrade if path in self._sockets.paths else _off(option))
        on = settings.endpoints
        for stream in STREAMS:
            enabled = getattr(on, stream.name)
            endpoint = StreamEndpoint(stream, gate, self._wires, self._proxies, settings)
            router.add_route("*", stream.path, endpoint.handle if enabled else _off(f"{stream.name}.enabled = true"))
        uplink = EmulationEndpoint(gate, settings).handle
        router.add_route("*", EMULATION, uplink if on.http_stream or on.sse else _off("http_stream.enabled or sse.enabled = true"))

    async def _upgrade(self, request: web.Request) -> web.StreamResponse:
        """A handshake on a connection that aiohttp served before: proxies keep theirs open and use them again."""
        head = head_of(request, self._proxies.client(request.remote or "", request.headers.getall("X-Forwarded-For", ())))
        transport = request.transport
        if transport is None or transport.is_closing():
            return Detached()
        if request.method != "GET" or request.version < HttpVersion11:
            return refusal(Refused(426, "a WebSocket begins with a GET of HTTP/1.1", {"Upgrade": "websocket"}))
        try:
            wire = self._sockets.accept(head, transport)
        except Refused as refused:
            return refusal(refused)
        if tail := release(request):
            wire.data_received(tail)
        return Detached()

    async def _page(self, request: web.Request) -> web.Response:
        scheme = "https" if request.secure else "http"
        host = "".join(each for each in request.host if each.isalnum() or each in ".:-[]")
        api = (API_ON if self._api_bound is None else API_ELSEWHERE) if self._has_api else API_OFF
        text = PAGE.format(
            version=self._version, socket_scheme=scheme.replace("http", "ws"), host=host, api=api.format(scheme=scheme, host=host)
        )
        return web.Response(text=text, content_type="text/html")


def runner_of(app: web.Application) -> web.AppRunner:
    """How every listener of the gateway serves HTTP."""
    return web.AppRunner(
        app,
        access_log=None,
        logger=_faults,
        shutdown_timeout=FINISH_SECONDS,
        keepalive_timeout=KEEPALIVE_SECONDS,
        lingering_time=LINGER_SECONDS,
        max_line_size=HEAD_MAX,
    )


def _is_ours(record: logging.LogRecord) -> bool:
    """Not the fault of a client, whose requests may be as malformed as they like without a word in the log."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


_faults: Final = logging.getLogger("causeway.gateway.http")
_faults.addFilter(_is_ours)


async def _init(_request: web.Request) -> web.Response:
    """For load balancers, and for clients that warm a connection up."""
    return web.json_response({})


def _off(option: str) -> Handler:
    async def handle(_request: web.Request) -> web.StreamResponse:
        return refusal(Refused(404, f"this endpoint is off: set {option}"))

    return handle
