"""The server API: keys, bodies, errors, and what it does not do yet."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from unit.gateway.fakes import API_KEY, Gateway


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[Gateway, aiohttp.ClientSession]]:
    async with Gateway() as gateway, aiohttp.ClientSession(gateway.http) as http:
        yield gateway, http


async def post(http: aiohttp.ClientSession, method: str, body: Any, **headers: str) -> tuple[int, str, Any]:
    data = io.BytesIO(body) if isinstance(body, bytes) else None
    async with http.post(
        f"/api/{method}", data=data, json=None if data is not None else body, headers=headers or {"X-API-Key": API_KEY}
    ) as response:
        text = await response.text()
        return response.status, text, await response.json() if response.content_type == "application/json" else None


@pytest.mark.parametrize("headers", [{"X-API-Key": API_KEY}, {"Authorization": f"apikey {API_KEY}"}])
async def test_both_headers_carry_the_key(headers: dict[str, str]) -> None:
    async with serving() as (_, http):
        status, _, answer = await post(http, "publish", {"channel": "news:a", "data": {"a": 1}}, **headers)

    assert (status, answer) == (200, {"result": {"offset": 1, "epoch": "e1"}})


@pytest.mark.parametrize(
    "headers",
    [
        {"X-API-Key": "wrong"},
        {"X-API-Key": ""},
        {"X-API-Key": "", "Authorization": f"apikey {API_KEY}"},
        {"Authorization": "apikey"},
        {"X": "y"},
    ],
)
async def test_a_wrong_key_is_401_with_an_empty_body(headers: dict[str, str]) -> None:
    async with serving() as (_, http):
        status, text, _ = await post(http, "publish", {"channel": "news:a", "data": 1}, **headers)

    assert (status, text) == (401, "")


@pytest.mark.parametrize("body", [b"", b"no json", b'{"channel":1}', b"[]", b'{"channel":"news:a","data":"\xff"}', b"[" * 100_000])
async def test_what_cannot_be_decoded_is_400(body: bytes) -> None:
    async with serving() as (_, http):
        status, _, _ = await post(http, "publish", body)

    assert status == 400


@pytest.mark.parametrize(
    ("method", "body", "code"),
    [
        ("publish", {"data": 1}, 107),
        ("publish", {"channel": "news:a"}, 107),
        ("publish", {"channel": "nowhere:a", "data": 1}, 102),
        ("publish", {"channel": "news:a", "data": 1, "idempotency_key": "x" * 65}, 107),
        ("publish", {"channel": "news:a", "b64data": "eA=="}, 108),
        ("publish", {"channel": "news:a", "data": 1, "skip_history": True}, 108),
        ("publish", {"channel": "news:a", "data": 1, "version": 3}, 108),
        ("history", {"channel": "open:a"}, 108),
        ("history", {"channel": "news:a", "limit": 1, "since": {"offset": 1, "epoch": "e0"}}, 112),
        ("history", {"channel": "news:a", "reverse": True, "since": {"offset": 0, "epoch": "e1"}}, 107),
    ],
)
async def test_errors_are_200_with_code_message_and_temporary(method: str, body: dict[str, Any], code: int) -> None:
    async with serving() as (gateway, http):
        gateway.bus.put("news:a", b"1")
        status, _, answer = await post(http, method, body)

    assert status == 200
    assert answer["error"]["code"] == code
    assert answer["error"]["temporary"] is False
    assert answer["error"]["message"]


async def test_while_storage_is_away_the_error_is_temporary_and_the_same_key_is_published_once() -> None:
    async with serving() as (gateway, http):
        body = {"channel": "news:a", "data": 1, "idempotency_key": "k"}
        gateway.bus.away = True
        _, _, away = await post(http, "publish", body)
        gateway.bus.away = False
        answers = [(await post(http, "publish", body))[2] for _ in range(2)]

    assert (away["error"]["code"], away["error"]["temporary"]) == (100, True)
    assert answers == [{"result": {"offset": 1, "epoch": "e1"}}] * 2
    assert len(gateway.bus.logs["news:a"].publications) == 1


async def test_history_goes_both_ways_by_position_and_over_pages() -> None:
    async with serving() as (gateway, http):
        for n in range(250):
            gateway.bus.put("news:a", b"%d" % n, tags={"n": str(n)})
        empty = (await post(http, "history", {"channel": "news:a"}))[2]["result"]
        everything = (await post(http, "history", {"channel": "news:a", "limit": -1}))[2]["result"]
        back = (await post(http, "history", {"channel": "news:a", "limit": 2, "reverse": True}))[2]["result"]
        since = (await post(http, "history", {"channel": "news:a", "limit": 2, "since": {"offset": 7, "epoch": "e1"}}))[2]["result"]

    assert empty == {"publications": [], "epoch": "e1", "offset": 250}
    assert [each["offset"] for each in everything["publications"]] == list(range(1, 251))
    assert [each["offset"] for each in back["publications"]] == [250, 249]
    assert since["publications"] == [{"data": 7, "offset": 8, "tags": {"n": "7"}}, {"data": 8, "offset": 9, "tags": {"n": "8"}}]


async def test_a_channel_without_history_has_no_position() -> None:
    async with serving() as (_, http):
        _, _, answer = await post(http, "publish", {"channel": "open:a", "data": [1]})

    assert answer == {"result": {}}


async def test_an_unknown_method_is_404_and_a_body_beyond_the_limit_413() -> None:
    async with serving() as (_, http):
        assert (await post(http, "presence_of_mind", {}))[0] == 404
        assert (await post(http, "publish", b"x" * (1024 * 1024 + 1)))[0] == 413


async def test_the_page_says_what_runs_and_trusts_no_header() -> None:
    async with serving() as (_, http), http.get("/", headers={"Host": "<script>"}) as response:
        text = await response.text()

    assert "Causeway" in text
    assert "/connection/websocket" in text
    assert "<script>" not in text
