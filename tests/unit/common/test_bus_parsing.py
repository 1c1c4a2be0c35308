"""The NATS protocol as it comes from the socket: whole messages, whatever the pieces."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nats.errors import ProtocolError

from causeway_common.bus import envelope
from causeway_common.bus.client import header_block
from causeway_common.bus.parsing import DirectParser

Message = tuple[int, bytes, bytes, bytes, bytes]


class Client:
    """What nats-py's parser calls for all that is no message."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    async def _process_ping(self) -> None:
        self.told.append("PING")

    async def _process_pong(self) -> None:
        self.told.append("PONG")

    async def _process_info(self, info: dict[str, Any]) -> None:
        self.told.append(info)

    async def _process_err(self, error: str) -> None:
        self.told.append(error)


def parser() -> tuple[DirectParser, Client, list[Message]]:
    client, got = Client(), list[Message]()
    return DirectParser(client, lambda *message: got.append(message)), client, got


def wire(message: Message) -> bytes:
    number, subject, reply, body, block = message
    line = b" ".join(part for part in (subject, b"%d" % number, reply) if part)
    if block:
        return b"HMSG %b %d %d\r\n%b%b\r\n" % (line, len(block), len(block) + len(body), block, body)
    return b"MSG %b %d\r\n%b\r\n" % (line, len(body), body)


messages = st.tuples(
    st.integers(1, 10**6),
    st.sampled_from([b"a", b"cw.v1.feed.l.x", b"_INBOX.x.1"]),
    st.sampled_from([b"", b"_INBOX.r.7"]),
    st.binary(max_size=80) | st.sampled_from([b"\r\nMSG a 1 0\r\n", b"PING\r\n"]),
    st.sampled_from([b"", b"NATS/1.0\r\n\r\n", b"NATS/1.0 503\r\n\r\n", b"NATS/1.0\r\nCw-Id: 1\r\n\r\n"]),
)
others = st.sampled_from([(b"PING\r\n", "PING"), (b"PONG\r\n", "PONG"), (b"+OK\r\n", None), (b'INFO {"a": 1}\r\n', {"a": 1})])


@given(st.lists(messages | others, max_size=12), st.lists(st.integers(1, 60), max_size=40))
async def test_every_message_comes_once_whole_and_in_order_however_the_stream_is_cut(stream: list[Any], pieces: list[int]) -> None:
    found, client, got = parser()
    data = b"".join(each[0] if isinstance(each[0], bytes) else wire(each) for each in stream)
    for size in pieces:
        await found.parse(data[:size])
        data = data[size:]
    await found.parse(data)

    assert got == [each for each in stream if len(each) == 5]
    assert client.told == [each[1] for each in stream if len(each) == 2 and each[1] is not None]


async def test_a_large_message_is_joined_once() -> None:
    found, _, got = parser()
    message = (1, b"a", b"", b"x" * 1_000_000, b"")
    data = wire(message)
    for at in range(0, len(data), 32_768):
        await found.parse(data[at : at + 32_768])

    assert got == [message]


async def test_what_is_left_of_an_old_connection_is_not_read_as_the_new_ones() -> None:
    found, _, got = parser()
    await found.parse(b"MSG a 1 100\r\nhalf of it")
    found.reset()
    await found.parse(b"MSG b 2 1\r\nx\r\n")

    assert got == [(2, b"b", b"", b"x", b"")]


@pytest.mark.parametrize("line", [b"MSG a 1 many\r\n", b"MSG a\r\n", b"HMSG a 1 x 3\r\n", b"MSG a one 1\r\n"])
async def test_a_malformed_line_is_a_protocol_error(line: bytes) -> None:
    with pytest.raises(ProtocolError):
        await parser()[0].parse(line)


TRACEPARENT = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"


@pytest.mark.parametrize("traceparent", ["", TRACEPARENT])
@pytest.mark.parametrize("message_id", ["", "o:commit:1", "k:with a space and ü"])
def test_an_envelope_is_read_as_it_was_written(traceparent: str, message_id: str) -> None:
    assert envelope.read(envelope.written(3999, traceparent, message_id)) == (3999, traceparent, message_id)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, (None, "", "")),
        ({"Other": "x", "Cw-Id": "1"}, (None, "", "1")),
        ({"Cw-Id": "1", "Cw-Deadline-Ms": "5", "traceparent": TRACEPARENT}, (5, TRACEPARENT, "1")),
        ({"Cw-Deadline-Ms": "-5"}, (None, "", "")),
        ({"Cw-Deadline-Ms": "9" * 5000}, (None, "", "")),
        ({"Cw-Deadline-Ms": "٣"}, (None, "", "")),
    ],
)
def test_an_envelope_of_anybody_else_is_read_too(headers: dict[str, str], expected: tuple[int | None, str, str]) -> None:
    assert envelope.read(header_block(headers)) == expected


def test_no_headers_are_an_empty_envelope() -> None:
    assert envelope.read(b"") == (None, "", "")
