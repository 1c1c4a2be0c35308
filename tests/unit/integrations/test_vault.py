"""The secrets of endpoints in the database: sealed by the deployment's key, opened with it alone, sealed again when it changes."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from standardwebhooks.webhooks import Webhook

from causeway_common.contracts.errors import CausewayError
from causeway_integrations.adapters.secrets import SecretFiles
from causeway_integrations.adapters.vault import Vault
from causeway_integrations.domain.outcome import Done, Failed
from causeway_integrations.domain.secrets import Redactor
from causeway_integrations.handlers.sealing import Sealing
from causeway_integrations.ports.attempt import attempt
from unit.integrations.fakes import work
from unit.integrations.test_endpoints import Played

FIRST, SECOND = (base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2))


def vault(key: str = "", previous: str = "") -> Vault:
    return Vault(SecretFiles().reveal, key, previous)


@given(st.text(max_size=200))
def test_what_is_sealed_is_opened_with_its_key_and_never_looks_the_same(secret: str) -> None:
    sealed = [vault(FIRST).seal(secret) for _ in range(2)]
    assert sealed[0] != sealed[1]
    assert [vault(FIRST).reveal(each) for each in sealed] == [secret] * 2
    assert vault(SECOND, FIRST).reveal(sealed[0]) == secret
    assert len(secret) < 4 or secret not in sealed[0]


@pytest.mark.parametrize("keys", [("", ""), (SECOND, "")])
def test_without_its_key_a_secret_is_told_to_be_sealed_and_by_which_one(keys: tuple[str, str]) -> None:
    sealed = vault(FIRST).seal("whsec_x")
    with pytest.raises(CausewayError, match=f"sealed with the key {sealed.split(':')[1]}, which is neither") as caught:
        vault(*keys).reveal(sealed)

    assert caught.value.temporary, "deliveries wait until the key is there again"
    assert FIRST not in str(caught.value)


@pytest.mark.parametrize("at", [20, 40, -3])
def test_a_sealed_secret_that_was_changed_is_none(at: int) -> None:
    sealed = vault(FIRST).seal("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    broken = sealed[:at] + ("B" if sealed[at] == "A" else "A") + sealed[at + 1 :]
    with pytest.raises(CausewayError, match="was changed in the database"):
        vault(FIRST).reveal(broken)


@pytest.mark.parametrize("key", ["short", "Zm9v", base64.b64encode(b"x" * 31).decode(), "ä" * 44])
def test_what_is_no_key_is_refused_with_what_one_is(key: str) -> None:
    with pytest.raises(ValueError, match="openssl rand -base64 32"):
        vault(key).check()
    with pytest.raises(ValueError, match="openssl rand -base64 32"):
        vault(FIRST, key).check()
    vault(FIRST, SECOND).check()
    vault().check()


async def test_the_secret_of_an_endpoint_is_told_once_and_stands_sealed_in_the_database(tmp_path: Path) -> None:
    """The receiver verifies with what `add` and `rotate` told; the book, which is the database, holds neither."""
    key = tmp_path / "key"
    key.write_text(FIRST)
    played = Played(vault=vault(f"file:{key}"))
    added = await played.asks("add", app="chat", event="t", url="http://localhost/a")
    rotated = await played.asks("rotate", id=added["id"], overlap_ms=60_000)
    secrets = [str(each["secret"]) for each in (added, rotated)]
    (kept,) = played.book.kept.values()
    assert all(each.startswith("sealed:") for each in (kept.secret, kept.older[0].secret))

    assert isinstance(await played.delivers(kept.id), Done)
    sent = played.outside.sent[0]
    seconds = int(sent.headers["webhook-timestamp"])
    expected = {Webhook(secret).sign("msg_1", datetime.fromtimestamp(seconds, UTC), "{}") for secret in secrets}
    assert set(sent.headers["webhook-signature"].split(" ")) == expected

    key.write_text(SECOND)
    delivery = work("webhook", "deliver", {"endpoint": kept.id, "id": "msg_1", "body": "{}"})
    outcome = await attempt(played.connector.deliver, delivery, 1000)
    assert isinstance(outcome, Failed), "its key may come back: nothing is lost"
    assert "sealed with the key" in outcome.note


async def test_a_changed_key_seals_again_what_was_sealed_or_clear_before_and_one_lost_secret_holds_up_no_other() -> None:
    clear, old = Played(), Played(vault=vault(FIRST))
    await clear.added()
    (plain,) = clear.book.kept.values()
    await old.added()
    (sealed,) = old.book.kept.values()
    lost = vault(base64.b64encode(b"z" * 32).decode()).seal("whsec_lost")
    book = clear.book
    book.kept = {"a": replace(sealed, id="a", secret=lost), "b": replace(sealed, id="b"), "c": replace(plain, id="c")}
    now = vault(SECOND, FIRST)
    await Sealing(book, now).step()

    assert book.kept["a"].secret == lost
    assert [now.is_current(book.kept[each].secret) for each in "bc"] == [True, True]
    assert vault(SECOND).reveal(book.kept["b"].secret) == vault(FIRST).reveal(sealed.secret)
    assert vault(SECOND).reveal(book.kept["c"].secret) == plain.secret
    again = dict(book.kept)
    await Sealing(book, now).step()
    assert book.kept == again, "what is sealed already is left alone"


def test_a_secret_that_was_sent_is_taken_out_of_what_is_told_of_it_in_whole_and_in_part(tmp_path: Path) -> None:
    """Some peers repeat in an error what they were sent; of a changed secret the newest is known."""
    path = tmp_path / "token"
    path.write_text("Bearer abcdefgh12")
    redactor = Redactor(SecretFiles().reveal)
    assert redactor.redact("abcdefgh12") == "abcdefgh12"
    assert redactor.reveal(f"file:{path}") == "Bearer abcdefgh12"
    assert (
        redactor.redact("401: no 'Bearer abcdefgh12', abcdefgh12 is not known to Bearers")
        == "401: no '[secret]', [secret] is not known to Bearers"
    )
    redactor.reveal("short")
    assert redactor.redact("a short text") == "a short text"
