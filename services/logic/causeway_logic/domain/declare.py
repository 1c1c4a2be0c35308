"""What an app's author declares: the app, its methods, its namespaces. Values only; the runner brings them to life."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, TypedDict, TypeVar, Unpack, overload

from pydantic import TypeAdapter

from causeway_common.contracts.messages import Manifest, MethodSpec, NamespaceSpec
from causeway_common.contracts.names import IDENTIFIER_RULE, is_app_name, is_identifier
from causeway_common.runtime.durations import parse_duration
from causeway_logic.domain.values import read_input, write_output

F = TypeVar("F", bound=Callable[..., Awaitable[Any]])
_VERSION: Final = re.compile(r"\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?")


class History:
    """That the channels of a namespace are logged: the newest `size` publications, each for `ttl` (`7d`, `12h`).

    Raises:
        ValueError: a size or time below one, or no duration.
    """

    __slots__ = ("size", "ttl_ms")

    def __init__(self, *, size: int, ttl: str) -> None:
        self.size, self.ttl_ms = size, parse_duration(ttl)
        if size < 1 or self.ttl_ms < 1:
            raise ValueError("a history needs a size and a time to live above zero")


class NamespaceOptions(TypedDict, total=False):
    """What a namespace allows without asking; nothing by default. The names and meanings are the configured namespaces'."""

    force_recovery: bool
    force_positioning: bool
    allow_subscribe_for_client: bool
    allow_subscribe_for_anonymous: bool
    allow_publish_for_client: bool
    allow_publish_for_anonymous: bool
    allow_publish_for_subscriber: bool
    allow_history_for_client: bool
    allow_history_for_anonymous: bool
    allow_history_for_subscriber: bool


class Namespace:
    """A namespace of an app. Made by `App.namespace`."""

    def __init__(self, name: str, history: History | None, options: NamespaceOptions) -> None:
        self.name, self.history = name, history
        self._options = options
        self.subscribe_hook: Callable[..., Awaitable[Any]] | None = None

    def on_subscribe(self, hook: F) -> F:
        """Ask `async def hook(ctx: Context, channel: Channel) -> None` before each subscription; it alone decides.

        It raises `Reject` to deny.

        Raises:
            TypeError: it is not `async def`, or does not take these two.
            ValueError: the namespace has a hook already.
        """
        if len(_parameters(hook, "a subscribe hook")) != 2:
            raise TypeError("a subscribe hook takes the context and the channel")
        if self.subscribe_hook is not None:
            raise ValueError(f"the namespace {self.name} has a subscribe hook already")
        self.subscribe_hook = hook
        return hook

    def spec(self) -> NamespaceSpec:
        """The namespace as the manifest announces it."""
        size, ttl = (self.history.size, self.history.ttl_ms) if self.history else (0, 0)
        hooked = self.subscribe_hook is not None
        return NamespaceSpec(name=self.name, history_size=size, history_ttl_ms=ttl, subscribe_hook=hooked, **self._options)


@dataclass(frozen=True, slots=True)
class Method:
    """One RPC method: its handler, and the types that stand at its border."""

    name: str
    handler: Callable[..., Awaitable[Any]]
    input: TypeAdapter[Any] | None
    output: TypeAdapter[Any]
    concurrent: bool

    def read(self, data: bytes) -> tuple[Any, ...]:
        """The arguments behind the context. Raises CausewayError 107 as `read_input`."""
        return () if self.input is None else (read_input(self.input, data),)

    def write(self, result: Any) -> bytes:
        """The reply's JSON. Raises TypeError as `write_output`."""
        return write_output(self.output, result)


class App:
    """A deployable set of handlers.

    Args:
        name: a lower-case letter, then lower-case letters, digits or _; clients call `name.method`.
        version: `1.4.0` (semantic versioning, a pre-release part allowed).

    Raises:
        ValueError: a name or version of another form.
    """

    def __init__(self, name: str, *, version: str) -> None:
        if not is_app_name(name):
            raise ValueError(f"an app's name is {IDENTIFIER_RULE}, and none of a service's, got {name!r}")
        if not _VERSION.fullmatch(version):
            raise ValueError(f"an app's version is of the form 1.4.0, got {version!r}")
        self.name, self.version = name, version
        self.methods: dict[str, Method] = {}
        self.namespaces: dict[str, Namespace] = {}

    @overload
    def rpc(self, handler: F, /) -> F: ...
    @overload
    def rpc(self, *, concurrent: bool = False) -> Callable[[F], F]: ...
    def rpc(self, handler: F | None = None, *, concurrent: bool = False) -> F | Callable[[F], F]:
        """Make `async def method(ctx: Context, req: Model) -> Result` callable by clients under the function's name.

        `req` may be left out. Its annotation and the result's may be anything pydantic can validate.

        Args:
            handler: the function.
            concurrent: calls of one connection need not wait for each other.

        Raises:
            TypeError: it is not `async def`, or its parameters or annotations are not of this form.
            ValueError: the name is taken or is no method's name.
        """

        def declare(function: F) -> F:
            method = _method(function, concurrent)
            if method.name in self.methods:
                raise ValueError(f"{self.name}.{method.name} is declared twice")
            self.methods[method.name] = method
            return function

        return declare if handler is None else declare(handler)

    def namespace(self, name: str, *, history: History | None = None, **options: Unpack[NamespaceOptions]) -> Namespace:
        """Declare the channels `name:…` as this app's own.

        Args:
            name: a name as an app's.
            history: how they are logged; None: not at all.
            options: what is allowed without a hook.

        Raises:
            ValueError: the name is taken or is no name.
        """
        if not is_identifier(name) or name in self.namespaces:
            raise ValueError(f"a namespace's name is {IDENTIFIER_RULE}, declared once; got {name!r}")
        self.namespaces[name] = Namespace(name, history, options)
        return self.namespaces[name]

    def manifest(self) -> Manifest:
        """What the runner announces."""
        methods = [MethodSpec(name=method.name, concurrent=method.concurrent) for method in self.methods.values()]
        namespaces = [namespace.spec() for namespace in self.namespaces.values()]
        return Manifest(app=self.name, version=self.version, methods=methods, namespaces=namespaces)


def _method(function: Callable[..., Awaitable[Any]], concurrent: bool) -> Method:
    name: str = getattr(function, "__name__", "")
    if not is_identifier(name):
        raise ValueError(f"a method's name is {IDENTIFIER_RULE}, got {name!r}")
    parameters = _parameters(function, name)
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except NameError as error:
        raise TypeError(f"an annotation of {name} is not known where it stands: {error}") from error
    taken: TypeAdapter[Any] | None = None
    match parameters:
        case [_]:
            pass
        case [_, request] if request in hints:
            taken = TypeAdapter(hints[request])
        case _:
            raise TypeError(f"{name} takes the context, then at most one annotated input")
    returned: Any = hints.get("return", type(None))
    return Method(name, function, taken, TypeAdapter(returned), concurrent)


def _parameters(function: Callable[..., Any], what: str) -> list[str]:
    if not inspect.iscoroutinefunction(function):
        raise TypeError(f"{what} must be `async def`")
    return list(inspect.signature(function).parameters)
