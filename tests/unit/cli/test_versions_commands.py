"""`causeway route`, `causeway apps` and what `causeway check` says of a running system, against a stand-in for the operators' calls."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import click
import pytest
from aiohttp import web
from click.testing import CliRunner

from causeway_cli.__main__ import main
from causeway_cli.commands.route import share, share_text
from support.served import posts_to

APPS = [
    {
        "app": "auctions",
        "ruling": "1.5.0",
        "versions": [
            {"version": "1.5.0", "instances": 1, "methods": ["bid"]},
            {"version": "1.4.0", "instances": 0, "methods": ["bid", "old"]},
        ],
        "methods": ["bid"],
        "namespaces": ["lot"],
        "breaks": ["1.5.0 breaks 1.4.0: the method old is gone"],
    }
]
ROUTE = {"app": "auctions", "method": "bid", "version": "1.5.0", "share_permille": 55, "instances": 0}


class Operators:
    """Notes what it got, answers as told."""

    def __init__(self) -> None:
        self.got: list[tuple[str, str, Any]] = []
        self.results: dict[str, Any] = {"apps.list": {"apps": APPS}, "route.list": {"routes": [ROUTE]}}
        self.answer: Any = None
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        name = request.match_info["operation"]
        self.got.append((name, request.headers.get("X-API-Key", ""), await request.json()))
        return web.json_response(self.answer or {"result": self.results.get(name, {})})


@pytest.fixture
async def operators() -> AsyncIterator[Operators]:
    standin = Operators()
    async with posts_to("/ops/{operation}", standin.handle) as standin.url:
        yield standin


async def run(operators: Operators, *arguments: str) -> tuple[int, str, str]:
    """A command as a process, against the stand-in."""
    env = {**os.environ, "CAUSEWAY_API_KEY": "the-key", "CAUSEWAY_URL": operators.url}
    line = [sys.executable, "-m", "causeway_cli", *arguments]
    process = await asyncio.create_subprocess_exec(*line, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        (
            ("auctions.bid", "--version", "1.5.0", "--share", "5%"),
            ("route.set", {"app": "auctions", "method": "bid", "version": "1.5.0", "share_permille": 50}),
        ),
        (
            ("auctions", "--version", "1.5.0"),
            ("route.set", {"app": "auctions", "method": "", "version": "1.5.0", "share_permille": 1000}),
        ),
        (("auctions.bid", "--remove"), ("route.remove", {"app": "auctions", "method": "bid"})),
    ],
)
async def test_a_route_is_set_and_removed(operators: Operators, arguments: tuple[str, ...], asked: tuple[str, Any]) -> None:
    assert await run(operators, "route", *arguments) == (0, "", "")
    assert operators.got == [(asked[0], "the-key", asked[1])]


async def test_routes_are_listed_for_the_eye_and_for_programs(operators: Operators) -> None:
    line = "auctions.bid  1.5.0  5.5%  does not run: the ruling version answers\n"
    assert await run(operators, "route") == (0, line, "# 1 route\n")
    assert await run(operators, "route", "auctions.never", "--json") == (0, "", "# 0 routes\n")
    code, out, _ = await run(operators, "route", "auctions", "--json")
    assert (code, json.loads(out)) == (0, ROUTE)


async def test_apps_are_shown_with_their_versions_and_what_they_break(operators: Operators) -> None:
    _, out, _ = await run(operators, "apps")
    assert out.splitlines() == [
        "auctions  1.5.0",
        "  1.5.0  1 instance",
        "  1.4.0  does not run",
        "  methods: bid",
        "  namespaces: lot",
        "  ! 1.5.0 breaks 1.4.0: the method old is gone",
    ]
    _, out, _ = await run(operators, "apps", "auctions", "--json")
    assert json.loads(out) == APPS[0]
    operators.results["apps.list"] = {"apps": []}
    code, _, err = await run(operators, "apps", "nobody")
    assert (code, err) == (1, "Error: there is no app nobody\n")


async def test_check_warns_of_versions_that_run_side_by_side_and_do_not_agree(operators: Operators) -> None:
    code, out, err = await run(operators, "check")
    assert code == 0
    assert "the configuration is valid" in out
    assert "warning: auctions: 1.5.0 breaks 1.4.0: the method old is gone\n" in err


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({"error": {"code": 104, "message": "method not found"}}, "method not found (code 104)"),
        ({"error": {"code": 100, "message": "unavailable: x"}}, "a repeat is harmless"),
        ({"nonsense": 1}, "cannot be understood"),
        ([1], "cannot be understood"),
    ],
)
async def test_what_goes_wrong_is_told_in_one_line(operators: Operators, answer: Any, told: str) -> None:
    operators.answer = answer
    code, out, err = await run(operators, "route", "a.b", "--version", "1", "--share", "1%")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert told in err


@pytest.mark.parametrize(
    "arguments",
    [
        ("--version", "1.0.0"),
        ("a.b", "--share", "5%"),
        ("a.b", "--remove", "--version", "1.0.0"),
        ("a.b", "--version", "1.0.0", "--share", "5"),
        ("a.b", "--version", "1.0.0", "--share", "100.1%"),
        ("a.b", "--version", "1.0.0", "--share", "-1%"),
    ],
)
def test_wrong_usage_is_2_and_nothing_is_asked(arguments: tuple[str, ...]) -> None:
    result = CliRunner().invoke(main, ["route", *arguments, "--url", "http://127.0.0.1:9", "--api-key", "k"])

    assert result.exit_code == 2


@pytest.mark.parametrize(("text", "permille"), [("0%", 0), ("5%", 50), ("0.1%", 1), ("99.9%", 999), ("100%", 1000)])
def test_a_share_is_read_and_shown_in_tenths_of_a_percent(text: str, permille: int) -> None:
    option = click.Option(["--share"])
    assert share(click.Context(click.Command("x")), option, text) == permille
    assert share_text(permille) == text
