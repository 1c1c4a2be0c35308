"""The kill port of `causeway dev`: who runs, and SIGKILL for whom one likes. On loopback, for who has the token of the session.

The failure playground of the web application asks it from its own origin; a browser's other pages are refused by Host and Origin, whatever
they know. Without a token it tells one thing, the demo's exchange rates.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Final, Literal, Protocol

from aiohttp import web

from causeway_cli.dev.rates import RATES_PATH, demo_rates

SERVICE: Final = "dev"
"""Its name in stack.json."""
BODY_MAX_BYTES: Final = 4096
_RATES: Final = f"{RATES_PATH}/latest"
_PREFLIGHT: Final = {
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Allow-Headers": "authorization, content-type",
    "Access-Control-Max-Age": "600",
}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class DeskAt:
    """Where the port is and what opens it. `origins`: of the pages that may ask."""

    host: str
    port: int
    token: str = field(repr=False)
    origins: tuple[str, ...]

    @property
    def url(self) -> str:
        """For the page."""
        return f"http://{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class ProcessView:
    """One process of the stack as the port tells it.

    Attributes:
        service: as in stack.json.
        kind: `gateway`, `logic`, `storage`, `integrations`, `nats` or `crowd`; may be killed by it as well.
        name: unique in the stack.
        pid: None while it is down.
        since: when this life of it began, Unix milliseconds; None while it is down.
        restarts: how often it was started again.
        state: `ready`, `starting`, or `down`.
        outage_ms: how long it was not ready after its latest death; None where it never died or is not back yet.
    """

    service: str
    kind: str
    name: str
    pid: int | None
    since: int | None
    restarts: int
    state: Literal["ready", "starting", "down"]
    outage_ms: int | None


class Keepers(Protocol):
    """Who keeps the processes."""

    def processes(self) -> list[ProcessView]:
        """All of them, also those that are down."""

    def strike(self, names: Sequence[str]) -> list[ProcessView]:
        """SIGKILL to the processes of these names; those that it reached, as they were."""


class Desk:
    """The HTTP server of the port; answers are JSON, refusals `{"error": …}` with 400, 401, 403, 404, 409."""

    def __init__(self, at: DeskAt, keepers: Keepers) -> None:
        self.at, self._keepers = at, keepers
        self._hosts = {f"{host}:{at.port}" for host in (at.host, "localhost")}
        self._runner: web.AppRunner | None = None

    async def open(self) -> None:
        """Listen. Raises OSError."""
        app = web.Application(client_max_size=BODY_MAX_BYTES, middlewares=[self._guard])
        app.router.add_get("/processes", self._processes)
        app.router.add_post("/kill", self._kill)
        app.router.add_get(_RATES, self._rates)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, self.at.host, self.at.port).start()

    async def close(self) -> None:
        """Answer no more."""
        if self._runner is not None:
            await self._runner.cleanup()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Host, origin, token; then the handler, whose answer that origin alone may read."""
        if request.headers.get("Host", "") not in self._hosts:  # another name that leads here: DNS rebinding
            return _refused(403, "this port is asked by its own address alone")
        origin = request.headers.get("Origin")
        if origin is not None and origin not in self.at.origins:
            return _refused(403, "this page may not ask")
        readable = {"Vary": "Origin", "Cache-Control": "no-store"} | ({"Access-Control-Allow-Origin": origin} if origin else {})
        if request.method == "OPTIONS":
            return web.Response(status=204, headers=readable | _PREFLIGHT)
        answer = await self._answer(request, handler)
        answer.headers.update(readable)
        return answer

    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.headers.get("Authorization", "").encode()
        if request.path != _RATES and not hmac.compare_digest(given, f"Bearer {self.at.token}".encode()):
            return _refused(401, "the token of this session is missing or wrong; it changes with each start of causeway dev")
        try:
            return await handler(request)
        except web.HTTPException as error:  # of the router and of a body that is too large
            return _refused(error.status, error.reason.lower())

    async def _processes(self, _request: web.Request) -> web.Response:
        return web.json_response({"processes": [asdict(each) for each in self._keepers.processes()]})

    async def _rates(self, request: web.Request) -> web.Response:
        found = demo_rates(request.query.get("base", ""))
        return _refused(404, "there is no rate of this currency") if found is None else web.json_response(found)

    async def _kill(self, request: web.Request) -> web.Response:
        try:
            asked = json.loads(await request.read())
            service, name = asked["service"], asked.get("name")
        except (ValueError, KeyError, TypeError, AttributeError):
            return _refused(400, 'the body is {"service": "gateway"}, with "name" where only one of them is meant')
        meant = [each for each in self._keepers.processes() if service in (each.service, each.kind) and name in (None, each.name)]
        if not meant:
            return _refused(404, "there is no such process")
        struck = self._keepers.strike([each.name for each in meant])
        if not struck:
            return _refused(409, "it is down already")
        return web.json_response({"killed": [asdict(each) for each in struck]})


def _refused(status: int, why: str) -> web.Response:
    return web.json_response({"error": why}, status=status)
