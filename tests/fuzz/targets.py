"""What is fed any bytes: each target understands them or refuses them by the error that it names, and raises nothing else."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec

from causeway_common.contracts.errors import CausewayError
from causeway_gateway.adapters import rfc6455
from causeway_gateway.adapters.emulation import decode_json
from causeway_gateway.adapters.forwarded import Proxies, claims, may_claim, proxy_header
from causeway_gateway.adapters.origins import origin_allowed
from causeway_gateway.domain import delta, filters
from causeway_gateway.domain import protocol as p
from causeway_gateway.domain.frames import causeway_client_pb2 as pb
from causeway_gateway.domain.frames import json as json_frames
from causeway_gateway.domain.frames import protobuf
from causeway_gateway.domain.tokens import Expired, Granted, Invalid
from unit.gateway.fakes import token, tokens

Target = Callable[[bytes], None]
MESSAGE_MAX = 4096

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


def frames_target(data: bytes) -> None:
    """The first byte says into what pieces the rest is cut, and whether compression was agreed upon."""
    size, deflate = 1 + (data[0] & 0x7F if data else 0), bool(data and data[0] & 0x80)
    reader = rfc6455.FrameReader(MESSAGE_MAX, deflate=deflate)
    with suppress(rfc6455.Violation):
        for at in range(1, len(data), size):
            reader.feed(data[at : at + size])
            while (frame := reader.next()) is not None:
                assert len(frame[1]) <= MESSAGE_MAX * (rfc6455.INFLATE_FACTOR if deflate else 1)
                if frame[0] == rfc6455.CLOSE:
                    rfc6455.close_code(frame[1])


def heads_target(data: bytes) -> None:
    """What stands at a connection's start and in the headers that say where it comes from."""
    assert not (claims(data) and may_claim(data))
    with suppress(ValueError):
        header = proxy_header(data)
        if header is not None:
            assert header.size <= len(data)
            if header.address:
                ipaddress.ip_address(header.address)
    text = data.decode("utf-8", "surrogateescape")
    for proxies in (Proxies(["127.0.0.0/8", "::1"]), Proxies([])):
        ipaddress.ip_address(proxies.client("127.0.0.1", text.split("\n")))
    assert origin_allowed(text, "example.org", ["https://*.example.org", text]) in (True, False)


def bodies_target(data: bytes) -> None:
    """What streams and clients that only listen begin with, and the uplink of emulated ones."""
    with suppress(p.ProtocolError):
        assert json_frames.decode_connect(data)[0].connect is not None
    with suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        assert all(isinstance(part, str | bytes) for part in decode_json(data))


def masked(payload: bytes, first: int = 0x81) -> bytes:
    """A frame of a client, its mask all zeros."""
    size = len(payload)
    head = bytes((first, 0x80 | size)) if size < 126 else bytes((first, 0xFE)) + size.to_bytes(2)
    return head + bytes(4) + payload


FRAME_SEEDS = [
    b"\x7f" + masked(JSON_SEEDS[0]) + masked(b"{}") + masked(b"x", 0x89) + masked(b"\x03\xe8bye", 0x88),
    b"\x05" + masked(b"ab", 0x01) + masked(b"cd", 0x00) + masked(b"ef", 0x80),
    b"\xff" + masked(b"\xaaV*\xca/*I,IU\xb2R*I-.Q\xaa\x05\x00", 0xC1),
]
HEAD_SEEDS = [
    b"PROXY TCP4 203.0.113.9 10.0.0.1 1 2\r\nGET / HTTP/1.1\r\n",
    b"PROXY UNKNOWN\r\n",
    b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c" + bytes(12),
    b"\r\n\r\n\x00\r\nQUIT\n\x21\x21\x00\x24" + bytes(36),
    b"203.0.113.1, 10.0.0.1:443, [2001:db8::1]:80\n::ffff:127.0.0.1, 127.0.0.2",
    b"https://app.example.org",
]
BODY_SEEDS = [
    json.dumps({"token": "a.b.c", "data": {"a": 1}, "subs": {"news:a": {"recover": True}}, "headers": {"a": "b"}}).encode(),
    b"null",
    json.dumps({"node": "n1", "session": "s", "data": "{}\n{}"}).encode(),
]
TARGETS: dict[str, tuple[Target, list[bytes]]] = {
    "the JSON codec": (json_target, JSON_SEEDS),
    "the Protobuf codec": (protobuf_target, PROTOBUF_SEEDS),
    "WebSocket frames": (frames_target, FRAME_SEEDS),
    "heads and addresses": (heads_target, HEAD_SEEDS),
    "bodies": (bodies_target, BODY_SEEDS),
    "tags filters": (filter_target, FILTERS),
    "fossil deltas": (delta_target, [BASE, BASE[:50], delta.create(BASE, BASE + b"x") or b""]),
    "tokens": (token_target, [token("ann").encode(), token("ann", subs={"a": {"info": 1}}, exp=5).encode()]),
}
