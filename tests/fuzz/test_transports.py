"""Any bytes on every transport of a whole gateway, over real sockets: only the protocol's own answers, and nothing is left behind.

Its upstream is the tests' own, so that thousands of connections a second can be tried. Codes, counts and memory are looked at after
each round of connections; a fault of ours would show as 3004, as HTTP 500, as an internal error, or in the loop's exception handler.
"""

from __future__ import annotations

import asyncio
import gc
import json
import random
import re
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import pytest

from bench.frames import CLOSE, frame_at
from causeway_common.contracts.codes import CLOSE_REASONS
from causeway_gateway.adapters.settings import Endpoints, TransportSettings
from causeway_gateway.handlers import metrics
from fuzz.mutate import Mutator
from fuzz.targets import BODY_SEEDS, COMMANDS, FRAME_SEEDS, HEAD_SEEDS, JSON_SEEDS, PROTOBUF_SEEDS, framed, masked
from support.raw import upgrade
from unit.gateway.fakes import API_KEY, Gateway, token

ENDPOINTS = Endpoints(http_stream=True, sse=True, uni_websocket=True, uni_http_stream=True, uni_sse=True)
SETTINGS = TransportSettings(
    endpoints=ENDPOINTS,
    message_max=8192,
    compression=True,
    trusted_proxies=["127.0.0.0/8"],
    proxy_protocol=False,
    header_seconds=0.2,
)
STATUSES = {101, 200, 204, 400, 401, 403, 404, 405, 408, 411, 413, 414, 417, 426, 431, 501, 505}
CLOSES = {1000, 1001, 1002, 1003, 1005, 1007, 1009, *(int(code) for code in CLOSE_REASONS)} - {3004}
A_ROUND = 40
OBJECTS_MAX = 1000
FIRST_SECONDS, PAUSE_SECONDS = 0.1, 0.02
CONNECT: dict[str, Any] = {"id": 1, "connect": {"token": token("ann")}}
Start = Callable[[Mutator], bytes]


def posted(path: str, body: bytes, *headers: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def asked(path: str, connect: bytes) -> bytes:
    return f"GET {path}?cf_connect={quote(connect)} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


def websocket(mutator: Mutator) -> bytes:
    """Honest frames, behind an honest connect: of mutated bytes, or of commands with an odd field."""
    said = b"\n".join(json.dumps(odd(mutator)).encode() for _ in range(4)) if mutator.choose.random() < 0.5 else mutator.next()
    return upgrade() + masked(json.dumps(CONNECT).encode()) + masked(said[:8000])


def protobuf(mutator: Mutator) -> bytes:
    first = framed({"id": 1, "connect": {"token": token("ann")}})
    said = b"".join(framed(odd(mutator, text=True)) for _ in range(4)) if mutator.choose.random() < 0.5 else mutator.next()
    return upgrade(path="/connection/websocket?format=protobuf") + masked(first, 0x82) + masked(said[:8000], 0x82)


ODD_TEXTS = [
    "",
    "open:a",
    "news:a",
    "nowhere:a",
    "open:*",
    "open:a.b>",
    "$open:a",
    "chat:#ann",
    "a" * 300,
    "\x00",
    "\u2028",
    "open:ä",
    "fossil",
]
ODD_VALUES: list[Any] = [*ODD_TEXTS, 0, -1, 2**31, 2**63, 2**64, 1.5, True, None, [], {}, {"op": "not"}, [1], {"a": "b"}]
FIELDS = ["channel", "token", "data", "since", "limit", "offset", "tf", "delta", "subs", "recover", "method"]


def odd(mutator: Mutator, *, text: bool = False) -> dict[str, Any]:
    """A command of which one field is another value than it should be; with `text` one of its texts is another one."""
    choose = mutator.choose
    command: dict[str, Any] = json.loads(json.dumps(choose.choice(COMMANDS[1:7])))
    request = next(value for name, value in command.items() if name != "id")
    field = choose.choice([name for name, value in request.items() if isinstance(value, str)] if text else [*request, *FIELDS])
    request[field] = choose.choice(ODD_TEXTS if text else ODD_VALUES)
    return command


def frames(mutator: Mutator) -> bytes:
    return upgrade("Sec-WebSocket-Extensions: permessage-deflate") + masked(json.dumps(CONNECT).encode()) + mutator.next()


def heads(mutator: Mutator) -> bytes:
    return mutator.next()


def uni_websocket(mutator: Mutator) -> bytes:
    return upgrade(path="/connection/uni_websocket") + masked(mutator.next()[:8000])


REQUESTS = [
    upgrade(f"X-Forwarded-For: {HEAD_SEEDS[4].decode().replace(chr(10), ',')}"),
    posted("/connection/http_stream", JSON_SEEDS[0], "Content-Type: application/octet-stream"),
    b"POST /emulation HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n",
    posted("/api/publish", b'{"channel":"news:a","data":1}', f"X-API-Key: {API_KEY}"),
    b"OPTIONS /connection/sse HTTP/1.1\r\nHost: x\r\nOrigin: http://x\r\n\r\n",
    asked("/connection/sse", json.dumps(CONNECT).encode()),
    *HEAD_SEEDS,
]
STARTS: dict[str, tuple[Start, list[bytes]]] = {
    "websocket": (websocket, JSON_SEEDS),
    "protobuf": (protobuf, PROTOBUF_SEEDS),
    "frames": (frames, [seed[1:] for seed in FRAME_SEEDS]),
    "heads": (heads, REQUESTS),
    "uni_websocket": (uni_websocket, BODY_SEEDS),
    "http_stream": (lambda m: posted("/connection/http_stream", m.next()[:8000]), JSON_SEEDS),
    "sse": (lambda m: asked("/connection/sse", m.next()[:1500]), JSON_SEEDS),
    "uni_http_stream": (lambda m: posted("/connection/uni_http_stream", m.next()[:8000]), BODY_SEEDS),
    "uni_sse": (lambda m: asked("/connection/uni_sse", m.next()[:1500]), BODY_SEEDS),
    "emulation": (lambda m: posted("/emulation", m.next()[:8000]), BODY_SEEDS),
    "api": (lambda m: posted("/api/batch", m.next()[:8000], f"X-API-Key: {API_KEY}"), [b'{"commands":[{"info":{}}]}']),
}


class Round:
    """Connections of one start each, and what they were answered."""

    def __init__(self, gateway: Gateway, outcomes: Counter[str]) -> None:
        self._gateway, self._outcomes = gateway, outcomes

    async def one(self, name: str, said: bytes) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._gateway.port)
        try:
            writer.write(said)
            answer = await self._some(reader)
        finally:
            writer.transport.abort()
        self._judge(name, said, answer)

    async def _some(self, reader: asyncio.StreamReader) -> bytes:
        """What comes until the gateway hangs up, or has nothing more to say."""
        answer = b""
        with suppress(TimeoutError, ConnectionError):
            while data := await asyncio.wait_for(reader.read(65_536), PAUSE_SECONDS if answer else FIRST_SECONDS):
                answer += data
        return answer

    def _judge(self, name: str, said: bytes, answer: bytes) -> None:
        if not answer:
            self._outcomes[f"{name}: nothing"] += 1
            return
        head, _, body = answer.partition(b"\r\n\r\n")
        status = re.match(rb"HTTP/\d\.\d (\d{3}) ", head)
        assert status is not None, (name, said, answer)
        code = int(status[1])
        assert code in STATUSES, (name, said, answer)
        self._outcomes[f"{name}: {code}"] += 1
        ended = close_code(body) if code == 101 else disconnect_code(body)
        if ended is not None:
            self._outcomes[f"{name}: closed {ended}"] += 1
            assert ended in CLOSES, (name, said, answer)


def close_code(stream: bytes) -> int | None:
    """The code of the last close frame; None without one."""
    at, code = 0, None
    while (found := frame_at(stream, at)) is not None:
        start, end = found
        if stream[at] & 0x0F == CLOSE:
            code = int.from_bytes(stream[start : start + 2]) or 1005
        at = end
    return code


def disconnect_code(stream: bytes) -> int | None:
    """The code of a stream's disconnect push; None without one."""
    told = re.search(rb'"disconnect":\{"code":(\d+)', stream)
    return int(told[1]) if told else None


@pytest.mark.timeout(3600)
async def test_any_bytes_on_any_transport_have_the_protocols_answer_and_leave_nothing_behind(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = float(request.config.getoption("--fuzz-seconds"))
    seed = random.randrange(2**31)
    choose, outcomes, faults = random.Random(seed), Counter[str](), list[Any]()
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: faults.append(context))
    mutators = {name: Mutator(seeds, seed + number) for number, (name, (_, seeds)) in enumerate(STARTS.items())}
    counters = (metrics.closes, "3004"), (metrics.errors, "internal")
    before = [counter.value(label) for counter, label in counters]
    rounds = warm = at_first = 0
    monkeypatch.setattr("causeway_gateway.adapters.wire.CLOSE_SECONDS", 0.2)
    monkeypatch.setattr("causeway_gateway.handlers.feeds.GRACE_MS", 200)
    async with Gateway(transports=SETTINGS, ping_interval=0, stale_delay=500) as gateway:
        stop = time.monotonic() + seconds
        while time.monotonic() < stop or not rounds:
            round_ = Round(gateway, outcomes)
            names = choose.choices(list(STARTS), k=A_ROUND)
            await asyncio.gather(*(round_.one(name, STARTS[name][0](mutators[name])) for name in names))
            await left(gateway)
            assert not faults, (seed, faults)
            assert [counter.value(label) for counter, label in counters] == before, f"seed {seed}: an internal error"
            rounds += 1
            if not at_first and time.monotonic() > stop - seconds / 2:  # caches are filled
                warm, at_first = rounds, await objects(gateway)
        grown = await objects(gateway) - at_first
        print(f"{rounds * A_ROUND} connections, seed {seed}: {dict(sorted(outcomes.items()))}")
        print(f"{grown} objects more after {(rounds - warm) * A_ROUND} of them")
        assert grown < OBJECTS_MAX + (rounds - warm) * A_ROUND / 10, f"seed {seed}: objects stay behind"


async def left(gateway: Gateway) -> None:
    """Wait until every connection of a round has left all that the gateway holds of connections."""

    def held() -> dict[str, int]:
        wires, doorways = gateway.server._wires, gateway.server._doorways
        assert doorways is not None
        registry = gateway.registry
        return {
            "connections": len(wires),
            "counted by limits": wires.limits._count,
            "doorways": len(doorways._waiting),
            "clients": len(registry),
            "users": registry.num_users,
            "sessions": len(registry._sessions),
            "subscriptions": gateway.feeds.subscriptions,
        }

    try:
        async with asyncio.timeout(10):
            while any(held().values()) or gateway.tasks._tasks:
                await asyncio.sleep(0.002)
    except TimeoutError:
        raise AssertionError(f"left behind: {held()}, {gateway.tasks._tasks}") from None


async def objects(gateway: Gateway) -> int:
    """Objects that the garbage collector knows of, once the last times of what is gone are over: of closes, timers and graces."""
    async with asyncio.timeout(10):
        while gateway.server._wires._closing or gateway.timers._wheel._buckets or gateway.feeds.channels:
            await asyncio.sleep(0.01)
    gc.collect()
    return len(gc.get_objects())
