"""The kill port of `causeway dev`: who may ask, what it answers, and that a kill there is a kill."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict
from typing import Any

import aiohttp
import pytest

from causeway_cli.dev.desk import Desk, DeskAt, ProcessView
from support.nats import free_port

TOKEN = "the-token-of-the-session"
PAGE = "http://127.0.0.1:8000"
ALLOWED = {"Authorization": f"Bearer {TOKEN}"}
RUNNING = [
    ProcessView("nats", "nats", "nats", 11, 1, 0, "ready", None),
    ProcessView("logic-chat", "logic", "logic-chat", 12, 2, 1, "ready", 800),
    ProcessView("logic-auctions", "logic", "logic-auctions", None, None, 3, "down", None),
    ProcessView("gateway", "gateway", "gateway-1", 13, 3, 0, "starting", None),
    ProcessView("gateway", "gateway", "gateway-2", 14, 3, 0, "ready", None),
]


class Keepers:
    """In the supervisor's place."""

    def __init__(self) -> None:
        self.struck: list[str] = []

    def processes(self) -> list[ProcessView]:
        return RUNNING

    def strike(self, names: Sequence[str]) -> list[ProcessView]:
        reached = [each for each in RUNNING if each.name in names and each.pid]
        self.struck += [each.name for each in reached]
        return reached


@pytest.fixture
async def desk() -> AsyncIterator[tuple[Keepers, aiohttp.ClientSession]]:
    keepers = Keepers()
    desk = Desk(DeskAt("127.0.0.1", free_port(), TOKEN, (PAGE, "http://localhost:8000")), keepers)
    await desk.open()
    async with aiohttp.ClientSession(desk.at.url) as http:
        yield keepers, http
    await desk.close()


async def ask(http: aiohttp.ClientSession, method: str, path: str, **options: Any) -> tuple[int, Any]:
    async with http.request(method, path, **{"headers": ALLOWED, **options}) as answer:
        return answer.status, await answer.json()


async def test_every_process_is_listed_also_one_that_is_down(desk: Any) -> None:
    _, http = desk
    assert await ask(http, "GET", "/processes") == (200, {"processes": [asdict(each) for each in RUNNING]})


@pytest.mark.parametrize(
    ("asked", "killed"),
    [
        ({"service": "nats"}, ["nats"]),
        ({"service": "gateway"}, ["gateway-1", "gateway-2"]),
        ({"service": "gateway", "name": "gateway-2"}, ["gateway-2"]),
        ({"service": "logic-chat"}, ["logic-chat"]),
        ({"service": "logic"}, ["logic-chat"]),
    ],
)
async def test_a_service_is_killed_or_the_one_of_it_that_is_named(desk: Any, asked: Any, killed: list[str]) -> None:
    keepers, http = desk
    status, answer = await ask(http, "POST", "/kill", json=asked)
    assert (status, [each["name"] for each in answer["killed"]]) == (200, killed)
    assert keepers.struck == killed


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"service": "dev"}, 404),
        ({"service": "gateway", "name": "nats"}, 404),
        ({"service": ["gateway"]}, 404),
        ({"service": "logic-auctions"}, 409),
        ({"name": "nats"}, 400),
        (["nats"], 400),
        ("nats", 400),
        (None, 400),
        ({"service": "nats", "more": "x" * 5000}, 413),
    ],
)
async def test_what_cannot_be_killed_is_told_by_its_status(desk: Any, asked: Any, status: int) -> None:
    keepers, http = desk
    found, answer = await ask(http, "POST", "/kill", data=json.dumps(asked))
    assert (found, list(answer), keepers.struck) == (status, ["error"], [])


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": TOKEN}, 401),
        ({"Authorization": "Bearer tökén"}, 401),
        ({"Authorization": f"Bearer {TOKEN}x"}, 401),
        (ALLOWED | {"Origin": "http://127.0.0.1:9000"}, 403),
        (ALLOWED | {"Origin": "https://example.com"}, 403),
        (ALLOWED | {"Origin": "null"}, 403),
        (ALLOWED | {"Host": "example.com"}, 403),
        (ALLOWED | {"Host": "127.0.0.1"}, 403),
        (ALLOWED | {"Host": "rebound.example:8000", "Origin": PAGE}, 403),
    ],
)
async def test_who_is_not_the_page_with_the_token_gets_nothing(desk: Any, headers: dict[str, str], status: int) -> None:
    """Neither another page, whatever it knows, nor a name that was made to lead here."""
    keepers, http = desk
    for method, path in (("GET", "/processes"), ("POST", "/kill"), ("GET", "/nothing")):
        async with http.request(method, path, headers=headers, json={"service": "nats"}) as answer:
            assert (answer.status, list(await answer.json())) == (status, ["error"])
            if status == 403:
                assert "Access-Control-Allow-Origin" not in answer.headers
    assert keepers.struck == []


@pytest.mark.parametrize("origin", [PAGE, "http://localhost:8000"])
async def test_the_pages_own_origin_alone_may_read_the_answers(desk: Any, origin: str) -> None:
    _, http = desk
    async with http.options("/kill", headers={"Origin": origin, "Access-Control-Request-Method": "POST"}) as asked:
        assert (asked.status, asked.headers["Access-Control-Allow-Origin"]) == (204, origin)
        assert asked.headers["Access-Control-Allow-Headers"] == "authorization, content-type"
    for headers in (ALLOWED, {}):
        async with http.get("/processes", headers={**headers, "Origin": origin}) as answer:
            assert (answer.headers["Access-Control-Allow-Origin"], answer.headers["Vary"]) == (origin, "Origin")
    async with http.options("/kill", headers={"Origin": "http://127.0.0.1:9000"}) as other:
        assert (other.status, "Access-Control-Allow-Origin" in other.headers) == (403, False)


async def test_the_demos_rates_are_told_without_a_token_and_fit_together(desk: Any) -> None:
    _, http = desk
    euro, dollar = [(await ask(http, "GET", f"/rates/latest?base={base}", headers={}))[1] for base in ("EUR", "USD")]
    assert (euro["base"], dollar["base"]) == ("EUR", "USD")
    assert float(euro["rates"]["USD"]) * float(dollar["rates"]["EUR"]) == pytest.approx(1, rel=1e-5)
    for path in ("/rates/latest?base=XXX", "/rates/latest"):
        assert (await ask(http, "GET", path, headers={}))[0] == 404
    assert (await ask(http, "GET", "/rates/latest?base=EUR", headers={"Host": "rebound.example"}))[0] == 403


async def test_other_paths_and_methods_are_refused_as_such(desk: Any) -> None:
    _, http = desk
    assert await ask(http, "GET", "/nothing") == (404, {"error": "not found"})
    assert (await ask(http, "GET", "/kill"))[0] == 405


def test_the_token_is_in_no_repr() -> None:
    assert TOKEN not in repr(DeskAt("127.0.0.1", 1, TOKEN, ()))
