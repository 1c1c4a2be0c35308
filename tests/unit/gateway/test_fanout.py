"""Rooms and fan-out: groups by codec, patches, filters, slow readers, joins and leaves."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from causeway_common.contracts.codes import UnsubscribeCode
from causeway_common.contracts.messages import ClientInfo, FeedMembership
from causeway_gateway.domain import delta
from causeway_gateway.domain.filters import compile as compile_filter
from causeway_gateway.domain.frames import causeway_client_pb2 as pb
from causeway_gateway.domain.frames.codecs import JSON_HTTP_STREAM, PROTOBUF_HTTP_STREAM, Codec
from causeway_gateway.domain.protocol import FilterNode, Publication, Raw
from causeway_gateway.domain.subscription import Subscription
from causeway_gateway.handlers.fanout import SLOW_BYTES, WAITING_MAX, Fanout

INFO = ClientInfo(user="ann", client="c1")


class Client:
    def __init__(self, codec: Codec = JSON_HTTP_STREAM) -> None:
        self.codec = codec
        self.backlog = 0
        self.frames: list[bytes] = []
        self.latest: dict[tuple[str, str], bytes] = {}
        self.base: bytes | None = None

    def send(self, frame: bytes) -> None:
        self.frames.append(frame)

    def send_latest(self, key: tuple[str, str], frame: bytes) -> None:
        self.latest[key] = frame

    def unsubscribed(self, channel: str, code: UnsubscribeCode) -> None:
        raise AssertionError(code)

    @property
    def pubs(self) -> list[dict[str, Any]]:
        return [json.loads(frame)["push"]["pub"] for frame in self.frames]

    def read(self, frame: bytes) -> bytes:
        """The data of a publication as an SDK with delta understands it."""
        if self.codec.binary:
            pub = pb.Reply.FromString(frame[2 if frame[0] & 0x80 else 1 :]).push.pub
            data, patch = pub.data, pub.delta
        else:
            found = json.loads(frame)["push"]["pub"]
            data, patch = found["data"].encode(), found.get("delta", False)
        if patch:
            assert self.base is not None
            data = delta.apply(self.base, data)
        self.base = data
        return data


def watch(fanout: Fanout, client: Client, *, next_offset: int = 1, **options: Any) -> Subscription:
    subscription = Subscription(INFO, **options)
    subscription.next_offset = next_offset
    fanout.room.add(client, subscription)
    return subscription


def publication(offset: int, data: bytes, tags: dict[str, str] | None = None, *, patch: bool = True) -> Publication:
    return Publication(data=Raw(data), offset=offset, tags=tags, delta=patch)


def document(number: int) -> bytes:
    return json.dumps({"title": "a document long enough to be patched", "body": "x" * 100, "number": number}).encode()


def test_one_frame_serves_all_of_a_codec() -> None:
    fanout, clients = Fanout("a"), [Client(), Client(), Client(PROTOBUF_HTTP_STREAM)]
    for client in clients:
        watch(fanout, client)
    assert fanout.deliver(publication(1, b"1")) == []

    assert clients[0].frames[0] is clients[1].frames[0]
    assert clients[2].frames[0] != clients[0].frames[0]
    assert "delta" not in clients[0].pubs[0]


def test_who_missed_one_is_told_and_who_has_it_already_is_not() -> None:
    fanout, here, behind, ahead = Fanout("a"), Client(), Client(), Client()
    watch(fanout, here, next_offset=5)
    watch(fanout, behind, next_offset=3)
    watch(fanout, ahead, next_offset=7)

    assert fanout.deliver(publication(5, b"1")) == [behind]
    assert [len(client.frames) for client in (here, behind, ahead)] == [1, 0, 0]


def test_a_room_knows_when_its_last_has_left() -> None:
    fanout, plain, special = Fanout("a"), Client(), Client()
    watch(fanout, plain)
    watch(fanout, special, delta=True)

    assert len(fanout.room) == 2
    assert [fanout.room.remove(client) for client in (plain, plain, special, special)] == [False, False, True, False]


def test_a_patch_goes_only_to_who_got_what_it_builds_on() -> None:
    fanout, early, late = Fanout("a"), Client(), Client()
    watch(fanout, early, delta=True)
    fanout.deliver(publication(1, document(1)))
    watch(fanout, late, delta=True, next_offset=2)
    fanout.deliver(publication(2, document(2)))
    fanout.deliver(publication(3, document(3), patch=False))

    assert [pub.get("delta", False) for pub in early.pubs] == [False, True, False]
    assert [pub.get("delta", False) for pub in late.pubs] == [False, False]
    assert [early.read(frame) for frame in early.frames] == [document(1), document(2), document(3)]


@given(st.lists(st.tuples(st.binary(max_size=60), st.booleans(), st.sampled_from(["a", "b"])), max_size=12), st.booleans())
def test_patches_give_every_publication_whole_whatever_is_filtered_or_not_patched(
    stream: list[tuple[bytes, bool, str]], binary: bool
) -> None:
    fanout = Fanout("a")
    whole, filtered = (Client(PROTOBUF_HTTP_STREAM if binary else JSON_HTTP_STREAM) for _ in range(2))
    only_a = compile_filter(FilterNode(key="k", cmp="eq", val="a"))
    watch(fanout, whole, delta=True)
    watch(fanout, filtered, delta=True, accepts=only_a)
    sent = []
    for offset, (raw, patch, tag) in enumerate(stream, 1):
        data = raw * 3 + b"a common tail that is long enough" if binary else json.dumps(raw.hex() * 3 + "a common tail").encode()
        sent.append((data, tag))
        assert fanout.deliver(publication(offset, data, {"k": tag}, patch=patch)) == []

    assert [whole.read(frame) for frame in whole.frames] == [data for data, _ in sent]
    assert [filtered.read(frame) for frame in filtered.frames] == [data for data, tag in sent if tag == "a"]


def test_a_slow_reader_misses_or_gets_the_newest_per_key_as_the_namespace_says() -> None:
    fanout, dropping, conflating = Fanout("a", conflate_tag="k"), Client(), Client()
    watch(fanout, dropping, slow="drop")
    watch(fanout, conflating, slow="conflate")
    dropping.backlog = conflating.backlog = SLOW_BYTES + 1
    for number, key in enumerate("aab"):
        fanout.deliver(Publication(data=Raw(str(number).encode()), tags={"k": key}))

    assert dropping.frames == conflating.frames == []
    latest = {key: json.loads(frame)["push"]["pub"]["data"] for key, frame in conflating.latest.items()}
    assert latest == {("a", "a"): 1, ("a", "b"): 2}


def test_joins_and_leaves_are_told_to_who_watches_them() -> None:
    fanout, watching, other = Fanout("a"), Client(), Client()
    watch(fanout, watching, watches=True)
    watch(fanout, other)
    fanout.tell(FeedMembership(channel="a", joined=True, info=INFO))
    fanout.tell(FeedMembership(channel="a", joined=False, info=INFO))

    assert other.frames == []
    pushes = [json.loads(frame)["push"] for frame in watching.frames]
    info = {"user": "ann", "client": "c1"}
    assert pushes == [{"channel": "a", "join": {"info": info}}, {"channel": "a", "leave": {"info": info}}]


def offsets(client: Client) -> list[int]:
    return [pub["offset"] for pub in client.pubs]


def test_a_long_fan_out_stops_after_a_slice_and_the_channels_next_publication_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("causeway_gateway.handlers.fanout.SLICE", 2)
    fanout, clients = Fanout("a"), [Client() for _ in range(5)]
    for client in clients:
        watch(fanout, client)

    fanout.deliver(publication(1, b"1"))
    fanout.deliver(publication(2, b"2"))
    assert [len(client.frames) for client in clients] == [1, 1, 0, 0, 0]
    turns = 1
    while fanout.unfinished:
        fanout.go_on()
        turns += 1
        assert sum(len(client.frames) for client in clients) <= 2 * turns

    assert [offsets(client) for client in clients] == [[1, 2]] * 5
    assert turns == 6


def test_who_leaves_or_comes_during_a_long_fan_out_gets_what_follows_its_own_position(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("causeway_gateway.handlers.fanout.SLICE", 1)
    fanout, first, leaving, again, new = Fanout("a"), Client(), Client(), Client(), Client()
    for client in (first, leaving, again):
        watch(fanout, client)

    fanout.deliver(publication(1, b"1"))
    fanout.room.remove(leaving)
    fanout.room.remove(again)
    for client in (again, new):  # they recovered the first
        watch(fanout, client, next_offset=2)
    while fanout.unfinished:
        assert fanout.go_on() == []
    fanout.deliver(publication(2, b"2"))
    while fanout.unfinished:
        assert fanout.go_on() == []

    assert [offsets(client) for client in (first, leaving, again, new)] == [[1, 2], [], [2], [2]]


def test_who_has_come_up_to_the_others_is_one_of_them_again() -> None:
    fanout, clients = Fanout("a"), [Client() for _ in range(3)]
    for client, next_offset in zip(clients, (1, 2, 3), strict=True):
        watch(fanout, client, next_offset=next_offset)
    for offset in (1, 2):
        fanout.deliver(publication(offset, b"1"))
    group = fanout.room.plain[clients[0].codec]

    assert (group.next_offset, len(group.even), len(group.others)) == (3, 3, 0)
    for client in clients:
        fanout.room.remove(client)
    watch(fanout, clients[0], next_offset=9)
    assert len(fanout.room.plain[clients[0].codec].even) == 1


def test_what_has_no_position_reaches_everybody_wherever_they_stand() -> None:
    fanout, clients = Fanout("a"), [Client() for _ in range(4)]
    for client, next_offset in zip(clients, (5, 5, 3, 7), strict=True):
        watch(fanout, client, next_offset=next_offset)
    special = Client()
    watch(fanout, special, next_offset=4, delta=True)

    assert fanout.deliver(publication(0, b"1")) == []
    assert fanout.deliver(publication(5, b"1")) == [clients[2], special]
    assert [len(client.frames) for client in (*clients, special)] == [2, 2, 1, 1, 1]


def test_publications_that_wait_for_a_long_fan_out_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("causeway_gateway.handlers.fanout.SLICE", 1)
    fanout, clients = Fanout("a"), [Client(), Client()]
    for client in clients:
        watch(fanout, client)
    for offset in range(1, 2 * WAITING_MAX):
        fanout.deliver(publication(offset, b"1"))

    assert len(fanout._waiting) == WAITING_MAX
    while fanout.unfinished:
        fanout.go_on()
    assert [offsets(client) for client in clients] == [list(range(1, 2 * WAITING_MAX))] * 2


class Positions(RuleBasedStateMachine):
    """Any order of joins (at the feed's position, behind it or ahead of it), leaves, publications and turns of the loop."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr("causeway_gateway.handlers.fanout.SLICE", 2)
        self.fanout, self.head = Fanout("a"), 0
        self.joined: dict[Client, int] = {}
        self.lost: set[Client] = set()

    def teardown(self) -> None:
        try:
            self.publish()  # who is behind learns it by the next one
            while self.fanout.unfinished:
                self.told(self.fanout.go_on())
            for client, first in self.joined.items():
                if client not in self.lost:
                    assert offsets(client) == list(range(first, self.head + 1))
        finally:
            self.patch.undo()

    def told(self, missed: list[Any]) -> None:
        for client in missed:
            assert self.joined[client] < self.head, "who has missed none is told so"
            self.lost.add(client)
            self.fanout.room.remove(client)

    @rule(codec=st.sampled_from([JSON_HTTP_STREAM]), special=st.booleans(), ahead=st.sampled_from([0, 0, 0, 1, 2, -1]))
    def join(self, codec: Codec, special: bool, ahead: int) -> None:
        client = Client(codec)
        self.joined[client] = max(self.head + 1 + ahead, 1)
        watch(self.fanout, client, next_offset=self.joined[client], delta=special)

    @precondition(lambda self: self.joined)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        client = data.draw(st.sampled_from(list(self.joined)))
        self.fanout.room.remove(client)
        got, first = offsets(client), self.joined.pop(client)
        if client not in self.lost:
            assert got == list(range(first, first + len(got)))

    @rule()
    def publish(self) -> None:
        self.head += 1
        self.told(self.fanout.deliver(publication(self.head, b"1", patch=False)))

    @rule()
    def turn(self) -> None:
        self.told(self.fanout.go_on())


TestPositions = Positions.TestCase
TestPositions.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
