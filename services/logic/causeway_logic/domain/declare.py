"""What an app's author declares: the app, its methods, its namespaces. Values only; the runner brings them to life."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar, Unpack, overload

from pydantic import TypeAdapter

from causeway_common.contracts.messages import Manifest, MethodSpec
from causeway_common.contracts.names import IDENTIFIER_RULE, is_app_name, is_identifier
from causeway_logic.domain.namespace import History, Namespace, NamespaceOptions
from causeway_logic.domain.signatures import Hook, Input, hook, parameters, type_hints
from causeway_logic.domain.values import read_input, write_output

F = TypeVar("F", bound=Callable[..., Awaitable[Any]])
_VERSION: Final = re.compile(r"\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?")


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
        self.connect_hook: Hook | None = None
        self.refresh_hook: Hook | None = None

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

    def on_connect(self, function: F) -> F:
        """Ask `async def hook(ctx: Context, request: ConnectRequest) -> ConnectReply` about each client that comes without a token.

        Asked where the gateway's `client.connect_app` names this app. It raises `Reject` to deny.

        Raises:
            TypeError: it is not `async def`, or does not take these two.
            ValueError: the app has a connect hook already.
        """
        made = hook(function, "a connect hook", ("the context", "the request"), Input.NONE)
        self.connect_hook = self._once("connect", self.connect_hook, made)
        return function

    def on_refresh(self, function: F) -> F:
        """Ask `async def hook(ctx: Context) -> RefreshReply` when a connection that the connect hook let in is about to expire.

        It says until when the connection goes on (`ctx.meta` is what the connect hook noted), or raises `Reject` to end it.

        Raises:
            TypeError: it is not `async def`, or does not take the context alone.
            ValueError: the app has a refresh hook already.
        """
        made = hook(function, "a refresh hook", ("the context",), Input.NONE)
        self.refresh_hook = self._once("refresh", self.refresh_hook, made)
        return function

    def namespace(self, name: str, *, history: History | None = None, **options: Unpack[NamespaceOptions]) -> Namespace:
        """Declare the channels `name:…` as this app's own.

        Args:
            name: a name as an app's.
            history: how they are logged; None: not at all.
            options: as `NamespaceOptions` says.

        Raises:
            ValueError: the name is taken or is no name; options that are unknown, of the wrong kind, or contradict each other, all told.
        """
        if not is_identifier(name) or name in self.namespaces:
            raise ValueError(f"a namespace's name is {IDENTIFIER_RULE}, declared once; got {name!r}")
        self.namespaces[name] = Namespace(name, history, options)
        return self.namespaces[name]

    def manifest(self) -> Manifest:
        """What the runner announces."""
        methods = [MethodSpec(name=method.name, concurrent=method.concurrent) for method in self.methods.values()]
        namespaces = [namespace.spec() for namespace in self.namespaces.values()]
        return Manifest(
            app=self.name,
            version=self.version,
            methods=methods,
            namespaces=namespaces,
            connect_hook=self.connect_hook is not None,
            refresh_hook=self.refresh_hook is not None,
        )

    def _once(self, what: str, before: Hook | None, made: Hook) -> Hook:
        if before is not None:
            raise ValueError(f"the app {self.name} has a {what} hook already")
        return made


def _method(function: Callable[..., Awaitable[Any]], concurrent: bool) -> Method:
    name: str = getattr(function, "__name__", "")
    if not is_identifier(name):
        raise ValueError(f"a method's name is {IDENTIFIER_RULE}, got {name!r}")
    taken: TypeAdapter[Any] | None = None
    names, hints = parameters(function, name), type_hints(function, name)
    match names:
        case [_]:
            pass
        case [_, request] if request in hints:
            taken = TypeAdapter(hints[request])
        case _:
            raise TypeError(f"{name} takes the context, then at most one annotated input")
    returned: Any = hints.get("return", type(None))
    return Method(name, function, taken, TypeAdapter(returned), concurrent)
