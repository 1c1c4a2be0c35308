"""The apps over the bus: each question goes to one version, and to the next where nobody answers for it (docs/adr/0021)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from time import monotonic
from typing import Final

from causeway_common.bus import Bus, Deadline
from causeway_common.bus.buckets import LiveBucket
from causeway_common.bus.connection import NoRespondersError
from causeway_common.bus.jetstream import put, ttl_headers
from causeway_common.contracts import messages as m
from causeway_common.contracts import verbs as v
from causeway_common.contracts.codec import decode, encode
from causeway_common.contracts.errors import CausewayError
from causeway_common.contracts.subjects import KV_ROUTES, ROUTES_STREAM, decode_token, encode_token
from causeway_common.contracts.verbs import Rep, Req, Verb
from causeway_common.telemetry import OpenSpan, get_logger
from causeway_gateway.domain.calls import CallCounts
from causeway_gateway.domain.routing import Routing
from causeway_gateway.ports import NobodyError

log = get_logger("gateway.apps")
_Rest = tuple[Callable[[m.RpcReply | CausewayError], None], OpenSpan, tuple[str, ...]]
"""Who is told, the span, and the versions that are still to be asked."""
_token = lru_cache(maxsize=1024)(encode_token)
REMOVED_SECONDS: Final = 60


class BusApps:
    """`ports.Apps` over the bus.

    Args:
        bus: the connection.
        routing: which version answers whom.
        counts: what becomes of each call.
    """

    def __init__(self, bus: Bus, routing: Routing, counts: CallCounts) -> None:
        self._bus, self._routing, self._counts = bus, routing, counts

    async def call(self, app: str, method: str, request: m.RpcRequest, deadline: Deadline) -> bytes:
        """Call a method; app and method were looked up in the manifests."""
        versions = self._routing.of_method(app, method, request.user, request.client)
        started, error = monotonic(), None
        try:
            return await self._call(app, method, request, deadline, versions)
        except CausewayError as failure:
            error = failure
            raise
        finally:
            self._counts.add(app, method, versions[0] if versions else "", error, _since(started))

    async def _call(self, app: str, method: str, request: m.RpcRequest, deadline: Deadline, versions: tuple[str, ...]) -> bytes:
        for version in versions:
            try:
                token = _token(version)
                return (await self._bus.request(v.RPC_VERSION, request, deadline, app=app, method=method, version=token)).data
            except NoRespondersError:
                continue
        try:
            return (await self._bus.request(v.RPC, request, deadline, app=app, method=method)).data
        except NoRespondersError as error:
            raise _nobody(error) from error

    def begin_call(
        self,
        app: str,
        method: str,
        request: m.RpcRequest,
        deadline: Deadline,
        *,
        done: Callable[[m.RpcReply | CausewayError], None],
        parent: OpenSpan,
    ) -> None:
        """Call a method; `done` is called from the connection's read loop."""
        versions = self._routing.of_method(app, method, request.user, request.client)
        started = monotonic()

        def counted(reply: m.RpcReply | CausewayError) -> None:
            error = reply if isinstance(reply, CausewayError) else None
            self._counts.add(app, method, versions[0] if versions else "", error, _since(started))
            done(reply)

        self._begin(app, method, request, deadline, (counted, parent, versions))

    def _begin(self, app: str, method: str, request: m.RpcRequest, deadline: Deadline, rest: _Rest) -> None:
        """Ask the first of the versions, and where nobody answers the next, at last the app."""
        done, parent, versions = rest
        if not versions:

            def last(reply: m.RpcReply | CausewayError) -> None:
                done(_nobody(reply) if isinstance(reply, NoRespondersError) else reply)

            self._bus.begin(v.RPC, request, deadline, last, parent=parent, app=app, method=method)
            return

        def answered(reply: m.RpcReply | CausewayError) -> None:
            if not isinstance(reply, NoRespondersError):
                done(reply)
                return
            try:
                self._begin(app, method, request, deadline, (done, parent, versions[1:]))
            except CausewayError as error:
                done(error)

        token = _token(versions[0])
        self._bus.begin(v.RPC_VERSION, request, deadline, answered, parent=parent, app=app, method=method, version=token)

    async def may_subscribe(self, app: str, request: m.SubscribeHookRequest, deadline: Deadline) -> m.SubscribeHookReply:
        """Ask the subscribe hook."""
        versions = self._routing.of_hook(app, v.SUBSCRIBE_HOOK.name, request.channel, request.user, request.client)
        return await self._ask(v.SUBSCRIBE_HOOK, app, versions, request, deadline)

    async def may_connect(self, app: str, request: m.ConnectHookRequest, deadline: Deadline) -> m.ConnectHookReply:
        """Ask the connect hook."""
        versions = self._routing.of_hook(app, v.CONNECT_HOOK.name, "", "", request.client)
        return await self._ask(v.CONNECT_HOOK, app, versions, request, deadline)

    async def may_stay(self, app: str, request: m.RefreshHookRequest, deadline: Deadline) -> m.RefreshHookReply:
        """Ask the refresh hook."""
        versions = self._routing.of_hook(app, v.REFRESH_HOOK.name, "", request.user, request.client)
        return await self._ask(v.REFRESH_HOOK, app, versions, request, deadline)

    async def may_stay_subscribed(self, app: str, request: m.SubRefreshHookRequest, deadline: Deadline) -> m.RefreshHookReply:
        """Ask the sub_refresh hook."""
        versions = self._routing.of_hook(app, v.SUB_REFRESH_HOOK.name, request.channel, request.user, request.client)
        return await self._ask(v.SUB_REFRESH_HOOK, app, versions, request, deadline)

    async def may_publish(self, app: str, request: m.PublishHookRequest, deadline: Deadline) -> m.PublishHookReply:
        """Ask the publish hook."""
        versions = self._routing.of_hook(app, v.PUBLISH_HOOK.name, request.channel, request.user, request.client)
        return await self._ask(v.PUBLISH_HOOK, app, versions, request, deadline)

    async def _ask(self, verb: Verb[Req, Rep], app: str, versions: Iterable[str], request: Req, deadline: Deadline) -> Rep:
        one = v.HOOKS_VERSION[verb.name]
        for version in versions:
            try:
                answer: Rep = await self._bus.request(one, request, deadline, app=app, version=_token(version))
            except NoRespondersError:
                continue
            return answer
        try:
            return await self._bus.request(verb, request, deadline, app=app)
        except NoRespondersError as error:
            raise _nobody(error) from error


def _since(started: float) -> int:
    return round((monotonic() - started) * 1000)


def _nobody(error: CausewayError) -> NobodyError:
    return NobodyError(error.name, error.message)


class BusRoutes:
    """`ports.Routes` over the bucket `cw_routes`, and its live copy in `routing`."""

    def __init__(self, bus: Bus, routing: Routing) -> None:
        self._bus, self._routing = bus, routing
        self._bucket = LiveBucket(bus, ROUTES_STREAM, KV_ROUTES, self._changed)

    async def start(self) -> None:
        """Follow the bucket; returns once it was read: a canary's share is known before anybody is answered."""
        await self._bucket.start()
        await self._bucket.loaded()

    async def stop(self) -> None:
        """Follow no more."""
        await self._bucket.stop()

    async def set(self, route: m.Route, deadline: Deadline) -> None:
        """Keep it, durably."""
        await put(self._bus, _key(route.app, route.method), encode(route), deadline)

    async def remove(self, app: str, method: str, deadline: Deadline) -> None:
        """Keep it no more."""
        await put(self._bus, _key(app, method), b"", deadline, ttl_headers(REMOVED_SECONDS))

    def _changed(self, subject: str, body: bytes) -> None:
        fields = KV_ROUTES.fields(subject)
        app, method = fields["app"], decode_token(fields["method"])
        try:
            route = decode(body, m.Route) if body else None
        except CausewayError as error:
            log.error("a route cannot be read and does not hold", subject=subject, reason=error.message)  # noqa: TRY400 - one line
            route = None
        self._routing.set_route(app, method, route)


def _key(app: str, method: str) -> str:
    return KV_ROUTES.at(app=app, method=encode_token(method))
