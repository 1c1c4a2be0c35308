"""From a request to a reply: validate, run the handler, turn whatever happens into a row of the error table. Knows no bus."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from causeway_common.bus import Call
from causeway_common.contracts.errors import CausewayError, ErrorName
from causeway_common.contracts.messages import RpcReply, RpcRequest, SubscribeHookReply, SubscribeHookRequest
from causeway_common.telemetry import Counters, get_logger, names, span
from causeway_logic.domain.declare import App
from causeway_logic.domain.identity import Identity
from causeway_logic.domain.values import Channel
from causeway_logic.handlers.context import Context
from causeway_logic.handlers.entity import Scope
from causeway_logic.handlers.locks import EntityLocks
from causeway_logic.ports import Outside

_calls: Final = Counters("logic").counter("calls", "calls of methods and hooks by outcome: ok, or the error's name")
_SUBSCRIBE: Final = "on_subscribe"


class Dispatcher:
    """Answers the calls of one app."""

    def __init__(self, app: App, outside: Outside) -> None:
        self._app, self._outside = app, outside
        self._locks = EntityLocks()
        self._histories = {name: namespace.history for name, namespace in app.namespaces.items()}
        self._log = get_logger(f"app.{app.name}")

    async def rpc(self, method: str, request: RpcRequest, call: Call) -> RpcReply:
        """Run one method.

        Raises:
            CausewayError: 104 no such method, 107 wrong input with the field's path, the app's own `Reject`, what storage said;
                100 for anything else, without its text.
        """
        with self._answering(method):
            found = self._app.methods.get(method)
            if found is None:
                raise CausewayError(ErrorName.METHOD_NOT_FOUND)
            arguments = found.read(request.data)
            context = self._context(request.user, request.client, call)
            return RpcReply(data=found.write(await found.handler(context, *arguments)))

    async def subscribe(self, request: SubscribeHookRequest, call: Call) -> SubscribeHookReply:
        """Ask the namespace's subscribe hook; the reply is a yes.

        Raises:
            CausewayError: 102 not a namespace of this app, 103 it has no hook, the hook's own `Reject`, otherwise as `rpc`.
        """
        with self._answering(_SUBSCRIBE):
            channel = Channel.parse(request.channel)
            namespace = self._app.namespaces.get(channel.namespace)
            if namespace is None:
                raise CausewayError(ErrorName.UNKNOWN_CHANNEL)
            if namespace.subscribe_hook is None:
                raise CausewayError(ErrorName.PERMISSION_DENIED)
            await namespace.subscribe_hook(self._context(request.user, request.client, call), channel)
            return SubscribeHookReply()

    def _context(self, user: str, client: str, call: Call) -> Context:
        identity = Identity(call.message_id or self._outside.new_id())
        scope = Scope(self._outside, self._locks, self._histories, identity, user, call.deadline)
        return Context(scope, client, self._log)

    @contextmanager
    def _answering(self, method: str) -> Iterator[None]:
        name = names.SPAN_APP_METHOD.format(app=self._app.name, method=method)
        with span(name, attributes={names.RPC_METHOD: f"{self._app.name}.{method}"}):
            try:
                yield
            except CausewayError as error:
                _calls.add(1, error.name.value)
                raise
            except Exception as error:
                _calls.add(1, ErrorName.INTERNAL.value)
                self._log.exception("a handler failed, its caller was told nothing but `internal`", method=method)
                raise CausewayError(ErrorName.INTERNAL) from error
            _calls.add(1, "ok")
