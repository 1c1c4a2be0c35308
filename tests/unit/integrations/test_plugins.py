"""Connectors of other distributions: found by entry point, made of their section, tried by the test kit as by the service."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from causeway_common.runtime import StartError
from causeway_integrations.adapters.plugins import load, split
from causeway_integrations.adapters.schedule import TenacitySchedule
from causeway_integrations.adapters.secrets import SecretFiles
from causeway_integrations.domain.outside import AddressRefused, Answer, Answered, NotReached
from causeway_integrations.ports.kit import Connector, Done, Failed, GivenUp, Kit, Outcome, tried
from support.examples import installed
from unit.integrations.fakes import FakeClock, FakeOutside

SETTINGS = {"url": "https://fax.example/v1", "token": "env:FAX_TOKEN"}
FAX = {"to": "+4912345", "text": "hello"}


@pytest.fixture(autouse=True)
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(installed("causeway_connector_fax", tmp_path / "site")))
    monkeypatch.setenv("FAX_TOKEN", "s3cret")
    yield
    sys.modules.pop("causeway_connector_fax", None)


def kit(outside: FakeOutside) -> Kit:
    added: list[tuple[Callable[[], Awaitable[None]], Callable[[], Awaitable[None]]]] = []
    return Kit(outside, SecretFiles().reveal, TenacitySchedule, FakeClock(), lambda start, stop: added.append((start, stop)))


def fax(outside: FakeOutside, settings: Mapping[str, Any] = SETTINGS) -> Connector:
    return load("fax", settings, kit(outside), {"webhook"})


async def test_the_example_sends_a_fax_with_its_key_and_its_secret() -> None:
    outside = FakeOutside()
    for _ in range(2):
        assert await tried(fax(outside), "send", FAX, key="key-7") == Done("200", 200, {"accepted": True})

    assert {sent.headers["idempotency-key"] for sent in outside.sent} == {"key-7"}
    assert outside.sent[0].headers["authorization"] == "Bearer s3cret"
    assert outside.sent[0].body == b'{"to": "+4912345", "text": "hello"}'


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answered(503), Failed),
        (Answered(429, headers={"retry-after": "9"}), Failed),
        (Answered(400), GivenUp),
        (NotReached("no answer"), Failed),
        (AddressRefused("not public"), GivenUp),
    ],
)
async def test_the_example_classifies_what_comes_back(answer: Answer, kind: type[Outcome]) -> None:
    assert isinstance(await tried(fax(FakeOutside([answer])), "send", FAX), kind)


async def test_the_kit_tells_wrong_payloads_missing_secrets_and_bugs_apart_as_the_service_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connector = fax(FakeOutside())
    assert isinstance(await tried(connector, "send", {"to": "me"}), GivenUp)
    monkeypatch.delenv("FAX_TOKEN")
    assert isinstance(await tried(connector, "send", FAX), Failed)

    async def broken(_work: object) -> Outcome:
        raise KeyError("x")

    assert await tried(Connector("x", {"y": broken}, TenacitySchedule([0]), 50, lambda _: ""), "y", {}) == Failed(
        "internal: KeyError"
    )


@pytest.mark.parametrize(
    ("name", "settings", "told"),
    [
        ("pigeon", {}, "no installed distribution has this connector.*fax"),
        ("fax", {"url": "x"}, "url and token are needed"),
        ("fax", {**SETTINGS, "colour": 1}, "nothing else"),
    ],
)
def test_what_cannot_be_made_says_why_before_anything_starts(name: str, settings: dict[str, Any], told: str) -> None:
    with pytest.raises(StartError, match=told):
        load(name, settings, kit(FakeOutside()), {"webhook"})


def test_the_hosts_that_a_connector_may_reach_are_no_setting_of_its_own() -> None:
    assert split("fax", SETTINGS | {"allow_hosts": ["a"]}) == (SETTINGS, ["a"])
    for wrong in ("a", [1], {"a": 1}):
        with pytest.raises(StartError, match="list of host names"):
            split("fax", {"allow_hosts": wrong})


def test_no_connector_takes_the_name_of_another() -> None:
    with pytest.raises(StartError, match="taken"):
        load("fax", SETTINGS, kit(FakeOutside()), {"fax"})


@pytest.mark.parametrize(
    "value", ["nothing_here:connector", "causeway_connector_fax:nothing", "causeway_connector_fax:SCHEDULE.copy"]
)
def test_an_entry_point_that_leads_nowhere_says_so(tmp_path: Path, value: str) -> None:
    (points,) = (tmp_path / "site").glob("*.dist-info/entry_points.txt")
    points.write_text(f"[causeway.connectors]\nfax = {value}\n")
    with pytest.raises((StartError, TypeError)):
        fax(FakeOutside())
