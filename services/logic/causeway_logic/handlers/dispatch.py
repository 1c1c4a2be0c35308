"""From a request to a reply: validate, run the handler, turn whatever happens into a row of the error table. Knows no bus."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Final, TypeVar

from structlog.stdlib import BoundLogger

from causeway_common.bus import Call
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
from causeway_common.telemetry import AttributeValue, Counters, OpenSpan, get_logger, names, span
from causeway_logic.domain.declare import App
from causeway_logic.domain.hooks import ConnectReply, ConnectRequest, RefreshReply, SubscribeReply
from causeway_logic.domain.identity import Identity
from causeway_logic.domain.namespace import Namespace
from causeway_logic.domain.reject import Reject
from causeway_logic.domain.signatures import Hook
from causeway_logic.domain.values import Channel, json_bytes
from causeway_logic.handlers.context import Context
from causeway_logic.handlers.entity import Scope
from causeway_logic.handlers.locks import EntityLocks
from causeway_logic.ports import Outside

R = TypeVar("R")
_calls: Final = Counters("logic").counter("calls", "calls of methods and hooks by outcome: ok, or the error's name")


class Dispatcher:
    """Answers the calls of one app.

    Every answer raises CausewayError: the app's own `Reject`, what storage said, 107 for an input that does not fit with the field's
    path, and 100 for anything else, without its text.
    """

    def __init__(self, app: App, outside: Outside) -> None:
        self._app, self._outside = app, outside
        self._locks = EntityLocks()
        self._histories = {name: namespace.history for name, namespace in app.namespaces.items()}
        self._log = get_logger(f"app.{app.name}")
        self._spans: dict[str, tuple[str, dict[str, AttributeValue]]] = {}  # by what the app declares

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

    async def rpc(self, method: str, request: RpcRequest, call: Call) -> RpcReply:
        """Run one method; 104 where the app has none of that name."""
        with self._answering(method):
            found = self._app.methods.get(method)
            if found is None:
                raise CausewayError(ErrorName.METHOD_NOT_FOUND)
            arguments = found.read(request.data)
            context = self._context(request.user, request.client, call, info=request.info)
            return RpcReply(data=found.write(await found.handler(context, *arguments)))

    async def connect(self, request: ConnectHookRequest, call: Call) -> ConnectHookReply:
        """Ask the app's connect hook; the reply is a yes."""
        with self._answering("on_connect"):
            hook = _declared(self._app.connect_hook)
            context = self._context("", request.client, call)
            return _a(ConnectReply, await hook.function(context, ConnectRequest.of(request))).wire()

    async def refresh(self, request: RefreshHookRequest, call: Call) -> RefreshHookReply:
        """Ask the app's refresh hook; its `Reject` is no error but the reply `expired`."""
        with self._answering("on_refresh"):
            hook = _declared(self._app.refresh_hook)
            context = self._context(request.user, request.client, call, meta=request.meta)
            return await _refreshed(hook.function(context))

    async def subscribe(self, request: SubscribeHookRequest, call: Call) -> SubscribeHookReply:
        """Ask the namespace's subscribe hook; the reply is a yes. 102: not a namespace of this app, 103: it has no hook."""
        with self._answering("on_subscribe"):
            channel, namespace = self._namespace(request.channel)
            hook = _declared(namespace.subscribe_hook)
            arguments = hook.read(request.data)
            context = self._context(request.user, request.client, call, info=request.info)
            returned = await hook.function(context, channel, *arguments)
            return SubscribeHookReply() if returned is None else _a(SubscribeReply, returned).wire()

    async def sub_refresh(self, request: SubRefreshHookRequest, call: Call) -> RefreshHookReply:
        """Ask the namespace's sub_refresh hook, as `refresh`; 102 and 103 as `subscribe`."""
        with self._answering("on_sub_refresh"):
            channel, namespace = self._namespace(request.channel)
            hook = _declared(namespace.sub_refresh_hook)
            context = self._context(request.user, request.client, call, meta=request.meta)
            return await _refreshed(hook.function(context, channel))

    async def publish(self, request: PublishHookRequest, call: Call) -> PublishHookReply:
        """Ask the namespace's publish hook; the reply is a yes, with other data where it gave some. 102 and 103 as `subscribe`."""
        with self._answering("on_publish"):
            channel, namespace = self._namespace(request.channel)
            hook = _declared(namespace.publish_hook)
            arguments = (request.data,) if namespace.binary else hook.read(request.data)
            context = self._context(request.user, request.client, call, info=request.info)
            returned = await hook.function(context, channel, *arguments)
            if returned is None:
                return PublishHookReply()
            return PublishHookReply(
                data=_a(bytes, returned) if namespace.binary else json_bytes(returned, "what a publish hook returned")
            )

    def _any(self, hook: Callable[[Namespace], Hook | None]) -> bool:
        return any(hook(namespace) is not None for namespace in self._app.namespaces.values())

    def _namespace(self, name: str) -> tuple[Channel, Namespace]:
        channel = Channel.parse(name)
        namespace = self._app.namespaces.get(channel.namespace)
        if namespace is None:
            raise CausewayError(ErrorName.UNKNOWN_CHANNEL)
        return channel, namespace

    def _context(self, user: str, client: str, call: Call, *, info: bytes | None = None, meta: bytes | None = None) -> Context:
        identity = Identity(call.message_id, self._outside.new_id)
        scope = Scope(self._outside, self._locks, self._histories, identity, user, call.deadline)
        return Context(scope, client, self._log, info=info, meta=meta)

    def _answering(self, method: str) -> _Answering:
        named = self._spans.get(method)
        if named is None:
            name = names.SPAN_APP_METHOD.format(app=self._app.name, method=method)
            named = self._spans[method] = name, {names.RPC_METHOD: f"{self._app.name}.{method}"}
        return _Answering(self._log, method, span(named[0], attributes=named[1]))


class _Answering:
    """Around one answer: its span, its count, and 100 `internal` in the place of any error that is none of the table."""

    __slots__ = ("_log", "_method", "_span")

    def __init__(self, log: BoundLogger, method: str, opened: OpenSpan) -> None:
        self._log, self._method, self._span = log, method, opened

    def __enter__(self) -> None:
        self._span.__enter__()

    def __exit__(self, _kind: object, error: BaseException | None, traceback: TracebackType | None) -> None:
        told = error
        if error is None:
            _calls.add(1, "ok")
        elif isinstance(error, CausewayError):
            _calls.add(1, error.name.value)
        elif isinstance(error, Exception):
            _calls.add(1, ErrorName.INTERNAL.value)
            self._log.error("a handler failed, its caller was told nothing but `internal`", method=self._method, exc_info=error)
            told = CausewayError(ErrorName.INTERNAL)
        self._span.__exit__(None, told, traceback)
        if told is not None and told is not error:
            raise told from error


async def _refreshed(answer: Awaitable[Any]) -> RefreshHookReply:
    try:
        return _a(RefreshReply, await answer).wire()
    except Reject as error:
        if error.temporary:
            raise
        return RefreshHookReply(expired=True)


def _declared(hook: Hook | None) -> Hook:
    if hook is None:
        raise CausewayError(ErrorName.PERMISSION_DENIED)
    return hook


def _a(kind: type[R], returned: Any) -> R:
    """What a hook returned, which must be of this kind: a forgotten `return` is no yes."""
    if not isinstance(returned, kind):
        raise TypeError(f"a hook must return a {kind.__name__}, got {type(returned).__name__}")
    return returned
