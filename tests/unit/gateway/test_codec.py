"""The JSON codec and the WebSocket frames: golden cases of the protocol, and bytes of any kind."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causeway_common.contracts.codec import json_value
from causeway_common.contracts.messages import ClientInfo, FeedPublication
from causeway_gateway.domain import protocol as p
from causeway_gateway.domain.frames import protobuf
from causeway_gateway.domain.frames.json import decode, encode, replace_lone_surrogates
from causeway_gateway.domain.frames.websocket import text_frame


def test_a_frame_holds_one_command_a_line_and_tolerates_one_newline_at_its_end() -> None:
    commands = decode(b'{"id":1,"connect":{"token":"t"}}\n{"id":2,"subscribe":{"channel":"a"}}\n')

    assert [command.id for command in commands] == [1, 2]
    assert commands[0].connect == p.ConnectRequest(token="t")
    assert commands[1].subscribe == p.SubscribeRequest(channel="a")


@pytest.mark.parametrize(
    "frame",
    [
        *(b"", b"\n", b"{}\n\n{}", b"null", b"[]", b"1", b'{"id":', b'{"id":"1"}', b'{"id":-1}', b'{"id":4294967296}', b"{}x"),
        *(b'{"rpc":{"data":\xff}}', b'{"rpc":{"data":"\xff"}}', b'{"rpc":{"data":nul}}', b"[" * 100_000),
        b'{"rpc":{"data":' + b"[" * 60_000 + b"]" * 60_000 + b"}}",
        *(b'{"rpc":{"data":"\\ud800}}', b'{"subscribe":{"offset":-1}}', b'{"subscribe":{"channel":1}}'),
    ],
)
def test_what_is_no_frame_is_a_protocol_error(frame: bytes) -> None:
    with pytest.raises(p.ProtocolError):
        decode(frame)


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_any_bytes_are_commands_or_a_protocol_error(frame: bytes) -> None:
    try:
        commands = decode(frame)
    except p.ProtocolError:
        return
    assert all(isinstance(command, p.Command) for command in commands)


@pytest.mark.parametrize(
    "data",
    [b'{"a" : 9007199254740993}', '"\u00e4\u4e16\U0001f600"'.encode(), b'"\\ud83d\\ude00"', b"1e999", b'{"b":1,"b":2}', b"null"],
)
def test_a_payload_passes_byte_for_byte(data: bytes) -> None:
    (command,) = decode(b'{"id":1,"publish":{"channel":"a","data":' + data + b"}}")
    assert command.publish is not None
    assert p.payload_bytes(command.publish.data) == data

    push = encode(p.Reply(push=p.Push(channel="a", pub=p.Publication(data=p.Raw(data)))))

    assert push == b'{"push":{"channel":"a","pub":{"data":' + data + b"}}}"


def test_raw_newlines_are_removed_where_a_payload_enters() -> None:
    data = json_value(b'{\r\n  "a": 1\n}')

    assert data == b'{  "a": 1}'
    assert b"\n" not in encode(p.Reply(push=p.Push(channel="a", pub=p.Publication(data=p.Raw(data)))))


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (p.PING, b"{}"),
        (p.Reply(id=5, publish=p.Empty()), b'{"id":5,"publish":{}}'),
        (p.Reply(id=5, unsubscribe=p.Empty()), b'{"id":5,"unsubscribe":{}}'),
        (p.Reply(id=5, subscribe=p.SubscribeResult()), b'{"id":5,"subscribe":{}}'),
        (
            p.Reply(id=5, history=p.HistoryResult(publications=[], epoch="", offset=0)),
            b'{"id":5,"history":{"publications":[],"epoch":"","offset":0}}',
        ),
        (p.Reply(id=5, error=p.Error(code=103, message="no")), b'{"id":5,"error":{"code":103,"message":"no"}}'),
        (
            p.Reply(push=p.Push(channel="a", pub=p.Publication(data=p.Raw(b"1"), info=p.ClientInfo(user="", client="")))),
            b'{"push":{"channel":"a","pub":{"data":1,"info":{"user":"","client":""}}}}',
        ),
    ],
)
def test_zero_values_are_left_out_but_for_the_protocols_own_list(reply: p.Reply, expected: bytes) -> None:
    assert encode(reply) == expected


def test_a_publication_of_the_bus_is_whole_for_clients() -> None:
    message = FeedPublication(
        channel="a", data=b"1", epoch="e", offset=2**53 + 1, info=ClientInfo(user="u", client="c", conn_info=b"{}"), tags={"k": "v"}
    )

    found = json.loads(encode(p.Reply(push=p.Push(channel="a", pub=p.publication_of(message)))))["push"]["pub"]

    assert found == {"data": 1, "info": {"user": "u", "client": "c", "conn_info": {}}, "offset": 2**53 + 1, "tags": {"k": "v"}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (rb'"\ud800"', rb'"\ufffd"'),
        (rb'"\udc00\ud800"', rb'"\ufffd\ufffd"'),
        (rb'"\ud83d\ude00"', rb'"\ud83d\ude00"'),
        (rb'"\\ud800"', rb'"\\ud800"'),
        (rb'"\\\ud800"', rb'"\\\ufffd"'),
        (rb'"\ud800\ud83d\ude00"', rb'"\ufffd\ud83d\ude00"'),
    ],
)
def test_halves_of_surrogate_pairs_are_replaced_and_nothing_else(text: bytes, expected: bytes) -> None:
    assert replace_lone_surrogates(text) == expected


@given(st.text(st.characters(codec=None), max_size=20))
def test_any_javascript_string_survives_the_mending(text: str) -> None:
    """`st.text` with surrogates is what a browser's string may hold."""
    mended = replace_lone_surrogates(json.dumps(text).encode())

    wanted = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    assert json.loads(mended).count("\ufffd") >= wanted.count("\ufffd") - text.count("\ufffd") - 1
    assert json_value(mended) == mended


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 200_000])
def test_a_text_frame_is_what_rfc_6455_says(size: int) -> None:
    frame = text_frame(b"x" * size)

    assert frame[0] == 0x81
    length = frame[1]
    rest = frame[2:]
    if length == 126:
        length, rest = int.from_bytes(rest[:2], "big"), rest[2:]
    elif length == 127:
        length, rest = int.from_bytes(rest[:8], "big"), rest[8:]
    assert length == size == len(rest)


@pytest.mark.parametrize(("decode_frame", "command", "joint"), [(decode, b"{}", b"\n"), (protobuf.decode, b"\x00", b"")])
def test_a_frame_holds_as_many_commands_as_anybody_has_and_no_more(
    decode_frame: Callable[[bytes], list[p.Command]], command: bytes, joint: bytes
) -> None:
    assert len(decode_frame(joint.join([command] * p.COMMANDS_A_FRAME))) == p.COMMANDS_A_FRAME
    with pytest.raises(p.ProtocolError, match="4096 commands"):
        decode_frame(joint.join([command] * (p.COMMANDS_A_FRAME + 1)))
