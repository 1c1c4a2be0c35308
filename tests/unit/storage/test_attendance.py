"""Who holds what: ends and beginnings alternate, each told once, whatever is repeated and whoever clears; the end of it all is right."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causeway_common.contracts.errors import CausewayError
from causeway_common.contracts.ids import ID_LIFETIME_MS
from causeway_common.contracts.messages import Attend, AttendRequest, ClientInfo, JsonMap
from causeway_storage.domain.attendance import (
    CHANGES_MAX,
    EVENTS,
    OUTBOX_MAX,
    Change,
    check_attend,
    holders_of,
    idle_since_ms,
    oldest_ms,
    plan_change,
    plan_clear,
    sendings_of,
    sent,
)
from causeway_storage.domain.packing import pack, unpack

INFO = ClientInfo(user="ann", client="c1", conn_info=b'{"n":1}')
HOLDERS = ("a.1", "a.2", "b.1")
SCOPES = sorted(EVENTS)


def change(number: int, scope: str = "user", *, held: bool = True) -> Change:
    info = INFO if scope == "member" else None
    return Change("k", number, Attend(scope=scope, held=held, user="ann", channel="chat:1", client="c1", info=info))


class Key:
    """One key's document, what its gateways did to it, and what was told of it."""

    def __init__(self, scope: str) -> None:
        self.scope, self.document, self.now = scope, None, 1000
        self.holds: dict[str, bool] = {}
        self.numbers: dict[str, int] = {}
        self.done: list[tuple[str, Change]] = []
        self.cleared: set[str] = set()
        self.told: list[tuple[str, str]] = []

    document: JsonMap | None

    def do(self, step: str, holder: str, number: int) -> None:
        self.now += number % 3  # clocks may stand still
        match step:
            case "change" if holder not in self.cleared:
                self.numbers[holder] = self.numbers.get(holder, 0) + 1
                made = change(self.numbers[holder], self.scope, held=bool(number % 2))
                self.done.append((holder, made))
                self.holds[holder] = made.attend.held
                self.write(plan_change(self.document, holder, made, self.now))
            case "repeat" if self.done:
                again, made = self.done[number % len(self.done)]
                assert plan_change(self.document, again, made, self.now) is None
            case "clear":
                self.cleared.add(holder)
                self.holds[holder] = False
                self.write(plan_clear(self.document, holder, self.now))
                assert plan_clear(self.document, holder, self.now) is None, "another observer finds nothing to do"
            case "tell":
                self.tell(number)
            case _:
                pass

    def write(self, document: JsonMap | None) -> None:
        if document is not None:
            self.document = unpack(pack(document))

    def tell(self, most: int = 1 << 30) -> None:
        if self.document is None:
            return
        found = sendings_of(self.document)[:most]
        self.told += [(sending.event.id, sending.event.type) for sending in found]
        self.write(sent(self.document, frozenset(sending.event.id for sending in found), self.now))


STEPS = st.lists(
    st.tuples(st.sampled_from(("change", "change", "repeat", "clear", "tell")), st.sampled_from(HOLDERS), st.integers(0, 7)),
    max_size=60,
)


@given(st.sampled_from(SCOPES), STEPS)
def test_events_alternate_are_told_once_and_end_with_what_is(scope: str, steps: list[tuple[str, str, int]]) -> None:
    key = Key(scope)
    for step in steps:
        key.do(*step)
    key.tell()

    ids, types = [each for each, _ in key.told], [each for _, each in key.told]
    on, off = EVENTS[scope]
    assert types == [on, off] * (len(types) // 2) + [on] * (len(types) % 2)
    assert len(set(ids)) == len(ids)
    held = {holder for holder, holds in key.holds.items() if holds}
    assert len(types) % 2 == bool(held)
    if key.document is not None:
        assert holders_of(key.document) == held
        assert (idle_since_ms(key.document) is None) == bool(held)
        assert oldest_ms(key.document) is None


@given(STEPS)
def test_a_members_leave_is_told_where_its_gateway_was_cleared_and_nowhere_else(steps: list[tuple[str, str, int]]) -> None:
    key = Key("member")
    expected = 0
    for step in steps:
        holding = key.holds.get(step[1], False)
        key.do(*step)
        expected += step[0] == "clear" and holding
    key.tell()

    assert [each for _, each in key.told] == ["leave"] * expected
    assert len({each for each, _ in key.told}) == expected


def test_a_leave_carries_who_left() -> None:
    held = plan_change(None, "a.1", change(1, "member"), 5)
    left = plan_clear(held, "a.1", 9)
    assert left is not None
    (sending,) = sendings_of(unpack(pack(left)))

    assert sending.info == INFO
    assert (sending.event.type, sending.event.channel, sending.event.client, sending.event.time_ms) == ("leave", "chat:1", "c1", 9)


def test_at_the_bound_of_the_outbox_only_the_end_of_it_is_told_once_there_is_place() -> None:
    document: JsonMap | None = None
    for number in range(1, OUTBOX_MAX + 6):
        document = plan_change(document, "a.1", change(number, held=bool(number % 2)), number)
    assert document is not None
    first = sendings_of(document)
    assert len(first) == OUTBOX_MAX

    document = sent(document, frozenset(sending.event.id for sending in first), 1000)

    assert [sending.event.type for sending in sendings_of(document)] == ["connected"], "69 changes: it is held in the end"
    assert first[-1].event.type == "disconnected"


def test_a_key_that_was_forgotten_never_repeats_an_old_id() -> None:
    first = plan_change(None, "a.1", change(1), 5)
    again = plan_change(None, "a.1", change(1), 5 + ID_LIFETIME_MS)
    assert first is not None
    assert again is not None

    assert sendings_of(first)[0].event.id != sendings_of(again)[0].event.id


def test_the_same_transition_has_the_same_id_whoever_makes_it() -> None:
    held = plan_change(None, "a.1", change(1), 5)

    assert plan_clear(held, "a.1", 9) == plan_clear(held, "a.1", 9)


def test_released_holders_are_dropped_once_no_repeat_can_come() -> None:
    document = plan_change(None, "a.1", change(1, held=False), 0)
    document = plan_change(document, "b.1", change(1), ID_LIFETIME_MS)
    assert document is not None

    assert set(document["holders"]) == {"b.1"}


def test_fields_and_kinds_of_a_newer_version_stay_and_stop_what_is_told() -> None:
    document: JsonMap = {**(plan_change(None, "a.1", change(1), 5) or {}), "tomorrow": 1}
    document["outbox"] = [{"id": "n", "type": "moved", "at": 1}, *document["outbox"]]

    assert sendings_of(document) == ()
    written = plan_change(document, "b.1", change(1), 6)
    assert written is not None
    assert written["tomorrow"] == 1
    assert [each["type"] for each in written["outbox"]] == ["moved", "connected"]


def attend(**fields: Any) -> AttendRequest:
    whole: dict[str, Any] = {"node": "n1", "life": 1, "first": 1, **fields}
    return AttendRequest(**whole)


def test_changes_are_numbered_and_keys_of_different_things_differ() -> None:
    changes = [
        Attend(scope="user", held=True, user="ann"),
        Attend(scope="user", held=True, client="ann"),
        Attend(scope="subscription", held=True, user="ann", channel="a"),
        Attend(scope="channel", held=True, channel="a"),
        Attend(scope="member", held=True, channel="a", client="ann", info=INFO),
    ]
    holder, checked = check_attend(attend(first=7, changes=changes))

    assert holder == "n1.1"
    assert [each.number for each in checked] == [7, 8, 9, 10, 11]
    assert len({each.key for each in checked}) == 5


@pytest.mark.parametrize(
    "request_",
    [
        attend(node=""),
        attend(node="a.b"),
        attend(node="n" * 65),
        attend(life=0),
        attend(first=0),
        attend(first=2**60),
        attend(leave_ms=10**9),
        attend(changes=[Attend(scope="user", held=True)] * (CHANGES_MAX + 1)),
        attend(changes=[Attend(scope="moon", held=True)]),
        attend(changes=[Attend(scope="channel", held=True, channel="c" * 256)]),
        attend(changes=[Attend(scope="member", held=True, channel="a", client="c")]),
        attend(
            changes=[
                Attend(scope="member", held=True, channel="a", client="c", info=ClientInfo(user="", client="c", conn_info=b"{"))
            ]
        ),
    ],
)
def test_what_is_no_attend_is_refused_whole(request_: AttendRequest) -> None:
    with pytest.raises(CausewayError) as raised:
        check_attend(request_)

    assert raised.value.code == 107
