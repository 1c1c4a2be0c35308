"""The listener of `/hooks/<source>`: bounded bodies, bounded time, bounded number at once."""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web

from causeway_common.telemetry import get_logger
from causeway_integrations.ports.hooks import HooksPort

log = get_logger("integrations")
BODY_SECONDS: Final = 10.0
AT_ONCE: Final = 256


class HooksServer:
    """Listens.

    Args:
        hooks: takes what comes.
        host: to listen on.
        port: likewise.
        max_body: bytes of a body.
    """

    def __init__(self, hooks: HooksPort, *, host: str, port: int, max_body: int) -> None:
        self._hooks, self._host, self._port, self._max_body = hooks, host, port, max_body
        self._under_way = 0
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen. Raises OSError where the port is taken."""
        app = web.Application(client_max_size=self._max_body)
        app.add_routes([web.post("/hooks/{source}", self._post)])
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=5, auto_decompress=False)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port, reuse_port=False).start()

    async def stop(self) -> None:
        """Stop listening; what is under way is answered."""
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def port(self) -> int:
        """Where it listens."""
        if self._runner is None:
            raise RuntimeError("the listener is not started")
        return int(self._runner.addresses[0][1])

    async def _post(self, request: web.Request) -> web.Response:
        source = request.match_info["source"]
        if not self._hooks.knows(source):
            return web.Response(status=404, text="there is no such source\n")
        if self._under_way >= AT_ONCE:
            return web.Response(status=503, text="try again later\n", headers={"Retry-After": "1"})
        self._under_way += 1
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await request.read()
        except TimeoutError:
            return web.Response(status=408, text="the body did not come in time\n")
        except web.HTTPRequestEntityTooLarge:
            return web.Response(status=413, text=f"a body has at most {self._max_body} bytes\n")
        else:
            headers = {name.lower(): value for name, value in request.headers.items()}
            taken = await self._hooks.take(source, headers, body)
            return web.Response(status=taken.status, text=taken.text)
        finally:
            self._under_way -= 1
