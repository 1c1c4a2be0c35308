"""The `http` connector: one operation for each declared API, with cache, rate limit, retries within the caller's time, and a breaker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from causeway_common.contracts.connectors import HttpReply, HttpRequest, http
from causeway_common.contracts.messages import BreakerState
from causeway_common.telemetry import Counters, get_logger
from causeway_integrations.domain.api import Api, Bucket, Cache, Kept, body_of, data_of, url_of
from causeway_integrations.domain.breaker import Breaker
from causeway_integrations.domain.outcome import Done, Failed, GivenUp, Outcome, Postponed, of_api
from causeway_integrations.domain.outside import AddressRefused, Answered, NotReached, Outgoing
from causeway_integrations.domain.secrets import Reveal
from causeway_integrations.domain.work import Work
from causeway_integrations.ports import Breakers, Operation, Outside, Schedule

CONNECTOR: Final = "http"
NOT_MODIFIED: Final = 304
BAD_GATEWAY: Final = 502
STALE_MARGIN_MS: Final = 150
"""So long before the caller's time is over what is kept is told, where the API has not answered yet."""

log = get_logger("integrations")
_counters = Counters("integrations")
_requests: Final = _counters.counter("http.requests", "requests to declared APIs by outcome: done, retry, give_up, held")
_cached: Final = _counters.counter("http.cache", "answers from the cache by how: fresh, confirmed, stale")
_transitions: Final = _counters.counter("breaker.transitions", "changes of breakers by new state", label="state")


@dataclass(frozen=True, slots=True)
class _Asked:
    """One thing that is asked of an API, and what is kept of an earlier answer to it."""

    request: HttpRequest
    url: str
    body: bytes | None
    work: Work
    kept: Kept | None


class ApiOperation:
    """`http.<api>`.

    Args:
        api: as declared.
        outside: sends.
        breaker: of the API.
        breakers: where its changes are shared.
        retries: between requests of one call; a job's tries have the connector's schedule.
        reveal: secrets by reference.
        now_ms: the time of day.
    """

    def __init__(
        self,
        api: Api,
        outside: Outside,
        breaker: Breaker,
        breakers: Breakers,
        *,
        retries: Schedule,
        reveal: Reveal,
        now_ms: Callable[[], int],
    ) -> None:
        self.api, self.breaker = api, breaker
        self._outside, self._breakers, self._retries, self._reveal, self._now_ms = outside, breakers, retries, reveal, now_ms
        self._operation = http(api.name)
        self._cache, self._bucket = Cache(), Bucket(api.rate_limit)
        self._asking: dict[str, asyncio.Task[Outcome]] = {}

    async def run(self, work: Work) -> Outcome:
        """One request, or what is kept of an earlier one.

        Raises:
            CausewayError: 107, it is no request that the API's declaration allows; 100, a secret cannot be read.
        """
        request = self._operation.read_request(work.payload)
        url, body = url_of(self.api, request), body_of(request)
        if request.method != "GET":
            return await self._requested(_Asked(request, url, body, work, None))
        kept = self._cache.find(url)
        if kept is not None and kept.is_fresh(self._now_ms()):
            _cached.add(1, "fresh")
            return self._reply(kept.answer, self._now_ms() - kept.stored_ms)
        # Those who ask for the same meanwhile share one request; it ends by its own time-out, whoever still waits for it.
        asking = self._asking.get(url)
        if asking is None:
            asking = self._asking[url] = asyncio.create_task(self._asked(_Asked(request, url, None, work, kept)))
            asking.add_done_callback(lambda task: self._ended(url, task))
        if work.waits and kept is not None:
            await asyncio.wait({asking}, timeout=max(self._limit_ms(work) - STALE_MARGIN_MS, 0) / 1000)
            if not asking.done() and kept.serves(self._now_ms(), self.api.stale_ms):
                return self._stale(kept)
        return await asyncio.shield(asking)

    def _ended(self, url: str, task: asyncio.Task[Outcome]) -> None:
        self._asking.pop(url, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.debug("a request failed", api=self.api.name, reason=str(error))  # whoever still waits is told

    async def _asked(self, asked: _Asked) -> Outcome:
        outcome, kept = await self._requested(asked), asked.kept
        if isinstance(outcome, Failed | Postponed) and kept is not None and kept.serves(self._now_ms(), self.api.stale_ms):
            return self._stale(kept)
        return outcome

    def _stale(self, kept: Kept) -> Done:
        _cached.add(1, "stale")
        return self._reply(kept.answer, self._now_ms() - kept.stored_ms, stale=True)

    def _limit_ms(self, work: Work) -> int:
        """So long the caller waits, where that is told; else as long as one request may take."""
        return work.limit_ms or self.api.timeout_ms

    async def _requested(self, asked: _Asked) -> Outcome:
        """Ask, and for one who waits ask again while the schedule and the call's time allow it: no pause is longer than what is left of it."""
        again = asked.work.waits and self.api.repeatable(asked.request.method)
        number, loop = 0, asyncio.get_running_loop()
        ends = loop.time() + self._limit_ms(asked.work) / 1000
        while True:
            number += 1
            outcome = await self._once(asked)
            delay = self._retries.delay_ms(number) if again else None
            if delay is None or not isinstance(outcome, Failed):
                return outcome
            pause = max(delay, outcome.retry_after_ms) / 1000
            if loop.time() + pause >= ends:
                return outcome
            await asyncio.sleep(pause)

    async def _once(self, asked: _Asked) -> Outcome:
        now = self._now_ms()
        if wait := self.breaker.wait_ms(now):
            _requests.add(1, "held")
            return Postponed(f"the breaker of {self.api.name} is open: {self.breaker.state.reason}", wait)
        if wait := self._bucket.wait_ms(now):
            _requests.add(1, "held")
            return Postponed(f"the rate limit of {self.api.name} is reached", wait)
        sent = Outgoing(
            asked.request.method,
            asked.url,
            self._headers(asked),
            asked.body,
            timeout_s=self.api.timeout_ms / 1000,
            max_bytes=self.api.max_bytes,
        )
        answer = await self._outside.send(sent)
        now = self._now_ms()
        match answer:
            case AddressRefused(why):
                _requests.add(1, "give_up")
                return GivenUp(why, code=403)
            case NotReached(why):
                _requests.add(1, "retry")
                self._share(self.breaker.failed(now, why))
                return Failed(why)
            case Answered():
                return self._answered(answer, asked, now)

    def _headers(self, asked: _Asked) -> dict[str, str]:
        headers = {"accept": "application/json", **{name: self._reveal(value) for name, value in self.api.headers.items()}}
        if asked.body is not None:
            headers["content-type"] = "application/json"
        if self.api.idempotency_header:
            headers[self.api.idempotency_header] = asked.work.key
        if asked.kept is not None and (etag := asked.kept.answer.headers.get("etag")):
            headers["if-none-match"] = etag
        return headers

    def _answered(self, answer: Answered, asked: _Asked, now: int) -> Outcome:
        status, kept = answer.status, asked.kept
        if status == NOT_MODIFIED and kept is not None:
            self._share(self.breaker.succeeded(now))
            _cached.add(1, "confirmed")
            self._cache.confirmed(asked.url, kept, answer, self.api, now)
            return self._reply(kept.answer, 0)
        verdict = of_api(status)
        _requests.add(1, verdict)
        if verdict == "retry":
            self._share(self.breaker.failed(now, str(status)))
            return Failed(answer.note, status, answer.retry_after_ms(now))
        self._share(self.breaker.succeeded(now))
        if verdict == "give_up":
            return GivenUp(answer.note, status, code=status if 400 <= status < 500 else BAD_GATEWAY)
        if len(answer.body) > self.api.max_bytes:
            return GivenUp(f"{status}: the answer has more than {self.api.max_bytes} bytes", status, code=BAD_GATEWAY)
        if answer.cut:
            return Failed(f"{status}: the answer broke off", status)
        if asked.request.method == "GET":
            self._cache.store(asked.url, answer, self.api, now)
        return self._reply(answer, 0)

    def _reply(self, answer: Answered, age_ms: int, *, stale: bool = False) -> Done:
        reply = HttpReply(status=answer.status, data=data_of(answer), stale=stale, age_ms=age_ms)
        return Done(str(answer.status), answer.status, self._operation.result(reply))

    def _share(self, state: BreakerState | None) -> None:
        if state is not None:
            _transitions.add(1, state.state)
            log.warning("a breaker changed", api=self.api.name, state=state.state, reason=state.reason)
            self._breakers.share(CONNECTOR, self.api.name, state)


class ApisConnector:
    """All declared APIs."""

    def __init__(self, apis: Mapping[str, ApiOperation]) -> None:
        self._apis = apis
        _counters.gauges("breaker.open", "1 while the breaker of an API is open", self._open, label="api")

    def operations(self) -> Mapping[str, Operation]:
        """By name."""
        return {name: api.run for name, api in self._apis.items()}

    def destination(self, work: Work) -> str:
        """The API."""
        return work.op

    def heard(self, api: str, state: BreakerState | None) -> None:
        """What a process shared about an API."""
        if found := self._apis.get(api):
            found.breaker.heard(state)

    def _open(self) -> Mapping[str, float]:
        return {name: float(api.breaker.is_open) for name, api in self._apis.items()}
