"""The `http` connector against a real server of currency rates: bounds, cache, retries, breaker, secrets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from causeway_common.contracts.connectors import HttpRequest, http
from causeway_common.contracts.errors import CausewayError
from causeway_common.contracts.messages import BreakerState
from causeway_integrations.adapters.http import OutsideHttp
from causeway_integrations.adapters.schedule import TenacitySchedule
from causeway_integrations.adapters.secrets import SecretFiles
from causeway_integrations.config.apis import ApiSettings
from causeway_integrations.domain.api import AGE_MAX_MS, CACHED_MAX, Api, Bucket, Cache, url_of
from causeway_integrations.domain.breaker import Breaker
from causeway_integrations.domain.outcome import Done, Failed, GivenUp, Outcome, Postponed
from causeway_integrations.domain.outside import Answered
from causeway_integrations.handlers.apis import ApiOperation, ApisConnector
from support.peers import RatesServer
from unit.integrations.fakes import FakeBreakers, FakeClock, work

LOOPBACK = frozenset({"127.0.0.1"})


class Caller:
    """An operation over a peer, called and enqueued."""

    def __init__(self, api: Api, outside: OutsideHttp, breakers: FakeBreakers, clock: FakeClock) -> None:
        self.breakers, self.clock = breakers, clock
        self.breaker = Breaker(failures=3, pause_ms=1000)
        retries = TenacitySchedule([0, 1, 1])
        self.operation = ApiOperation(
            api, outside, self.breaker, breakers, retries=retries, reveal=SecretFiles().reveal, now_ms=clock
        )

    async def call(self, *, key: str = "key-1", **request: Any) -> Outcome:
        return await self.operation.run(work("http", "rates", request or {"path": "latest"}, key=key, waits=True))

    async def job(self, *, key: str = "key-1", **request: Any) -> Outcome:
        return await self.operation.run(work("http", "rates", request or {"path": "latest"}, key=key))


def declared(url: str, **options: Any) -> Api:
    return ApiSettings.model_validate({"name": "rates", "base_url": f"{url}/v1", **options}).api()


@asynccontextmanager
async def calling(server: RatesServer, allowed: frozenset[str] = LOOPBACK, **options: Any) -> AsyncIterator[Caller]:
    outside = OutsideHttp(timeout_s=5, allowed=allowed, connections=8, user_agent="test/1")
    await outside.start()
    async with server:
        try:
            yield Caller(declared(server.url, **options), outside, FakeBreakers(), FakeClock())
        finally:
            server.released.set()
            await outside.stop()


def data(outcome: Outcome) -> Mapping[str, Any]:
    assert isinstance(outcome, Done), outcome
    return outcome.reply


async def test_an_answer_comes_back_as_json_with_its_status() -> None:
    server = RatesServer()
    async with calling(server, headers={"X-Key": "s3cret"}) as caller:
        reply = data(await caller.call(path="latest", query={"base": "CHF"}))

    assert reply == {"status": 200, "data": {"base": "CHF", "rates": {"USD": "1.10", "GBP": "0.85"}}, "stale": False, "age_ms": 0}
    (asked,) = server.asked
    assert (asked.method, asked.path, asked.query) == ("GET", "/v1/latest", {"base": "CHF"})
    assert asked.headers["x-key"] == "s3cret"
    assert "s3cret" not in repr(caller.operation.api)


async def test_a_secret_by_reference_is_read_again_when_its_file_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server, secret = RatesServer(), tmp_path / "token"
    secret.write_text("one\n")
    monkeypatch.setenv("RATES_ENV", "of-env")
    async with calling(server, headers={"X-File": f"file:{secret}", "X-Env": "env:RATES_ENV"}) as caller:
        await caller.call()
        secret.write_text("another\n")
        await caller.call(path="latest", query={"n": "2"})
        secret.unlink()
        with pytest.raises(CausewayError, match="cannot be read") as caught:
            await caller.call(path="latest", query={"n": "3"})

    assert [(asked.headers["x-file"], asked.headers["x-env"]) for asked in server.asked] == [
        ("one", "of-env"),
        ("another", "of-env"),
    ]
    assert caught.value.temporary


@pytest.mark.parametrize(
    "request_",
    [
        {"method": "DELETE"},
        {"method": "get"},
        {"path": "../admin"},
        {"path": "a/./b"},
        {"path": "latest?key=1"},
        {"path": "latest#x"},
        {"path": "a\r\nX: 1"},
        {"path": "a\\..\\b"},
        {"method": "POST", "path": "orders", "body": float("nan")},
        {"path": 7},
        {"query": {"a": 1}},
    ],
)
async def test_what_the_declaration_does_not_allow_is_refused_before_anything_is_sent(request_: dict[str, Any]) -> None:
    server = RatesServer()
    async with calling(server, methods=["GET", "POST"]) as caller:
        with pytest.raises(CausewayError) as caught:
            await caller.call(**request_)

    assert caught.value.code == 107
    assert not server.asked


@given(path=st.text(max_size=50), query=st.dictionaries(st.text(max_size=10), st.text(max_size=10), max_size=3))
def test_no_path_and_no_query_leaves_the_base_url(path: str, query: dict[str, str]) -> None:
    """P6: whatever an app asks, it is asked of the declared host below the declared path."""
    api = declared("http://rates.example:81")
    try:
        url = URL(url_of(api, HttpRequest(path=path, query=query)))
    except (CausewayError, UnicodeEncodeError):
        return
    assert (url.scheme, url.host, url.port, url.user) == ("http", "rates.example", 81, None)
    assert url.path == "/v1" or url.path.startswith("/v1/")
    assert not url.fragment


async def test_a_4xx_is_given_up_with_its_code_and_a_5xx_is_tried_again_while_somebody_waits() -> None:
    server = RatesServer()
    async with calling(server) as caller:
        missing = await caller.call(path="nothing")
        server.faults.status = 503
        failed = await caller.call()
        tried = len(server.asked)

    assert isinstance(missing, GivenUp)
    assert missing.code == 404
    assert isinstance(failed, Failed)
    assert (failed.status, tried) == (503, 3)


async def test_a_job_is_asked_once_a_try_and_keeps_the_pause_that_the_api_asks_for() -> None:
    server = RatesServer()
    async with calling(server) as caller:
        server.faults.status, server.faults.headers = 429, {"Retry-After": "30"}
        outcome = await caller.job()

    assert outcome == Failed("429: out of order", 429, 30_000)
    assert len(server.asked) == 1


async def test_a_post_is_repeated_only_where_the_api_takes_a_key_and_then_has_one_effect() -> None:
    """P3: the same key at every try."""
    server = RatesServer()
    order: dict[str, Any] = {"method": "POST", "path": "orders", "body": {"n": 1}}
    async with calling(server, methods=["POST"]) as without:
        server.faults.status = 500
        assert isinstance(await without.call(**order), Failed)
        assert len(server.asked) == 1
    server = RatesServer()
    async with calling(server, methods=["POST"], idempotency_header="Idempotency-Key") as caller:
        for _ in range(3):
            assert data(await caller.call(**order))["data"] == {"number": 1}
        assert data(await caller.call(key="key-2", **order))["data"] == {"number": 2}

    assert set(server.orders) == {"key-1", "key-2"}
    assert {asked.body for asked in server.asked} == {b'{"n":1}'}


async def test_what_is_fresh_is_not_asked_again_and_what_is_not_is_confirmed_by_its_etag() -> None:
    server = RatesServer(cache_control="max-age=10")
    async with calling(server) as caller:
        first = data(await caller.call())
        caller.clock.now += 4000
        kept = data(await caller.call())
        assert (kept["age_ms"], kept["data"], len(server.asked)) == (4000, first["data"], 1)
        caller.clock.now += 7000
        assert data(await caller.call())["data"] == first["data"]
        assert "if-none-match" in server.asked[1].headers
        server.rates["USD"] = "1.20"
        caller.clock.now += 11_000
        assert data(await caller.call())["data"]["rates"]["USD"] == "1.20"
        caller.clock.now += 9000
        await caller.call()

    assert len(server.asked) == 3


async def test_what_the_api_does_not_let_us_keep_is_not_kept() -> None:
    server = RatesServer(cache_control="no-store")
    async with calling(server, cache="1m", stale_if_error="1h") as caller:
        await caller.call()
        server.faults.status = 500
        assert isinstance(await caller.call(), Failed)


async def test_while_the_api_fails_what_is_kept_still_serves_and_says_that_it_is_stale() -> None:
    server = RatesServer()
    async with calling(server, cache="1s", stale_if_error="1m") as caller:
        await caller.call()
        server.faults.status = 500
        caller.clock.now += 30_000
        stale = data(await caller.call())
        assert (stale["stale"], stale["age_ms"], stale["data"]["rates"]["USD"]) == (True, 30_000, "1.10")
        caller.clock.now += 60_000
        assert not isinstance(await caller.call(), Done)


async def test_a_pause_that_an_api_asks_for_is_never_slept_out_by_a_call() -> None:
    """An hour of Retry-After: what is kept serves at once, the next call asks again, and the breaker sees every failure."""
    server = RatesServer()
    async with calling(server, cache="1s", stale_if_error="1m") as caller, asyncio.timeout(20):
        await caller.call()
        server.faults.status, server.faults.headers = 503, {"Retry-After": "3600"}
        caller.clock.now += 30_000
        for asked in (2, 3):
            assert data(await caller.call())["stale"] is True
            assert len(server.asked) == asked
        assert isinstance(await caller.call(query={"n": "1"}, path="latest"), Failed)
        assert caller.breaker.is_open


async def test_an_api_that_hangs_serves_what_is_kept_before_the_callers_time_is_over() -> None:
    server = RatesServer()
    async with calling(server, cache="1s", stale_if_error="1m", timeout="1h") as caller, asyncio.timeout(20):
        await caller.call()
        server.faults.hang = True
        caller.clock.now += 30_000
        asked = replace(work("http", "rates", {"path": "latest"}, waits=True), limit_ms=400)
        assert [data(await caller.operation.run(asked))["stale"] for _ in range(2)] == [True, True]
        server.released.set()
        assert data(await caller.operation.run(replace(asked, limit_ms=10_000)))["stale"] is False
        assert len(server.asked) == 2, "all waited for the one request"


async def test_those_who_ask_for_the_same_at_once_share_one_request() -> None:
    server = RatesServer()
    async with calling(server) as caller:
        replies = await asyncio.gather(*(caller.call() for _ in range(20)))

    assert len(server.asked) == 1
    assert all(data(reply)["status"] == 200 for reply in replies)


async def test_one_who_gives_up_waiting_does_not_take_the_answer_from_the_others() -> None:
    server = RatesServer()
    server.faults.hang = True
    async with calling(server) as caller:
        impatient, patient = asyncio.create_task(caller.call()), asyncio.create_task(caller.call())
        while not server.asked:
            await asyncio.sleep(0.01)
        impatient.cancel()
        server.released.set()
        assert data(await patient)["status"] == 200


async def test_after_some_failures_the_breaker_opens_for_everybody_and_one_request_tries_later() -> None:
    server = RatesServer()
    async with calling(server) as caller, calling(server.__class__()) as other:
        server.faults.status = 500
        for _ in range(3):
            assert isinstance(await caller.job(), Failed)
        ((connector, api, opened),) = caller.breakers.shared
        assert (connector, api, opened.state) == ("http", "rates", "open")
        other.breaker.heard(opened)
        for each in (caller, other):
            held = await each.job()
            assert isinstance(held, Postponed)
            assert 0 < held.delay_ms <= 1000
        assert len(server.asked) == 3

        caller.clock.now += 1000
        server.faults.status = 0
        first, second = await asyncio.gather(caller.job(), caller.job(path="latest", query={"n": "2"}))
        assert (type(first), type(second)) == (Done, Postponed)
        assert caller.breakers.shared[-1][2].state == "closed"


def test_each_time_in_a_row_a_breaker_stays_open_longer_up_to_a_bound() -> None:
    breaker, now, pauses = Breaker(failures=2, pause_ms=1000), 0, []
    assert breaker.failed(now, "500") is None
    for _ in range(10):
        opened = breaker.failed(now, "500")
        assert opened is not None
        assert breaker.failed(now, "late") is None, "what fails while it is open changes nothing"
        pauses.append(opened.until_ms - now)
        assert breaker.wait_ms(now) == pauses[-1]
        now = opened.until_ms
        assert breaker.wait_ms(now) == 0
        assert breaker.wait_ms(now) > 0, "one alone tries"

    assert pauses == [1000 * 2 ** min(n, 6) for n in range(10)]
    assert breaker.succeeded(now) == BreakerState(state="closed", at_ms=now)
    assert breaker.wait_ms(now) == 0
    breaker.heard(BreakerState(state="open", at_ms=now - 1, until_ms=now + 999))
    assert breaker.wait_ms(now) == 0, "what is older than what is known changes nothing"


async def test_the_rate_limit_holds_back_what_is_more() -> None:
    server = RatesServer()
    async with calling(server, rate_limit=2) as caller:
        outcomes = [await caller.job(path="latest", query={"n": str(n)}) for n in range(4)]
        assert [type(outcome) for outcome in outcomes] == [Done, Done, Postponed, Postponed]
        caller.clock.now += 500
        assert isinstance(await caller.job(path="latest", query={"n": "9"}), Done)


@given(st.lists(st.integers(0, 3000), max_size=60), st.floats(0.1, 50))
def test_a_bucket_never_lets_more_through_than_its_rate(gaps: list[int], rate: float) -> None:
    bucket, now, passed = Bucket(rate), 0, 0
    for gap in gaps:
        now += gap
        wait = bucket.wait_ms(now)
        passed += wait == 0
        assert passed <= max(rate, 1) + rate * now / 1000 + 0.001


@pytest.mark.parametrize("fault", ["large", "drips", "hangs", "refused"])
async def test_an_answer_that_is_none_is_classified_and_holds_nothing(fault: str) -> None:
    server = RatesServer()
    async with calling(server, timeout="200ms", max_bytes=1000, retries=["0s"]) as caller:
        match fault:
            case "large":
                server.faults.bytes = 2_000_000
            case "hangs" | "drips":
                server.faults.hang = True
            case _:
                await server.stop()
        outcome = await caller.call()

    assert isinstance(outcome, GivenUp if fault == "large" else Failed)


async def test_a_private_address_that_is_not_allowed_by_name_is_never_asked() -> None:
    server = RatesServer()
    async with calling(server, allowed=frozenset({"rates.example"})) as caller:
        outcome = await caller.call()

    assert isinstance(outcome, GivenUp)
    assert "not public" in outcome.note
    assert not server.asked


def test_the_cache_is_bounded() -> None:
    cache, api = Cache(), declared("http://a")
    answer = Answered(200, b"x" * 100, {"cache-control": "max-age=999999999"})
    for number in range(CACHED_MAX + 50):
        cache.store(str(number), answer, api, 0)

    assert cache.find("0") is None
    kept = cache.find(str(CACHED_MAX))
    assert kept is not None
    assert kept.fresh_ms == AGE_MAX_MS
    assert (len(cache._kept), cache._bytes) == (CACHED_MAX, CACHED_MAX * 100)


async def test_the_state_of_each_breaker_is_a_metric() -> None:
    server = RatesServer()
    async with calling(server) as caller:
        connector = ApisConnector({"rates": caller.operation})
        assert connector._open() == {"rates": 0.0}
        connector.heard("rates", BreakerState(state="open", at_ms=caller.clock.now, until_ms=caller.clock.now + 5))
        connector.heard("unknown", None)
        assert connector._open() == {"rates": 1.0}
        assert set(connector.operations()) == {"rates"}
        assert http("rates").name == "http.rates"
