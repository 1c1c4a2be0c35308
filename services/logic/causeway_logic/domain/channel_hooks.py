"""Hooks as they are declared: functions that gateways ask, and what happens while no instance of the app answers."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar, overload

from causeway_logic.domain.signatures import Offer, Signature, read
from causeway_logic.domain.values import Channel

F = TypeVar("F", bound=Callable[..., Any])
Fallback = Literal["error", "deny", "allow"]
_FALLBACKS: Final = ("error", "deny", "allow")


@dataclass(frozen=True, slots=True)
class Hook:
    """A hook: its function, and what happens while no instance answers: `error` (temporary), `deny` or `allow`."""

    signature: Signature
    when_unavailable: Fallback = "error"


def hook(function: Callable[..., Any], offer: Offer, services: Collection[Any], when_unavailable: Fallback) -> Hook:
    """Read a hook.

    Raises:
        TypeError: its signature, as `signatures.read`.
        ValueError: a fallback that there is not.
    """
    if when_unavailable not in _FALLBACKS:
        raise ValueError(f"when_unavailable of {offer.what} is one of {', '.join(_FALLBACKS)}, got {when_unavailable!r}")
    return Hook(read(function, offer, services), when_unavailable)


def once(owner: str, what: str, before: Hook | None, made: Hook) -> Hook:
    """The hook made, where there is none before. Raises ValueError naming the owner."""
    if before is not None:
        raise ValueError(f"{owner} has a {what} hook already")
    return made


class ChannelHooks:
    """The hooks of a family of channels: a namespace's, or those of one of its patterns.

    Args:
        owner: who has them, for errors.
        services: the app's, as they are when a hook is declared.
        fields: what hooks may take by name beside the channel.
    """

    def __init__(self, owner: str, services: Collection[Any], fields: frozenset[str] = frozenset()) -> None:
        self._owner, self._services, self._fields = owner, services, fields
        self.subscribe_hook: Hook | None = None
        self.sub_refresh_hook: Hook | None = None
        self.publish_hook: Hook | None = None

    @overload
    def on_subscribe(self, function: F, /) -> F: ...
    @overload
    def on_subscribe(self, *, when_unavailable: Fallback = "error") -> Callable[[F], F]: ...
    def on_subscribe(self, function: F | None = None, *, when_unavailable: Fallback = "error") -> F | Callable[[F], F]:
        """Ask `async def hook(ctx: Context, channel: Channel) -> SubscribeReply | None` before each subscription; it alone decides.

        It returns nothing for a plain yes and raises `Reject` to deny. One validated input gets what the client sent along; a pattern's
        fields come to parameters of their names.

        Raises:
            TypeError: a parameter that can get nothing.
            ValueError: there is such a hook already.
        """

        def declare(hooked: F) -> F:
            made = self._hook(hooked, "the subscribe hook", when_unavailable)
            self.subscribe_hook = once(self._owner, "subscribe", self.subscribe_hook, made)
            return hooked

        return declare if function is None else declare(function)

    @overload
    def on_sub_refresh(self, function: F, /) -> F: ...
    @overload
    def on_sub_refresh(self, *, when_unavailable: Fallback = "error") -> Callable[[F], F]: ...
    def on_sub_refresh(self, function: F | None = None, *, when_unavailable: Fallback = "error") -> F | Callable[[F], F]:
        """Ask `async def hook(ctx: Context, channel: Channel) -> RefreshReply` when a subscription that a hook gave is about to expire.

        It says until when it goes on, or raises `Reject` to end it.

        Raises:
            TypeError: a parameter that can get nothing.
            ValueError: there is such a hook already.
        """

        def declare(hooked: F) -> F:
            made = self._hook(hooked, "the sub_refresh hook", when_unavailable, takes_input=False)
            self.sub_refresh_hook = once(self._owner, "sub_refresh", self.sub_refresh_hook, made)
            return hooked

        return declare if function is None else declare(function)

    @overload
    def on_publish(self, function: F, /) -> F: ...
    @overload
    def on_publish(self, *, when_unavailable: Fallback = "error") -> Callable[[F], F]: ...
    def on_publish(self, function: F | None = None, *, when_unavailable: Fallback = "error") -> F | Callable[[F], F]:
        """Ask `async def hook(ctx: Context, channel: Channel, data: Model)` before each publication of a client; it alone decides.

        `data` may be annotated with any type that pydantic can validate; what does not fit is 107 with the field's path. What the hook
        returns is published instead, None leaves the data as it was, `PublishReply` has tags too; it raises `Reject` to deny. In a `binary`
        namespace the data are bytes.

        Raises:
            TypeError: a parameter that can get nothing.
            ValueError: there is such a hook already.
        """

        def declare(hooked: F) -> F:
            made = self._hook(hooked, "the publish hook", when_unavailable)
            self.publish_hook = once(self._owner, "publish", self.publish_hook, made)
            return hooked

        return declare if function is None else declare(function)

    def _hook(self, function: F, what: str, when_unavailable: Fallback, *, takes_input: bool = True) -> Hook:
        offer = Offer(what, given=(Channel,), fields=self._fields, input=takes_input)
        return hook(function, offer, self._services, when_unavailable)
