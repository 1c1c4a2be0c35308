"""The channels that this gateway's clients watch: listening, repairing, comparing, fanning out (DESIGN section 6).

The decisions are the domain's (`Feed`); here is their doing. One encode and one frame per publication, whoever watches.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Final, assert_never

from causeway_common.bus import Deadline
from causeway_common.contracts.codes import UnsubscribeCode
from causeway_common.contracts.errors import CausewayError, ErrorName, unavailable
from causeway_common.contracts.messages import ClientInfo, FeedMembership, FeedPublication, Head, NamespaceSpec
from causeway_common.telemetry import get_logger
from causeway_gateway.domain.departed import Departed
from causeway_gateway.domain.feed import Deliver, Hold, Insufficient, Output, Read
from causeway_gateway.domain.protocol import Publication, publication_of
from causeway_gateway.domain.subscription import Subscription
from causeway_gateway.handlers import metrics
from causeway_gateway.handlers.channel import Channel
from causeway_gateway.handlers.fanout import Subscriber
from causeway_gateway.ports import FeedBus, Storage, Tasks, Timers

log = get_logger("gateway.feeds")

HEADS_MAX: Final = 512
REPAIRS_MAX: Final = 32
PAGE_MAX: Final = 512
READ_SECONDS: Final = 2.0
GRACE_MS: Final = 5_000
COMPARE_FIRST_MS: Final = 1_000
COMPARE_EVERY_MS: Final = 40_000
COMPARE_RETRY_MS: Final = 1_000
RECONNECT_SPREAD_MS: Final = 3_000
ASKED_SPREAD_MS: Final = 1_000
MOVES_A_TURN: Final = 64


class Feeds:
    """All channels of this gateway.

    Args:
        bus: the feeds' own connection.
        storage: heads and missing publications.
        timers: coarse timers.
        tasks: where reads run.
        owner: the app that owns a channel's namespace ("": none does); None where there is no such namespace.
    """

    def __init__(
        self, bus: FeedBus, storage: Storage, timers: Timers, tasks: Tasks, owner: Callable[[str], str | None] = lambda _: ""
    ) -> None:
        self._bus, self._storage, self._timers, self._tasks, self._owner = bus, storage, timers, tasks, owner
        self._channels: dict[str, Channel] = {}
        self._joining: deque[Channel] = deque()
        self._join_runs = self._compare_runs = self._move_runs = False
        self._to_compare: deque[Channel] = deque()
        self._departed = Departed()
        self._repairs = asyncio.Semaphore(REPAIRS_MAX)

    @property
    def channels(self) -> int:
        """How many channels are listened to."""
        return len(self._channels)

    @property
    def subscriptions(self) -> int:
        """How many subscriptions there are."""
        return sum(len(channel.fanout.room) for channel in self._channels.values())

    def occupancy(self) -> Mapping[str, int]:
        """Each channel with subscribers, and how many."""
        return {name: count for name, channel in self._channels.items() if (count := len(channel.fanout.room))}

    def present(self, name: str, *, everyone: bool = False) -> list[ClientInfo]:
        """The subscribers of a channel that count in its presence, or every one."""
        channel = self._channels.get(name)
        return [] if channel is None else [sub.info for _, sub in channel.fanout.room if everyone or sub.presence]

    def enter_now(self, name: str, spec: NamespaceSpec) -> Channel | None:
        """As `enter`, where nothing needs to be waited for; None otherwise."""
        channel = self._channels.get(name)
        if channel is None or not channel.usable(spec):
            return None
        channel.holds += 1
        return channel

    async def enter(self, name: str, spec: NamespaceSpec, deadline: Deadline) -> Channel:
        """A channel that is listened to, its head known where it is logged. Kept until `release`.

        Raises:
            CausewayError: 100 unavailable.
        """
        channel = self._channels.get(name)
        if channel is None:
            channel = self._channels[name] = Channel(name, spec)
        channel.holds += 1
        try:
            channel.tells |= spec.join_leave
            await self._readied(channel, deadline)
            if channel.tells and channel.members is None:  # it was joined without them
                channel.ready = None
                await self._readied(channel, deadline)
        except BaseException:
            self.release(channel)
            raise
        return channel

    def release(self, channel: Channel) -> None:
        """The end of an `enter`: without subscribers the channel is left after a grace."""
        channel.holds -= 1
        self._may_close(channel)

    def join(self, name: str, subscriber: Subscriber, subscription: Subscription) -> None:
        """Add a subscriber to a channel that is held."""
        self._channels[name].fanout.room.add(subscriber, subscription)

    def leave(self, name: str, subscriber: Subscriber) -> None:
        """Remove a subscriber."""
        if (channel := self._channels.get(name)) is not None and channel.fanout.room.remove(subscriber):
            self._may_close(channel)

    def compare_soon(self, spread_ms: int) -> None:
        """Compare the heads of all channels with storage, spread over this long: feed messages may have been lost."""
        channels = [channel for channel in self._channels.values() if channel.feed is not None and channel.feed.started]
        now = self._timers.now()
        for index, channel in enumerate(channels):
            self._compare_at(channel, now + index * spread_ms // len(channels))

    def owners_changed(self) -> None:
        """Namespaces may belong to others now: the feed of a channel without history is its app's."""
        if not self._move_runs:
            self._move_runs = True
            self._tasks.spawn(self._move())

    def compare(self, channel: Channel, head: Head) -> None:
        """A head that a read happened to bring."""
        if channel.feed is not None:
            self._run(channel, channel.feed.compare(head))

    # --- joining and leaving

    async def _readied(self, channel: Channel, deadline: Deadline) -> None:
        ready = channel.ready
        if ready is None or (ready.done() and ready.exception() is not None):
            ready = channel.ready = asyncio.get_running_loop().create_future()
            self._joining.append(channel)
            if not self._join_runs:
                self._join_runs = True
                self._tasks.spawn(self._join_all())
        if not ready.done():
            await asyncio.wait({ready}, timeout=max(deadline.remaining(), 0))
        if not ready.done():
            raise unavailable("the channel could not be joined in time")
        ready.result()

    async def _join_all(self) -> None:
        """Join what waits; a batch is what arrived while the last one was on its way."""
        try:
            while self._joining:
                batch = [self._joining.popleft() for _ in range(min(len(self._joining), HEADS_MAX))]
                try:
                    await self._join(batch)
                except CausewayError as error:
                    _settle(batch, error)
                except Exception:
                    log.exception("channels could not be joined")  # whoever waits must be told, the next one tries anew
                    _settle(batch, CausewayError(ErrorName.INTERNAL))
        finally:
            self._join_runs = False

    async def _join(self, batch: list[Channel]) -> None:
        for channel in batch:
            if channel.listener is None:
                await self._listen(channel)
            if channel.tells and channel.members is None:
                channel.members = await self._bus.listen_members(channel.name, partial(self._member, channel))
        await self._bus.flush()
        if any(map(self._has_moved, batch)):
            self.owners_changed()
        logged = [channel for channel in batch if channel.feed is not None]
        _settle([channel for channel in batch if channel.feed is None], None)
        if not logged:
            return
        heads = await self._storage.heads([channel.name for channel in logged], Deadline.after(READ_SECONDS))
        for channel, head in zip(logged, heads, strict=True):
            if channel.feed is not None:
                self._run(channel, channel.feed.start(head))
                self._compare_at(channel, self._timers.now() + COMPARE_FIRST_MS)
        _settle(logged, None)

    async def _listen(self, channel: Channel) -> None:
        """Listen to its feed, under the app that owns it now; only then no more under the one before."""
        app = self._owner(channel.name) or ""
        received = partial(self._received, channel)
        listener = await self._bus.listen(channel.name, received, logged=channel.feed is not None, app=app)
        former, channel.listener, channel.app = channel.listener, listener, app
        if channel.closed:
            former = listener
        if former is not None:
            await former.close()

    def _has_moved(self, channel: Channel) -> bool:
        return channel.feed is None and channel.listener is not None and self._owner(channel.name) not in (channel.app, None)

    async def _move(self) -> None:
        """Follow the channels without history to their new owners. What is published meanwhile may be lost, as in any of them."""
        try:
            while moved := [channel for channel in list(self._channels.values()) if self._has_moved(channel)]:
                for index, channel in enumerate(moved, 1):
                    await self._listen(channel)
                    if index % MOVES_A_TURN == 0:
                        await asyncio.sleep(0)
        finally:
            self._move_runs = False

    def _may_close(self, channel: Channel) -> None:
        if channel.idle and not channel.closed:
            self._timers.at(self._timers.now() + GRACE_MS, lambda: self._close_idle(channel))

    def _close_idle(self, channel: Channel) -> None:
        if not channel.idle or channel.closed:
            return
        channel.closed = True
        del self._channels[channel.name]
        if channel.comparison is not None:
            channel.comparison.cancel()
        for listener in (channel.listener, channel.members):
            if listener is not None:
                self._tasks.spawn(listener.close())

    # --- what the feed brings

    def _member(self, channel: Channel, membership: FeedMembership) -> None:
        if self._departed.news(channel.name, membership.info.client, joined=membership.joined):
            channel.fanout.tell(membership)

    def _received(self, channel: Channel, message: FeedPublication) -> None:
        metrics.feed_messages.add()
        if message.offset:
            metrics.feed_lag.add(max(self._timers.wall() - message.time_ms, 0))
            metrics.feed_logged.add()
        publication = publication_of(message)
        if channel.feed is None:
            self._deliver(channel, publication)
        elif not publication.offset:
            self._run(channel, channel.feed.passing(publication))
        else:
            self._run(channel, channel.feed.publication(message.epoch, publication))

    def _run(self, channel: Channel, outputs: Iterable[Output]) -> None:
        for output in outputs:
            match output:
                case Deliver(publications):
                    for publication in publications:
                        self._deliver(channel, publication)
                case Hold(milliseconds):
                    metrics.gaps.add()
                    self._timers.at(self._timers.now() + milliseconds, partial(self._held, channel))
                case Read(since):
                    self._tasks.spawn(self._repair(channel, since))
                case Insufficient():
                    log.warning("a channel's log is another one or has holes here, its subscribers are told", channel=channel.name)
                    channel.fanout.forget()
                    self._tell(channel, [subscriber for subscriber, _ in channel.fanout.room])
                case _:
                    assert_never(output)

    def _deliver(self, channel: Channel, publication: Publication) -> None:
        going = channel.fanout.unfinished
        if missed := channel.fanout.deliver(publication):
            self._tell(channel, missed)
        if channel.fanout.unfinished and not going:
            self._tasks.spawn(self._go_on(channel))

    async def _go_on(self, channel: Channel) -> None:
        """The rest of a long fan-out, a slice in each turn of the loop."""
        while channel.fanout.unfinished:
            await asyncio.sleep(0)
            if missed := channel.fanout.go_on():
                self._tell(channel, missed)

    def _tell(self, channel: Channel, subscribers: list[Subscriber]) -> None:
        for subscriber in subscribers:
            subscriber.unsubscribed(channel.name, UnsubscribeCode.INSUFFICIENT)
        metrics.insufficient.add(len(subscribers))

    def _held(self, channel: Channel) -> None:
        if channel.feed is not None and not channel.closed:
            self._run(channel, channel.feed.timer())

    async def _repair(self, channel: Channel, since: int) -> None:
        feed = channel.feed
        if feed is None:
            return
        async with self._repairs:
            if channel.closed:
                return
            try:
                page = await self._storage.history(
                    channel.name, since=since, limit=PAGE_MAX, reverse=False, deadline=Deadline.after(READ_SECONDS)
                )
            except CausewayError as error:
                metrics.repairs.add(1, error.name.value)
                self._run(channel, feed.read_failed())
                return
            except Exception:
                log.exception("missing publications could not be read, trying again", channel=channel.name)
                self._run(channel, feed.read_failed())
                return
        metrics.repairs.add(1, "ok")
        self._run(channel, feed.page(page.head, map(publication_of, page.publications)))

    # --- comparing heads

    def _compare_at(self, channel: Channel, when: int) -> None:
        if channel.comparison is not None:
            channel.comparison.cancel()
        channel.comparison = self._timers.at(when, partial(self._compare_due, channel))

    def _compare_due(self, channel: Channel) -> None:
        self._to_compare.append(channel)
        if not self._compare_runs:
            self._compare_runs = True
            self._tasks.spawn(self._compare_all())

    async def _compare_all(self) -> None:
        try:
            while self._to_compare:
                due = [self._to_compare.popleft() for _ in range(min(len(self._to_compare), HEADS_MAX))]
                batch = [channel for channel in due if not channel.closed]
                if not batch:
                    continue
                after = COMPARE_EVERY_MS
                try:
                    heads = await self._storage.heads([channel.name for channel in batch], Deadline.after(READ_SECONDS))
                    for channel, head in zip(batch, heads, strict=True):
                        self.compare(channel, head)
                except CausewayError as error:
                    log.debug("heads could not be compared, trying again", channels=len(batch), reason=error.message)
                    after = COMPARE_RETRY_MS
                except Exception:
                    log.exception("heads could not be compared, trying again", channels=len(batch))
                    after = COMPARE_RETRY_MS
                for channel in batch:
                    if not channel.closed:
                        self._compare_at(channel, self._timers.now() + after)
        finally:
            self._compare_runs = False


def _settle(channels: Iterable[Channel], error: CausewayError | None) -> None:
    for channel in channels:
        if channel.ready is not None and not channel.ready.done():
            if error is None:
                channel.ready.set_result(None)
            else:
                channel.ready.set_exception(error)
                channel.ready.exception()  # nobody may be waiting any more
