"""Versions of an app side by side: who lives, judged by when this process heard it, and what exists meanwhile."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causeway_common.bus.versions import INSTANCES_MAX, Versions
from causeway_common.contracts import messages as m
from causeway_common.contracts.versions import standing, together, version_order

SILENT = 15_000


def manifest(version: str, *methods: str, app: str = "chat", **fields: object) -> m.Manifest:
    return m.Manifest(app=app, version=version, methods=[m.MethodSpec(name=name) for name in methods], **fields)  # type: ignore[arg-type]


def said(version: str, instance: str, at_ms: int, *methods: str, leaving: bool = False) -> m.Manifest:
    return manifest(version, *methods, instance=instance, at_ms=at_ms, leaving=leaving)


def living(versions: Versions, app: str = "chat") -> list[tuple[str, int]]:
    return [(each.version, each.instances) for each in versions.living().get(app, ())]


def test_the_highest_of_the_living_comes_first_and_each_counts_its_instances() -> None:
    versions = Versions(SILENT)
    for each in (said("1.9.0", "a", 1), said("1.10.0", "b", 1), said("1.10.0", "c", 1), said("1.10.0-rc", "d", 1)):
        assert versions.heard(each, 0)

    assert living(versions) == [("1.10.0", 2), ("1.10.0-rc", 1), ("1.9.0", 1)]


def test_an_announcement_that_says_nothing_new_changes_nothing() -> None:
    versions = Versions(SILENT)
    versions.heard(said("1.0.0", "a", 1), 0)

    assert not versions.heard(said("1.0.0", "a", 2), 5_000)
    assert versions.heard(said("1.0.0", "a", 3, "send"), 10_000)


def test_who_is_silent_has_died_and_the_clocks_of_others_do_not_matter() -> None:
    """An instance whose clock is a year behind lives as long as it is heard; one that is a year ahead dies of silence."""
    versions = Versions(SILENT)
    versions.heard(said("1.0.0", "behind", -31_536_000_000), 0)
    versions.heard(said("2.0.0", "ahead", 31_536_000_000), 0)
    versions.heard(said("1.0.0", "behind", -31_535_995_000), 10_000)

    assert versions.due() == SILENT
    assert not versions.judge(SILENT - 1)
    assert versions.judge(SILENT)
    assert living(versions) == [("1.0.0", 1)]


def test_the_observers_own_deafness_is_nobodys_death() -> None:
    versions = Versions(SILENT)
    versions.heard(said("1.0.0", "a", 1), 0)
    versions.interrupted(60_000)

    assert not versions.judge(60_001)
    assert living(versions) == [("1.0.0", 1)]
    assert versions.judge(60_000 + SILENT)
    assert living(versions) == []


def test_what_is_read_again_is_no_new_sign_of_life() -> None:
    """A dead instance's last word stands in the bucket for ever."""
    versions = Versions(SILENT)
    versions.heard(said("1.0.0", "a", 1), 0)
    versions.heard(said("1.0.0", "a", 1), 14_000)
    versions.judge(SILENT)
    versions.heard(said("1.0.0", "a", 1), 20_000)

    assert living(versions) == []
    assert versions.heard(said("1.0.0", "a", 2), 20_000)
    assert living(versions) == [("1.0.0", 1)]


def test_an_instance_that_leaves_takes_the_version_along_only_if_it_was_the_last() -> None:
    versions = Versions(SILENT)
    versions.heard(said("1.0.0", "a", 1), 0)
    versions.heard(said("1.0.0", "b", 1), 0)
    versions.heard(said("1.0.0", "a", 2, leaving=True), 1)
    assert living(versions) == [("1.0.0", 1)]
    versions.heard(said("1.0.0", "b", 2, leaving=True), 2)

    assert living(versions) == []


def test_an_app_that_stops_entirely_keeps_what_its_last_version_had() -> None:
    """A call of it is then answered 100, for later, and not 104, for never. The last one to leave need not be the highest."""
    versions = Versions(SILENT)
    versions.heard(said("2.0.0", "bad", 5, "new", leaving=True), 0)
    versions.heard(said("1.0.0", "a", 9, "old", leaving=True), 0)

    assert [method.name for method in versions.manifests()["chat"].methods] == ["old"]


def test_a_version_that_was_taken_out_is_forgotten() -> None:
    versions = Versions(SILENT)
    versions.heard(said("1.0.0", "a", 1), 0)

    assert versions.removed("chat", "1.0.0")
    assert versions.manifests() == {}
    assert not versions.removed("chat", "1.0.0")


def test_an_instance_of_a_release_that_tells_nothing_of_its_life_is_never_silent() -> None:
    versions = Versions(SILENT)
    versions.heard(manifest("1.0.0", "send"), 0)
    versions.heard(manifest("1.0.0", "send", "more"), 1)

    assert not versions.judge(1_000_000)
    assert living(versions) == [("1.0.0", 1)]
    assert len(versions.manifests()["chat"].methods) == 2


def test_instances_that_come_and_go_for_ever_do_not_fill_the_memory() -> None:
    versions = Versions(SILENT)
    for number in range(2 * INSTANCES_MAX):
        versions.heard(said("1.0.0", str(number), number), number)

    assert living(versions) == [("1.0.0", INSTANCES_MAX)]


def test_what_any_living_version_has_exists_as_the_highest_says_that_has_it() -> None:
    room, old = m.NamespaceSpec(name="room", presence=True), m.NamespaceSpec(name="room")
    high = manifest("2.0.0", "send", namespaces=[room], indexes={"room": ["a"]}, tasks=["t"], lifecycle=["connected"])
    low = manifest(
        "1.0.0",
        "send",
        "gone",
        namespaces=[old, m.NamespaceSpec(name="old")],
        connect_hook=True,
        indexes={"room": ["b", "a"]},
        tasks=["t", "u"],
        events=[m.EventSpec(source="s", type="*")],
        channels=[m.ChannelSpec(pattern="room:{id}")],
    )
    found = together([high, low])

    assert found.version == "2.0.0"
    assert [method.name for method in found.methods] == ["send", "gone"]
    assert found.namespaces == [room, m.NamespaceSpec(name="old")]
    assert (found.connect_hook, found.refresh_hook) == (True, False)
    assert found.indexes == {"room": ["a", "b"]}
    assert (found.tasks, found.lifecycle, len(found.events), len(found.channels)) == (["t", "u"], ["connected"], 1, 1)
    assert together([high]) is high


@pytest.mark.parametrize(("low", "high"), [("1.9.0", "1.10.0"), ("1.0.0-rc", "1.0.0"), ("1.0.0-a", "1.0.0-b"), ("0.9", "1")])
def test_versions_are_ordered_by_their_numbers(low: str, high: str) -> None:
    assert version_order(low) < version_order(high)


STEPS = st.lists(
    st.tuples(st.sampled_from(["1.0.0", "2.0.0"]), st.sampled_from("abc"), st.sampled_from(["speak", "leave", "wait", "deaf"])),
    max_size=40,
)


@given(STEPS)
def test_who_spoke_last_within_the_time_lives_and_nobody_else(steps: list[tuple[str, str, str]]) -> None:
    """Against the plain definition, whatever the order: alive = its newest word is no farewell and was heard in the silence's span."""
    versions, now, word = Versions(SILENT), 0, 0
    last: dict[tuple[str, str], tuple[bool, int]] = {}
    since = 0
    dead: set[tuple[str, str]] = set()
    for version, instance, what in steps:
        now += 4_000
        if what == "deaf":
            since = now
            versions.interrupted(now)
        elif what != "wait":
            word += 1
            versions.heard(said(version, instance, word, leaving=what == "leave"), now)
            last[version, instance] = (what == "leave", now)
            dead.discard((version, instance))
        versions.judge(now)
        dead |= {key for key, (_, at) in last.items() if now - max(at, since) >= SILENT}
        alive = sorted({key for key, (left, _) in last.items() if not left} - dead)
        assert sum(count for _, count in living(versions)) == len(alive)


@given(st.text(max_size=20))
def test_a_user_stands_at_the_same_place_for_ever(user: str) -> None:
    point, place = standing("auctions", user)

    assert (point, place) == standing("auctions", user)
    assert 0 <= point < 1000
    assert 0 <= place < 1


def test_where_users_stand_is_spread_evenly_and_committed() -> None:
    """Other gateways, of other releases too, must find the same."""
    assert standing("auctions", "ann") == GOLDEN
    points = [standing("auctions", f"user-{number}") for number in range(20_000)]

    assert 900 < sum(point < 50 for point, _ in points) < 1_100
    assert 9_700 < sum(place < 0.5 for _, place in points) < 10_300
    assert 450 < sum(point < 50 and place < 0.5 for point, place in points) < 550


GOLDEN = (708, 0.060736298095434904)


def test_a_farewell_in_the_very_millisecond_of_the_word_before_is_heard() -> None:
    versions = Versions(SILENT)
    versions.heard(said("1.0.0", "a", 1), 0)

    assert versions.heard(said("1.0.0", "a", 1, leaving=True), 0)
    assert living(versions) == []


def test_under_one_version_number_what_the_newest_living_instance_has_exists_without_a_flicker() -> None:
    """While it is developed, and where nobody counts versions: the old instance speaks on until it leaves."""
    versions = Versions(SILENT)
    versions.heard(said("1.0.0", "old", 1, "send", "gone"), 0)
    assert versions.heard(said("1.0.0", "new", 1, "send", "fresh"), 1)
    assert not versions.heard(said("1.0.0", "old", 2, "send", "gone"), 2)
    assert [method.name for method in versions.manifests()["chat"].methods] == ["send", "fresh"]
    versions.heard(said("1.0.0", "new", 2, "send", "fresh", leaving=True), 3)

    assert [method.name for method in versions.manifests()["chat"].methods] == ["send", "gone"]
