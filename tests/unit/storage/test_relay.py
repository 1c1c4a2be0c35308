"""The relay's plan, and a model of its crashes: wherever it dies, every item takes effect once and in version order."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from causeway_common.contracts.codec import encode_item
from causeway_common.contracts.messages import AppendRequest, JobItem, NewRecord, PublishItem
from causeway_storage.domain.entity import Commit, Element, EntityKey, Write, cleared, outbox_of, plan_commit
from causeway_storage.domain.log import KnownId, LogHead, plan_append
from causeway_storage.domain.relay import Append, RelayRound, plan_relay

KEY = EntityKey("chat", "room", "1")


def publish(channel: str, data: bytes = b"1", **fields: Any) -> dict[str, Any]:
    return encode_item(PublishItem(channel=channel, data=data, size=100, ttl_ms=1000)) | fields


def job(op: str = "event") -> dict[str, Any]:
    return encode_item(JobItem(connector="webhook", op=op, payload={}))


def element(id: str, *items: dict[str, Any]) -> Element:
    return Element(id, items, 1, f"trace-{id}")


def test_a_round_has_one_append_per_channel_in_version_order_and_ids_from_commit_and_place() -> None:
    work = plan_relay(KEY, [element("a", publish("chat:1"), job(), publish("chat:2")), element("b", publish("chat:1", b"2"))])

    assert [(each.request.channel, [item.id for item in each.request.items]) for each in work.appends] == [
        ("chat:1", ["o:a:0", "o:b:0"]),
        ("chat:2", ["o:a:2"]),
    ]
    assert [(record.id, record.app, record.traceparent) for record in work.records] == [("o:a:1", "chat", "trace-a")]
    assert work.elements == ("a", "b")


def test_the_newest_items_retention_goes_with_the_append() -> None:
    work = plan_relay(KEY, [element("a", publish("chat:1", size=7), publish("chat:1", size=9, ttl_ms=5))])

    assert (work.appends[0].request.size, work.appends[0].request.ttl_ms) == (9, 5)


def test_the_relay_stops_before_an_element_with_a_kind_it_does_not_know() -> None:
    work = plan_relay(KEY, [element("a", job()), element("b", publish("chat:1"), {"kind": "timer", "at": 5}), element("c", job())])

    assert (work.elements, work.unknown_kind) == (("a",), "timer")
    assert not work.appends


def test_an_item_that_can_never_leave_is_parked_and_blocks_nothing() -> None:
    broken = publish("chat:1") | {"size": "many"}
    work = plan_relay(KEY, [element("a", broken, publish("", b"1"), publish("chat:1", b"{"), publish("chat:1"), job("Bad Op"))])

    assert [(item.id, item.item) for item in work.parked] == [
        ("o:a:0", broken),
        ("o:a:1", publish("", b"1")),
        ("o:a:2", publish("chat:1", b"{")),
        ("o:a:4", job("Bad Op")),
    ]
    assert [item.id for item in work.appends[0].request.items] == ["o:a:3"]
    assert work.elements == ("a",)


def test_an_element_is_finished_only_when_all_that_it_has_is_acknowledged() -> None:
    work = plan_relay(
        KEY, [element("a", publish("chat:1"), publish("chat:2")), element("b", publish("chat:1")), element("c", job())]
    )

    assert work.finished([]) == {"a", "b", "c"}
    assert work.finished([work.appends[1].elements]) == {"b", "c"}
    assert work.finished([work.record_elements]) == {"a", "b"}


class CrashError(Exception):
    """The process died."""


class World:
    """What survives a crash: the entity's document, logs and records. Every step may be the last one, before or after its write."""

    def __init__(self, deaths: list[int]) -> None:
        self.document: dict[str, Any] | None = None
        self.logs: dict[str, list[bytes]] = defaultdict(list)
        self.known: dict[str, dict[str, KnownId]] = defaultdict(dict)
        self.records: dict[str, NewRecord] = {}
        self._deaths = deaths

    def point(self) -> None:
        if self._deaths:
            self._deaths[0] -= 1
            if self._deaths[0] < 0:
                self._deaths.pop(0)
                raise CrashError

    def commit(self, id: str, items: list[dict[str, Any]]) -> None:
        version = 0 if self.document is None else self.document["version"]
        request = Commit(version, id, {}, 1, tuple(items), len(items), "", "", 1)
        plan = plan_commit(KEY, self.document, request)
        assert isinstance(plan, Write)
        self.document = plan.document

    def append(self, request: AppendRequest) -> None:
        self.point()
        log, known = self.logs[request.channel], self.known[request.channel]
        head = LogHead("abcdefgh", len(log), 0)
        plan = plan_append(head, known, request, now_ms=1, letters="")
        log += [publication.data for publication in plan.publications]
        known.update({each: KnownId(offset, 1) for each, offset in plan.new_ids.items()})
        self.point()

    def perform(self, work: RelayRound, order: st.DataObject) -> None:
        parts: list[Append | NewRecord] = [*work.appends, *work.records]
        for part in order.draw(st.permutations(parts)):
            if isinstance(part, Append):
                self.append(part.request)
            else:
                self.point()
                self.records.setdefault(part.id, part)
                self.point()
        assert self.document is not None
        self.document = cleared(self.document, frozenset(work.elements))
        self.point()


CHANNELS = st.sampled_from(["chat:1", "chat:2", "chat:3"])


@given(
    commits=st.lists(st.lists(st.one_of(CHANNELS, st.none()), max_size=4), min_size=1, max_size=6),
    deaths=st.lists(st.integers(0, 8), max_size=6),
    data=st.data(),
)
def test_wherever_the_relay_dies_each_item_takes_effect_once_and_in_version_order(
    commits: list[list[str | None]], deaths: list[int], data: st.DataObject
) -> None:
    """None stands for a job. Commits come at any moment, also between the rounds of a relay that died half way."""
    world = World(deaths)
    expected: dict[str, list[bytes]] = defaultdict(list)
    jobs = 0
    waiting = list(enumerate(commits))
    while waiting or outbox_of(world.document):
        if waiting and (not outbox_of(world.document) or data.draw(st.booleans())):
            number, channels = waiting.pop(0)
            items = []
            for place, channel in enumerate(channels):
                if channel is None:
                    items.append(job())
                    jobs += 1
                else:
                    expected[channel].append(f"[{number},{place}]".encode())
                    items.append(publish(channel, expected[channel][-1]))
            world.commit(f"commit{number}", items)
        try:
            world.perform(plan_relay(KEY, outbox_of(world.document)), data)
        except CrashError:
            continue

    assert {channel: log for channel, log in world.logs.items() if log} == expected
    assert len(world.records) == jobs
