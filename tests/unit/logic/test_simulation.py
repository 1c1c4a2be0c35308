"""The crowd: turns come at its rate, everybody goes home when told, one failure is not everybody's; and what the command refuses."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest

from causeway_logic.simulation import Crowd, Visitor, command


class Stranger:
    """A visitor without a connection."""

    def __init__(self, name: str) -> None:
        self.name, self.here, self.left = name, False, False

    async def come(self) -> None:
        self.here = True

    async def leave(self) -> None:
        self.left = True


def strangers(count: int) -> tuple[list[Stranger], list[Visitor]]:
    people = [Stranger(f"v{number}") for number in range(count)]
    return people, cast("list[Visitor]", people)


async def test_turns_are_spread_over_the_time_that_the_rate_gives() -> None:
    crowd, loop = Crowd(rate=200), asyncio.get_running_loop()
    began = loop.time()
    turns = [crowd.turn() for _ in range(20)]
    assert await asyncio.gather(*turns) == [True] * 20
    assert loop.time() - began >= 20 / 200 - 0.01, "never faster than the rate"


async def test_everybody_goes_home_when_told_and_nobody_stays_connected() -> None:
    crowd = Crowd(rate=0.01)
    people, visitors = strangers(5)

    async def visit(crowd: Crowd, me: Visitor) -> None:
        crowd.count("began")
        assert not await crowd.turn()

    asyncio.get_running_loop().call_later(0.02, crowd.go_home)
    await crowd.run(visitors, visit)
    assert crowd.counts == {"began": 5}
    assert all(each.here and each.left for each in people)


async def test_a_crowd_with_a_duration_goes_home_by_itself() -> None:
    crowd = Crowd(rate=1000, seconds=0.05)

    async def visit(crowd: Crowd, me: Visitor) -> None:
        while await crowd.turn():
            crowd.count("turns")

    await crowd.run(strangers(3)[1], visit)
    assert 0 < crowd.counts["turns"] <= 60


async def test_one_failing_visit_is_counted_and_the_others_go_on() -> None:
    crowd = Crowd(rate=1000)
    people, visitors = strangers(3)

    async def visit(crowd: Crowd, me: Visitor) -> None:
        if me.name == "v0":
            raise ValueError("lost the key")
        crowd.count("fine")

    await crowd.run(visitors, visit)
    assert crowd.counts == {"fine": 2, "failed visits": 1}
    assert all(each.left for each in people)


async def test_a_crowd_of_which_every_visit_fails_has_failed() -> None:
    async def visit(crowd: Crowd, me: Visitor) -> None:
        raise ValueError("lost the key")

    with pytest.raises(ExceptionGroup, match="every visit failed"):
        await Crowd(rate=1000).run(strangers(2)[1], visit)


@pytest.mark.parametrize("package", ["apps.chat", "apps.chat:app", "apps.auctions"])
def test_both_reference_apps_have_a_simulation(package: str) -> None:
    assert command.load_visit(package).__name__ == "visit"


def test_a_check_imports_the_simulation_and_ends(tmp_path: Path) -> None:
    assert command.main(["apps.auctions", "--check", "--data-dir", str(tmp_path)]) == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["apps.nowhere"], "apps.nowhere"),
        (["json"], "json.simulation"),
        (["json", "--check"], "json.simulation"),
        (["apps.chat"], "no running stack is told of"),
        (["apps.chat", "--url", "ftp://x"], "is no URL of a gateway"),
    ],
)
def test_what_cannot_begin_ends_with_one_line(
    arguments: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if "--url" in arguments:
        monkeypatch.setenv("CAUSEWAY_TOKEN_SECRET", "x" * 32)
    assert command.main([*arguments, "--data-dir", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert told in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(
    "option", [["--users", "0"], ["--rate", "-1"], ["--rate", "x"], ["--duration", "60"], ["--users", "99999999"]]
)
def test_options_out_of_bounds_are_refused(option: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(["apps.chat", *option])
    assert ended.value.code == 2
    assert option[0] in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("http://127.0.0.1:8000", "ws://127.0.0.1:8000/connection/websocket"),
        ("https://rt.example.com/", "wss://rt.example.com/connection/websocket"),
        ("wss://rt.example.com/own/path", "wss://rt.example.com/own/path"),
    ],
)
def test_a_gateways_url_is_that_of_its_websocket(given: str, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAUSEWAY_TOKEN_SECRET", "x" * 32)
    options: Any = command._parser().parse_args(["apps.chat", "--url", given])
    assert command._where(options) == (url, "x" * 32)
