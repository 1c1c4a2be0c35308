"""The commit's rules: versions are linear, a repeat is answered as the first time, a conflict writes nothing, unknown fields stay."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from causeway_common.contracts.ids import ID_LIFETIME_MS
from causeway_storage.domain.entity import (
    COMMIT_IDS_MAX,
    OUTBOX_MAX_BYTES,
    OUTBOX_MAX_ITEMS,
    Busy,
    Commit,
    Conflict,
    EntityKey,
    Repeat,
    Write,
    cleared,
    loaded,
    oldest_ms,
    outbox_of,
    plan_commit,
)

KEY = EntityKey("chat", "room", "1")
ITEM = {"kind": "publish", "channel": "chat:1", "data": b"1", "size": 1, "ttl_ms": 1}


def commit(expected: int, id: str, *, state: Any = None, items: int = 0, size: int = 1, now: int = 0, remember: int = 0) -> Commit:
    return Commit(
        expected=expected,
        id=id,
        state={"value": state},
        state_bytes=10,
        items=(ITEM,) * items,
        items_bytes=size * items,
        by="ann",
        traceparent="tp",
        now_ms=now,
        remember_ms=remember,
    )


def written(document: dict[str, Any] | None, *commits: Commit) -> dict[str, Any]:
    for each in commits:
        plan = plan_commit(KEY, document, each)
        assert isinstance(plan, Write)
        document = plan.document
    assert document is not None
    return document


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 5), st.integers(0, 2)), max_size=60))
def test_commits_are_linear_a_repeat_gets_its_first_answer_and_a_conflict_writes_nothing(calls: list[tuple[int, int, int]]) -> None:
    """Against a list of what was committed: each version once, one after the other, whatever is asked in whatever order."""
    document: dict[str, Any] | None = None
    committed: list[str] = []
    items = 0
    for number, expected, count in calls:
        plan = plan_commit(KEY, document, commit(expected, f"id{number}", state=number, items=count))
        if f"id{number}" in committed:
            assert plan == Repeat(committed.index(f"id{number}") + 1)
        elif expected != len(committed):
            assert plan == Conflict()
        else:
            assert isinstance(plan, Write)
            committed.append(f"id{number}")
            items += count
            document = plan.document
            assert plan.version == loaded(document).version == len(committed)
            assert loaded(document).state == {"value": number}
        assert sum(len(element.items) for element in outbox_of(document)) == items


def test_the_id_is_looked_for_before_the_version() -> None:
    document = written(None, commit(0, "a"), commit(1, "b"), commit(2, "c"))

    assert plan_commit(KEY, document, commit(0, "a")) == Repeat(1)
    assert plan_commit(KEY, document, commit(0, "d")) == Conflict()


def test_fields_of_a_newer_version_survive_in_document_and_elements() -> None:
    document = {**written(None, commit(0, "a", items=1)), "later": {"x": 1}}
    document["outbox"][0]["later"] = 2
    document["commits"][0].append("later")

    after = written(document, commit(1, "b", items=1), commit(2, "c"))

    assert after["later"] == {"x": 1}
    assert after["outbox"][0]["later"] == 2
    assert after["commits"][0][3:] == ["later"]
    assert cleared(after, frozenset({after["outbox"][1]["id"]}))["outbox"] == [after["outbox"][0]]


def test_clearing_takes_elements_by_id_and_leaves_the_version() -> None:
    document = written(None, commit(0, "a", items=1, now=5), commit(1, "b"), commit(2, "c", items=2, now=7))
    first, second = outbox_of(document)

    rest = cleared(document, frozenset({first.id, "not there"}))

    assert outbox_of(rest) == (second,)
    assert (rest["version"], oldest_ms(document), oldest_ms(rest)) == (3, 5, 7)
    assert oldest_ms(cleared(rest, frozenset({second.id}))) is None


def test_elements_of_different_entities_have_different_ids_under_one_commit_id() -> None:
    """Ids of items are made of them: one app's commit must not look like a repeat of another's."""
    ids = set()
    for key in (KEY, EntityKey("chat", "room", "2"), EntityKey("auctions", "room", "1")):
        plan = plan_commit(key, None, commit(0, "same", items=1))
        assert isinstance(plan, Write)
        ids.add(outbox_of(plan.document)[0].id)

    assert len(ids) == 3


def test_an_outbox_at_its_bound_refuses_as_busy_and_takes_a_commit_without_items() -> None:
    full = written(None, commit(0, "a", items=OUTBOX_MAX_ITEMS))
    heavy = written(None, commit(0, "a", items=1, size=OUTBOX_MAX_BYTES))

    assert isinstance(plan_commit(KEY, full, commit(1, "b", items=1)), Busy)
    assert isinstance(plan_commit(KEY, heavy, commit(1, "b", items=1)), Busy)
    assert isinstance(plan_commit(KEY, full, commit(1, "b")), Write)


def test_an_id_that_is_to_be_remembered_longer_outlives_others_and_the_bound() -> None:
    """A task's last try may come hours after its first, when the entity has seen thousands of other commits."""
    hours = 3 * 3_600_000
    document = written(None, commit(0, "task", remember=hours), *(commit(n, f"id{n}", now=1) for n in range(1, 600)))
    assert len(document["commits"]) == 512
    assert plan_commit(KEY, document, commit(600, "id1", now=2)) != Repeat(2)
    late = written(document, commit(600, "late", now=hours - 1))

    assert plan_commit(KEY, late, commit(0, "task", now=hours - 1)) == Repeat(1)
    assert len(late["commits"]) == 2
    gone = written(late, commit(601, "gone", now=hours))
    assert [entry[1] for entry in gone["commits"]] == [601, 602]


def test_a_tombstone_stays_as_long_as_its_ids_are_remembered() -> None:
    document = written(None, commit(0, "a"), replace(commit(1, "b", remember=ID_LIFETIME_MS + 5), delete=True, state={}))

    assert document["deleted"] == 5


def test_commit_ids_are_kept_for_fifteen_minutes_and_at_most_512() -> None:
    document = written(None, commit(0, "old", now=0), commit(1, "new", now=ID_LIFETIME_MS))

    assert isinstance(plan_commit(KEY, document, commit(2, "old", now=ID_LIFETIME_MS)), Write), (
        "it was forgotten with the write after"
    )
    many = written(None, *(commit(n, f"id{n}") for n in range(COMMIT_IDS_MAX + 5)))
    assert len(many["commits"]) == COMMIT_IDS_MAX
    assert plan_commit(KEY, many, commit(0, f"id{COMMIT_IDS_MAX + 4}")) == Repeat(COMMIT_IDS_MAX + 5)


def test_who_when_and_which_trace_of_the_last_commit_are_kept() -> None:
    assert written(None, commit(0, "a", now=7))["last"] == {"by": "ann", "at": 7, "trace": "tp"}
