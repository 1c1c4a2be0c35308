"""What goes to a terminal, what is JSON, what is a token."""

import json
import warnings

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from causeway_cli.text import compact_json, parse_json, printable
from causeway_cli.tokens import make_token

JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(st.characters()), st.lists)


@given(JSON)
def test_printed_json_is_json_of_one_line_without_control_characters(value: object) -> None:
    line = compact_json(value)

    assert json.loads(line) == value
    assert line == printable(line)
    line.encode()


def test_other_scripts_stay_readable() -> None:
    assert compact_json({"ä": "日本 🎉"}) == '{"ä":"日本 🎉"}'


@pytest.mark.parametrize("text", ["", "hi", "{", "1 2", "NaN", "-Infinity", "1e999", "[" * 100_000])
def test_what_is_not_one_json_value_is_refused(text: str) -> None:
    with pytest.raises((ValueError, RecursionError)):
        parse_json(text)


def test_a_token_holds_the_user_the_time_and_the_info() -> None:
    token = make_token("s" * 40, user="ann", now_s=1_000_000, ttl_s=60, info={"name": "Ann"})
    claims = jwt.decode(token, "s" * 40, algorithms=["HS256"], options={"verify_exp": False})
    assert claims == {"sub": "ann", "iat": 1_000_000, "exp": 1_000_060, "info": {"name": "Ann"}}


def test_a_short_secret_is_taken_without_a_word() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert make_token("short", user="ann", now_s=0, ttl_s=1)
