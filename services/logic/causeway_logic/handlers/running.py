"""Runs the functions of an app's author: makes the app's services, hands each parameter what it is to get, plain functions in threads."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, Final, NamedTuple, cast

from pydantic import ValidationError

from causeway_common.contracts.errors import CausewayError, ErrorName
from causeway_common.telemetry import get_logger
from causeway_logic.domain.declare import App
from causeway_logic.domain.services import Lifespan
from causeway_logic.domain.signatures import Parameter, Signature, Source
from causeway_logic.handlers.asked import ContextBase
from causeway_logic.handlers.threads import THREADS_MAX, Threads

log = get_logger("logic")
Bound = Callable[[ContextBase | None, Any], Awaitable[Any]]
"""A handler with its services: takes the context and the input's value."""
NOTHING: Final[Mapping[Any, Any]] = MappingProxyType({})


class _Handed(NamedTuple):
    """What one call has for the parameters of its function."""

    context: ContextBase | None
    value: Any
    given: Mapping[Any, Any]
    fields: Mapping[str, str]


class Runner:
    """The functions of one app, as they run in one process.

    Args:
        app: whose.
        threads: so many plain functions run at once.
        services: by type, in the place of those that the app would make itself: a test's.
    """

    def __init__(self, app: App, *, threads: int = THREADS_MAX, services: Mapping[Any, Any] = NOTHING) -> None:
        self._app = app
        self._services: dict[Any, Any] = dict(services)
        self._open: list[tuple[Lifespan, AsyncGenerator[Any, None]]] = []
        self._limit = threads
        self._threads = Threads(app.name, threads)

    async def start(self) -> None:
        """Make the app's services, in the order of their declarations.

        Raises:
            Exception: what one of them raised. `stop` then closes those that were made.
        """
        for lifespan in self._app.services.values():
            if lifespan.type in self._services:
                continue
            made = cast("AsyncGenerator[Any, None]", lifespan.signature.function(*self._earlier(lifespan)))
            try:
                self._services[lifespan.type] = await anext(made)
            except StopAsyncIteration as error:
                raise TypeError(f"{lifespan.signature.what} ended without a `yield`") from error
            self._open.append((lifespan, made))

    async def stop(self) -> None:
        """Close the services, in reverse; one that fails is logged, and the others are closed."""
        self._threads.stop()
        self._threads = Threads(self._app.name, self._limit)
        while self._open:
            lifespan, made = self._open.pop()
            del self._services[lifespan.type]
            try:
                await anext(made)
            except StopAsyncIteration:
                continue
            except Exception:
                log.exception("a service failed while it was closed", lifespan=lifespan.signature.what)
            else:
                log.error("a lifespan has a second `yield`: what stands behind it was not run", lifespan=lifespan.signature.what)
                await made.aclose()

    async def run(
        self,
        signature: Signature,
        context: ContextBase | None,
        value: Any = None,
        *,
        given: Mapping[Any, Any] = NOTHING,
        fields: Mapping[str, str] = NOTHING,
    ) -> Any:
        """Call a function; what it returns.

        Args:
            signature: the function's.
            context: for its context.
            value: for its input.
            given: for the types of its `Offer.given`.
            fields: for the names of its `Offer.fields`, as texts.

        Raises:
            CausewayError: 102, a field's value is not what the parameter's annotation says.
            Exception: what the function raises.
        """
        call = _Handed(context, value, given, fields)
        positional: list[Any] = []
        named: dict[str, Any] = {}
        for each in signature.parameters:
            taken = self._taken(signature, each, call)
            if each.keyword:
                named[each.name] = taken
            else:
                positional.append(taken)
        return await self._called(signature, *positional, **named)

    def bound(self, signature: Signature) -> Bound:
        """The function with its services, for functions that take a context and an input alone; after `start`.

        make bench: putting the arguments of each call together was a tenth of what the SDK adds to an RPC.
        """
        rest = [each.source for each in signature.parameters if each.source is not Source.SERVICE]
        keyword = any(each.keyword for each in signature.parameters)
        if keyword or len(rest) != len(signature.parameters) or not signature.asynchronous:
            return partial(self.run, signature)
        function = signature.function
        match rest:
            case [Source.CONTEXT, Source.INPUT]:
                return cast("Bound", function)
            case [Source.INPUT, Source.CONTEXT]:
                return lambda context, value: function(value, context)
            case [Source.CONTEXT]:
                return lambda context, _value: function(context)
            case _:
                return partial(self.run, signature)

    def _taken(self, signature: Signature, parameter: Parameter, call: _Handed) -> Any:
        match parameter.source:
            case Source.CONTEXT:
                return call.context
            case Source.INPUT:
                return call.value
            case Source.SERVICE:
                return self._services[parameter.type]
            case Source.GIVEN:
                return next(each for kind, each in call.given.items() if isinstance(each, kind))
            case Source.FIELD:
                return _field(signature, parameter.name, call.fields)

    async def _called(self, signature: Signature, *positional: Any, **named: Any) -> Any:
        if signature.asynchronous:
            return await signature.function(*positional, **named)
        name = getattr(signature.function, "__name__", "handler")
        return await self._threads.run(name, partial(signature.function, *positional, **named))

    def _earlier(self, lifespan: Lifespan) -> list[Any]:
        return [self._services[parameter.type] for parameter in lifespan.signature.parameters]


def _field(signature: Signature, name: str, fields: Mapping[str, str]) -> Any:
    try:
        return signature.fields[name].validate_strings(fields[name])
    except ValidationError as error:
        raise CausewayError(ErrorName.UNKNOWN_CHANNEL) from error
