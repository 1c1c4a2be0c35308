"""Makes an app answer on the bus: one subscription per method and hook, by name and never by wildcard, in the app's queue group."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from causeway_common.bus import Bus, Call
from causeway_common.contracts.messages import RpcReply, RpcRequest
from causeway_common.contracts.verbs import RPC, Verb

Answer = Callable[[str, RpcRequest, Call], Awaitable[RpcReply]]
Hook = Callable[[Any, Call], Awaitable[Any]]


class Serving:
    """Serves `methods`, and the hooks that are given. Stopping is the bus's: it drains what it serves.

    Args:
        bus: the connection.
        app: the app's name.
        methods: by name, how many calls of it at once; beyond it 111 overloaded, at once.
        answer: answers them.
    """

    def __init__(self, bus: Bus, app: str, methods: Mapping[str, int], answer: Answer) -> None:
        self._bus, self._app, self._methods, self._answer = bus, app, methods, answer
        self._hooks: list[tuple[Verb[Any, Any], Hook, int]] = []

    def with_hook(self, verb: Verb[Any, Any], hook: Hook, *, limit: int) -> None:
        """Serve this hook too, at most `limit` calls of it at once."""
        self._hooks.append((verb, hook, limit))

    async def start(self) -> None:
        """Subscribe; returns once the server has all subscriptions."""
        for method, limit in self._methods.items():
            answer = partial(self._answer, method)
            await self._bus.serve(RPC, answer, queue=self._app, limit=limit, app=self._app, method=method)
        for verb, hook, limit in self._hooks:
            await self._bus.serve(verb, hook, queue=self._app, limit=limit, app=self._app)
        await self._bus.flush()

    async def stop(self) -> None:
        """Take no more calls and let those that run finish."""
        await self._bus.stop_serving()
