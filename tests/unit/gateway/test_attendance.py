"""What a gateway holds: first and last are told, in order, a quick return is not; what waits is bounded; a leave is told once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causeway_common.contracts.messages import Attend, ClientInfo, NamespaceSpec
from causeway_gateway.domain import attendance
from causeway_gateway.domain.attendance import LIFECYCLE, MEMBER, OCCUPANCY, Attendance, Key, held_by, keys_of, user_key
from causeway_gateway.domain.departed import KEPT_MAX, Departed

ANN, BOB = Key("user", "ann"), Key("user", "bob")
PAUSE = 10


def told(held: Attendance, most: int = 1000) -> list[tuple[str, bool]]:
    """Tell one batch."""
    batch = held.batch(most)
    held.told(len(batch))
    return [(change.user, change.held) for change in batch]


def test_only_the_first_and_the_last_are_told_and_the_last_after_a_pause() -> None:
    held = Attendance(PAUSE)
    held.hold(ANN)
    held.hold(ANN)
    held.release(ANN, 0)
    assert told(held) == [("ann", True)]
    held.release(ANN, 5)
    assert held.due_at == 15
    held.tick(14)
    assert told(held) == []

    held.tick(15)
    assert told(held) == [("ann", False)]
    assert held.first == 3


def test_who_comes_back_within_the_pause_was_never_gone() -> None:
    held = Attendance(PAUSE)
    held.hold(ANN)
    held.release(ANN, 0)
    held.hold(ANN)
    held.tick(100)

    assert told(held) == [("ann", True)]


def test_members_are_let_go_of_at_once() -> None:
    held = Attendance(PAUSE)
    key = Key("member", channel="a", client="c")
    info = ClientInfo(user="ann", client="c")
    held.hold(key, info)
    held.release(key, 0)

    assert held.batch() == [
        Attend(scope="member", held=True, channel="a", client="c", info=info),
        Attend(scope="member", held=False, channel="a", client="c"),
    ]


def test_who_is_closed_by_a_gateway_that_leaves_is_not_let_go_of_but_members_are() -> None:
    held = Attendance(PAUSE)
    member = Key("member", channel="a", client="c")
    held.hold(ANN)
    held.hold(BOB)
    held.hold(member, ClientInfo(user="ann", client="c"))
    held.release(BOB, 0)
    held.leave()
    held.release(ANN, 1)
    held.release(member, 1)
    held.tick(1000)

    assert [(change.scope, change.held) for change in held.batch()] == [
        ("user", True),
        ("user", True),
        ("member", True),
        ("member", False),
    ]


class Storage:
    """What storage holds, by what it was told."""

    def __init__(self) -> None:
        self.holds: set[Key] = set()

    def take(self, held: Attendance, most: int) -> None:
        batch = held.batch(most)
        for change in batch:
            key = Key(change.scope, change.user, change.channel, change.client)
            assert (key in self.holds) != change.held, "no change says what storage knows already"
            (self.holds.add if change.held else self.holds.discard)(key)
        held.told(len(batch))


@given(st.lists(st.tuples(st.sampled_from("hrtb"), st.integers(0, 5)), max_size=120), st.integers(1, 6))
def test_storage_ends_with_what_is_held_however_small_the_queue(steps: list[tuple[str, int]], bound: int) -> None:
    keys = [Key("user", str(number)) for number in range(4)] + [Key("member", channel="a", client=str(n)) for n in range(2)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attendance, "QUEUE_MAX", bound)
        patch.setattr(attendance, "PAUSED_MAX", 2)
        held, storage, now = Attendance(PAUSE), Storage(), 0
        counts = dict.fromkeys(keys, 0)
        for step, number in steps:
            key = keys[number]
            if step == "h":
                counts[key] += 1
                held.hold(key)
            elif step == "r" and counts[key]:
                counts[key] -= 1
                held.release(key, now)
            elif step == "t":
                now += number * 3
                held.tick(now)
            elif step == "b":
                storage.take(held, number)
            assert len(held) <= bound + len(keys), "what waits is bounded"
        held.tick(now + PAUSE)
        while len(held):
            storage.take(held, 3)

    assert storage.holds == {key for key, count in counts.items() if count}


def test_a_new_life_begins_with_what_is_held_then() -> None:
    held = Attendance(PAUSE)
    old, new = Key("member", channel="a", client="old"), Key("member", channel="a", client="new")
    infos = {key: ClientInfo(user="ann", client=key.client) for key in (old, new)}
    held.hold(ANN)
    held.hold(old, infos[old])
    assert len(told(held)) == 2
    held.hold(ANN)
    held.hold(new, infos[new])
    held.hold(BOB)
    for gone in (ANN, old, BOB):
        held.release(gone, 0)
    held.restart()

    assert held.first == 1
    assert sorted((change.scope, change.held, change.user, change.client) for change in held.batch()) == [
        ("member", True, "", "new"),
        ("user", True, "ann", ""),
    ]
    assert {change.info for change in held.batch() if change.scope == "member"} == {infos[new]}
    held.tick(1000)
    assert len(held) == 2, "what the old life let go of is storage's own matter"


def test_at_the_bound_a_key_that_comes_back_to_what_it_was_is_left_out_and_counted() -> None:
    held = Attendance(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attendance, "QUEUE_MAX", 1)
        held.hold(ANN)
        held.hold(BOB)
        held.release(BOB, 0)
        held.tick(0)

    assert told(held) == [("ann", True)]
    assert told(held) == []
    assert held.coalesced == 2


def test_many_ends_at_once_are_taken_in_slices() -> None:
    held = Attendance(PAUSE)
    for number in range(attendance.TICK_MAX + 1):
        held.hold(Key("user", str(number)))
        held.release(Key("user", str(number)), 0)
    begun = len(held)
    held.tick(PAUSE)
    assert len(held) == begun + attendance.TICK_MAX
    assert held.due_at == PAUSE
    held.tick(PAUSE)
    assert len(held) == 2 * begun


def test_a_batch_is_bounded_by_bytes_too_and_takes_one_change_at_least() -> None:
    held = Attendance(PAUSE)
    for client in ("1", "2"):
        info = ClientInfo(user="ann", client=client, conn_info=b"1" * attendance.BATCH_MAX_BYTES)
        held.hold(Key("member", channel="a", client=client), info)

    assert [change.client for change in held.batch()] == ["1"]


def test_what_a_subscription_holds_is_what_its_namespace_asks_for() -> None:
    info = ClientInfo(user="ann", client="c")
    everything = NamespaceSpec(name="n", lifecycle_events=True, occupancy_events=True, join_leave=True)

    assert held_by(NamespaceSpec(name="n")) == 0
    assert held_by(everything) == LIFECYCLE | OCCUPANCY | MEMBER
    assert keys_of("n:1", info, 0) == []
    assert keys_of("n:1", info, held_by(everything)) == [
        Key("subscription", "ann", "n:1"),
        Key("channel", channel="n:1"),
        Key("member", channel="n:1", client="c"),
    ]
    assert keys_of("n:1", ClientInfo(user="", client="c"), LIFECYCLE) == [Key("subscription", "", "n:1", "c")]
    assert user_key("", "c") == Key("user", client="c")


def test_a_leave_behind_another_one_is_no_news_until_there_was_a_join() -> None:
    departed = Departed()

    assert departed.news("a", "c", joined=False)
    assert not departed.news("a", "c", joined=False)
    assert departed.news("b", "c", joined=False), "of another channel"
    assert departed.news("a", "c", joined=True)
    assert departed.news("a", "c", joined=False)


def test_the_memory_of_leaves_is_bounded_and_the_oldest_goes_first() -> None:
    departed = Departed()
    for number in range(KEPT_MAX + 1):
        departed.news("a", str(number), joined=False)

    assert departed.news("a", "0", joined=False)
    assert not departed.news("a", str(KEPT_MAX), joined=False)
