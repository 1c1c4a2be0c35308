"""Which version answers whom: the ruling one, a canary its share and no more, each user always the same, and nobody is lost."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from causeway_common.bus.versions import Living
from causeway_common.contracts import messages as m
from causeway_gateway.domain.routing import Routing

USERS = [f"user-{number}" for number in range(5_000)]
ROOM = m.NamespaceSpec(name="room", subscribe_hook=True)


def living(version: str, instances: int = 1, *methods: str, **fields: object) -> Living:
    specs = [m.MethodSpec(name=name) for name in methods or ("bid",)]
    manifest = m.Manifest(app="auctions", version=version, methods=specs, **fields)  # type: ignore[arg-type]
    return Living(version, instances, manifest)


def routing(*versions: Living, **shares: tuple[str, int]) -> Routing:
    """Versions highest first; a share by method, `app` for the app's own."""
    made = Routing()
    made.update({"auctions": versions})
    for method, (version, permille) in shares.items():
        name = "" if method == "app" else method
        made.set_route("auctions", name, m.Route(app="auctions", method=name, version=version, share_permille=permille))
    return made


def first(made: Routing, user: str, method: str = "bid") -> str:
    return made.of_method("auctions", method, user, "c")[0]


def shared(made: Routing, method: str = "bid") -> Counter[str]:
    return Counter(first(made, user, method) for user in USERS)


def test_the_highest_living_version_rules() -> None:
    made = routing(living("2.0.0"), living("1.0.0"))

    assert shared(made) == {"2.0.0": len(USERS)}
    assert made.of_method("auctions", "bid", "ann", "c") == ("2.0.0", "1.0.0")


def test_the_first_instance_of_a_new_version_does_not_get_the_load_of_all_the_old_ones() -> None:
    one_of_ten = shared(routing(living("2.0.0", 1), living("1.0.0", 10)))
    assert 400 < one_of_ten["2.0.0"] < 600
    three_versions = shared(routing(living("3.0.0", 1), living("2.0.0", 1), living("1.0.0", 1)))

    assert 2_300 < three_versions["3.0.0"] < 2_700
    assert 2_300 < three_versions["2.0.0"] < 2_700
    assert shared(routing(living("2.0.0", 5), living("1.0.0", 5))) == {"2.0.0": len(USERS)}


def test_a_canary_gets_its_share_and_no_more_although_it_is_the_highest() -> None:
    made = routing(living("1.5.0"), living("1.4.0"), bid=("1.5.0", 50))
    counts = shared(made)

    assert 200 < counts["1.5.0"] < 300
    assert counts["1.4.0"] == len(USERS) - counts["1.5.0"]
    assert made.of_method("auctions", "bid", "ann", "c") == ("1.4.0", "1.5.0")  # and takes over where nobody else answers
    assert shared(routing(living("1.5.0", 1, "bid", "lot"), living("1.4.0", 1, "bid", "lot"), bid=("1.5.0", 50)), "lot") == {
        "1.5.0": len(USERS)
    }


@given(st.integers(0, 1000), st.integers(0, 1000))
def test_who_is_in_a_share_stays_in_it_when_it_grows(one: int, other: int) -> None:
    small, large = sorted((one, other))
    before = routing(living("1.5.0"), living("1.4.0"), bid=("1.5.0", small))
    after = routing(living("1.5.0"), living("1.4.0"), bid=("1.5.0", large))
    for user in USERS[:100]:
        assert first(before, user) == "1.4.0" or first(after, user) == "1.5.0"


@given(st.integers(1, 9), st.integers(1, 9))
def test_who_has_moved_to_a_new_version_stays_there_while_it_grows(new: int, old: int) -> None:
    before, after = routing(living("2", new), living("1", old)), routing(living("2", new + 1), living("1", old - 1 or 1))
    for user in USERS[:100]:
        assert first(before, user) == "1" or first(after, user) == "2"


@given(
    st.dictionaries(st.sampled_from(["1", "2", "3", "4"]), st.integers(1, 20), min_size=1),
    st.sampled_from(["1", "2", "3", "4", "9"]),
    st.integers(0, 1000),
    st.text(max_size=5),
)
def test_every_living_version_is_asked_once_before_a_call_fails(counts: dict[str, int], canary: str, share: int, user: str) -> None:
    made = routing(*(living(version, counts[version]) for version in sorted(counts, reverse=True)), bid=(canary, share))

    assert sorted(made.of_method("auctions", "bid", user, "c")) == sorted(counts)


def test_a_route_to_a_version_that_nobody_serves_falls_back_to_the_ruling_one() -> None:
    made = routing(living("1.4.0"), living("1.3.0"), bid=("1.5.0", 1000))
    assert shared(made) == {"1.4.0": len(USERS)}
    alone = routing(living("1.5.0"), bid=("1.5.0", 0))

    assert shared(alone) == {"1.5.0": len(USERS)}


def test_a_route_may_keep_the_older_version() -> None:
    assert shared(routing(living("2.0.0"), living("1.0.0"), bid=("1.0.0", 1000))) == {"1.0.0": len(USERS)}


def test_a_method_that_only_an_older_version_has_is_called_there() -> None:
    made = routing(living("2.0.0", 1, "bid"), living("1.0.0", 1, "bid", "old"))

    assert made.of_method("auctions", "old", "ann", "c") == ("1.0.0",)
    assert made.of_method("auctions", "never", "ann", "c") == ()
    assert made.of_method("nobody", "bid", "ann", "c") == ()


def test_an_apps_own_route_holds_for_hooks_and_for_methods_without_one() -> None:
    fields = {"namespaces": [ROOM], "connect_hook": True}
    made = routing(living("2", 1, "bid", "lot", **fields), living("1", 1, "bid", "lot", **fields), app=("2", 0), bid=("2", 1000))

    assert shared(made) == {"2": len(USERS)}
    assert shared(made, "lot") == {"1": len(USERS)}
    assert made.of_hook("auctions", "subscribe", "room:1", "ann", "c") == ("1", "2")
    assert made.of_hook("auctions", "connect", "", "", "c") == ("1", "2")
    made.set_route("auctions", "", None)
    assert made.of_hook("auctions", "connect", "", "", "c") == ("2", "1")
    assert [route.method for route in made.routes] == ["bid"]


def test_a_hook_is_asked_of_a_version_that_has_it() -> None:
    """An older one does not know the namespace, and would say that there is no such channel."""
    made = routing(living("2", 1, "bid", namespaces=[ROOM]), living("1", 9, "bid", refresh_hook=True))

    assert made.of_hook("auctions", "subscribe", "room:1", "ann", "c") == ("2",)
    assert made.of_hook("auctions", "publish", "room:1", "ann", "c") == ()
    assert made.of_hook("auctions", "refresh", "", "ann", "c") == ("1",)


def test_who_is_anonymous_stands_by_the_connection() -> None:
    made = routing(living("1.5.0"), living("1.4.0"), bid=("1.5.0", 500))
    found = Counter(made.of_method("auctions", "bid", "", user)[0] for user in USERS)

    assert 2_300 < found["1.5.0"] < 2_700
