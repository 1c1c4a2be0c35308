"""The tables: no row twice, the flags as the protocol says, nothing hidden that a client must know."""

from __future__ import annotations

import pytest

from causeway_common.contracts import codes
from causeway_common.contracts.codec import from_fault, json_value, to_fault
from causeway_common.contracts.errors import ERRORS, CausewayError, ErrorName, overloaded, unavailable
from causeway_common.contracts.ids import command_id, derived_id, key_id, outbox_id
from causeway_common.contracts.messages import Fault


def test_every_name_has_a_row_and_only_the_documented_codes_are_shared() -> None:
    assert set(ERRORS) == set(ErrorName)
    rows: dict[int, list[str]] = {}
    for name, row in ERRORS.items():
        rows.setdefault(row.code, []).append(name)
    assert {code: names for code, names in rows.items() if len(names) > 1} == {100: ["internal", "unavailable"]}


def test_unavailable_is_100_and_a_bound_is_111_both_temporary_with_a_message_that_says_which() -> None:
    for error, code in ((unavailable("nobody answers"), 100), (overloaded("8 under way"), 111)):
        assert (error.code, error.temporary) == (code, True)
        assert error.message.endswith(("nobody answers", "8 under way"))


@pytest.mark.parametrize("name", ErrorName)
def test_an_error_crosses_the_bus_unchanged(name: ErrorName) -> None:
    error = CausewayError(name, "what", code=409 if name is ErrorName.REJECTED else None)

    came = from_fault(to_fault(error))

    assert (came.name, came.code, came.message, came.temporary) == (error.name, error.code, error.message, error.temporary)


def test_an_error_newer_than_this_process_becomes_internal() -> None:
    assert from_fault(Fault(name="of_tomorrow", code=700, message="x")).code == 100


@pytest.mark.parametrize("code", [0, 100, 399, 2000])
def test_an_application_keeps_to_its_range_of_codes(code: int) -> None:
    with pytest.raises(ValueError, match="400-1999"):
        CausewayError(ErrorName.REJECTED, code=code)


def test_a_row_fixes_its_code() -> None:
    with pytest.raises(ValueError, match="fixes"):
        CausewayError(ErrorName.INTERNAL, temporary=False)


def test_every_close_code_has_a_short_ascii_reason_and_the_range_says_who_comes_back() -> None:
    assert set(codes.CLOSE_REASONS) == set(codes.CloseCode)
    assert all(reason.isascii() and len(reason) <= 32 for reason in codes.CLOSE_REASONS.values())
    assert [codes.may_reconnect(code) for code in (3000, 3499, 3500, 4000, 4499, 4500, 4999, 5000)] == [
        *(True, True, False, True, True, False, False, True)
    ]
    assert set(codes.UNSUBSCRIBE_REASONS) == set(codes.UnsubscribeCode)


def test_ids_say_who_made_them() -> None:
    assert (outbox_id("ab", 0), command_id("c", 7), key_id("x")) == ("o:ab:0", "c:c:7", "k:x")
    assert derived_id("a", "bc") == derived_id("a", "bc") != derived_id("ab", "c")


@pytest.mark.parametrize("data", [b"1", b'{"a":[1,2]}', b'"\xc3\xa9"', b"9007199254740993", b" null "])
def test_one_json_value_passes_as_it_is(data: bytes) -> None:
    assert json_value(data) == data


def test_raw_newlines_between_tokens_are_removed() -> None:
    assert json_value(b'{\r\n  "a": 1\n}') == b'{  "a": 1}'


@pytest.mark.parametrize("data", [b"", b"1 2", b"{", b'"\xff"', b'"\n"', b"[" * 100_000, b"nul", b"{}\n{}"])
def test_what_is_not_one_json_value_is_refused(data: bytes) -> None:
    with pytest.raises(CausewayError, match="not one JSON value"):
        json_value(data)
