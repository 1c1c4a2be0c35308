"""The export's format: whole or refused, in whatever pieces it comes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causeway_storage.domain.stored import AnyEntry, Attendance, Entity, Holder, Log, Publication, Record, SeenId
from causeway_storage.domain.stream import FRAME_MAX_BYTES, ExportReader, ExportWriter, Header, StreamError

HEADER = Header(adapter="sqlite", generation=3, at_ms=7, by="0.1.0")
NAMES = st.text(max_size=5).filter(lambda text: text.isprintable())
COUNTS = st.integers(0, 2**53)
LOGS = st.builds(Log, channel=NAMES, letters=NAMES, head=COUNTS, floor=COUNTS, ttl_ms=COUNTS, expires_ms=st.none() | COUNTS)
ENTITIES = st.builds(
    Entity,
    app=NAMES,
    kind=NAMES,
    id=NAMES,
    version=COUNTS,
    document=st.dictionaries(NAMES, st.binary(max_size=4) | COUNTS | st.none()),
)
RECORDS = st.builds(
    Record,
    id=NAMES,
    app=NAMES,
    connector=NAMES,
    op=NAMES,
    payload=st.dictionaries(NAMES, NAMES, max_size=2),
    traceparent=NAMES,
    created_ms=COUNTS,
    state=NAMES,
    attempts=COUNTS,
    settled=COUNTS,
    free_at_ms=COUNTS,
    next_at_ms=st.none() | COUNTS,
    note=NAMES,
    ended_ms=COUNTS,
    node=NAMES,
)


@st.composite
def of_a_log(draw: st.DrawFn) -> list[AnyEntry]:
    log = draw(LOGS)
    held = st.builds(
        Publication, channel=st.just(log.channel), offset=COUNTS, time_ms=COUNTS, body=st.binary(max_size=9)
    ) | st.builds(SeenId, channel=st.just(log.channel), id=NAMES, offset=COUNTS, time_ms=COUNTS)
    return [log, *draw(st.lists(held, max_size=4))]


ATTENDANCES = st.builds(
    Attendance, key=NAMES, document=st.dictionaries(NAMES, NAMES, max_size=2), holders=st.lists(NAMES, max_size=2)
)
HOLDERS = st.builds(Holder, name=NAMES, cleared_ms=st.none() | COUNTS)
ENTRIES = st.tuples(st.lists(of_a_log(), max_size=3), st.lists(ENTITIES | RECORDS | ATTENDANCES | HOLDERS, max_size=3)).map(
    lambda drawn: [*(entry for log in drawn[0] for entry in log), *drawn[1]]
)


def written(entries: list[AnyEntry]) -> bytes:
    writer = ExportWriter()
    return b"".join([writer.header(HEADER), *(writer.entry(each) for each in entries), writer.trailer()])


def read(pieces: list[bytes]) -> list[AnyEntry]:
    reader = ExportReader()
    entries = [entry for piece in pieces for entry in reader.feed(piece)]
    reader.end()
    assert reader.header == HEADER
    return entries


HEAD = Log(channel="demo:a", letters="abcdefgh", head=3, floor=0, ttl_ms=1)
SOME: list[AnyEntry] = [HEAD, *(SeenId(channel="demo:a", id=f"c:{n}", offset=n, time_ms=n) for n in range(1, 4))]


@given(entries=ENTRIES, size=st.integers(1, 50))
def test_what_was_written_is_read_in_pieces_of_any_size(entries: list[AnyEntry], size: int) -> None:
    data = written(entries)

    assert read([data[at : at + size] for at in range(0, len(data), size)]) == entries


def test_any_byte_that_is_another_one_and_any_missing_end_is_told() -> None:
    data = written(SOME)
    for at in range(len(data)):
        with pytest.raises(StreamError):
            read([data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]])
        with pytest.raises(StreamError):
            read([data[:at]])
    with pytest.raises(StreamError, match="behind its end"):
        read([data, b"\0"])


def test_a_field_or_an_entry_that_only_a_newer_version_knows_is_refused_and_not_left_out() -> None:
    known = written(SOME)
    for newer in (known.replace(b"\xa2is\xa2id", b"\xa2is\xa2ix"), known.replace(b"\xa7time_ms", b"\xa7time_us", 1)):
        assert newer != known
        with pytest.raises(StreamError, match="newer Causeway"):
            read([newer])


def test_what_belongs_to_no_log_before_it_is_refused() -> None:
    for entries in (SOME[1:], [*SOME, SeenId(channel="demo:b", id="c:1", offset=1, time_ms=1)]):
        with pytest.raises(StreamError, match="does not follow its head"):
            read([written(entries)])


def test_an_entry_out_of_all_bounds_is_neither_written_nor_waited_for() -> None:
    large = Publication(channel="demo:a", offset=1, time_ms=1, body=bytes(FRAME_MAX_BYTES))
    with pytest.raises(StreamError, match="at most"):
        ExportWriter().entry(large)
    with pytest.raises(StreamError, match="damaged"):
        read([written([])[:18] + b"\xff\xff\xff\xff"])
