"""The checker of the killing test sees each kind of breach."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chaos.checker import Commits, Histories, commit_violations, order_violations, violations

LOG = ((1, "a"), (2, "b"), (3, "c"))
GOOD = Histories(
    epoch="e",
    log=LOG,
    acknowledged={"a": (1, "e"), "c": (3, "e")},
    sent=frozenset("abcd"),
    received={"one": (0, LOG), "two": (1, LOG[1:])},
)


def test_a_kept_promise_has_no_violations() -> None:
    assert violations(GOOD) == []


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        (replace(GOOD, log=LOG[:2], received={}), "c was acknowledged at 3 and is not in the log"),
        (replace(GOOD, log=(*LOG, (4, "a")), received={}), "a stands 2 times"),
        (replace(GOOD, log=((1, "a"), (3, "c")), received={}), "offsets are not"),
        (replace(GOOD, log=(LOG[0], LOG[2], LOG[1]), received={}), "offsets are not"),
        (replace(GOOD, log=(*LOG, (4, "x")), received={}), "x stands in the log and was never sent"),
        (replace(GOOD, acknowledged={"a": (2, "e")}), "a was acknowledged as 2@e and stands at 1@e"),
        (replace(GOOD, acknowledged={"a": (1, "f")}), "a was acknowledged as 1@f"),
        (replace(GOOD, received={"one": (0, LOG[:2])}), "one received 2 of 3: lost what follows number 2"),
        (replace(GOOD, received={"one": (0, (LOG[0], LOG[2]))}), "number 1 is (3, 'c')"),
        (replace(GOOD, received={"one": (0, (*LOG, LOG[2]))}), "doubled ['c']"),
        (replace(GOOD, received={"one": (0, (LOG[1], LOG[0], LOG[2]))}), "number 0 is (2, 'b')"),
        (replace(GOOD, complaints=("one was told recovered: false",)), "recovered: false"),
    ],
)
def test_each_kind_of_breach_is_named(broken: Histories, sentence: str) -> None:
    assert any(sentence in found for found in violations(broken))


KEPT = Commits(
    entity="lot",
    answers=[("a", 1), ("b", 2), ("a", 1)],
    sent=frozenset("abcd"),
    version=3,
    state=["a", "b", "c"],
    effects=["a", "b", "c"],
)


def test_an_entity_whose_commits_are_linear_and_took_effect_once_has_no_violations() -> None:
    assert commit_violations(KEPT) == []
    assert commit_violations(replace(KEPT, answers=[], version=0, state=[], effects=[])) == []


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        (replace(KEPT, version=4), "lot has version 4 after 3 commits"),
        (replace(KEPT, state=["a", "b", "a"], effects=["a", "b", "a"]), "lot took a 2 times"),
        (replace(KEPT, state=["a", "b", "x"], effects=["a", "b", "x"]), "lot took x, which was never sent"),
        (replace(KEPT, answers=[("a", 2)]), "lot answered a as version 2, which is ['b']"),
        (replace(KEPT, answers=[("d", 4)]), "lot answered d as version 4, which is []"),
        (replace(KEPT, answers=[("a", 1), ("a", 3)]), "lot answered a as version 3"),
        (replace(KEPT, effects=["a", "b"]), "lot's effects are not its commits: 1 missing, ['c']"),
        (replace(KEPT, effects=["a", "b", "b", "c"]), "doubled ['b']"),
        (replace(KEPT, effects=["b", "a", "c"]), "another order"),
        (replace(KEPT, effects=["a", "b", "c", "d"]), "foreign"),
    ],
)
def test_each_kind_of_breach_of_a_commit_is_named(broken: Commits, sentence: str) -> None:
    assert any(sentence in found for found in commit_violations(broken))


def test_a_publishers_order_is_the_logs() -> None:
    assert order_violations(LOG, {"one": ["a", "c"], "two": ["b", "not there"]}) == []
    assert order_violations(LOG, {"one": ["c", "a"]}) == ["one's publications are out of order: [3, 1]"]
