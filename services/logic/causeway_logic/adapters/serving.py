"""Makes an app answer on the bus: one subscription per method, by name and never by wildcard, in the app's queue group."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from causeway_common.bus import Bus, Call
from causeway_common.contracts.messages import RpcReply, RpcRequest, SubscribeHookReply, SubscribeHookRequest
from causeway_common.contracts.verbs import RPC, SUBSCRIBE_HOOK

Answer = Callable[[str, RpcRequest, Call], Awaitable[RpcReply]]
Hook = Callable[[SubscribeHookRequest, Call], Awaitable[SubscribeHookReply]]


class Serving:
    """Serves `methods`, and the subscribe hook where one is given. Stopping is the bus's: it drains what it serves."""

    def __init__(self, bus: Bus, app: str, methods: tuple[str, ...], answer: Answer, *, limit: int) -> None:
        self._bus, self._app, self._methods, self._answer, self._limit = bus, app, methods, answer, limit
        self._hook: Hook | None = None
        self._hook_limit = 0

    def with_hook(self, hook: Hook, *, limit: int) -> None:
        """Serve the subscribe hook too."""
        self._hook, self._hook_limit = hook, limit

    async def start(self) -> None:
        """Subscribe; returns once the server has all subscriptions."""
        for method in self._methods:
            await self._bus.serve(RPC, self._bound(method), queue=self._app, limit=self._limit, app=self._app, method=method)
        if self._hook is not None:
            await self._bus.serve(SUBSCRIBE_HOOK, self._hook, queue=self._app, limit=self._hook_limit, app=self._app)
        await self._bus.flush()

    async def stop(self) -> None:
        """Take no more calls and let those that run finish."""
        await self._bus.stop_serving()

    def _bound(self, method: str) -> Callable[[RpcRequest, Call], Awaitable[RpcReply]]:
        async def answer(request: RpcRequest, call: Call) -> RpcReply:
            return await self._answer(method, request, call)

        return answer
