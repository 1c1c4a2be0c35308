"""Shards and their owners: the same in every process, evenly spread, and moved as little as can be."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causeway_common.contracts import rights, verbs
from causeway_common.contracts.shards import SHARDS, channel_shard, entity_shard, owner_of, shards_of

NODES = st.sets(st.text("0123456789abcdef", min_size=16, max_size=16), min_size=1, max_size=6)


def test_a_name_has_the_same_shard_in_every_process_and_version() -> None:
    """Golden: processes of two versions send to the same owner."""
    assert [channel_shard(name) for name in ("demo:hello", "chat:1", "лот:7", "")] == [161, 114, 17, 0]
    assert entity_shard("chat", "room", "1") == 142
    assert owner_of(7, ["a", "b", "c"]) == "a"


@given(st.text(max_size=40))
def test_every_name_has_a_shard(name: str) -> None:
    assert 0 <= channel_shard(name) < SHARDS


@pytest.mark.parametrize("form", ["chat:{}", "lot:{:08d}", "user:{:x}:inbox"])
def test_names_that_differ_in_a_number_spread_evenly(form: str) -> None:
    counts = Counter(channel_shard(form.format(number)) for number in range(SHARDS * 100))

    assert len(counts) == SHARDS
    assert max(counts.values()) < 200


@given(NODES)
def test_every_shard_has_exactly_one_owner(nodes: set[str]) -> None:
    shares = [shards_of(node, nodes) for node in nodes]

    assert sum(map(len, shares)) == SHARDS
    assert frozenset().union(*shares) == frozenset(range(SHARDS))


@given(NODES, st.text("0123456789abcdef", min_size=16, max_size=16))
def test_a_node_that_joins_takes_shards_and_moves_none_between_the_others(nodes: set[str], joined: str) -> None:
    after = nodes | {joined}

    for node in nodes - {joined}:
        assert shards_of(node, after) == shards_of(node, nodes) - shards_of(joined, after)


def test_nobody_owns_anything_where_nobody_lives() -> None:
    assert owner_of(0, []) == ""


def test_a_caller_may_ask_the_owners_only_under_its_own_name_and_only_what_it_may_ask_any_process() -> None:
    for role, caller, expected in (
        (rights.Role.LOGIC, "chat", {"append", "commit"}),
        (rights.Role.GATEWAY, "gateway", {"append", "remove"}),
        (rights.Role.INTEGRATIONS, "integrations", {"commit"}),
    ):
        publish = rights.rights_of(role, "user-1", "chat").publish
        asked = {
            right.rsplit(".", 1)[-1] for right in publish if re.fullmatch(rf"cw\.v1\.storage\.{caller}\.shard\.\*\.\w+", right)
        }
        assert asked == expected
        assert {right for right in publish if ".shard." in right} == {f"cw.v1.storage.{caller}.shard.*.{verb}" for verb in asked}


def test_every_shard_verb_is_answered_by_any_process_too() -> None:
    for name, verb in verbs.SHARD_VERBS.items():
        other = next(each for each in verbs.STORAGE_VERBS if each.name == name)
        assert (verb.request, verb.reply, verb.repeatable) == (other.request, other.reply, other.repeatable)
        assert verb.repeatable, "what is sent to the owner and then to any must do no harm twice"
