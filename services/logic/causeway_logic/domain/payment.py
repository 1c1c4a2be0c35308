"""A payment as an app keeps it: what the provider said of it, joined so that order, repetition and lateness do not matter.

created ─► requires_action ─► processing ─► succeeded ─► refunding ─► partly_refunded ─► refunded
              └── failed (another try may follow) ──┘
              └── cancelled

Only facts are kept, and each of them grows one way: `joined` is commutative, associative and idempotent. The status is what the facts
come to; facts that contradict each other are all kept, and told as `strange`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from causeway_common.contracts.connectors import Payment, Refund

Phase = Literal["created", "requires_action", "processing", "failed"]
"""How far a payment is that has neither succeeded nor been cancelled. `failed`: the last try; the payer may try again."""
Status = Literal[
    "created", "requires_action", "processing", "failed", "succeeded", "cancelled", "refunding", "partly_refunded", "refunded"
]
RefundState = Literal["pending", "succeeded", "failed"]

_PHASES: Final[Mapping[Phase, int]] = {"created": 0, "requires_action": 1, "processing": 2, "failed": 3}
_REFUNDS: Final[Mapping[RefundState, int]] = {"pending": 0, "succeeded": 1, "failed": 2}
"""A refund that a bank has sent back fails after it has succeeded."""
_OF_REFUND: Final[Mapping[str, RefundState]] = {"succeeded": "succeeded", "failed": "failed", "canceled": "failed"}
CLAIMS_MAX: Final = 8
REASON_MAX_CHARS: Final = 200
V = TypeVar("V")
Minor = Annotated[int, Field(ge=0)]


class KeptRefund(BaseModel):
    """One refund as the provider knows it. `key`: which of the app's own wishes it fulfils, "" where that is not told."""

    model_config = ConfigDict(frozen=True)

    amount: Minor
    state: RefundState = "pending"
    key: str = ""


class KeptPayment(BaseModel):
    """All that is known of one payment; also what one message of the provider says of it. Amounts are minor units.

    Attributes:
        amount: what was asked for; 0 while nobody has said so.
        currency: of it, ISO 4217 in capitals.
        claims: all amounts with their currencies that were named; more than one are a contradiction.
        phase: how far it was, and when the provider said so (`phase_ms`); `reason`: why that try failed.
        received: what was paid, and in which currency (`received_in`).
        succeeded: whether the provider said so; `cancelled` likewise.
        refunds: by the provider's id.
        wishes: the refunds that the app asked for, by its own keys.
        returned: the provider's own sum of what went back, and when it said so (`returned_ms`).
        metadata: as the payment was made with.
    """

    amount: Minor = 0
    currency: str = ""
    claims: list[str] = []
    phase: Phase = "created"
    phase_ms: int = 0
    reason: str = ""
    received: Minor = 0
    received_in: str = ""
    succeeded: bool = False
    cancelled: bool = False
    refunds: dict[str, KeptRefund] = {}
    wishes: dict[str, int] = {}
    returned: Minor = 0
    returned_ms: int = 0
    metadata: dict[str, str] = {}

    @property
    def status(self) -> Status:
        """What the facts come to. Money that came in counts, whatever else was said."""
        if self.paid:
            back = self.given_back
            if self.received and back >= self.received:
                return "refunded"
            if self._bound > back:
                return "refunding"
            return "partly_refunded" if back else "succeeded"
        return "cancelled" if self.cancelled else self.phase

    @property
    def paid(self) -> bool:
        """Whether money came in, be it that it went back since."""
        return self.succeeded or self.received > 0

    @property
    def given_back(self) -> int:
        """What has gone back. The provider's own sum counts as long as no refund has failed."""
        done = sum(each.amount for each in self.refunds.values() if each.state == "succeeded")
        return done if any(each.state == "failed" for each in self.refunds.values()) else max(done, self.returned)

    @property
    def left(self) -> int:
        """What may still be given back: neither gone nor asked for."""
        return max(self.received - max(self._bound, self.given_back), 0)

    @property
    def strange(self) -> list[str]:
        """What cannot be and was said all the same, one sentence each. For people: nothing is undone because of it."""
        found = []
        if self.paid and self.cancelled:
            found.append("it has succeeded and was cancelled")
        if len(self.claims) > 1:
            found.append(f"different amounts were named: {', '.join(self.claims)}")
        if self.received and self.amount and (self.received, self.received_in) != (self.amount, self.currency):
            found.append(f"{self.received} {self.received_in} came in for {self.amount} {self.currency}")
        if self.received and self.given_back > self.received:
            found.append(f"{self.given_back} of {self.received} {self.received_in} went back")
        return found

    @property
    def _bound(self) -> int:
        """What went back, is on its way, or was asked for and not heard of yet."""
        known = {each.key for each in self.refunds.values()}
        asked = sum(amount for key, amount in self.wishes.items() if key not in known)
        return asked + sum(each.amount for each in self.refunds.values() if each.state != "failed")


@dataclass(frozen=True, slots=True)
class Heard:
    """What became of a payment by one message of the provider."""

    id: str
    before: KeptPayment
    after: KeptPayment

    @property
    def changed(self) -> bool:
        """Whether anything was new."""
        return self.before != self.after

    @property
    def news(self) -> list[str]:
        """What is strange since this message."""
        return [each for each in self.after.strange if each not in self.before.strange]


def joined(one: KeptPayment, other: KeptPayment) -> KeptPayment:
    """Both together. The same whatever comes first, and however often."""
    claims = sorted({*one.claims, *other.claims}, key=_claim)[-CLAIMS_MAX:]
    amount, currency = max((one.amount, one.currency), (other.amount, other.currency))
    received, received_in = max((one.received, one.received_in), (other.received, other.received_in))
    last = max(one, other, key=lambda each: (each.phase_ms, _PHASES[each.phase], each.reason))
    returned_ms, returned = max((one.returned_ms, one.returned), (other.returned_ms, other.returned))
    return KeptPayment(
        amount=amount,
        currency=currency,
        claims=claims,
        phase=last.phase,
        phase_ms=last.phase_ms,
        reason=last.reason,
        received=received,
        received_in=received_in,
        succeeded=one.succeeded or other.succeeded,
        cancelled=one.cancelled or other.cancelled,
        refunds=_united(one.refunds, other.refunds, _refund),
        wishes=_united(one.wishes, other.wishes, max),
        returned=returned,
        returned_ms=returned_ms,
        metadata=_united(one.metadata, other.metadata, max),
    )


def wished(kept: KeptPayment, key: str, amount: int = 0) -> KeptPayment | None:
    """With one more refund asked for; None: it cannot be. The same key again changes nothing.

    Args:
        kept: the payment.
        key: what makes the wish the same when it is made again.
        amount: how much; 0: all that is left.
    """
    if key in kept.wishes:
        return kept
    asked = amount or kept.left
    if not 0 < asked <= kept.left:
        return None
    return kept.model_copy(update={"wishes": {**kept.wishes, key: asked}})


def of_answer(payment: Payment, at_ms: int) -> KeptPayment:
    """What the answer of a call says. `open` may be many things, so it says no more than that there is a payment."""
    phase: Phase = "processing" if payment.state == "processing" else "created"
    return KeptPayment(
        **amounts_of(payment.amount, payment.currency),
        phase=phase,
        phase_ms=at_ms if phase == "processing" else 0,
        received=payment.received,
        received_in=payment.currency.upper() if payment.received else "",
        succeeded=payment.state == "succeeded",
        cancelled=payment.state == "canceled",
        metadata=dict(payment.metadata),
    )


def of_decline(reason: str, at_ms: int) -> KeptPayment:
    """What a refused confirmation says."""
    return KeptPayment(phase="failed", phase_ms=at_ms, reason=reason[:REASON_MAX_CHARS])


def of_refund(refund: Refund, key: str) -> KeptPayment:
    """What the answer of a refund says."""
    return KeptPayment(refunds={refund.id: KeptRefund(amount=refund.amount, state=refund_state(refund.state), key=key)})


def refund_state(told: str) -> RefundState:
    """A provider's state of a refund; what is neither an end nor known is pending."""
    return _OF_REFUND.get(told, "pending")


def amounts_of(amount: int, currency: str) -> dict[str, Any]:
    """Amount, currency and claim; nothing where no amount was named."""
    code = currency.upper()
    return {"amount": amount, "currency": code, "claims": [f"{amount} {code}"]} if amount else {}


def _claim(text: str) -> tuple[int, str]:
    amount, _, currency = text.partition(" ")
    return int(amount), currency


def _refund(one: KeptRefund, other: KeptRefund) -> KeptRefund:
    state = max(one.state, other.state, key=lambda each: _REFUNDS[each])
    return KeptRefund(amount=max(one.amount, other.amount), state=state, key=max(one.key, other.key))


def _united(one: Mapping[str, V], other: Mapping[str, V], both: Callable[[V, V], V]) -> dict[str, V]:
    together = {**one, **other}
    return {name: both(one[name], other[name]) if name in one and name in other else together[name] for name in sorted(together)}
