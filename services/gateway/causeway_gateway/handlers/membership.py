"""Joins and leaves as they are told: to every gateway with watchers, in the order in which they happened on this one."""

from __future__ import annotations

from collections.abc import Callable

from causeway_common.contracts.errors import CausewayError
from causeway_common.contracts.messages import FeedMembership
from causeway_common.telemetry import get_logger
from causeway_gateway.domain.subscription import Subscription
from causeway_gateway.handlers import metrics
from causeway_gateway.handlers.attending import Attending
from causeway_gateway.ports import Members

log = get_logger("gateway.membership")


class Membership:
    """Tells joins and leaves of subscriptions that want it.

    Args:
        members: carries them.
        changed: called with the channel whose presence has changed.
        attending: what is held while a subscription lasts.
    """

    def __init__(self, members: Members, changed: Callable[[str], None], attending: Attending) -> None:
        self._members, self._changed, self._attending = members, changed, attending

    def joined(self, channel: str, subscription: Subscription) -> None:
        """A subscription has begun."""
        subscription.begun = True
        if subscription.presence:
            self._changed(channel)
        if subscription.emits:
            self._tell(FeedMembership(channel=channel, joined=True, info=subscription.info))
        if subscription.holds:
            self._attending.joined(channel, subscription)

    def left(self, channel: str, subscription: Subscription) -> None:
        """A subscription has ended."""
        if subscription.begun and subscription.presence:
            self._changed(channel)
        if subscription.begun and subscription.emits:
            self._tell(FeedMembership(channel=channel, joined=False, info=subscription.info))
        if subscription.begun and subscription.holds:
            self._attending.left(channel, subscription)

    def _tell(self, membership: FeedMembership) -> None:
        try:
            self._members.tell(membership)
        except CausewayError as error:
            # At most once, like every publication without history; the next presence shows the truth.
            metrics.members_lost.add()
            log.debug("a join or leave could not be told", channel=membership.channel, reason=error.message)
