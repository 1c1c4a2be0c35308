"""The provider `test` of `causeway dev`: no money, no outside. Confirming tells it by a signed webhook, as Stripe would.

A payment's id holds all that was asked for, so that a restart loses nothing of it but what became of it since; for development alone.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from causeway_common.contracts.connectors import (
    CancelPayment,
    ConfirmPayment,
    CreatePayment,
    GetPayment,
    Payment,
    PaymentState,
    Refund,
    RefundPayment,
)
from causeway_common.contracts.ids import derived_id
from causeway_integrations.domain.outside import Answered, Outgoing
from causeway_integrations.ports import Outside
from causeway_integrations.ports.payments import PaymentFailedError, PaymentRefusedError

PREFIX: Final = "pi_test_"
DECLINED: Final = "pm_card_declined"
REMEMBERED: Final = 10_000


@dataclass(slots=True)
class _Fate:
    """What became of a payment."""

    state: PaymentState = "open"
    refunded: int = 0


class TestProvider:
    """`ports.payments.Provider`.

    Args:
        outside: sends the webhooks.
        url: where to: our own `/hooks/<source>`; "" sends none.
        secret: that they are signed with, after Stripe's scheme.
        now_ms: the time of day.
    """

    __test__ = False  # no test of pytest's

    def __init__(self, outside: Outside, *, url: str, secret: str, now_ms: Callable[[], int]) -> None:
        self._outside, self._url, self._secret, self._now_ms = outside, url, secret, now_ms
        self._fates: OrderedDict[str, _Fate] = OrderedDict()
        self._refunds: OrderedDict[str, Refund] = OrderedDict()

    async def create(self, request: CreatePayment, key: str) -> Payment:
        """As the protocol says."""
        asked = [request.amount, request.currency.upper(), request.metadata, key[:32]]
        encoded = base64.urlsafe_b64encode(json.dumps(asked, separators=(",", ":")).encode()).decode().rstrip("=")
        return self._payment(PREFIX + encoded)

    async def get(self, request: GetPayment) -> Payment:
        """As the protocol says."""
        return self._payment(request.id)

    async def confirm(self, request: ConfirmPayment, key: str) -> Payment:
        """As the protocol says. A repeat tells it again, with the same event's id."""
        payment = self._payment(request.id)
        if request.method == DECLINED:
            await self._tell("payment_intent.payment_failed", payment, key)
            raise PaymentRefusedError("CardError (card_declined): Your card was declined.", 402)
        if payment.state == "canceled":
            raise PaymentRefusedError("the payment is canceled", 400)
        self._fate(request.id).state = "succeeded"
        confirmed = self._payment(request.id)
        await self._tell("payment_intent.succeeded", confirmed)
        return confirmed

    async def cancel(self, request: CancelPayment, key: str) -> Payment:
        """As the protocol says."""
        assert key  # noqa: S101 - the protocol's
        payment = self._payment(request.id)
        if payment.state == "succeeded":
            raise PaymentRefusedError("the payment has succeeded, refund it", 400)
        self._fate(request.id).state = "canceled"
        canceled = self._payment(request.id)
        await self._tell("payment_intent.canceled", canceled)
        return canceled

    async def refund(self, request: RefundPayment, key: str) -> Refund:
        """As the protocol says."""
        if key in self._refunds:
            return self._refunds[key]
        payment, fate = self._payment(request.id), self._fate(request.id)
        left = payment.amount - fate.refunded
        amount = request.amount or left
        if payment.state == "canceled" or not 0 < amount <= left:
            raise PaymentRefusedError(f"{left} are left to refund", 400)
        fate.refunded += amount
        made = Refund(
            id=f"re_test_{derived_id(key)}", payment=payment.id, amount=amount, currency=payment.currency, state="succeeded"
        )
        _remember(self._refunds, key, made)
        await self._tell("charge.refunded", payment, key)
        return made

    def _fate(self, id: str) -> _Fate:
        found = self._fates.get(id) or _Fate()
        _remember(self._fates, id, found)
        return found

    def _payment(self, id: str) -> Payment:
        encoded = id.removeprefix(PREFIX)
        try:
            amount, currency, metadata, _ = json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
        except ValueError as error:
            raise PaymentRefusedError("No such payment_intent", 404) from error
        state = self._fates[id].state if id in self._fates else "open"
        received = amount if state == "succeeded" else 0
        secret = f"{derived_id(id)}_secret"
        return Payment(
            id=id, state=state, amount=amount, currency=currency, received=received, client_secret=secret, metadata=metadata
        )

    async def _tell(self, type: str, payment: Payment, *parts: str) -> None:
        if not self._url:
            return
        seconds = self._now_ms() // 1000
        intent: dict[str, Any] = {
            "id": payment.id,
            "object": "payment_intent",
            "amount": payment.amount,
            "amount_received": payment.received,
            "currency": payment.currency.lower(),
            "metadata": payment.metadata,
            "status": {"open": "requires_payment_method"}.get(payment.state, payment.state),
        }
        event = {
            "id": f"evt_test_{derived_id(type, payment.id, *parts)}",
            "object": "event",
            "type": type,
            "created": seconds,
            "livemode": False,
            "data": {"object": intent},
        }
        body = json.dumps(event).encode()
        signature = hmac.new(self._secret.encode(), b"%d.%b" % (seconds, body), hashlib.sha256).hexdigest()
        headers = {"content-type": "application/json", "stripe-signature": f"t={seconds},v1={signature}"}
        answer = await self._outside.send(Outgoing("POST", self._url, headers, body, timeout_s=3))
        if not (isinstance(answer, Answered) and 200 <= answer.status < 300):
            why = answer.note if isinstance(answer, Answered) else answer.why
            raise PaymentFailedError(f"the webhook was not taken: {why}")


def _remember(kept: OrderedDict[str, Any], key: str, value: Any) -> None:
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > REMEMBERED:
        kept.popitem(last=False)
