"""The frame reader against the published library as the other end, and against everything that RFC 6455 forbids."""

from __future__ import annotations

import contextlib
import itertools
import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from causeway_gateway.adapters import rfc6455
from causeway_gateway.adapters.rfc6455 import PART, FrameReader, Violation
from unit.gateway.transports.harness import masked


def read(
    data: bytes, *, max_size: int = 1 << 20, cuts: list[int] | None = None, deflate: bool = False, as_the_wire_does: bool = True
) -> list[tuple[int, bytes]]:
    """What a reader makes of the bytes, arriving in pieces cut at `cuts`; as the wire does, a piece that is a message takes the short way."""
    reader, found = FrameReader(max_size, deflate=deflate), []
    edges = [0, *sorted({cut % (len(data) + 1) for cut in cuts or []}), len(data)]
    for start, end in itertools.pairwise(edges):
        if as_the_wire_does and (frame := reader.single(data[start:end])) is not None:
            found.append(frame)
            continue
        reader.feed(data[start:end])
        while (frame := reader.next()) is not None:
            if frame is not PART:
                found.append(frame)
    return found


def code_of(data: bytes, *, max_size: int = 1 << 20, deflate: bool = False) -> int:
    with pytest.raises(Violation) as violation:
        read(data, max_size=max_size, deflate=deflate)
    return violation.value.code


TEXTS = st.text(max_size=400).map(lambda text: (Opcode.TEXT, text.encode()))
BLOBS = st.one_of(st.binary(max_size=400), st.binary(min_size=60_000, max_size=70_000)).map(lambda data: (Opcode.BINARY, data))
CONTROLS = st.tuples(st.sampled_from([Opcode.PING, Opcode.PONG]), st.binary(max_size=125))


@settings(suppress_health_check=[HealthCheck.too_slow])  # how fast inputs are made says nothing, on a machine with other work
@given(st.lists(st.one_of(TEXTS, BLOBS, CONTROLS), max_size=6), st.lists(st.integers(0, 1 << 20), max_size=8), st.data())
def test_what_the_library_writes_is_read_however_it_is_cut_and_fragmented(
    messages: list[tuple[Opcode, bytes]], cuts: list[int], data: st.DataObject
) -> None:
    wire = b""
    expected: list[tuple[int, bytes]] = []
    for opcode, payload in messages:
        if opcode in (Opcode.PING, Opcode.PONG):
            wire += Frame(opcode, payload).serialize(mask=True)
            expected.append((int(opcode), payload))
            continue
        edges = sorted(data.draw(st.lists(st.integers(0, len(payload)), max_size=3)))
        parts = [payload[start:end] for start, end in zip([0, *edges], [*edges, len(payload)], strict=True)]
        for index, part in enumerate(parts):
            last = index == len(parts) - 1
            wire += Frame(opcode if index == 0 else Opcode.CONT, part, fin=last).serialize(mask=True)
            if not last and data.draw(st.booleans()):
                wire += Frame(Opcode.PING, b"between").serialize(mask=True)
                expected.append((int(Opcode.PING), b"between"))
        expected.append((int(opcode), payload))

    assert read(wire, cuts=cuts) == expected
    assert read(wire, cuts=cuts, as_the_wire_does=False) == expected


@given(
    st.sampled_from([rfc6455.TEXT, rfc6455.BINARY, rfc6455.PING, rfc6455.CLOSE, rfc6455.CONTINUATION, 3]),
    st.one_of(st.binary(max_size=200), st.binary(min_size=65_000, max_size=66_000), st.text(max_size=130).map(str.encode)),
    st.sampled_from([b"mask", None]),
    st.integers(-2, 8),
)
def test_the_short_way_of_a_message_leads_where_the_long_one_does(
    opcode: int, payload: bytes, mask: bytes | None, cut: int
) -> None:
    frame = masked(opcode, payload, mask=mask)
    data = frame[:cut] if cut < 0 else frame + frame[:cut]
    reader = FrameReader(1 << 16)
    short = reader.single(data)
    try:
        long = read(data, max_size=1 << 16, as_the_wire_does=False)
    except Violation:
        long = []

    assert short is None or [short] == long
    if opcode in (rfc6455.TEXT, rfc6455.BINARY) and mask and cut == 0 and payload.isascii() and 2 <= len(payload) < 1 << 16:
        assert short == (opcode, payload)
    reader.feed(b"")
    assert reader.empty, "the short way leaves nothing behind"


def test_the_short_way_is_not_for_what_comes_amid_something_else() -> None:
    whole = masked(rfc6455.TEXT, b"looks whole")
    large = masked(rfc6455.BINARY, b"begins here " + whole)
    assert read(large, cuts=[len(large) - len(whole)]) == [(rfc6455.BINARY, b"begins here " + whole)]
    with pytest.raises(Violation, match="begins within"):
        read(masked(rfc6455.TEXT, b"a", fin=False) + whole, cuts=[7])
    assert read(b"\x81" + whole[1:], cuts=[1]) == [(rfc6455.TEXT, b"looks whole")]


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=5), st.booleans())
def test_any_bytes_are_frames_or_a_violation(data: bytes, cuts: list[int], deflate: bool) -> None:
    with contextlib.suppress(Violation):
        read(data, max_size=1024, cuts=cuts, deflate=deflate)


@pytest.mark.parametrize(
    "data",
    [
        masked(rfc6455.TEXT, b"hi", mask=None),
        masked(rfc6455.TEXT, b"hi", rsv=4),
        masked(rfc6455.TEXT, b"hi", rsv=2),
        masked(rfc6455.PING, b"hi", rsv=1),
        masked(3),
        masked(7),
        masked(11),
        masked(15),
        masked(rfc6455.PING, bytes(126)),
        masked(rfc6455.PING, fin=False),
        masked(rfc6455.CLOSE, fin=False),
        masked(rfc6455.CONTINUATION, b"of nothing"),
        masked(rfc6455.TEXT, b"a", fin=False) + masked(rfc6455.TEXT, b"b"),
        masked(rfc6455.TEXT, b"", fin=False) + masked(rfc6455.BINARY, b"b", fin=False),
        masked(rfc6455.TEXT, b"a", fin=False) + masked(rfc6455.CONTINUATION, b"b") + masked(rfc6455.CONTINUATION, b"c"),
        b"\x82\xff" + (1 << 63).to_bytes(8) + bytes(4),
    ],
)
def test_what_the_standard_forbids_is_1002(data: bytes) -> None:
    assert code_of(data) == 1002


@pytest.mark.parametrize(
    "data",
    [
        masked(rfc6455.TEXT, b"\xff"),
        masked(rfc6455.TEXT, "ä".encode()[:1]),
        masked(rfc6455.TEXT, b"\xed\xa0\x80"),
        masked(rfc6455.TEXT, b"ok", fin=False) + masked(rfc6455.CONTINUATION, b"\xf4\x90\x80\x80"),
    ],
)
def test_text_that_is_no_utf8_is_1007(data: bytes) -> None:
    assert code_of(data) == 1007


def test_utf8_may_be_cut_between_fragments() -> None:
    letter = "😀".encode()
    data = masked(rfc6455.TEXT, letter[:1], fin=False) + masked(rfc6455.CONTINUATION, letter[1:])
    assert read(data) == [(rfc6455.TEXT, letter)]


@pytest.mark.parametrize(
    "data",
    [
        masked(rfc6455.TEXT, bytes(1025)),
        b"\x82\xff" + (1 << 62).to_bytes(8),
        masked(rfc6455.BINARY, bytes(1000), fin=False) + masked(rfc6455.CONTINUATION, bytes(25)),
    ],
)
def test_a_message_over_the_limit_is_1009_before_it_is_kept(data: bytes) -> None:
    assert code_of(data, max_size=1024) == 1009


def test_a_message_of_just_the_limit_is_read() -> None:
    assert read(masked(rfc6455.BINARY, bytes(1024)), max_size=1024) == [(rfc6455.BINARY, bytes(1024))]


def deflated(payload: bytes) -> bytes:
    deflater = zlib.compressobj(wbits=-15)
    return (deflater.compress(payload) + deflater.flush(zlib.Z_SYNC_FLUSH))[:-4]


def test_compressed_messages_are_inflated_fragmented_ones_too_and_without_context() -> None:
    small = deflated(b"hello " * 50)
    data = masked(rfc6455.TEXT, small, rsv=4) + masked(rfc6455.TEXT, small[:5], rsv=4, fin=False)
    data += masked(rfc6455.PING) + masked(rfc6455.CONTINUATION, small[5:]) + masked(rfc6455.TEXT, b"plain")
    assert read(data, deflate=True) == [
        (rfc6455.TEXT, b"hello " * 50),
        (rfc6455.PING, b""),
        (rfc6455.TEXT, b"hello " * 50),
        (rfc6455.TEXT, b"plain"),
    ]


def test_a_message_that_inflates_without_end_is_1009_and_one_that_does_not_inflate_1007() -> None:
    assert code_of(masked(rfc6455.TEXT, deflated(bytes(1 << 20)), rsv=4), max_size=4096, deflate=True) == 1009
    assert code_of(masked(rfc6455.TEXT, b"\xff" * 9, rsv=4), deflate=True) == 1007


@pytest.mark.parametrize("code", [1000, 1001, 1003, 1007, 1011, 3000, 3999, 4000, 4999])
def test_close_codes_that_may_be_sent(code: int) -> None:
    assert rfc6455.close_code(code.to_bytes(2) + b"bye") == code


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535])
def test_close_codes_that_may_not(code: int) -> None:
    with pytest.raises(Violation) as violation:
        rfc6455.close_code(code.to_bytes(2))
    assert violation.value.code == 1002


def test_a_close_of_one_byte_is_1002_one_with_a_broken_reason_1007_one_of_none_is_fine() -> None:
    for payload, code in ((b"\x03", 1002), (b"\x03\xe8\xff", 1007)):
        with pytest.raises(Violation) as violation:
            rfc6455.close_code(payload)
        assert violation.value.code == code
    assert rfc6455.close_code(b"") == rfc6455.NO_STATUS


def test_a_long_reason_is_cut_between_letters() -> None:
    frame = rfc6455.close_frame(3001, "ä" * 100)
    assert len(frame) <= 127
    assert frame[4:].decode() == "ä" * 61
