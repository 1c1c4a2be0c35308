"""User input never becomes a wildcard, a separator or a control character of a subject."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causeway_common.contracts import rights, subjects, verbs
from causeway_common.contracts.errors import CausewayError
from causeway_common.contracts.names import is_identifier, namespace_of, split_method

TEXT = st.text(alphabet=st.characters(), max_size=300) | st.sampled_from(
    ["*", ">", "a.b", "a b", "\r\n", "=", "=2A", "é", "\x00", "$"]
)


@given(TEXT)
def test_a_token_decodes_to_the_text_it_was_made_from(text: str) -> None:
    assert subjects.decode_token(subjects.encode_token(text)) == text


@given(TEXT)
def test_a_token_holds_only_letters_digits_and_three_signs(text: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_=-]+", subjects.encode_token(text))


@given(TEXT, TEXT)
def test_different_texts_have_different_tokens(one: str, other: str) -> None:
    assert (subjects.encode_token(one) == subjects.encode_token(other)) == (one == other)


@given(TEXT)
def test_what_is_not_a_canonical_token_is_refused(token: str) -> None:
    """Two tokens never stand for one channel."""
    try:
        text = subjects.decode_token(token)
    except ValueError:
        return
    assert subjects.encode_token(text) == token


@given(TEXT)
def test_a_channel_cannot_leave_its_place_in_the_feed_subject(channel: str) -> None:
    subject = subjects.feed_subject(channel, logged=True)

    assert subject.count(".") == 4
    assert subjects.feed_channel(subject) == channel
    assert subjects.FEED_LOGGED.fields(subject) == {"channel": subjects.encode_token(channel)}


@pytest.mark.parametrize("value", ["a.b", "*", ">", "a b", "", "a\r\n", "é"])
def test_a_field_that_is_no_token_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="not a subject token"):
        subjects.APP_RPC.at(app="chat", method=value)


def test_missing_and_unknown_fields_are_refused() -> None:
    with pytest.raises(ValueError, match="needs method"):
        subjects.APP_RPC.at(app="chat")
    with pytest.raises(ValueError, match="no field for some"):
        subjects.APP_RPC.at(app="chat", method="send", version="1")
    with pytest.raises(ValueError, match="is no subject of"):
        subjects.APP_RPC.fields("cw.v1.app.chat.hook.subscribe")


def test_a_verb_fills_in_its_own_field() -> None:
    assert verbs.COMMIT.at(caller="chat") == "cw.v1.storage.chat.any.commit"
    assert verbs.COMMIT.wildcard() == "cw.v1.storage.*.any.commit"
    assert verbs.SUBSCRIBE_HOOK.at(app="chat") == "cw.v1.app.chat.hook.subscribe"
    assert verbs.RPC.wildcard(app="chat") == "cw.v1.app.chat.rpc.*"


@pytest.mark.parametrize(
    ("method", "default", "expected"),
    [("auctions.bid", None, ("auctions", "bid")), ("bid", "auctions", ("auctions", "bid"))],
)
def test_a_method_is_split_at_its_first_dot(method: str, default: str | None, expected: tuple[str, str]) -> None:
    assert split_method(method, default) == expected


@pytest.mark.parametrize(
    ("method", "code"),
    [("bid", 108), ("", 108), ("a.b.c", 104), ("A.b", 104), (".b", 104), ("a.", 104), ("a.*", 104), ("a.b ", 104)],
)
def test_a_method_that_no_app_can_have_is_refused(method: str, code: int) -> None:
    with pytest.raises(CausewayError) as raised:
        split_method(method, None)

    assert raised.value.code == code


@given(st.text(max_size=80))
def test_an_identifier_is_a_subject_token_as_it_is(text: str) -> None:
    if is_identifier(text):
        assert subjects.encode_token(text) == text


def test_a_namespace_is_what_stands_before_the_first_colon() -> None:
    assert [namespace_of(c) for c in ("chat:1", "chat:1:2", "news", "$chat:1", ":x", "")] == ["chat", "chat", "", "chat", "", ""]


def test_an_app_may_publish_only_under_its_own_name() -> None:
    chat = rights.rights_of(rights.Role.LOGIC, "logic-chat", "chat")

    assert "cw.v1.storage.chat.any.commit" in chat.publish
    assert not any(right.startswith("cw.v1.storage.") and ".chat." not in right for right in chat.publish)
    assert not any(right.endswith(".>") and right.startswith("cw.") for right in chat.publish)
    with pytest.raises(ValueError, match="needs the name of its app"):
        rights.rights_of(rights.Role.LOGIC, "logic-x", "*")


@pytest.mark.parametrize("name", ["gateway", "storage", "integrations"])
def test_an_app_never_bears_the_name_of_a_service(name: str) -> None:
    """Its user could ask storage in that service's name (P6)."""
    with pytest.raises(ValueError, match="needs the name of its app"):
        rights.rights_of(rights.Role.LOGIC, "logic-x", name)


def test_who_is_there_is_answered_by_each_service_in_its_own_name_alone() -> None:
    found = rights.rights_of(rights.Role.LOGIC, "logic-1", "chat").subscribe
    names = [right for right in found if right.startswith(subjects.DISCOVERY)]

    assert names == ["$SRV.PING", "$SRV.INFO", "$SRV.STATS", "$SRV.*.logic-chat", "$SRV.*.logic-chat.*"]


@pytest.mark.parametrize("role", rights.Role)
def test_every_role_reads_only_its_own_inbox(role: rights.Role) -> None:
    found = rights.rights_of(role, "user-1", "chat")

    inboxes = [right for right in found.subscribe if right.startswith(rights.INBOX_ROOT)]
    assert inboxes == ["_INBOX.user-1.>"]
