"""What Stripe's events say of a payment: https://docs.stripe.com/api/events/types, of payment intents, charges and refunds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, Field, ValidationError

from causeway_logic.domain.payment import REASON_MAX_CHARS, KeptPayment, KeptRefund, Phase, amounts_of, refund_state

REFUND_KEY: Final = "refund_key"
"""In the metadata of a refund: which of the app's wishes it fulfils."""
_PHASES: Final[Mapping[str, Phase]] = {
    "requires_payment_method": "created",
    "requires_confirmation": "created",
    "requires_action": "requires_action",
    "requires_capture": "processing",
    "processing": "processing",
}
_SUCCEEDED: Final = "payment_intent.succeeded"
_CANCELED: Final = "payment_intent.canceled"
_FAILED: Final = "payment_intent.payment_failed"
_OF_REFUNDS: Final = ("refund.", "charge.refund.")


class _Why(BaseModel):
    code: str | None = None
    decline_code: str | None = None
    message: str | None = None


class _Intent(BaseModel):
    id: str = Field(min_length=1)
    currency: str
    amount: int = Field(0, ge=0)
    amount_received: int = Field(0, ge=0)
    status: str = ""
    metadata: dict[str, str] | None = None
    last_payment_error: _Why | None = None


class _Charge(BaseModel):
    payment_intent: str = Field(min_length=1)
    amount_refunded: int = Field(ge=0)
    metadata: dict[str, str] | None = None


class _Refund(BaseModel):
    id: str = Field(min_length=1)
    payment_intent: str = Field(min_length=1)
    amount: int = Field(ge=0)
    status: str | None = None
    metadata: dict[str, str] | None = None


def said_by_event(type_: str, data: Any, at_ms: int) -> tuple[str, KeptPayment] | None:
    """The payment's id and what an event says of it; None: it says nothing of a payment.

    Args:
        type_: Stripe's.
        data: the object of the event, as it was then.
        at_ms: when it was.
    """
    try:
        if type_.startswith("payment_intent."):
            return _of_intent(type_, _Intent.model_validate(data), at_ms)
        if type_ == "charge.refunded":
            charge = _Charge.model_validate(data)
            said = KeptPayment(returned=charge.amount_refunded, returned_ms=at_ms, metadata=charge.metadata or {})
            return charge.payment_intent, said
        if type_.startswith(_OF_REFUNDS):
            return _of_refund(_Refund.model_validate(data))
    except ValidationError:
        return None
    return None


def _of_intent(type_: str, intent: _Intent, at_ms: int) -> tuple[str, KeptPayment]:
    phase = "failed" if type_ == _FAILED else _PHASES.get(intent.status, "created")
    why = intent.last_payment_error if phase == "failed" else None
    reason = (why.decline_code or why.code or why.message or "") if why else ""
    said = KeptPayment(
        **amounts_of(intent.amount, intent.currency),
        phase=phase,
        phase_ms=at_ms if phase != "created" else 0,
        reason=reason[:REASON_MAX_CHARS],
        received=intent.amount_received,
        received_in=intent.currency.upper() if intent.amount_received else "",
        succeeded=type_ == _SUCCEEDED or intent.status == "succeeded",
        cancelled=type_ == _CANCELED or intent.status == "canceled",
        metadata=intent.metadata or {},
    )
    return intent.id, said


def _of_refund(refund: _Refund) -> tuple[str, KeptPayment]:
    metadata = dict(refund.metadata or {})
    kept = KeptRefund(amount=refund.amount, state=refund_state(refund.status or ""), key=metadata.pop(REFUND_KEY, ""))
    return refund.payment_intent, KeptPayment(refunds={refund.id: kept}, metadata=metadata)
