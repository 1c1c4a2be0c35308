"""Any bytes: what decodes them either understands or refuses them, by the error it names, and never anything else.

Each target is fed mutations of good inputs for `--fuzz-seconds` (20 in `make test`, 600 in `make soak`); the seed is printed and can be given again.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from causeway_common.contracts.errors import CausewayError
from causeway_gateway.domain import delta, filters
from causeway_gateway.domain import protocol as p
from causeway_gateway.domain.frames import causeway_client_pb2 as pb
from causeway_gateway.domain.frames import json as json_frames
from causeway_gateway.domain.frames import protobuf
from causeway_gateway.domain.tokens import Expired, Granted, Invalid
from unit.gateway.fakes import LIMITED, Gateway, token, tokens

Target = Callable[[bytes], None]

COMMANDS: list[dict[str, Any]] = [
    {"id": 1, "connect": {"token": "a.b.c", "data": {"a": 1}, "subs": {"news:a": {"recover": True, "offset": 3, "epoch": "e"}}}},
    {
        "id": 2,
        "subscribe": {
            "channel": "news:a",
            "recover": True,
            "delta": "fossil",
            "tf": {"op": "and", "nodes": [{"key": "a", "cmp": "eq", "val": "b"}]},
        },
    },
    {"id": 3, "publish": {"channel": "open:a", "data": {"text": "ä \\ud800 \\n"}}},
    {
        "id": 4,
        "history": {"channel": "news:a", "limit": -1, "since": {"offset": 18446744073709551615, "epoch": "e"}, "reverse": True},
    },
    {"id": 5, "rpc": {"method": "chat.send", "data": [1, 2.5, None, True, 1e400]}},
    {"id": 6, "presence": {"channel": "room:a"}},
    {"id": 7, "unsubscribe": {"channel": "news:a"}},
    {"send": {"data": 1}},
    {},
]
JSON_SEEDS = [json.dumps(each).encode() for each in COMMANDS] + [b"\n".join(json.dumps(each).encode() for each in COMMANDS)]
FILTERS = [json.dumps(each["subscribe"]["tf"]).encode() for each in COMMANDS if "subscribe" in each]


def framed(command: dict[str, Any]) -> bytes:
    """A command as Protobuf."""
    message = pb.Command(id=command.get("id", 0))
    for name, request in command.items():
        if name == "id":
            continue
        part = getattr(message, name)
        part.SetInParent()
        for field, value in request.items():
            if isinstance(value, str) and field != "data":
                setattr(part, field, value)
            elif field == "data":
                part.data = json.dumps(value).encode()
    body = message.SerializeToString()
    return bytes([len(body) & 0x7F]) + body if len(body) < 128 else bytes([len(body) & 0x7F | 0x80, len(body) >> 7]) + body


PROTOBUF_SEEDS = [framed(each) for each in COMMANDS]
BASE = b'{"a document":"long enough to be patched","lines":[1,2,3,4,5,6,7,8,9]}' * 3


def json_target(data: bytes) -> None:
    try:
        commands = json_frames.decode(data)
    except p.ProtocolError:
        return
    for command in commands:
        if command.publish is not None and (payload := p.payload_bytes(command.publish.data)) is not None:
            assert b"\n" not in json_frames.encode(p.Reply(push=p.Push(channel="a", pub=p.Publication(data=p.Raw(payload)))))


def protobuf_target(data: bytes) -> None:
    with suppress(p.ProtocolError):
        protobuf.decode(data)
    with suppress(p.ProtocolError):
        protobuf.decode_emulation(data)


def filter_target(data: bytes) -> None:
    try:
        commands = json_frames.decode(b'{"id":1,"subscribe":{"channel":"a","tf":' + data.replace(b"\n", b" ") + b"}}")
        node = commands[0].subscribe.tf if commands[0].subscribe else None
        if node is not None:
            accepts = filters.compile(node)
            for tags in (None, {}, {"a": "b"}, {"a": "1e5"}, {"": "nan"}):
                assert accepts(tags) in (True, False)
    except (p.ProtocolError, CausewayError):
        pass


def delta_target(data: bytes) -> None:
    patch = delta.create(BASE, data)
    if patch is not None:
        assert len(patch) < len(data)
        assert delta.apply(BASE, patch) == data
    with suppress(ValueError):
        delta.apply(BASE, data)


TOKENS = tokens()


def token_target(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    for verdict in (TOKENS.verify(text, 1), TOKENS.verify_subscription(text, 1)):
        assert verdict is not None
        assert isinstance(verdict, Granted | Expired | Invalid) or hasattr(verdict, "channel")


TARGETS: dict[str, tuple[Target, list[bytes]]] = {
    "the JSON codec": (json_target, JSON_SEEDS),
    "the Protobuf codec": (protobuf_target, PROTOBUF_SEEDS),
    "tags filters": (filter_target, FILTERS),
    "fossil deltas": (delta_target, [BASE, BASE[:50], delta.create(BASE, BASE + b"x") or b""]),
    "tokens": (token_target, [token("ann").encode(), token("ann", subs={"a": {"info": 1}}, exp=5).encode()]),
}
API_SEEDS = {
    "publish": b'{"channel":"news:a","data":{"a":1},"tags":{"a":"b"},"idempotency_key":"k","version":3,"delta":true}',
    "broadcast": b'{"channels":["news:a","open:b"],"b64data":"eyJhIjoxfQ=="}',
    "subscribe": b'{"user":"ann","channel":"open:a","recover_since":{"offset":1,"epoch":"e"},"override":{"presence":{"value":true}}}',
    "disconnect": b'{"user":"ann","whitelist":["c"],"disconnect":{"code":4001,"reason":"x"}}',
    "history": b'{"channel":"news:a","limit":-1,"since":{"offset":1,"epoch":"e1"},"reverse":true}',
    "batch": b'{"commands":[{"publish":{"channel":"news:a","data":1}},{"info":{}}],"parallel":true}',
    "revoke": b'{"jti":"j","expire_at":5}',
    "info": b"{}",
}


class Mutator:
    """Changes good inputs a little, or a lot."""

    def __init__(self, seeds: list[bytes], seed: int) -> None:
        self._seeds, self._random = seeds, random.Random(seed)

    def next(self) -> bytes:
        choose = self._random
        data = bytearray(choose.choice(self._seeds))
        for _ in range(choose.choice((1, 1, 2, 3, 8))):
            at = choose.randrange(len(data) + 1)
            match choose.randrange(7):
                case 0 if data:
                    data[at % len(data)] ^= 1 << choose.randrange(8)
                case 1:
                    data[at:at] = choose.randbytes(choose.choice((1, 2, 4, 16)))
                case 2:
                    del data[at : at + choose.choice((1, 2, 8, 64))]
                case 3:
                    data[at:at] = choose.choice(
                        (b'"', b"{", b"[" * 200, b"\\ud800", b"\xff\xff\xff\xff\x0f", b"\n", b"-1", b"1e999", b"\x00")
                    )
                case 4:
                    other = choose.choice(self._seeds)
                    data[at:at] = other[choose.randrange(len(other) + 1) :]
                case 5 if data:
                    data[at % len(data)] = choose.randrange(256)
                case _:
                    data = data[:at] * choose.choice((1, 2, 3))
        return bytes(data[:65_536])


@pytest.fixture
def seconds(request: pytest.FixtureRequest) -> float:
    return float(request.config.getoption("--fuzz-seconds"))


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", TARGETS)
def test_any_bytes_are_understood_or_refused(name: str, seconds: float) -> None:
    target, seeds = TARGETS[name]
    seed = random.randrange(2**32)
    mutator, count, stop = Mutator(seeds, seed), 0, time.monotonic() + seconds
    while time.monotonic() < stop:
        for _ in range(100):
            data = mutator.next()
            try:
                target(data)
            except Exception as error:
                raise AssertionError(f"{name}, seed {seed}: {data!r}") from error
        count += 100
    print(f"{name}: {count} inputs, seed {seed}")


@pytest.mark.timeout(900)
async def test_any_body_of_the_server_api_has_an_answer(seconds: float) -> None:
    seed = random.randrange(2**32)
    methods, count = list(API_SEEDS), 0
    async with Gateway() as gateway:
        mutators = {method: Mutator([body], seed) for method, body in API_SEEDS.items()}
        stop = time.monotonic() + seconds
        while time.monotonic() < stop:
            for method in methods:
                data = mutators[method].next()
                try:
                    answer = await gateway.api.handle(
                        method, data, LIMITED if count % 3 == 0 else gateway.caller, transport_errors=count % 2 == 0
                    )
                    assert b'"code":100' not in answer.body, "an internal error"
                    json.loads(answer.body)
                except ValueError:
                    pass  # what cannot be decoded is 400
                except Exception as error:
                    raise AssertionError(f"{method}, seed {seed}: {data!r}") from error
                count += 1
            await asyncio.sleep(0)
    print(f"the server API: {count} bodies, seed {seed}")
