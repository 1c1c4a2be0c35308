"""Makes an app answer on the bus: each method and hook by name and never by wildcard, as the app and as this version of it.

Gateways ask a version (docs/adr/0021). The app's own subject, where any version answers, is for who knows of no versions.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from causeway_common.bus import Bus, Call
from causeway_common.bus.client import DirectSubscription
from causeway_common.contracts.messages import RpcReply, RpcRequest
from causeway_common.contracts.subjects import encode_token
from causeway_common.contracts.verbs import HOOKS_VERSION, RPC, RPC_VERSION, Verb

Answer = Callable[[str, RpcRequest, Call], Awaitable[RpcReply]]
Hook = Callable[[Any, Call], Awaitable[Any]]


class Serving:
    """Serves `methods`, and the hooks that are given. Stopping is the bus's: it drains what it serves.

    Args:
        bus: the connection.
        app: the app's name.
        version: of it.
        methods: by name, how many calls of it at once; beyond it 111 overloaded, at once.
        answer: answers them.
    """

    def __init__(self, bus: Bus, app: str, version: str, methods: Mapping[str, int], answer: Answer) -> None:
        self._bus, self._app, self._version = bus, app, encode_token(version)
        self._methods, self._answer = methods, answer
        self._served: list[DirectSubscription] = []
        self._hooks: list[tuple[Verb[Any, Any], Hook, int]] = []

    def with_hook(self, verb: Verb[Any, Any], hook: Hook, *, limit: int) -> None:
        """Serve this hook too, at most `limit` calls of it at once."""
        self._hooks.append((verb, hook, limit))

    async def start(self) -> None:
        """Subscribe; returns once the server has all subscriptions."""
        for method, limit in self._methods.items():
            await self._serve(RPC_VERSION, RPC, partial(self._answer, method), limit, {"method": method})
        for verb, hook, limit in self._hooks:
            await self._serve(HOOKS_VERSION[verb.name], verb, hook, limit, {})
        await self._bus.flush()

    async def _serve(
        self, verb: Verb[Any, Any], of_any: Verb[Any, Any], answer: Hook, limit: int, fields: Mapping[str, str]
    ) -> None:
        """As this version and as the app; the limit is of both together."""
        endpoint = self._bus.endpoint(verb, answer, limit=limit)
        own = verb.wildcard(app=self._app, version=self._version, **fields)
        self._served += (
            await endpoint.subscribe(own, f"{self._app}.{self._version}"),
            await endpoint.subscribe(of_any.wildcard(app=self._app, **fields), self._app, verb=of_any),
        )

    async def stop(self) -> None:
        """Take no more calls and let those that run finish."""
        await self._bus.end(self._served)
        await self._bus.stop_serving()
