"""The apps' hooks, and what counts as their answer where no instance is there: deny, allow, or a temporary error (DESIGN section 7).

Only where nobody is there. An instance that is there and fails or is late has not answered, and that is an error whatever was declared.
"""

from __future__ import annotations

from typing import Final

from causeway_common.bus import Deadline
from causeway_common.contracts import messages as m
from causeway_common.contracts.errors import CausewayError, ErrorName
from causeway_common.telemetry import get_logger
from causeway_gateway.domain.namespaces import Catalogue
from causeway_gateway.handlers import metrics
from causeway_gateway.ports import Apps, NobodyError, Timers

log = get_logger("gateway.hooks")
ASK_AGAIN_MS: Final = 60_000
"""What stays because nobody could be asked is asked about again after this."""


class Hooks:
    """Asks hooks. All raise CausewayError: the app's denial; 103 where nobody is there and that means deny; 100.

    Args:
        apps: the apps.
        catalogue: what they have declared.
        timers: the clock.
    """

    def __init__(self, apps: Apps, catalogue: Catalogue, timers: Timers) -> None:
        self._apps, self._catalogue, self._timers = apps, catalogue, timers

    async def connect(self, app: str, request: m.ConnectHookRequest, deadline: Deadline) -> m.ConnectHookReply:
        """May this client connect? Let in by nobody it is anonymous."""
        try:
            return await self._apps.may_connect(app, request, deadline)
        except NobodyError as error:
            _permit("connect", self._catalogue.fallbacks(app).connect, error)
            return m.ConnectHookReply()

    async def refresh(self, app: str, request: m.RefreshHookRequest, deadline: Deadline) -> m.RefreshHookReply:
        """May this connection stay?"""
        try:
            return await self._apps.may_stay(app, request, deadline)
        except NobodyError as error:
            return self._stay("refresh", self._catalogue.fallbacks(app).refresh, error)

    async def subscribe(
        self, app: str, spec: m.NamespaceSpec, request: m.SubscribeHookRequest, deadline: Deadline
    ) -> m.SubscribeHookReply:
        """May this client watch this channel?"""
        try:
            return await self._apps.may_subscribe(app, request, deadline)
        except NobodyError as error:
            _permit("subscribe", spec.fallbacks.subscribe, error)
            return m.SubscribeHookReply(expire_at_ms=self._timers.wall() + ASK_AGAIN_MS if spec.sub_refresh_hook else 0)

    async def sub_refresh(
        self, app: str, spec: m.NamespaceSpec, request: m.SubRefreshHookRequest, deadline: Deadline
    ) -> m.RefreshHookReply:
        """May this subscription stay?"""
        try:
            return await self._apps.may_stay_subscribed(app, request, deadline)
        except NobodyError as error:
            return self._stay("sub_refresh", spec.fallbacks.sub_refresh, error)

    async def publish(
        self, app: str, spec: m.NamespaceSpec, request: m.PublishHookRequest, deadline: Deadline
    ) -> m.PublishHookReply:
        """May this client publish this here? Let through by nobody it goes as it came."""
        try:
            return await self._apps.may_publish(app, request, deadline)
        except NobodyError as error:
            _permit("publish", spec.fallbacks.publish, error)
            return m.PublishHookReply()

    def _stay(self, hook: str, choice: str, error: NobodyError) -> m.RefreshHookReply:
        if choice == "deny":
            metrics.hooks_unanswered.add(1, f"{hook}_deny")
            return m.RefreshHookReply(expired=True)
        _permit(hook, choice, error)
        return m.RefreshHookReply(expire_at_ms=self._timers.wall() + ASK_AGAIN_MS)


def _permit(hook: str, choice: str, error: NobodyError) -> None:
    """Return where nobody's answer is a yes. What is none of the three known choices, one of a later version, is an error."""
    metrics.hooks_unanswered.add(1, f"{hook}_{choice}" if choice in ("deny", "allow") else f"{hook}_error")
    if choice == "deny":
        raise CausewayError(ErrorName.PERMISSION_DENIED) from error
    if choice != "allow":
        raise error
    log.debug("a hook was not asked, nobody is there: allowed", hook=hook)
