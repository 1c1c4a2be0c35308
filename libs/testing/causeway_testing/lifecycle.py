"""Lifecycle events of a test's users: the gateway's own counts and pauses, and what their turning on and off is called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from causeway_common.contracts.messages import LifecycleEvent, NamespaceSpec
from causeway_common.contracts.names import namespace_of
from causeway_gateway.domain.attendance import MEMBER, Attendance, held_by, keys_of, user_key
from causeway_testing.clock import Clock, Ids
from causeway_testing.users import Subscription, User

PAUSE_MS: Final = 3_000
"""As the gateway's `client.lifecycle_debounce`: whoever comes back within it has never left."""
NAMES: Final = {
    "user": ("connected", "disconnected"),
    "subscription": ("subscribed", "unsubscribed"),
    "channel": ("first_join", "last_leave"),
}


class Lifecycle:
    """What the gateway tells of its users; a source of the loop.

    Args:
        clock: the time of day.
        ids: of events.
        tell: takes an event.
    """

    def __init__(self, clock: Clock, ids: Ids, tell: Callable[[LifecycleEvent], None]) -> None:
        self._clock, self._ids, self._tell = clock, ids, tell
        self._attendance = Attendance(PAUSE_MS)

    def connected(self, user: User) -> None:
        """A connection stands."""
        self._attendance.hold(user_key(user.name, user.client))
        self._flush()

    def disconnected(self, user: User) -> None:
        """It is over."""
        self._attendance.release(user_key(user.name, user.client), self._clock.now_ms())

    def joined(self, subscription: Subscription, spec: NamespaceSpec) -> None:
        """A subscription stands."""
        subscription.holds = held_by(spec) & ~MEMBER
        for key in keys_of(subscription.channel, subscription.info, subscription.holds):
            self._attendance.hold(key)
        self._flush()

    def left(self, subscription: Subscription) -> None:
        """It is over."""
        for key in keys_of(subscription.channel, subscription.info, subscription.holds):
            self._attendance.release(key, self._clock.now_ms())

    def next_at(self) -> float | None:
        """When the next one that left has left for good."""
        due = self._attendance.due_at
        return None if due is None else self._clock.seconds(due)

    def fire(self) -> None:
        """Tell who has left for good."""
        self._attendance.tick(self._clock.now_ms())
        self._flush()

    def _flush(self) -> None:
        batch = self._attendance.batch()
        self._attendance.told(len(batch))
        for each in batch:
            self._tell(
                LifecycleEvent(
                    id=self._ids.new_id(),
                    type=NAMES[each.scope][not each.held],
                    time_ms=self._clock.now_ms(),
                    user=each.user,
                    client=each.client,
                    channel=each.channel,
                    namespace=namespace_of(each.channel) if each.channel else "",
                )
            )
