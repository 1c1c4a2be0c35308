"""From a request to a reply: validate, run the handler, turn whatever happens into a row of the error table. Knows no bus."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from msgspec import structs

from causeway_common.bus import Call, Deadline
from causeway_common.contracts.errors import CausewayError, ErrorName
from causeway_common.contracts.messages import (
    ConnectHookReply,
    ConnectHookRequest,
    PublishHookReply,
    PublishHookRequest,
    RefreshHookReply,
    RefreshHookRequest,
    RpcReply,
    RpcRequest,
    SubRefreshHookRequest,
    SubscribeHookReply,
    SubscribeHookRequest,
)
from causeway_common.contracts.verbs import CONNECT_HOOK, PUBLISH_HOOK, REFRESH_HOOK, SUB_REFRESH_HOOK, SUBSCRIBE_HOOK, Verb
from causeway_common.telemetry import get_logger
from causeway_logic.domain.channel_hooks import ChannelHooks, Hook
from causeway_logic.domain.declare import App
from causeway_logic.domain.hooks import Abstention, ConnectReply, ConnectRequest, RefreshReply, SubscribeReply
from causeway_logic.domain.identity import Identity
from causeway_logic.domain.methods import Method
from causeway_logic.domain.reject import Reject
from causeway_logic.domain.signatures import Signature
from causeway_logic.domain.values import Channel
from causeway_logic.handlers.answering import Answering
from causeway_logic.handlers.channels import AskedChannel, a
from causeway_logic.handlers.context import Context
from causeway_logic.handlers.documents import Documents
from causeway_logic.handlers.limits import in_time, sooner
from causeway_logic.handlers.locks import EntityLocks
from causeway_logic.handlers.once import Keyed, released
from causeway_logic.handlers.running import NOTHING, Bound, Runner
from causeway_logic.handlers.scope import Scope
from causeway_logic.ports import Outside


class Dispatcher:
    """Answers the calls of one app.

    Every answer raises CausewayError: the app's own `Reject`, what storage said, 107 for an input that does not fit with the field's
    path, and 100 for anything else, without its text.
    """

    def __init__(self, app: App, outside: Outside, runner: Runner | None = None) -> None:
        self._app, self._outside = app, outside
        self._runner = runner or Runner(app)
        self._locks, self._documents = EntityLocks(), Documents()
        self._log = get_logger(f"app.{app.name}")
        self._answering = Answering(app.name, self._log)
        self._bound: dict[str, Bound] = {}

    async def start(self) -> None:
        """Make the app's services. Raises what one of them raises."""
        await self._runner.start()

    async def stop(self) -> None:
        """Close them."""
        self._bound.clear()
        await self._runner.stop()

    def hooks(self) -> list[tuple[Verb[Any, Any], Callable[[Any, Call], Awaitable[Any]]]]:
        """The hooks that the app declares, each with its question on the bus."""
        found: list[tuple[Verb[Any, Any], Callable[[Any, Call], Awaitable[Any]], bool]] = [
            (CONNECT_HOOK, self.connect, self._app.connect_hook is not None),
            (REFRESH_HOOK, self.refresh, self._app.refresh_hook is not None),
            (SUBSCRIBE_HOOK, self.subscribe, self._any(lambda namespace: namespace.subscribe_hook)),
            (SUB_REFRESH_HOOK, self.sub_refresh, self._any(lambda namespace: namespace.sub_refresh_hook)),
            (PUBLISH_HOOK, self.publish, self._any(lambda namespace: namespace.publish_hook)),
        ]
        return [(verb, answer) for verb, answer, declared in found if declared]

    async def rpc(self, method: str, request: RpcRequest, call: Call, *, rerun: bool = False) -> RpcReply:
        """Run one method; 104 where the app has none of that name. `rerun`: this very call may have run before."""
        with self._answering(method):
            found = self._app.methods.get(method)
            if found is None:
                raise CausewayError(ErrorName.METHOD_NOT_FOUND)
            value = found.signature.read(request.data)
            if found.timeout_ms:
                call = structs.replace(call, deadline=sooner(call.deadline, found.timeout_ms / 1000))
            if found.key and (key := found.key_of(value)):
                return RpcReply(data=await self._once(found, key, value, request, call))
            context = self._context(request.user, request.client, call, info=request.info, rerun=rerun)
            return RpcReply(data=found.write(await self._run(found, context, value)))

    async def _run(self, method: Method, context: Context, value: Any) -> Any:
        bound = self._bound.get(method.name)
        if bound is None:
            bound = self._bound[method.name] = self._runner.bound(method.signature)
        if not method.timeout_ms:
            return await bound(context, value)  # the bus cancels it at its caller's deadline
        return await in_time(bound(context, value), context.deadline, method.name)

    async def _once(self, method: Method, key: str, value: Any, request: RpcRequest, call: Call) -> bytes:
        """Run a call with an idempotency key, or give the first one's result again."""
        scope = self.scope(call.message_id, call.deadline, user=request.user)
        keyed = Keyed(scope, method.name, key, method.digest(value))
        claimed = await keyed.claim()
        if isinstance(claimed, bytes):
            return claimed
        scope = structs.replace(scope, identity=Identity(claimed.identity, self._outside.new_id), rerun=claimed.again)
        try:
            result = method.write(await self._run(method, Context(scope, request.client, self._log, info=request.info), value))
        except Exception as error:
            await released(keyed, error)
            raise
        await keyed.settle(result)
        return result

    async def connect(self, request: ConnectHookRequest, call: Call) -> ConnectHookReply:
        """Ask the app's connect hook; the reply is a yes."""
        with self._answering("on_connect"):
            hook = _declared(self._app.connect_hook)
            context = self._context("", request.client, call)
            given = {ConnectRequest: ConnectRequest.of(request)}
            returned = await self._runner.run(hook.signature, context, given=given)
            return (returned if isinstance(returned, Abstention) else a(ConnectReply, returned)).wire()

    async def refresh(self, request: RefreshHookRequest, call: Call) -> RefreshHookReply:
        """Ask the app's refresh hook; its `Reject` is no error but the reply `expired`."""
        with self._answering("on_refresh"):
            hook = _declared(self._app.refresh_hook)
            context = self._context(request.user, request.client, call, meta=request.meta)
            return await _refreshed(self._runner.run(hook.signature, context))

    async def subscribe(self, request: SubscribeHookRequest, call: Call) -> SubscribeHookReply:
        """Ask the channel's subscribe hook; the reply is a yes. 102: not a channel of this app, 103: it has no hook."""
        with self._answering("on_subscribe"):
            channel = self._channel(request.channel)
            hook = channel.hook(lambda owner: owner.subscribe_hook)
            value = hook.signature.read(request.data)
            context = self._context(request.user, request.client, call, info=request.info)
            returned = await self._runner.run(hook.signature, context, value, given=channel.given, fields=channel.fields)
            return SubscribeHookReply() if returned is None else a(SubscribeReply, returned).wire()

    async def sub_refresh(self, request: SubRefreshHookRequest, call: Call) -> RefreshHookReply:
        """Ask the channel's sub_refresh hook, as `refresh`; 102 and 103 as `subscribe`."""
        with self._answering("on_sub_refresh"):
            channel = self._channel(request.channel)
            hook = channel.hook(lambda owner: owner.sub_refresh_hook)
            context = self._context(request.user, request.client, call, meta=request.meta)
            return await _refreshed(self._runner.run(hook.signature, context, given=channel.given, fields=channel.fields))

    async def publish(self, request: PublishHookRequest, call: Call) -> PublishHookReply:
        """Ask the channel's publish hook; the reply is a yes, with other data where it gave some. 102 and 103 as `subscribe`."""
        with self._answering("on_publish"):
            channel = self._channel(request.channel)
            hook = channel.hook(lambda owner: owner.publish_hook)
            value = request.data if channel.namespace.binary else hook.signature.read(request.data)
            context = self._context(request.user, request.client, call, info=request.info)
            returned = await self._runner.run(hook.signature, context, value, given=channel.given, fields=channel.fields)
            return channel.published(request.data, returned)

    def scope(self, message_id: str, deadline: Deadline, *, user: str = "", rerun: bool = False, remember_ms: int = 0) -> Scope:
        """What a call shares.

        Args:
            message_id: of what caused it; its commits' ids come from this one, however often it runs. "": from a fresh one.
            deadline: when it ends.
            user: who caused it; "" is nobody.
            rerun: it may have run before.
            remember_ms: it may run again for so long; 0: as long as a request may be sent again.
        """
        identity = Identity(message_id, self._outside.new_id)
        return Scope(self._outside, self._locks, self._documents, self._app, identity, user, deadline, rerun, remember_ms)

    async def run(
        self,
        what: str,
        signature: Signature,
        scope: Scope,
        value: Any = None,
        *,
        given: Mapping[Any, Any] = NOTHING,
    ) -> Any:
        """Run the handler of a durable call; what it returns.

        Args:
            what: its name, for span, count and log.
            signature: the handler's.
            scope: the call's.
            value: for its input.
            given: for the types of its `Offer.given`.

        Raises:
            CausewayError: as the answers.
        """
        with self._answering(what):
            return await self._runner.run(signature, Context(scope, "", self._log), value, given=given)

    def _any(self, hook: Callable[[ChannelHooks], Hook | None]) -> bool:
        return any(
            hook(owner) is not None for namespace in self._app.namespaces.values() for owner in (namespace, *namespace.patterns)
        )

    def _channel(self, name: str) -> AskedChannel:
        channel = Channel.parse(name)
        namespace = self._app.namespaces.get(channel.namespace)
        if namespace is None:
            raise CausewayError(ErrorName.UNKNOWN_CHANNEL)
        return AskedChannel.of(channel, namespace)

    def _context(
        self, user: str, client: str, call: Call, *, info: bytes | None = None, meta: bytes | None = None, rerun: bool = False
    ) -> Context:
        scope = self.scope(call.message_id, call.deadline, user=user, rerun=rerun)
        return Context(scope, client, self._log, info=info, meta=meta)


async def _refreshed(answer: Awaitable[Any]) -> RefreshHookReply:
    try:
        return a(RefreshReply, await answer).wire()
    except Reject as error:
        if error.temporary:
            raise
        return RefreshHookReply(expired=True)


def _declared(hook: Hook | None) -> Hook:
    if hook is None:
        raise CausewayError(ErrorName.PERMISSION_DENIED)
    return hook
