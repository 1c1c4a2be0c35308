"""Bare NATS requesters: what a question costs its asker is kept small, so that the figures are those of who answers.

A socket, NATS's own lines, and headers as `causeway_common.bus` sends them. Each caller has one question under way; every answer is
checked.
"""

from __future__ import annotations

import asyncio
import json
import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from bench.load import WrongError
from causeway_common.bus.envelope import written
from causeway_common.runtime import TelemetrySettings

DEADLINE_SECONDS: Final = 4.0
FAULTS_MAX: Final = 20
AT_ONCE: Final = 32
_random: Final = random.Random(1)


@dataclass(frozen=True, slots=True)
class Question:
    """One request: where to, what, its id ("": none), how many seconds from now, and in which trace ("": as a gateway samples them)."""

    subject: str
    body: bytes
    id: str = ""
    after: float = 0.0
    trace: str = ""


Ask = Callable[[int, int], Question]
"""The question of a caller: (caller, its how many-eth)."""
Check = Callable[[int, int, bytes], str]
"""What is wrong with the answer to it ("" for nothing)."""


def traced(sampled: bool | None = None) -> str:
    """A `traceparent` as a gateway makes it; sampled as often as by default where it is not said."""
    if sampled is None:
        sampled = _random.random() < TelemetrySettings().sample_ratio
    return f"00-{_random.getrandbits(128) | 1:032x}-{_random.getrandbits(64) | 1:016x}-{int(sampled):02}"


@dataclass(slots=True)
class Asked:
    """What a load came to: how many were answered, and the seconds each took, by caller."""

    elapsed: float = 0.0
    count: int = 0
    times: list[list[float]] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        """Answers a second."""
        return self.count / self.elapsed


class Requesters(asyncio.Protocol):
    """One NATS connection with `count` callers. `connect` first; a load at a time."""

    def __init__(self) -> None:
        self._rest = b""
        self._inbox = f"_INBOX.bench.{_random.getrandbits(48):x}"
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._faults: list[str] = []
        self._out: list[bytes] = []

    @classmethod
    async def connect(cls, url: str) -> Requesters:
        """Connected and subscribed to its inbox."""
        where = urlsplit(url)
        _, requesters = await asyncio.get_running_loop().create_connection(cls, where.hostname or "127.0.0.1", where.port or 4222)
        await asyncio.wait_for(requesters._ready, DEADLINE_SECONDS)
        return requesters

    def close(self) -> None:
        """Leave."""
        self._transport.close()

    async def load(self, callers: int, ask: Ask, check: Check, *, seconds: float = 0.0, each: int = 0) -> Asked:
        """Every caller asks one question after the other, for `seconds` or `each` times.

        Raises:
            WrongError: an answer was missing or wrong.
        """
        self._ask, self._check, self._limit = ask, check, each or math.inf
        self._numbers, self._began = [-1] * callers, [0.0] * callers
        self._asked = Asked(times=[[] for _ in range(callers)])
        self._busy, self._done = callers, asyncio.get_running_loop().create_future()
        started = time.perf_counter()
        self._stop = started + seconds if seconds else float("inf")
        for caller in range(callers):
            self._next(caller)
        self._flush()
        try:
            await asyncio.wait_for(self._done, seconds + 60)
        except TimeoutError:
            self._faults.append(f"{self._busy} callers have no answer")
        if self._faults:
            raise WrongError("\n".join(self._faults[:FAULTS_MAX]))
        self._asked.elapsed = time.perf_counter() - started
        return self._asked

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        options = {"verbose": False, "pedantic": False, "lang": "python", "version": "0", "protocol": 1, "headers": True}
        options |= {"no_responders": True, "name": "bench"}
        transport.write(b"CONNECT %s\r\nSUB %s.* 1\r\nPING\r\n" % (json.dumps(options).encode(), self._inbox.encode()))  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        buffer, at = self._rest + data, 0
        while (end := buffer.find(b"\r\n", at)) >= 0:
            head, start = buffer[at:end], end + 2
            if head.startswith((b"MSG ", b"HMSG ")):
                words = head.split(b" ")
                size = int(words[-1])
                if len(buffer) < start + size + 2:
                    break
                block = int(words[-2]) if head.startswith(b"H") else 0
                self._answered(
                    int(words[1].rsplit(b".", 1)[-1]), buffer[start : start + block], buffer[start + block : start + size]
                )
                at = start + size + 2
                continue
            at = start
            if head == b"PONG" and not self._ready.done():
                self._ready.set_result(None)
            elif head == b"PING":
                self._transport.write(b"PONG\r\n")
            elif head.startswith(b"-ERR"):
                self._faults.append(head.decode())
        self._rest = buffer[at:]
        self._flush()

    def _answered(self, caller: int, block: bytes, body: bytes) -> None:
        number = self._numbers[caller]
        self._asked.times[caller].append(time.perf_counter() - self._began[caller])
        refused = block.startswith(b"NATS/1.0 ") or b"Nats-Service-Error-Code" in block
        fault = f"{block!r} {body!r}" if refused else self._check(caller, number, body)
        if fault:
            self._faults.append(f"caller {caller}, question {number}: {fault}")
        self._asked.count += 1
        self._next(caller)

    def _next(self, caller: int) -> None:
        number = self._numbers[caller] + 1
        now = time.perf_counter()
        if now >= self._stop or number == self._limit or self._faults:
            self._busy -= 1
            if not self._busy and not self._done.done():
                self._done.set_result(None)
            return
        question = self._ask(caller, number)
        self._numbers[caller] = number
        if question.after:
            asyncio.get_running_loop().call_later(question.after, self._late, caller, question)
        else:
            self._put(caller, question)

    def _late(self, caller: int, question: Question) -> None:
        self._put(caller, question)
        self._flush()

    def _put(self, caller: int, question: Question) -> None:
        self._began[caller] = time.perf_counter()
        headers = written(4000, question.trace or traced(), question.id)
        line = f"HPUB {question.subject} {self._inbox}.{caller} {len(headers)} {len(headers) + len(question.body)}\r\n".encode()
        self._out.append(b"%b%b%b\r\n" % (line, headers, question.body))
        if len(self._out) == AT_ONCE:  # whoever answers need not wait until all are asked
            self._flush()

    def _flush(self) -> None:
        if self._out:
            self._transport.write(b"".join(self._out))
            self._out.clear()
