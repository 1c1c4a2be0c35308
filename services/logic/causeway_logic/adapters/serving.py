"""Makes an app answer on the bus: each method and hook by name and never by wildcard, as the app and as this version of it.

Gateways ask a version (docs/adr/0015). The app's own subject, where any version answers, is for who knows of no versions.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from causeway_common.bus import Bus, Call
from causeway_common.contracts.messages import RpcReply, RpcRequest
from causeway_common.contracts.subjects import encode_token
from causeway_common.contracts.verbs import HOOKS_VERSION, RPC, RPC_VERSION, Verb

Answer = Callable[[str, RpcRequest, Call], Awaitable[RpcReply]]
Hook = Callable[[Any, Call], Awaitable[Any]]


class Serving:
    """Serves `methods`, and the hooks that are given. Stopping is the bus's: it drains what it serves."""

    def __init__(self, bus: Bus, app: str, version: str, methods: tuple[str, ...], answer: Answer, *, limit: int) -> None:
        self._bus, self._app, self._version = bus, app, encode_token(version)
        self._methods, self._answer, self._limit = methods, answer, limit
        self._hooks: list[tuple[Verb[Any, Any], Hook, int]] = []

    def with_hook(self, verb: Verb[Any, Any], hook: Hook, *, limit: int) -> None:
        """Serve this hook too, at most `limit` calls of it at once."""
        self._hooks.append((verb, hook, limit))

    async def start(self) -> None:
        """Subscribe; returns once the server has all subscriptions."""
        serve, app, version = self._bus.serve, self._app, self._version
        group = f"{app}.{version}"
        for method in self._methods:
            answer = partial(self._answer, method)
            await serve(RPC, answer, queue=app, limit=self._limit, app=app, method=method)
            await serve(RPC_VERSION, answer, queue=group, limit=self._limit, app=app, method=method, version=version)
        for verb, hook, limit in self._hooks:
            await serve(verb, hook, queue=app, limit=limit, app=app)
            await serve(HOOKS_VERSION[verb.name], hook, queue=group, limit=limit, app=app, version=version)
        await self._bus.flush()

    async def stop(self) -> None:
        """Take no more calls and let those that run finish."""
        await self._bus.stop_serving()
