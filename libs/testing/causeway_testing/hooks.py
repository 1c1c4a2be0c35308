"""The app's hooks as the gateway asks them, and what counts as their answer where no process is there: deny, allow, or an error."""

from __future__ import annotations

from typing import Final

from causeway_common.contracts import messages as m
from causeway_common.contracts import verbs
from causeway_common.contracts.errors import CausewayError, ErrorName
from causeway_testing.asking import Asking
from causeway_testing.clock import Clock
from causeway_testing.replicas import NobodyError

ASK_AGAIN_MS: Final = 60_000
"""What stays because nobody could be asked is asked about again after this."""


class Hooks:
    """Asks hooks. All raise CausewayError: the app's denial; 103 where nobody is there and that means deny; 100.

    Args:
        fallbacks: what counts as the answer of connection hooks.
        asking: asks the app.
        clock: the time of day.
    """

    def __init__(self, fallbacks: m.HookFallbacks, asking: Asking, clock: Clock) -> None:
        self._fallbacks, self._asking, self._clock = fallbacks, asking, clock

    async def connect(self, request: m.ConnectHookRequest) -> m.ConnectHookReply:
        """May this client connect? Let in by nobody it is anonymous."""
        try:
            return await self._asking.hook(
                lambda process, call: process.dispatcher.connect(request, call), "a client connects", verbs.CONNECT_HOOK
            )
        except NobodyError as error:
            _permit(self._fallbacks.connect, error)
            return m.ConnectHookReply()

    async def refresh(self, request: m.RefreshHookRequest) -> m.RefreshHookReply:
        """May this connection stay?"""
        try:
            return await self._asking.hook(
                lambda process, call: process.dispatcher.refresh(request, call), f"{request.user} stays", verbs.REFRESH_HOOK
            )
        except NobodyError as error:
            return self._stay(self._fallbacks.refresh, error)

    async def subscribe(self, spec: m.NamespaceSpec, request: m.SubscribeHookRequest) -> m.SubscribeHookReply:
        """May this client watch this channel?"""
        try:
            return await self._asking.hook(
                lambda process, call: process.dispatcher.subscribe(request, call),
                f"{request.user} watches {request.channel}",
                verbs.SUBSCRIBE_HOOK,
            )
        except NobodyError as error:
            _permit(spec.fallbacks.subscribe, error)
            return m.SubscribeHookReply(expire_at_ms=self._clock.now_ms() + ASK_AGAIN_MS if spec.sub_refresh_hook else 0)

    async def sub_refresh(self, spec: m.NamespaceSpec, request: m.SubRefreshHookRequest) -> m.RefreshHookReply:
        """May this subscription stay?"""
        try:
            return await self._asking.hook(
                lambda process, call: process.dispatcher.sub_refresh(request, call),
                f"{request.user} stays in {request.channel}",
                verbs.SUB_REFRESH_HOOK,
            )
        except NobodyError as error:
            return self._stay(spec.fallbacks.sub_refresh, error)

    async def publish(self, spec: m.NamespaceSpec, request: m.PublishHookRequest) -> m.PublishHookReply:
        """May this client publish this here? Let through by nobody it goes as it came."""
        try:
            return await self._asking.hook(
                lambda process, call: process.dispatcher.publish(request, call),
                f"{request.user} publishes to {request.channel}",
                verbs.PUBLISH_HOOK,
            )
        except NobodyError as error:
            _permit(spec.fallbacks.publish, error)
            return m.PublishHookReply()

    def _stay(self, choice: str, error: NobodyError) -> m.RefreshHookReply:
        if choice == "deny":
            return m.RefreshHookReply(expired=True)
        _permit(choice, error)
        return m.RefreshHookReply(expire_at_ms=self._clock.now_ms() + ASK_AGAIN_MS)


def _permit(choice: str, error: NobodyError) -> None:
    """Return where nobody's answer is a yes."""
    if choice == "deny":
        raise CausewayError(ErrorName.PERMISSION_DENIED) from error
    if choice != "allow":
        raise error
