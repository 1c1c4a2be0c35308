"""Peers of integrations on loopback: a server of currency rates, and the common ground of the other ones."""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import dataclass, field
from typing import Self

from aiohttp import web

from support.nats import free_port


class Peer:
    """An aiohttp server on a port of its own; `stop` and `start` again keep it."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._runner: web.AppRunner | None = None

    def routes(self) -> list[web.RouteDef]:
        """What it serves."""
        raise NotImplementedError

    async def start(self) -> None:
        """Listen."""
        app = web.Application(client_max_size=1 << 20)
        app.add_routes(self.routes())
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()

    async def stop(self) -> None:
        """Listen no more."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()


@dataclass
class Asked:
    """One request as it came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass
class Faults:
    """What it does wrong: answers this status, hangs, or sends this much."""

    status: int = 0
    hang: bool = False
    bytes: int = 0
    headers: dict[str, str] = field(default_factory=dict)


class RatesServer(Peer):
    """`GET /v1/latest?base=EUR`: rates with an ETag; `POST /v1/orders` keeps the effect of each `Idempotency-Key` once."""

    def __init__(self, cache_control: str = "") -> None:
        super().__init__()
        self.rates = {"USD": "1.10", "GBP": "0.85"}
        self.cache_control, self.faults = cache_control, Faults()
        self.asked: list[Asked] = []
        self.orders: dict[str, dict[str, object]] = {}
        self.released = asyncio.Event()

    def routes(self) -> list[web.RouteDef]:
        """As the class says."""
        return [web.get("/v1/latest", self._latest), web.post("/v1/orders", self._order)]

    async def _wrong(self, request: web.Request) -> web.Response | None:
        self.asked.append(
            Asked(
                request.method,
                request.path,
                dict(request.query),
                {k.lower(): v for k, v in request.headers.items()},
                await request.read(),
            )
        )
        if self.faults.hang:
            await self.released.wait()
        if self.faults.status:
            return web.Response(status=self.faults.status, text="out of order", headers=self.faults.headers)
        return web.Response(body=b"x" * self.faults.bytes) if self.faults.bytes else None

    async def _latest(self, request: web.Request) -> web.Response:
        if wrong := await self._wrong(request):
            return wrong
        body = json.dumps({"base": request.query.get("base", "EUR"), "rates": self.rates}).encode()
        tag = f'"{hashlib.sha256(body).hexdigest()[:12]}"'
        headers = {"ETag": tag, **({"Cache-Control": self.cache_control} if self.cache_control else {})}
        if request.headers.get("If-None-Match") == tag:
            return web.Response(status=304, headers=headers)
        return web.Response(body=body, content_type="application/json", headers=headers)

    async def _order(self, request: web.Request) -> web.Response:
        if wrong := await self._wrong(request):
            return wrong
        key = request.headers.get("Idempotency-Key", "")
        made = self.orders.setdefault(key or f"none-{len(self.orders)}", {"number": len(self.orders) + 1})
        return web.json_response(made, status=201)
