"""What a hook let in for a time: asked about again when that is over, and ended where the app does not let it stay."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from causeway_common.contracts.codes import CLOSE_REASONS, CloseCode
from causeway_common.contracts.errors import CausewayError
from causeway_common.contracts.messages import NamespaceSpec, RefreshHookReply, RefreshHookRequest, SubRefreshHookRequest
from causeway_testing.clock import Clock
from causeway_testing.hooks import Hooks
from causeway_testing.loop import VirtualLoop
from causeway_testing.users import Subscription, User

RETRY_SECONDS: Final = 1.0
DELAY_MS: Final = 25_000
"""So long past its end something stays while the app cannot be asked."""
EXPIRED: Final = (int(CloseCode.CONNECTION_EXPIRED), CLOSE_REASONS[CloseCode.CONNECTION_EXPIRED])


class Expiry:
    """Ends what is over.

    Args:
        loop: when.
        clock: the time of day.
        hooks: asked whether it may stay; a namespace or app without such a hook lets nothing stay.
        close: ends a connection.
        leave: ends a subscription.
    """

    def __init__(
        self,
        loop: VirtualLoop,
        clock: Clock,
        hooks: Hooks,
        close: Callable[[User, tuple[int, str]], None],
        leave: Callable[[User, Subscription], None],
    ) -> None:
        self._loop, self._clock, self._hooks, self._close, self._leave = loop, clock, hooks, close, leave

    def connection(self, user: User, at_ms: int, *, renewed: bool) -> None:
        """This connection is good until then (a time of day, 0: for ever)."""

        def ask() -> Awaitable[RefreshHookReply]:
            return self._hooks.refresh(RefreshHookRequest(user=user.name, client=user.client, meta=user.meta))

        self._until(at_ms, lambda: user.connected, ask if renewed else None, lambda: self._close(user, EXPIRED))

    def subscription(self, user: User, subscription: Subscription, spec: NamespaceSpec, at_ms: int) -> None:
        """This subscription is good until then."""
        request = SubRefreshHookRequest(user=user.name, client=user.client, channel=subscription.channel, meta=user.meta)

        def ask() -> Awaitable[RefreshHookReply]:
            return self._hooks.sub_refresh(spec, request)

        asked = ask if spec.sub_refresh_hook else None
        self._until(at_ms, lambda: subscription.active, asked, lambda: self._leave(user, subscription))

    def _until(
        self, at_ms: int, stands: Callable[[], bool], ask: Callable[[], Awaitable[RefreshHookReply]] | None, end: Callable[[], None]
    ) -> None:
        if not at_ms:
            return

        async def over() -> None:
            if not stands():
                return
            try:
                reply = await ask() if ask is not None else RefreshHookReply(expired=True)
            except CausewayError:
                if self._clock.now_ms() < at_ms + DELAY_MS:
                    self._loop.call_later(RETRY_SECONDS, lambda: self._loop.spawn(over()))
                    return
                reply = RefreshHookReply(expired=True)
            if reply.expired or 0 < reply.expire_at_ms <= self._clock.now_ms():
                end()
            else:
                self._until(reply.expire_at_ms, stands, ask, end)

        self._loop.call_at(self._clock.seconds(at_ms), lambda: self._loop.spawn(over()))
