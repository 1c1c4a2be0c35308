"""The `payments` connector: Stripe's own client against a double of its API, and the provider of development."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as st

from causeway_common.contracts.errors import CausewayError
from causeway_common.contracts.money import AMOUNT_MAX, check_currency
from causeway_integrations.adapters.payments import StripeProvider, TestProvider
from causeway_integrations.adapters.secrets import SecretFiles
from causeway_integrations.domain.outcome import Done, Failed, GivenUp, Outcome
from causeway_integrations.domain.outside import Answered
from causeway_integrations.handlers.payments import PaymentsConnector
from support.stripe_peer import API_KEY, StripePeer
from unit.integrations.fakes import FakeClock, FakeOutside, work

ASKED: dict[str, Any] = {"amount": 1299, "currency": "EUR", "description": "lot 7", "metadata": {"lot": "7"}}


class Payments:
    """The connector, asked."""

    def __init__(self, connector: PaymentsConnector) -> None:
        self._operations = connector.operations()

    async def __call__(self, op: str, payload: dict[str, Any], key: str = "key-1") -> Outcome:
        return await self._operations[op](work("payments", op, payload, key=key))

    async def reply(self, op: str, payload: dict[str, Any], key: str = "key-1") -> dict[str, Any]:
        outcome = await self(op, payload, key)
        assert isinstance(outcome, Done), outcome
        return outcome.reply


@asynccontextmanager
async def of_stripe(
    peer: StripePeer, *, api_key: str = API_KEY, allowed: frozenset[str] = frozenset({"127.0.0.1"})
) -> AsyncIterator[Payments]:
    provider = StripeProvider(
        api_key=api_key,
        base_url=peer.url,
        timeout_s=5,
        allowed=allowed,
        connections=4,
        user_agent="test/1",
        reveal=SecretFiles().reveal,
    )
    await provider.start()
    async with peer:
        try:
            yield Payments(PaymentsConnector(provider))
        finally:
            await provider.stop()


async def test_a_payment_from_its_creation_to_its_refund_in_minor_units() -> None:
    peer = StripePeer()
    async with of_stripe(peer) as payments:
        created = await payments.reply("create", ASKED)
        assert created == {
            "id": "pi_0001",
            "state": "open",
            "amount": 1299,
            "currency": "EUR",
            "received": 0,
            "client_secret": "pi_0001_secret",
            "metadata": {"lot": "7"},
        }
        paid = await payments.reply("confirm", {"id": "pi_0001", "method": "pm_card_visa"}, "key-2")
        assert (paid["state"], paid["received"]) == ("succeeded", 1299)
        assert (await payments.reply("get", {"id": "pi_0001"}))["state"] == "succeeded"
        part = await payments.reply("refund", {"id": "pi_0001", "amount": 299}, "key-3")
        assert part == {"id": "re_0001", "payment": "pi_0001", "amount": 299, "currency": "EUR", "state": "succeeded"}
        assert (await payments.reply("refund", {"id": "pi_0001"}, "key-4"))["amount"] == 1000
        assert isinstance(await payments("refund", {"id": "pi_0001"}, "key-5"), GivenUp)


async def test_a_repeat_with_the_same_key_has_one_effect_and_the_first_answer() -> None:
    """P3."""
    peer = StripePeer()
    async with of_stripe(peer) as payments:
        answers = [await payments.reply("create", ASKED) for _ in range(3)]
        assert answers[0] == answers[1] == answers[2]
        await payments.reply("create", ASKED, "key-2")
        await payments.reply("confirm", {"id": "pi_0002", "method": "pm_card_visa"}, "key-3")
        for _ in range(2):
            await payments.reply("refund", {"id": "pi_0002", "amount": 1}, "key-4")
        other = await payments("create", ASKED | {"amount": 5}, "key-1")

    assert peer.effects == ["create pi_0001", "create pi_0002", "confirm pi_0002", "refund re_0001"]
    assert isinstance(other, GivenUp), "a key that was used for something else"


@pytest.mark.parametrize(("status", "kind"), [(429, Failed), (500, Failed), (503, Failed)])
async def test_what_passes_is_tried_again_by_the_job_and_never_by_the_client(status: int, kind: type[Outcome]) -> None:
    peer = StripePeer()
    async with of_stripe(peer) as payments:
        peer.fail_next = [status]
        outcome = await payments("create", ASKED)
        assert isinstance(outcome, Failed)
        assert (outcome.status, outcome.retry_after_ms) == (status, 7000)
        assert len(peer.requests) == 1
        await payments.reply("create", ASKED)

    assert isinstance(outcome, kind)
    assert peer.effects == ["create pi_0001"]


async def test_what_the_provider_refuses_is_given_up_with_its_code() -> None:
    peer = StripePeer()
    async with of_stripe(peer) as payments:
        await payments.reply("create", ASKED)
        declined = await payments("confirm", {"id": "pi_0001", "method": "pm_card_declined"}, "a")
        missing = await payments("get", {"id": "pi_9999"})
        small = await payments("create", ASKED | {"amount": 1}, "b")
        await payments.reply("cancel", {"id": "pi_0001"}, "c")
        canceled = await payments("confirm", {"id": "pi_0001", "method": "pm_card_visa"}, "d")

    for outcome, code, word in (
        (declined, 402, "card_declined"),
        (missing, 404, "resource_missing"),
        (small, 400, "small"),
        (canceled, 400, "state"),
    ):
        assert isinstance(outcome, GivenUp)
        assert outcome.code == code
        assert word in outcome.note


async def test_no_connection_a_wrong_key_and_a_private_address_are_tried_again_and_tell_no_secret() -> None:
    peer = StripePeer()
    async with of_stripe(peer, api_key="sk_live_SECRETSECRET") as payments:
        wrong_key = await payments("create", ASKED)
    async with of_stripe(StripePeer(), allowed=frozenset()) as payments:
        refused = await payments("create", ASKED)
    away = StripePeer()
    async with of_stripe(away) as payments:
        await away.stop()
        gone = await payments("create", ASKED)
        await away.start()

    for outcome in (wrong_key, refused, gone):
        assert isinstance(outcome, Failed)
        assert "SECRETSECRET" not in outcome.note


async def test_the_secret_key_is_read_again_when_its_file_changes(tmp_path: Path) -> None:
    key, peer = tmp_path / "key", StripePeer()
    key.write_text("sk_old")
    async with of_stripe(peer, api_key=f"file:{key}") as payments:
        assert isinstance(await payments("create", ASKED), Failed)
        key.write_text(API_KEY + "\n")
        await payments.reply("create", ASKED)


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount": 0},
        {"amount": -5},
        {"amount": 12.99},
        {"amount": "1299"},
        {"amount": AMOUNT_MAX + 1},
        {"currency": "EURO"},
        {"currency": "XXQ"},
        {"currency": ""},
        {"metadata": {"a": 1}},
        {"metadata": {"a[b]": "1"}},
        {"metadata": {"a": "x" * 501}},
        {"metadata": {str(n): "" for n in range(51)}},
    ],
)
async def test_an_amount_or_a_currency_that_is_none_is_refused_before_anything_is_sent(wrong: dict[str, Any]) -> None:
    peer = StripePeer()
    async with of_stripe(peer) as payments:
        with pytest.raises(CausewayError) as caught:
            await payments("create", ASKED | wrong)

    assert caught.value.code == 107
    assert not peer.requests


@pytest.mark.parametrize("id", ["", "../balance", "pi_1/confirm", "pi_1?x=1", "pi 1", "x" * 3000])
async def test_an_id_is_never_a_path(id: str) -> None:
    peer = StripePeer()
    async with of_stripe(peer) as payments:
        for op in ("get", "confirm", "cancel", "refund"):
            with pytest.raises(CausewayError):
                await payments(op, {"id": id})

    assert not peer.requests


def test_currencies_are_those_of_the_table() -> None:
    assert check_currency("eur") == "EUR"
    for code in ("EUX", "€", "eu", "E R"):
        with pytest.raises(CausewayError):
            check_currency(code)


def rehearsal(outside: FakeOutside, folder: Path | None = None) -> Payments:
    provider = TestProvider(outside, url="http://127.0.0.1:1/hooks/stripe", secret="whsec_x", folder=folder, now_ms=FakeClock())
    return Payments(PaymentsConnector(provider))


@pytest.mark.parametrize("kept", [True, False])
async def test_the_test_provider_takes_payments_and_tells_them_by_stripes_own_signature(tmp_path: Path, *, kept: bool) -> None:
    outside = FakeOutside()
    payments = rehearsal(outside, tmp_path / "payments" if kept else None)
    created = await payments.reply("create", ASKED)
    assert created == await payments.reply("create", ASKED)
    assert isinstance(await payments("confirm", {"id": created["id"], "method": "pm_card_declined"}, "a"), GivenUp)
    if kept:
        payments = rehearsal(outside, tmp_path / "payments")  # as after a kill
    for key in "bc":
        paid = await payments.reply("confirm", {"id": created["id"]}, key)
        assert (paid["state"], paid["received"], paid["metadata"]) == ("succeeded", 1299, {"lot": "7"})
    refund = await payments.reply("refund", {"id": created["id"], "amount": 1000}, "d")
    assert refund == await payments.reply("refund", {"id": created["id"], "amount": 1000}, "d")
    assert isinstance(await payments("refund", {"id": created["id"], "amount": 300}, "e"), GivenUp)
    assert isinstance(await payments("cancel", {"id": created["id"]}, "f"), GivenUp)
    assert isinstance(await payments("get", {"id": "pi_test_nothing"}), GivenUp)

    events = [json.loads(sent.body or b"") for sent in outside.sent]
    assert [event["type"].rpartition(".")[2] for event in events] == [
        "payment_failed",
        "succeeded",
        "succeeded",
        "refunded",
        "created",
        "refunded",
        "created",
    ]
    assert events[1]["id"] == events[2]["id"], "a repeat is the same event"
    charge, given_back = (event["data"]["object"] for event in events[3:5])
    assert (charge["payment_intent"], charge["amount_refunded"], charge["metadata"]) == (created["id"], 1000, {"lot": "7"})
    assert (given_back["payment_intent"], given_back["amount"], given_back["status"]) == (created["id"], 1000, "succeeded")
    for sent in outside.sent:
        stripe.WebhookSignature.verify_header((sent.body or b"").decode(), sent.headers["stripe-signature"], "whsec_x", None)


async def test_a_webhook_of_the_test_provider_that_was_not_taken_is_told_again() -> None:
    outside = FakeOutside([Answered(503), Answered(200)])
    payments = rehearsal(outside)
    created = await payments.reply("create", ASKED)
    assert isinstance(await payments("confirm", {"id": created["id"]}, "a"), Failed)
    await payments.reply("confirm", {"id": created["id"]}, "a")

    assert outside.sent[0].body == outside.sent[1].body


@given(st.lists(st.tuples(st.sampled_from(["confirm", "cancel", "refund"]), st.integers(0, 600), st.integers(0, 3)), max_size=12))
async def test_money_is_never_given_back_twice_whatever_is_asked(steps: list[tuple[str, int, int]]) -> None:
    """What came in, less what went back, is never below zero; a key has one effect."""
    payments = rehearsal(FakeOutside())
    name = (await payments.reply("create", ASKED | {"amount": 1000}))["id"]
    given_back: dict[str, int] = {}
    for op, amount, key in steps:
        payload: dict[str, Any] = {"id": name, "amount": amount} if op == "refund" else {"id": name}
        outcome = await payments(op, payload, f"{op}-{key}")
        if op == "refund" and isinstance(outcome, Done):
            assert given_back.setdefault(f"{op}-{key}", outcome.reply["amount"]) == outcome.reply["amount"]
    payment = await payments.reply("get", {"id": name})
    assert sum(given_back.values()) <= payment["received"] <= 1000
