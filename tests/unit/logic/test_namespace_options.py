"""The options of an app's namespace: what the manifest says, and what is refused where it is declared."""

from __future__ import annotations

from typing import Any

import pytest

from causeway_common.contracts.messages import NamespaceSpec
from causeway_logic import App, History
from causeway_logic.domain.namespace import NamespaceOptions

HISTORY = History(size=10, ttl="1h", meta_ttl="60d")
HOOKS = {"subscribe_hook", "sub_refresh_hook", "publish_hook", "fallbacks"}


def declare(history: History | None = None, **options: Any) -> NamespaceSpec:
    return App("shop", version="1.0.0").namespace("lot", history=history, **options).spec()


def test_every_option_reaches_the_manifest_as_it_was_declared() -> None:
    options: dict[str, Any] = {
        **dict.fromkeys((name for name, kind in NamespaceSpec.__annotations__.items() if kind == "bool"), True),
        "force_recovery_mode": "cache",
        "allowed_delta_types": ["fossil"],
        "channel_regex": "^[a-z]+$",
        "publish_rate_limit": 5,
    }
    options = {name: value for name, value in options.items() if name not in HOOKS}
    spec = declare(HISTORY, **options)

    assert {name: getattr(spec, name) for name in options} == options
    assert (spec.history_size, spec.history_ttl_ms, spec.history_meta_ttl_ms) == (10, 3_600_000, 60 * 86_400_000)
    conflated = declare(slow_reader="conflate", conflate_tag="symbol")
    assert (conflated.slow_reader, conflated.conflate_tag) == ("conflate", "symbol")


def test_every_option_of_the_contract_can_be_declared() -> None:
    elsewhere = HOOKS | {"name", "history_size", "history_ttl_ms", "history_meta_ttl_ms"}

    assert set(NamespaceOptions.__annotations__) == set(NamespaceSpec.__struct_fields__) - elsewhere


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"presense": True}, "there is no option presense, did you mean presence?"),
        ({"subscribe_hook": True}, "there is no option subscribe_hook"),
        ({"presence": "yes"}, "presence: Expected `bool`, got `str`"),
        ({"publish_rate_limit": 1.5}, "publish_rate_limit: Expected `int`, got `float`"),
        ({"allowed_delta_types": "fossil"}, "allowed_delta_types: Expected `array`"),
        ({"force_recovery": True}, "force_recovery needs a history"),
        ({"allow_history_for_client": True}, "allow_history_for_client needs a history"),
        ({"force_recovery_mode": "cache"}, "cache needs a history"),
        ({"force_recovery_mode": "none"}, "force_recovery_mode is one of stream, cache"),
        ({"allow_presence_for_client": True}, "allow_presence_for_client needs presence or join_leave"),
        ({"force_push_join_leave": True}, "force_push_join_leave needs join_leave"),
        ({"allowed_delta_types": ["xor"]}, "allowed_delta_types may hold fossil"),
        ({"delta_publish": True}, "delta_publish needs allowed_delta_types"),
        ({"slow_reader": "wait"}, "slow_reader is one of close, drop, conflate"),
        ({"conflate_tag": "symbol"}, "conflate_tag needs slow_reader conflate"),
        ({"publish_rate_limit": -1}, "publish_rate_limit is 0"),
        ({"channel_regex": "("}, "channel_regex is no regular expression"),
    ],
)
def test_a_wrong_option_is_refused_where_it_is_declared(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match="the namespace lot cannot be declared like this") as caught:
        declare(**options)

    assert told in str(caught.value)


def test_a_recoverable_stream_takes_no_slow_reader_that_misses_publications() -> None:
    with pytest.raises(ValueError, match="slow_reader must be close"):
        declare(HISTORY, force_recovery=True, slow_reader="drop")
    assert declare(HISTORY, slow_reader="drop").slow_reader == "drop"
    assert declare(HISTORY, force_recovery=True, force_recovery_mode="cache", slow_reader="conflate").slow_reader == "conflate"


def test_all_faults_are_told_together() -> None:
    with pytest.raises(ValueError, match=r"presense.*join_leave.*force_recovery needs a history"):
        declare(presense=True, join_leave=1, force_recovery=True)


def test_a_history_remembers_positions_at_least_as_long_as_its_publications() -> None:
    with pytest.raises(ValueError, match="meta_ttl is at least its ttl"):
        History(size=1, ttl="7d", meta_ttl="1d")
