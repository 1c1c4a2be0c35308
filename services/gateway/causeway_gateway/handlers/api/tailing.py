"""`channels.tail`: what is published into a channel from now on, none left out without a word; and who joins and leaves.

A subscription to the feed like any other's, with the same repair: what a gap or a later head shows to be missing is read from the log.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

import msgspec

from causeway_common.bus import Deadline
from causeway_common.contracts.epochs import continues
from causeway_common.contracts.errors import CausewayError
from causeway_common.contracts.messages import FeedMembership, FeedPublication, StoredPublication
from causeway_common.contracts.verbs import CLIENT_COMMAND_SECONDS
from causeway_common.telemetry import get_logger
from causeway_gateway.domain.keyring import ApiCaller
from causeway_gateway.domain.namespaces import Catalogue, Rule
from causeway_gateway.handlers.api.bodies import Body
from causeway_gateway.handlers.api.channels import publication_shown
from causeway_gateway.handlers.api.streaming import Lines, Mailbox, Mailboxes, StreamRow
from causeway_gateway.ports import FeedBus, Storage, Subscription, Tasks, Timers

log = get_logger("gateway.api")
COMPARE_MS: Final = 5_000
PAGE: Final = 200
REPAIR_MAX: Final = 1_000
"""So many missing publications are read; where there are more, the newest, and the others are told to be skipped."""


class TailChannel(Body, frozen=True):
    """Which channel, and how many of its newest publications come first."""

    channel: str
    history: Annotated[int, msgspec.Meta(ge=0, le=REPAIR_MAX)] = 0


class ChannelTails:
    """Opens tails.

    Args:
        catalogue: the namespaces.
        feeds: where publications are heard.
        storage: the logs.
        timers: the clock.
        tasks: where repairs run.
        mailboxes: of those who ask.
    """

    def __init__(
        self, *, catalogue: Catalogue, feeds: FeedBus, storage: Storage, timers: Timers, tasks: Tasks, mailboxes: Mailboxes
    ) -> None:
        self._catalogue, self._feeds, self._storage = catalogue, feeds, storage
        self._timers, self._tasks, self._mailboxes = timers, tasks, mailboxes

    def table(self) -> Mapping[str, StreamRow]:
        """By name."""
        return {"channels.tail": (TailChannel, self.tail)}

    async def tail(self, request: TailChannel, _caller: ApiCaller, deadline: Deadline) -> Lines:
        """Raises CausewayError: 102 or 107, there is no such channel; 100."""
        rule, channel = self._catalogue.rule(request.channel), request.channel
        mailbox = self._mailboxes.open()
        tail = Tail(channel, rule, mailbox, storage=self._storage, timers=self._timers, tasks=self._tasks)
        listeners: list[Subscription] = []

        async def close() -> None:
            tail.close()
            self._mailboxes.close(mailbox)
            for listener in listeners:
                await listener.close()

        try:
            listeners.append(await self._feeds.listen(channel, tail.heard, logged=rule.spec.has_history, app=rule.app))
            listeners.append(await self._feeds.listen_members(channel, tail.met))
            await self._feeds.flush()
            await tail.begin(request.history, deadline)
        except BaseException:
            await close()
            raise
        return Lines(mailbox, close)


class Tail:
    """One tail: where it stands, and what it does about what is missing."""

    def __init__(self, channel: str, rule: Rule, mailbox: Mailbox, *, storage: Storage, timers: Timers, tasks: Tasks) -> None:
        self._channel, self._logged, self._mailbox = channel, rule.spec.has_history, mailbox
        self._storage, self._timers, self._tasks = storage, timers, tasks
        self._epoch, self._offset = "", 0
        self._reading, self._again, self._closed = True, False, False

    async def begin(self, history: int, deadline: Deadline) -> None:
        """Tell where the log stands and its newest publications; then what comes. Raises CausewayError: 100."""
        if self._logged:
            page = await self._storage.history(self._channel, since=0, limit=history, reverse=True, deadline=deadline)
            self._epoch, self._offset = page.head.epoch, page.head.head
            self._begun()
            for stored in reversed(page.publications):
                self._told(stored)
            self._compare_later()
        else:
            self._begun()
        self._reading = False
        if self._again:
            self._repair()

    def close(self) -> None:
        """Nobody listens any more."""
        self._closed = True

    def heard(self, message: FeedPublication) -> None:
        """The feed says something."""
        if not self._logged or not message.offset:
            self._tell(message.offset, message.data, message.info, message.tags, message.time_ms or self._timers.wall())
        elif self._reading:
            self._again = True
        elif message.epoch != self._epoch or message.offset > self._offset + 1:
            self._repair()
        elif message.offset == self._offset + 1:
            self._offset = message.offset
            self._tell(message.offset, message.data, message.info, message.tags, message.time_ms)

    def met(self, membership: FeedMembership) -> None:
        """Somebody joined or left."""
        info = membership.info
        self._mailbox.put({"type": "join" if membership.joined else "leave", "user": info.user, "client": info.client})

    def _begun(self) -> None:
        self._mailbox.put({"type": "begin", "epoch": self._epoch, "offset": self._offset})

    def _told(self, stored: StoredPublication) -> None:
        self._tell(stored.offset, stored.data, stored.info, stored.tags, stored.time_ms)

    def _tell(self, offset: int, data: bytes, info: Any, tags: dict[str, str] | None, time_ms: int) -> None:
        shown = publication_shown(offset, data, info, tags)
        fields = {name: getattr(shown, name) for name in shown.__struct_fields__}
        self._mailbox.put({"type": "publication", **fields, "time_ms": time_ms, "bytes": len(data)})

    def _compare_later(self) -> None:
        self._timers.at(self._timers.now() + COMPARE_MS, self._compare)

    def _compare(self) -> None:
        """A lost last message shows by nothing else."""
        if not self._closed:
            self._repair()
            self._compare_later()

    def _repair(self) -> None:
        if self._reading:
            self._again = True
        elif not self._closed:
            self._reading = True
            self._tasks.spawn(self._read())

    async def _read(self) -> None:
        try:
            again = True
            while again and not self._closed:
                self._again = False
                again = await self._read_on() or self._again
        except CausewayError as error:
            log.debug("a tail could not be repaired, it is tried again", channel=self._channel, reason=error.message)
        finally:
            self._reading = False

    async def _read_on(self) -> bool:
        """A page of what is missing; whether there is more."""
        deadline = Deadline.after(CLIENT_COMMAND_SECONDS)
        page = await self._storage.history(self._channel, since=self._offset, limit=PAGE, reverse=False, deadline=deadline)
        if not continues(self._epoch, page.head.epoch):  # the log was lost or removed: another one is followed
            self._epoch, self._offset = page.head.epoch, page.head.head
            self._begun()
            return False
        self._epoch = page.head.epoch
        first = max(page.head.head - REPAIR_MAX, page.head.floor)
        if self._offset < first:
            self._mailbox.missed(first - self._offset)
            self._offset = first
            return True
        for stored in page.publications:
            if stored.offset == self._offset + 1:
                self._offset = stored.offset
                self._told(stored)
        return page.more and bool(page.publications)
