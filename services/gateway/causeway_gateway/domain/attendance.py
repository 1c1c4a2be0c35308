"""What this gateway holds, by counts of its own, and what storage has yet to be told of it.

Only the first that holds a key and the last that lets go of it are changes; letting go is told after a pause, unless the key is
held again meanwhile. Changes wait in order, up to a bound; beyond it a key is kept with what it is in the end alone, so that no more
waits than keys are held. Blind to clocks and wires.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import islice, takewhile
from typing import Final

from causeway_common.contracts.messages import Attend, ClientInfo, NamespaceSpec

QUEUE_MAX: Final = 16_384
PAUSED_MAX: Final = 16_384
TICK_MAX: Final = 2_048
BATCH_MAX: Final = 256
BATCH_MAX_BYTES: Final = 512 * 1024
CHANGE_BYTES: Final = 128

LIFECYCLE, OCCUPANCY, MEMBER = 1, 2, 4
"""What a subscription holds beside itself: `subscription`, `channel`, `member`."""


@dataclass(frozen=True, slots=True)
class Key:
    """What is held, as `contracts.messages.Attend` has it."""

    scope: str
    user: str = ""
    channel: str = ""
    client: str = ""


def held_by(spec: NamespaceSpec) -> int:
    """What a subscription of this namespace holds."""
    return LIFECYCLE * spec.lifecycle_events | OCCUPANCY * spec.occupancy_events | MEMBER * spec.join_leave


def user_key(user: str, client: str) -> Key:
    """A user's connections; an anonymous one is a user of its own."""
    return Key("user", user, client="" if user else client)


def keys_of(channel: str, info: ClientInfo, holds: int) -> list[Key]:
    """The keys of a subscription."""
    keys: list[Key] = []
    if holds & LIFECYCLE:
        keys.append(Key("subscription", info.user, channel, "" if info.user else info.client))
    if holds & OCCUPANCY:
        keys.append(Key("channel", channel=channel))
    if holds & MEMBER:
        keys.append(Key("member", channel=channel, client=info.client))
    return keys


class Attendance:
    """The counts and the changes of one life of a gateway.

    Args:
        pause_ms: how long after the last let go of a key it is told.
    """

    def __init__(self, pause_ms: int) -> None:
        self._pause_ms = pause_ms
        self._counts: dict[Key, int] = {}
        self._paused: dict[Key, int] = {}
        """Let go of, and when it is told; oldest first, since the pause is one for all."""
        self._queue: deque[Attend] = deque()
        self._late: dict[Key, Attend] = {}
        """Beyond the bound: what each key turns to, after all that is in the queue."""
        self._leaving = False
        self.first = 1
        self.coalesced = 0

    def __len__(self) -> int:
        """How many changes wait."""
        return len(self._queue) + len(self._late)

    @property
    def due_at(self) -> int | None:
        """When `tick` has something to do next; None: not before something is let go of."""
        return next(iter(self._paused.values()), None)

    @property
    def used(self) -> bool:
        """Whether storage knows this life."""
        return self.first > 1

    def hold(self, key: Key, info: ClientInfo | None = None) -> None:
        """Somebody more holds a key."""
        count = self._counts[key] = self._counts.get(key, 0) + 1
        if count == 1 and self._paused.pop(key, None) is None:
            self._changed(key, held=True, info=info)

    def release(self, key: Key, now: int) -> None:
        """Somebody lets go of a key."""
        count = self._counts.pop(key) - 1
        if count:
            self._counts[key] = count
        elif key.scope == "member":
            self._changed(key, held=False)
        elif not self._leaving:
            self._paused[key] = now + self._pause_ms
            if len(self._paused) > PAUSED_MAX:
                self._told(next(iter(self._paused)))

    def tick(self, now: int) -> None:
        """Time has come: what is let go of for long enough is told, up to `TICK_MAX` of it at once."""
        oldest = islice(self._paused.items(), TICK_MAX)
        for key, _ in list(takewhile(lambda paused: paused[1] <= now, oldest)):
            self._told(key)

    def leave(self) -> None:
        """The gateway leaves: who is closed from here on comes back elsewhere, or is released with all that it holds."""
        self._leaving = True
        self._paused.clear()

    def restart(self) -> None:
        """Storage has released all that this life held: a new one begins, with what is held right now.

        Members among it came after storage's last answer, so that the changes that began them still wait.
        """
        begun = {_key(change): change for change in (*self._queue, *self._late.values()) if change.held}
        self._queue.clear()
        self._late.clear()
        self._paused.clear()
        self.first = 1
        for key in self._counts:
            self._changed(key, held=True, info=begun[key].info if key in begun else None)

    def batch(self, most: int = BATCH_MAX) -> list[Attend]:
        """The oldest changes, of which the first is number `first`. They wait until `told`."""
        found: list[Attend] = []
        size = 0
        for change in islice(self._queue, most):
            size += _size(change)
            if found and size > BATCH_MAX_BYTES:
                break
            found.append(change)
        return found

    def told(self, count: int) -> None:
        """So many of the oldest changes are told."""
        for _ in range(count):
            self._queue.popleft()
        self.first += count
        if not self._queue and self._late:
            self._queue.extend(self._late.values())
            self._late.clear()

    def refused(self) -> None:
        """Storage will never take the oldest change: it is as if it had not been."""
        self._queue.popleft()

    def _told(self, key: Key) -> None:
        del self._paused[key]
        self._changed(key, held=False)

    def _changed(self, key: Key, *, held: bool, info: ClientInfo | None = None) -> None:
        change = Attend(scope=key.scope, held=held, user=key.user, channel=key.channel, client=key.client, info=info)
        if not self._late and len(self._queue) < QUEUE_MAX:
            self._queue.append(change)
        elif self._late.pop(key, None) is None:
            self._late[key] = change
        else:
            self.coalesced += 2  # it is again what it will be after the queue


def _key(change: Attend) -> Key:
    return Key(change.scope, change.user, change.channel, change.client)


def _size(change: Attend) -> int:
    info = change.info
    size = CHANGE_BYTES + 4 * (len(change.user) + len(change.channel) + len(change.client))
    if info is not None:
        size += 4 * (len(info.user) + len(info.client)) + len(info.conn_info or b"") + len(info.chan_info or b"")
    return size
