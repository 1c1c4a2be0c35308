"""The feed: whatever is lost, repeated, reordered or stale, each subscriber gets the log's suffix in order, or is told (2500)."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from causeway_common.contracts.codes import UnsubscribeCode
from causeway_common.contracts.messages import ClientInfo, Head
from causeway_gateway.domain.feed import HELD_MAX, HOLD_MS, RING_MAX, Deliver, Feed, Hold, Insufficient, Output, Read
from causeway_gateway.domain.frames.codecs import JSON_HTTP_STREAM
from causeway_gateway.domain.protocol import Publication, Raw
from causeway_gateway.domain.subscription import Subscription
from causeway_gateway.handlers.fanout import Fanout


def publication(offset: int, data: bytes = b"1") -> Publication:
    return Publication(data=Raw(data), offset=offset)


def started(epoch: str = "e1", head: int = 5) -> Feed:
    feed = Feed()
    assert feed.start(Head(epoch=epoch, head=head)) == []
    return feed


def offsets(outputs: Iterable[Output]) -> list[int]:
    return [each.offset for output in outputs if isinstance(output, Deliver) for each in output.publications]


def test_next_in_line_is_delivered_and_what_was_seen_is_dropped() -> None:
    feed = started()

    assert offsets(feed.publication("e1", publication(6))) == [6]
    assert feed.publication("e1", publication(6)) == []
    assert feed.publication("e1", publication(3)) == []


def test_a_gap_is_held_briefly_and_then_read() -> None:
    feed = started()

    assert feed.publication("e1", publication(7)) == [Hold(HOLD_MS)]
    assert feed.publication("e1", publication(9)) == []
    assert feed.timer() == [Read(5)]
    repaired = feed.page(Head(epoch="e1", head=9), [publication(6), publication(7), publication(8)])

    assert offsets(repaired) == [6, 7, 8, 9]
    assert feed.position == 9


def test_what_comes_out_of_order_needs_no_read() -> None:
    feed = started()
    feed.publication("e1", publication(7))

    assert offsets(feed.publication("e1", publication(6))) == [6, 7]
    assert feed.timer() == []


def test_a_lower_head_is_stale_and_a_higher_one_is_a_gap() -> None:
    feed = started()

    assert feed.compare(Head(epoch="e1", head=3)) == []
    assert feed.compare(Head(epoch="e1", head=6)) == [Hold(HOLD_MS)]


def test_what_a_read_has_shown_serves_the_next_who_missed_the_same() -> None:
    feed = started()
    feed.fill([publication(offset) for offset in (2, 3, 4)])
    assert feed.since(2) is None, "there is a hole to where the feed stands"
    feed.fill([publication(offset) for offset in (3, 4, 5)])
    feed.publication("e1", publication(6))

    assert offsets([Deliver(tuple(feed.since(2) or ()))]) == [3, 4, 5, 6]
    feed.fill([publication(offset) for offset in (1, 2)])
    assert offsets([Deliver(tuple(feed.since(0) or ()))]) == [1, 2, 3, 4, 5, 6]
    feed.compare(Head(epoch="e1", head=6, floor=4))
    assert feed.since(3) is None, "what was removed from the log is not served from memory"


def test_another_epoch_counts_only_after_a_read_confirms_it() -> None:
    """A feed message or head of an older epoch may come late; it must not end anything."""
    stale, new = started(), started()

    for feed in (stale, new):
        assert feed.publication("e0", publication(1)) == [Hold(HOLD_MS)]
        assert feed.timer() == [Read(5)]

    assert stale.page(Head(epoch="e1", head=5), []) == []
    assert new.page(Head(epoch="e0", head=1), []) == [Insufficient()]
    assert (new.epoch, new.position) == ("e0", 1)


def test_what_is_trimmed_before_it_was_read_is_told() -> None:
    feed = started()
    feed.publication("e1", publication(9))
    feed.timer()

    assert feed.page(Head(epoch="e1", head=9, floor=7), [publication(8), publication(9)]) == [Insufficient()]


def test_what_comes_before_the_head_is_known_is_kept() -> None:
    feed = Feed()
    assert feed.publication("e1", publication(5)) == []
    assert feed.publication("e1", publication(6)) == []

    assert offsets(feed.start(Head(epoch="e1", head=5))) == [6]


def test_a_suspicion_outlives_a_failed_read() -> None:
    feed = started()
    feed.compare(Head(epoch="e2", head=1))
    feed.timer()

    assert feed.read_failed() != []
    assert feed.timer() == [Read(5)]


def test_a_log_never_written_adopts_its_first_epoch() -> None:
    feed = started(epoch="", head=0)

    assert offsets(feed.publication("e1", publication(1))) == [1]
    assert feed.epoch == "e1"


def test_a_log_not_written_yet_becomes_only_one_of_its_own_database() -> None:
    feed, other = started(epoch=".7", head=0), started(epoch=".7", head=0)

    assert offsets(feed.publication("abcdefgh.7", publication(1))) == [1]
    assert feed.epoch == "abcdefgh.7"
    assert other.publication("abcdefgh.8", publication(1)) == [Hold(HOLD_MS)]
    assert other.timer() == [Read(0)]
    assert other.page(Head(epoch="abcdefgh.8", head=1), [publication(1)]) == [Insufficient()]


def test_failed_reads_are_tried_again_ever_more_slowly() -> None:
    feed = started()
    feed.publication("e1", publication(7))
    waits = []
    for _ in range(8):
        assert feed.timer() == [Read(5)]
        (hold,) = feed.read_failed()
        assert isinstance(hold, Hold)
        waits.append(hold.milliseconds)

    assert waits == [100, 200, 400, 800, 1600, 2000, 2000, 2000]


def test_what_is_held_and_remembered_is_bounded() -> None:
    feed = started()
    for offset in range(7, 7 + 2 * HELD_MAX):
        feed.publication("e1", publication(offset))
    assert len(feed._held) == HELD_MAX

    ring = started()
    for offset in range(6, 6 + 2 * RING_MAX):
        ring.publication("e1", publication(offset))
    assert len(ring._ring) == RING_MAX
    for offset in range(6 + 2 * RING_MAX, 20 + 2 * RING_MAX):
        ring.publication("e1", publication(offset, b'"' + b"x" * 30_000 + b'"'))
    assert len(ring._ring) == 2


def test_the_ring_gives_what_came_after_a_position_or_nothing_at_all() -> None:
    feed = started()
    for offset in (6, 7, 8):
        feed.publication("e1", publication(offset))

    assert [each.offset for each in feed.since(6) or []] == [7, 8]
    assert feed.since(8) == []
    assert feed.since(4) is None
    assert feed.since(9) is None


# --- the model ---------------------------------------------------------------------------------------------------------


@dataclass
class Log:
    """The truth: storage's log of one channel."""

    epoch: str = ""
    head: int = 0
    floor: int = 0
    epochs: int = 0

    def publish(self) -> tuple[str, int]:
        if not self.epoch:
            self.epochs += 1
            self.epoch = f"e{self.epochs}"
        self.head += 1
        return self.epoch, self.head

    def lose(self) -> None:
        self.epoch, self.head, self.floor = "", 0, 0

    def read(self, since: int, limit: int) -> tuple[Head, list[Publication]]:
        first = max(since, self.floor) + 1
        return self.now(), [publication(offset) for offset in range(first, min(self.head, first + limit - 1) + 1)]

    def now(self) -> Head:
        return Head(epoch=self.epoch, head=self.head, floor=self.floor)


@dataclass(eq=False)
class Subscriber:
    """What one subscriber was given since it joined at a position, until it was told."""

    epoch: str
    joined: int
    got: list[int] = field(default_factory=list)
    told: bool = False
    codec = JSON_HTTP_STREAM
    backlog = 0

    def send(self, frame: bytes) -> None:
        self.got.append(json.loads(frame)["push"]["pub"]["offset"])

    def send_latest(self, key: tuple[str, str], frame: bytes) -> None:
        raise AssertionError("nobody is slow here")

    def unsubscribed(self, channel: str, code: UnsubscribeCode) -> None:
        self.told = True


@dataclass
class World:
    """Log, feed, room, and what is on its way between them."""

    random: random.Random
    log: Log = field(default_factory=Log)
    feed: Feed = field(default_factory=Feed)
    fanout: Fanout = field(default_factory=lambda: Fanout("a"))
    subscribers: list[Subscriber] = field(default_factory=list)
    messages: list[tuple[str, int]] = field(default_factory=list)
    heads: list[Head] = field(default_factory=list)
    holds: int = 0
    reads: list[int] = field(default_factory=list)

    def run(self, outputs: Iterable[Output]) -> None:
        for output in outputs:
            match output:
                case Deliver(publications):
                    for each in publications:
                        missed = self.fanout.deliver(each)
                        assert not missed, "the feed delivers consecutively, nobody can have missed one"
                case Hold():
                    self.holds += 1
                case Read(since):
                    self.reads.append(since)
                case Insufficient():
                    self.fanout.forget()
                    for subscriber, _ in list(self.fanout.room):
                        self.fanout.room.remove(subscriber)
                        subscriber.unsubscribed("a", UnsubscribeCode.INSUFFICIENT)
        assert self.holds <= 1
        assert len(self.reads) <= 1

    def step(self, action: str) -> None:  # noqa: C901 - one case per action
        choose = self.random.choice
        match action:
            case "publish":
                self.messages.append(self.log.publish())
            case "start" if not self.feed.started:
                self.run(self.feed.start(self.log.now()))
            case "message" if self.messages:
                epoch, offset = choose(self.messages[-6:])  # lost, repeated and out of order by choice
                self.run(self.feed.publication(epoch, publication(offset)))
            case "head seen":
                self.heads.append(self.log.now())
            case "compare" if self.heads:
                self.run(self.feed.compare(choose(self.heads[-3:])))
            case "timer" if self.holds:
                self.holds -= 1
                self.run(self.feed.timer())
            case "page" if self.reads:
                self.answer()
            case "read failed" if self.reads:
                self.reads.pop()
                self.run(self.feed.read_failed())
            case "trim":
                self.log.floor = self.random.randint(self.log.floor, self.log.head)
            case "lose the log" if self.random.random() < 0.3:
                self.log.lose()
            case "join" if self.feed.started:
                subscriber = Subscriber(self.feed.epoch, self.feed.position)
                subscription = Subscription(ClientInfo(user="u", client="c"))
                subscription.next_offset = self.feed.position + 1
                self.fanout.room.add(subscriber, subscription)
                self.subscribers.append(subscriber)

    def answer(self) -> None:
        since = self.reads.pop()
        self.run(self.feed.page(*self.log.read(since, self.random.choice((1, 2, 100)))))

    def settle(self) -> None:
        """Nothing fails any more; heads are compared until nothing is under way."""
        if not self.feed.started:
            self.run(self.feed.start(self.log.now()))
        for _ in range(1000):
            if self.holds:
                self.holds -= 1
                self.run(self.feed.timer())
            elif self.reads:
                self.answer()
            else:
                self.run(self.feed.compare(self.log.now()))
                if not self.holds:
                    return
        raise AssertionError("the feed does not come to rest")


ACTIONS = (
    *("publish",) * 4,
    *("message",) * 5,
    *("timer",) * 2,
    *("page",) * 2,
    *("start", "head seen", "compare", "read failed", "join", "join", "trim", "lose the log"),
)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(ACTIONS), max_size=80), st.integers(0, 2**32))
def test_every_subscriber_has_the_logs_suffix_or_was_told(actions: list[str], seed: int) -> None:
    """The feed's promise, over any loss, repetition, reordering, staleness, trimming, failing reads and change of epoch."""
    world = World(random.Random(seed))
    for action in ["start", *actions] if seed % 4 else actions:
        world.step(action)
    world.settle()

    assert (world.feed.epoch, world.feed.position) == (world.log.epoch, world.log.head)
    for subscriber in world.subscribers:
        expected = range(subscriber.joined + 1, subscriber.joined + 1 + len(subscriber.got))
        assert subscriber.got == list(expected), "in order, no hole, no double"
        if not subscriber.told:
            assert subscriber.epoch in ("", world.log.epoch)
            assert subscriber.joined + len(subscriber.got) == world.log.head


def datas(outputs: Iterable[Output]) -> list[bytes]:
    return [bytes(each.data) for output in outputs if isinstance(output, Deliver) for each in output.publications]


def test_what_passes_by_the_log_is_delivered_at_once_and_moves_nothing() -> None:
    feed = started()

    assert datas(feed.passing(publication(0, b'"aside"'))) == [b'"aside"']
    assert offsets(feed.publication("e1", publication(6))) == [6]
    assert feed.since(5) is not None
    assert [each.offset for each in feed.since(5) or []] == [6]


def test_what_passes_by_the_log_waits_for_what_is_missing_before_it() -> None:
    feed = started()
    feed.publication("e1", publication(8, b"8"))
    assert feed.passing(publication(0, b'"behind 8"')) == []
    feed.publication("e1", publication(9, b"9"))
    assert feed.passing(publication(0, b'"behind 9"')) == []
    feed.timer()
    repaired = feed.page(Head(epoch="e1", head=9), [publication(6, b"6"), publication(7, b"7")])

    assert datas(repaired) == [b"6", b"7", b"8", b'"behind 8"', b"9", b'"behind 9"']


def test_what_passes_by_the_log_is_not_kept_back_by_a_suspicion_that_came_to_nothing() -> None:
    feed = started()
    feed.compare(Head(epoch="e2", head=1))
    assert feed.passing(publication(0, b'"aside"')) == []
    feed.timer()

    assert datas(feed.page(Head(epoch="e1", head=5), [])) == [b'"aside"']


def test_what_waits_to_pass_by_the_log_is_bounded_and_forgotten_with_it() -> None:
    feed = started()
    feed.publication("e1", publication(7))
    for _ in range(HELD_MAX + 10):
        feed.passing(publication(0))
    assert len(feed._passing) == HELD_MAX
    feed.timer()
    outputs = feed.page(Head(epoch="e2", head=3), [])

    assert outputs == [Insufficient()]
    assert datas(feed.passing(publication(0, b"2"))) == [b"2"]
