"""Payments as apps keep them: whatever the order in which the provider tells, however often and how late, they come to the same."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causeway_logic import App, Context, Event, Reject
from causeway_logic.connectors import CreatePayment
from causeway_logic.domain.payment import KeptPayment, KeptRefund, Phase, RefundState, joined, wished
from causeway_logic.domain.payment_events import REFUND_KEY, said_by_event
from causeway_logic.payments import Payments
from causeway_testing import AppTester, CallError

AMOUNT = 1000
NAME = "pi_1"
MINE = {"app": "till"}
Told = tuple[str, dict[str, Any], int]
"""Type, object and time (s) of an event."""


def intent(status: str, received: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "id": NAME,
        "object": "payment_intent",
        "amount": AMOUNT,
        "amount_received": received,
        "currency": "eur",
        "status": status,
        "metadata": MINE,
        **more,
    }


def refund(name: str, amount: int, status: str, key: str = "") -> dict[str, Any]:
    metadata = MINE | ({REFUND_KEY: key} if key else {})
    return {"id": name, "object": "refund", "payment_intent": NAME, "amount": amount, "status": status, "metadata": metadata}


def charge(given_back: int) -> dict[str, Any]:
    return {"id": "ch_1", "object": "charge", "payment_intent": NAME, "amount_refunded": given_back, "metadata": MINE}


@dataclass
class Story:
    """A payment's life as Stripe tells it, and what it comes to."""

    events: list[Told] = field(default_factory=list)
    status: str = "created"
    given_back: int = 0
    clock: int = 1_700_000_000

    def tells(self, type_: str, data: dict[str, Any]) -> None:
        self.clock += 1
        self.events.append((type_, data, self.clock))


@st.composite
def stories(draw: st.DrawFn) -> Story:
    story = Story()
    story.tells("payment_intent.created", intent("requires_payment_method"))
    for _ in range(draw(st.integers(0, 3))):
        if draw(st.booleans()):
            story.tells("payment_intent.requires_action", intent("requires_action"))
            story.status = "requires_action"
        if draw(st.booleans()):
            story.tells("payment_intent.processing", intent("processing"))
            story.status = "processing"
        if draw(st.booleans()):
            why = {"code": "card_declined", "decline_code": draw(st.sampled_from(["insufficient_funds", "lost_card"]))}
            story.tells("payment_intent.payment_failed", intent("requires_payment_method", last_payment_error=why))
            story.status = "failed"
    match draw(st.sampled_from(["", "cancelled", "succeeded", "succeeded"])):
        case "cancelled":
            story.tells("payment_intent.canceled", intent("canceled"))
            story.status = "cancelled"
        case "succeeded":
            story.tells("payment_intent.succeeded", intent("succeeded", AMOUNT))
            story.status = "succeeded"
            given_back(draw, story)
        case _:
            pass
    return story


def given_back(draw: st.DrawFn, story: Story) -> None:
    """Refunds, each told pending and then with its end; the charge tells the sum."""
    failed = waiting = 0
    for number, amount in enumerate(draw(st.lists(st.integers(1, 400), max_size=3))):
        name = f"re_{number}"
        if story.given_back + waiting + amount > AMOUNT:
            break
        story.tells("refund.created", refund(name, amount, "pending"))
        match draw(st.sampled_from(["pending", "succeeded", "failed"])):
            case "succeeded":
                story.given_back += amount
                story.tells("charge.refunded", charge(story.given_back))
                story.tells("refund.updated", refund(name, amount, "succeeded"))
            case "failed":
                failed += 1
                story.tells("refund.updated", refund(name, amount, "succeeded"))
                story.tells("refund.failed", refund(name, amount, "failed"))
            case _:
                waiting += amount
    whole = "refunded" if story.given_back >= AMOUNT else "partly_refunded" if story.given_back else "succeeded"
    story.status = "refunding" if waiting and whole != "refunded" else whole


def heard(events: list[Told]) -> KeptPayment:
    kept = KeptPayment()
    for type_, data, at in events:
        said = said_by_event(type_, data, at * 1000)
        assert said is not None
        assert said[0] == NAME
        kept = joined(kept, said[1])
    return kept


@given(stories(), st.data())
def test_whatever_order_and_however_often_a_payment_is_told_it_comes_to_the_same(story: Story, data: st.DataObject) -> None:
    """Doubled, swapped, late: the same final state, and nothing in it is strange."""
    told = data.draw(st.permutations(story.events + data.draw(st.lists(st.sampled_from(story.events), max_size=6))))
    kept = heard(told)
    assert kept == heard(story.events)
    assert (kept.status, kept.strange) == (story.status, [])
    assert kept.given_back == story.given_back
    assert kept.left <= AMOUNT - story.given_back


WORDS = st.sampled_from(["", "a", "b"])
FACTS = st.builds(
    KeptPayment,
    amount=st.integers(0, 3),
    currency=WORDS,
    claims=st.lists(st.sampled_from(["1 EUR", "2 EUR", "2 USD"]), unique=True),
    phase=st.sampled_from(get_args(Phase)),
    phase_ms=st.integers(0, 3),
    reason=WORDS,
    received=st.integers(0, 3),
    received_in=WORDS,
    succeeded=st.booleans(),
    cancelled=st.booleans(),
    refunds=st.dictionaries(
        WORDS, st.builds(KeptRefund, amount=st.integers(0, 3), state=st.sampled_from(get_args(RefundState)), key=WORDS)
    ),
    wishes=st.dictionaries(WORDS, st.integers(0, 3)),
    returned=st.integers(0, 3),
    returned_ms=st.integers(0, 3),
    metadata=st.dictionaries(WORDS, WORDS),
)


@given(FACTS, FACTS, FACTS)
def test_what_is_known_is_joined_in_any_order_grouping_and_number(one: KeptPayment, two: KeptPayment, three: KeptPayment) -> None:
    """Even of facts that contradict each other: this is why no order of webhooks matters."""
    assert joined(one, two) == joined(two, one)
    assert joined(joined(one, two), three) == joined(one, joined(two, three))
    both = joined(one, two)
    assert joined(both, two) == both


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("wish"), st.sampled_from("abc"), st.integers(0, 700)),
        st.tuples(st.just("provider"), st.sampled_from("abc"), st.just(0)),
        st.tuples(st.just("fails"), st.sampled_from("abc"), st.just(0)),
        st.tuples(st.just("hear"), st.just(""), st.integers(0, 20)),
        st.tuples(st.just("by hand"), st.just(""), st.integers(1, 400)),
    ),
    max_size=40,
)


@given(STEPS, st.booleans())
def test_money_goes_back_at_most_once_whatever_is_asked_and_told_when(steps: list[tuple[str, str, int]], echoed: bool) -> None:
    """Wishes, jobs, refunds by hand and events in any order; the provider echoes our keys or does not."""
    kept, events, sent = KeptPayment(), [("payment_intent.succeeded", intent("succeeded", AMOUNT))], dict[str, dict[str, Any]]()
    by_hand = 0
    for kind, key, number in [("hear", "", 0), *steps]:
        match kind:
            case "wish":
                before = kept
                kept = wished(kept, key, number) or kept
                assert sum(kept.wishes.values()) - sum(before.wishes.values()) <= before.left
            case "provider" if key in kept.wishes and key not in sent:
                if kept.wishes[key] > AMOUNT - _gone(sent) - by_hand:
                    assert by_hand, "but for what somebody did by hand, the provider never has to refuse"
                    continue
                sent[key] = refund(f"re_{key}", kept.wishes[key], "succeeded", key if echoed else "")
                events.append(("refund.created", sent[key]))
            case "fails" if key in sent:
                sent[key] = sent[key] | {"status": "failed"}
                events.append(("refund.failed", sent[key]))
            case "by hand" if number <= AMOUNT - _gone(sent) - by_hand:
                by_hand += number
                events.append(("refund.created", refund(f"re_hand_{by_hand}", number, "succeeded")))
            case "hear":
                said = said_by_event(*events[number % len(events)], at_ms=1)
                assert said is not None
                kept = joined(kept, said[1])
            case _:
                pass
        assert _gone(sent) <= AMOUNT
    for told in events:
        said = said_by_event(*told, at_ms=1)
        assert said is not None
        kept = joined(kept, said[1])
    if echoed:
        waiting = sum(amount for key, amount in kept.wishes.items() if key not in sent)
        assert kept.left == max(AMOUNT - _gone(sent) - by_hand - waiting, 0)
    assert kept.left <= AMOUNT - _gone(sent) - by_hand


def _gone(sent: dict[str, dict[str, Any]]) -> int:
    return sum(each["amount"] for each in sent.values() if each["status"] == "succeeded")


def test_what_cannot_be_is_kept_and_told_and_money_counts() -> None:
    kept = heard([("payment_intent.canceled", intent("canceled"), 1), ("payment_intent.succeeded", intent("succeeded", AMOUNT), 2)])
    assert kept.status == "succeeded"
    assert kept.strange == ["it has succeeded and was cancelled"]
    dearer = intent("succeeded", AMOUNT) | {"amount": 1200}
    assert heard([("payment_intent.succeeded", dearer, 1)]).strange == ["1000 EUR came in for 1200 EUR"]
    other = heard([("payment_intent.created", intent("x"), 1), ("payment_intent.created", intent("x") | {"amount": 1}, 1)])
    assert other.strange == ["different amounts were named: 1 EUR, 1000 EUR"]
    more = heard([("payment_intent.succeeded", intent("succeeded", AMOUNT), 1), ("charge.refunded", charge(1200), 2)])
    assert more.strange == ["1200 of 1000 EUR went back"]


@pytest.mark.parametrize(
    ("type_", "data"),
    [
        ("customer.created", {"id": "cus_1"}),
        ("payment_intent.succeeded", {"anything": 1}),
        ("payment_intent.succeeded", None),
        ("payment_intent.succeeded", intent("succeeded", -1)),
        ("charge.refunded", {"payment_intent": None, "amount_refunded": 5}),
        ("refund.created", refund("", 5, "pending")),
        ("refund.created", refund("re_1", -5, "pending")),
    ],
)
def test_what_says_nothing_of_a_payment_is_none(type_: str, data: Any) -> None:
    assert said_by_event(type_, data, 1) is None


app = App("till", version="1.0.0")
payments = Payments(app)


@app.rpc
async def ask(ctx: Context, amount: int) -> str:
    return (await payments.create(ctx, CreatePayment(amount=amount, currency="EUR"))).id


@app.rpc
async def give_back(ctx: Context, req: tuple[str, str, int]) -> str:
    return (await payments.refund(ctx, req[0], key=req[1], amount=req[2])).status


@app.rpc
async def open_refunds(ctx: Context) -> list[str]:
    page = await ctx.query(KeptPayment, payments.by_status == "refunding")
    return [found.id for found in page.items]


@app.on_event("stripe", "*")
async def told(ctx: Context, event: Event[Any]) -> None:
    await payments.hear(ctx, event)


def provider(tester: AppTester, received: int = AMOUNT) -> None:
    answer = {"id": NAME, "state": "open", "amount": AMOUNT, "currency": "EUR", "metadata": MINE}
    tester.calls["payments.create"] = answer
    tester.calls["payments.get"] = answer | {"state": "succeeded" if received else "open", "received": received}
    tester.calls["payments.refund"] = {"id": "re_1", "payment": NAME, "amount": 1, "currency": "EUR", "state": "succeeded"}


async def test_a_payment_is_an_entity_of_its_own_from_its_making_to_its_refund() -> None:
    async with AppTester(app) as tester:
        provider(tester)
        ann = tester.user("ann")
        assert await ann.call("ask", AMOUNT) == NAME
        assert tester.calls.to("payments.create")[0].payload["metadata"] == MINE
        assert tester.entity(KeptPayment, NAME).status == "created"
        for data, type_ in ((intent("succeeded", AMOUNT), "succeeded"), (intent("processing"), "processing")):
            for _ in range(2):
                await tester.event("stripe", f"payment_intent.{type_}", data)
        assert tester.entity(KeptPayment, NAME).status == "succeeded"

        assert await ann.call("give_back", [NAME, "half", 500]) == "refunding"
        assert await ann.call("give_back", [NAME, "half", 500]) == "refunding", "the same wish"
        assert await ann.call("open_refunds", None) == [NAME]
        with pytest.raises(CallError, match="409: 500 of 1000 EUR are left to give back"):
            await ann.call("give_back", [NAME, "more", 501])
        (job,) = tester.jobs
        assert job.payload == {"id": NAME, "amount": 500, "metadata": {**MINE, REFUND_KEY: "half"}}
        await tester.event("stripe", "charge.refunded", charge(500))
        await tester.event("stripe", "refund.created", refund("re_1", 500, "succeeded", "half"))
        assert tester.entity(KeptPayment, NAME).status == "partly_refunded"
        await ann.call("give_back", [NAME, "rest", 0])
        await tester.event("stripe", "refund.created", refund("re_2", 500, "succeeded", "rest"))
        assert tester.entity(KeptPayment, NAME).status == "refunded"
        assert [each.payload["amount"] for each in tester.jobs] == [500, 500]


async def test_a_refund_of_money_that_nobody_has_told_of_asks_the_provider_first() -> None:
    async with AppTester(app) as tester:
        provider(tester)
        ann = tester.user("ann")
        assert await ann.call("give_back", [NAME, "all", 0]) == "refunding"
        assert tester.jobs[0].payload["amount"] == AMOUNT
    async with AppTester(app) as tester:
        provider(tester, received=0)
        with pytest.raises(CallError, match="409"):
            await tester.user("ann").call("give_back", [NAME, "all", 0])
        assert tester.jobs == []


async def test_payments_of_others_on_the_same_account_are_not_kept() -> None:
    async with AppTester(app) as tester:
        for metadata in ({}, {"app": "another"}, None):
            await tester.event("stripe", "payment_intent.succeeded", intent("succeeded", AMOUNT) | {"metadata": metadata})
        assert tester.entities(KeptPayment) == {}


async def test_a_confirmation_that_is_declined_is_kept_and_raised() -> None:
    shop = App("shop", version="1.0.0")
    of_shop = Payments(shop, kind="money", ours=lambda _: True)

    @shop.rpc
    async def pay(ctx: Context) -> str:
        return (await of_shop.confirm(ctx, NAME, "pm_card_declined")).state

    async with AppTester(shop) as tester:

        def declined(_: Any) -> None:
            raise Reject(402, "Your card was declined.")

        tester.calls["payments.confirm"] = declined
        with pytest.raises(CallError, match="402"):
            await tester.user("ann").call("pay", None)
        kept = tester.entity(KeptPayment, NAME)
        assert (kept.status, kept.reason) == ("failed", "Your card was declined.")
