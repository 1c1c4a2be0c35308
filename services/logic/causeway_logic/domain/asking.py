"""The part of an app's declaration that gateways ask: its hooks about connections, and its namespaces with theirs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar, Unpack, overload

from causeway_common.contracts.messages import HookFallbacks
from causeway_common.contracts.names import IDENTIFIER_RULE, is_identifier
from causeway_logic.domain.channel_hooks import Fallback, Hook, hook, once
from causeway_logic.domain.declaring import Declarations
from causeway_logic.domain.hooks import ConnectRequest
from causeway_logic.domain.namespace import History, Namespace, NamespaceOptions
from causeway_logic.domain.signatures import Offer

F = TypeVar("F", bound=Callable[..., Any])
_CONNECT: Final = Offer("the connect hook", given=(ConnectRequest,), input=False)
_REFRESH: Final = Offer("the refresh hook", input=False)


class Hooks(Declarations):
    """Hooks and namespaces of an app."""

    def __init__(self, name: str, version: str) -> None:
        super().__init__(name, version)
        self.namespaces: dict[str, Namespace] = {}
        self.connect_hook: Hook | None = None
        self.refresh_hook: Hook | None = None

    @overload
    def on_connect(self, function: F, /) -> F: ...
    @overload
    def on_connect(self, *, when_unavailable: Fallback = "error") -> Callable[[F], F]: ...
    def on_connect(self, function: F | None = None, *, when_unavailable: Fallback = "error") -> F | Callable[[F], F]:
        """Ask `async def hook(ctx: Context, request: ConnectRequest) -> ConnectReply` about each client that comes without a token.

        Asked where the gateway's `client.connect_app` names this app. It raises `Reject` to deny. While no instance answers, `allow` lets
        clients in as anonymous ones.

        Raises:
            TypeError: a parameter that can get nothing.
            ValueError: the app has a connect hook already.
        """

        def declare(hooked: F) -> F:
            made = hook(hooked, _CONNECT, self.services, when_unavailable)
            self.connect_hook = once(f"the app {self.name}", "connect", self.connect_hook, made)
            return hooked

        return declare if function is None else declare(function)

    @overload
    def on_refresh(self, function: F, /) -> F: ...
    @overload
    def on_refresh(self, *, when_unavailable: Fallback = "error") -> Callable[[F], F]: ...
    def on_refresh(self, function: F | None = None, *, when_unavailable: Fallback = "error") -> F | Callable[[F], F]:
        """Ask `async def hook(ctx: Context) -> RefreshReply` when a connection that the connect hook let in is about to expire.

        It says until when the connection goes on (`ctx.meta` is what the connect hook noted), or raises `Reject` to end it.

        Raises:
            TypeError: a parameter that can get nothing.
            ValueError: the app has a refresh hook already.
        """

        def declare(hooked: F) -> F:
            made = hook(hooked, _REFRESH, self.services, when_unavailable)
            self.refresh_hook = once(f"the app {self.name}", "refresh", self.refresh_hook, made)
            return hooked

        return declare if function is None else declare(function)

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
        self.namespaces[name] = Namespace(name, history, options, self.services)
        return self.namespaces[name]

    def _manifest(self) -> dict[str, Any]:
        return super()._manifest() | {
            "namespaces": [namespace.spec() for namespace in self.namespaces.values()],
            "channels": [pattern.spec() for namespace in self.namespaces.values() for pattern in namespace.patterns],
            "connect_hook": self.connect_hook is not None,
            "refresh_hook": self.refresh_hook is not None,
            "fallbacks": HookFallbacks(
                connect=self.connect_hook.when_unavailable if self.connect_hook else "error",
                refresh=self.refresh_hook.when_unavailable if self.refresh_hook else "error",
            ),
        }
