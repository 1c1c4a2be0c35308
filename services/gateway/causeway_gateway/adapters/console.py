"""The operator's console: a listener of its own with the page at `/console`, and `POST /ops/<noun>.<verb>` for who has one of its keys."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from aiohttp import web

from causeway_common.telemetry import get_logger
from causeway_gateway.adapters import metrics
from causeway_gateway.adapters.acceptor import BACKLOG
from causeway_gateway.adapters.api import BODY_MAX_BYTES, Api, Calls, KeyRing
from causeway_gateway.adapters.attempts import Attempts
from causeway_gateway.adapters.forwarded import Proxies
from causeway_gateway.adapters.head import refusal
from causeway_gateway.adapters.http import runner_of
from causeway_gateway.adapters.limits import Refused
from causeway_gateway.adapters.origins import origin_allowed
from causeway_gateway.adapters.pages import HEADERS, Pages
from causeway_gateway.adapters.settings import TransportSettings
from causeway_gateway.domain.keyring import STREAMS

log = get_logger("gateway.console")
INDEX: Final = "/console.html"
PATH: Final = "/console"


class ConsoleServer:
    """The listener.

    Args:
        bound: the socket (`acceptor.bind`).
        api: answers.
        keys: of the console, which are not the server API's.
        settings: what holds for connections.
        clock: monotonic milliseconds, for who tries keys.
        pages: the page; None: there is none.
    """

    def __init__(
        self,
        bound: socket.socket,
        api: Api,
        keys: KeyRing,
        settings: TransportSettings,
        *,
        clock: Callable[[], int],
        pages: Pages | None,
    ) -> None:
        self._bound, self._keys, self._pages = bound, keys, pages
        self._calls = Calls(api, settings.header_seconds)
        self._attempts, self._proxies = Attempts(clock), Proxies(settings.trusted_proxies)
        app = web.Application(client_max_size=BODY_MAX_BYTES)
        app.router.add_get("/", _to_the_page)
        app.router.add_get(PATH + "{place:(/.*)?}", self._page)
        for name in sorted(STREAMS):
            app.router.add_post(f"/ops/{{method:{re.escape(name)}}}", partial(self._call, streams=True))
        app.router.add_post("/ops/{method}", self._call)
        self._runner = runner_of(app)

    async def open(self) -> None:
        """Take connections."""
        await self._runner.setup()
        await web.SockSite(self._runner, self._bound, backlog=BACKLOG).start()
        log.info("the console is open", port=self.port)

    @property
    def port(self) -> int:
        """Where it is."""
        port: int = self._bound.getsockname()[1]
        return port

    async def stop(self) -> None:
        """Finish the requests under way, then end."""
        for site in list(self._runner.sites):
            await site.stop()
        await self._runner.cleanup()

    async def _page(self, request: web.Request) -> web.StreamResponse:
        if self._pages is None:
            return refusal(Refused(404, "there is no page here: set console.directory"), HEADERS)
        return self._pages.answer(request, request.match_info["place"] or "/")

    async def _call(self, request: web.Request, *, streams: bool = False) -> web.StreamResponse:
        try:
            caller = self._authorized(request)
            if caller is None:
                return web.Response(status=401, headers=HEADERS)
            response = await self._calls.answer(request, caller, operation=True, streams=streams)
        except Refused as refused:
            return refusal(refused, HEADERS)
        if not response.prepared:
            response.headers.update({**HEADERS, "Cache-Control": "no-store"})
        return response

    def _authorized(self, request: web.Request) -> Any | None:
        if not origin_allowed(request.headers.get("Origin"), request.host, ()):
            metrics.refused.add(1, "console_origin")
            raise Refused(403, "only the console's own page may call this")
        address = self._proxies.client(request.remote or "", request.headers.getall("X-Forwarded-For", ()))
        self._attempts.check(address)
        caller = self._keys.authorize(request.headers.get("X-API-Key", ""))
        if caller is None:
            metrics.refused.add(1, "console_key")
            self._attempts.failed(address)
        return caller


async def _to_the_page(_request: web.Request) -> web.Response:
    return web.Response(status=302, headers={**HEADERS, "Location": PATH})
