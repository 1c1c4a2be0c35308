"""A process's output becomes lines that a terminal can take."""

from hypothesis import given
from hypothesis import strategies as st

from causeway_cli.dev.lines import CONTINUED, LINE_MAX_BYTES, LineSplitter


def split(*parts: bytes) -> list[str]:
    splitter = LineSplitter()
    return [line for part in parts for line in splitter.feed(part)] + splitter.end()


def test_lines_come_whole_however_they_arrive() -> None:
    assert split(b"on", b"e\ntw", b"o\r\n", b"\nrest") == ["one", "two", "", "rest"]


def test_a_line_over_the_bound_comes_in_pieces() -> None:
    assert split(b"x" * (LINE_MAX_BYTES + 3) + b"\nnext\n") == ["x" * LINE_MAX_BYTES + CONTINUED, "xxx", "next"]


def test_a_line_without_an_end_is_never_kept_whole() -> None:
    splitter = LineSplitter()
    pieces = [line for _ in range(100) for line in splitter.feed(b"x" * 1000)]

    assert len(pieces) == 100_000 // LINE_MAX_BYTES
    assert len(splitter.end()[0]) < LINE_MAX_BYTES


def test_a_character_is_never_cut_in_two() -> None:
    assert split("ä".encode() * LINE_MAX_BYTES + b"\n") == ["ä" * (LINE_MAX_BYTES // 2) + CONTINUED, "ä" * (LINE_MAX_BYTES // 2)]
    assert split(b"x" + "ä".encode() * LINE_MAX_BYTES)[0] == "x" + "ä" * (LINE_MAX_BYTES // 2 - 1) + CONTINUED


def test_control_characters_are_written_out() -> None:
    assert split(b"\x1b[2Jcleared\x07\tkept\x7f \xc2\x9b1m\n") == ["\\u001b[2Jcleared\\u0007\tkept\\u007f \\u009b1m"]


def test_bytes_that_are_no_text_do_no_harm() -> None:
    assert split(b"\xff\xfe ok\n") == ["�� ok"]


@given(st.lists(st.binary(max_size=60), max_size=30))
def test_how_the_output_is_chopped_changes_nothing(parts: list[bytes]) -> None:
    assert split(*parts) == split(b"".join(parts))
