"""/livez, /readyz and /metrics on the internal port of a process."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from causeway_common.telemetry import prometheus_text


class Health:
    """What readiness means for this process: named probes, all of them true, and not stopping."""

    def __init__(self) -> None:
        self._probes: dict[str, Callable[[], bool]] = {}
        self.started = False
        self.stopping = False

    def check(self, name: str, probe: Callable[[], bool]) -> None:
        """Add a probe; it must be quick and not block."""
        self._probes[name] = probe

    def report(self) -> tuple[bool, dict[str, bool]]:
        """Whether the process is ready, and each check's own answer."""
        checks = {name: probe() for name, probe in self._probes.items()}
        checks["started"], checks["running"] = self.started, not self.stopping
        return all(checks.values()), checks


class InternalServer:
    """The internal listener. That /livez answers shows that the event loop turns."""

    def __init__(self, health: Health, host: str, port: int) -> None:
        self._health, self._host, self._port = health, host, port
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen. Raises OSError where the port is taken."""
        app = web.Application()
        app.add_routes([web.get("/livez", self._livez), web.get("/readyz", self._readyz), web.get("/metrics", self._metrics)])
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port).start()

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _livez(self, _request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _readyz(self, _request: web.Request) -> web.Response:
        ready, checks = self._health.report()
        return web.json_response({"ready": ready, "checks": checks}, status=200 if ready else 503)

    async def _metrics(self, _request: web.Request) -> web.Response:
        body, content_type = prometheus_text()
        return web.Response(body=body, headers={"Content-Type": content_type})
