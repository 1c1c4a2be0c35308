"""The provider `test` of `causeway dev`: no money, no outside. What becomes of a payment is told by signed webhooks, as Stripe would.

With a folder, each payment is a file there and survives whatever process is killed; for development and tests alone.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from causeway_common.contracts.connectors import (
    CancelPayment,
    ConfirmPayment,
    CreatePayment,
    GetPayment,
    Payment,
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


class _Account(msgspec.Struct, kw_only=True):
    """A payment and all that was given back of it, by the key of who asked."""

    payment: Payment
    refunds: dict[str, Refund] = {}

    @property
    def left(self) -> int:
        """Minor units that can still be given back."""
        return self.payment.received - sum(refund.amount for refund in self.refunds.values())


class TestProvider:
    """`ports.payments.Provider`.

    Args:
        outside: sends the webhooks.
        url: where to: our own `/hooks/<source>`; "" sends none.
        secret: that they are signed with, after Stripe's scheme.
        folder: keeps the payments; None: this process's memory does.
        now_ms: the time of day.
    """

    __test__ = False  # no test of pytest's

    def __init__(self, outside: Outside, *, url: str, secret: str, folder: Path | None, now_ms: Callable[[], int]) -> None:
        self._outside, self._url, self._secret, self._folder, self._now_ms = outside, url, secret, folder, now_ms
        self._accounts: dict[str, _Account] = {}
        self._busy = asyncio.Lock()

    async def create(self, request: CreatePayment, key: str) -> Payment:
        """As the protocol says."""
        name = PREFIX + derived_id(key)
        async with self._busy:
            found = self._find(name)
            if found is None:
                found = _Account(
                    payment=Payment(
                        id=name,
                        state="open",
                        amount=request.amount,
                        currency=request.currency.upper(),
                        client_secret=f"{name}_secret_{derived_id(name, self._secret)}",
                        metadata=request.metadata,
                    )
                )
                self._keep(found)
            return found.payment

    async def get(self, request: GetPayment) -> Payment:
        """As the protocol says."""
        return self._account(request.id).payment

    async def confirm(self, request: ConfirmPayment, key: str) -> Payment:
        """As the protocol says. A repeat tells it again, as the same event."""
        async with self._busy:
            account = self._account(request.id)
            if account.payment.state == "canceled":
                raise PaymentRefusedError("InvalidRequestError (payment_intent_unexpected_state): it is canceled", 400)
            declined = request.method == DECLINED and account.payment.state != "succeeded"
            if not declined:
                self._change(account, state="succeeded", received=account.payment.amount)
        if declined:
            await self._tell("payment_intent.payment_failed", account.payment, key)
            raise PaymentRefusedError("CardError (card_declined): Your card was declined.", 402)
        await self._tell("payment_intent.succeeded", account.payment)
        return account.payment

    async def cancel(self, request: CancelPayment, key: str) -> Payment:
        """As the protocol says."""
        assert key  # noqa: S101 - the protocol's
        async with self._busy:
            account = self._account(request.id)
            if account.payment.state == "succeeded":
                raise PaymentRefusedError("InvalidRequestError (payment_intent_unexpected_state): it has succeeded", 400)
            self._change(account, state="canceled")
        await self._tell("payment_intent.canceled", account.payment)
        return account.payment

    async def refund(self, request: RefundPayment, key: str) -> Refund:
        """As the protocol says."""
        async with self._busy:
            account = self._account(request.id)
            made = account.refunds.get(key)
            if made is None:
                amount = request.amount or account.left
                if not 0 < amount <= account.left:
                    raise PaymentRefusedError(f"InvalidRequestError (amount_too_large): {account.left} are left to give back", 400)
                name = f"re_test_{derived_id(key)}"
                made = Refund(id=name, payment=request.id, amount=amount, currency=account.payment.currency, state="succeeded")
                account.refunds[key] = made
                self._keep(account)
        await self._tell_object("charge.refunded", _charge(account), key)
        await self._tell_object("refund.created", _refund(made, request), key)
        return made

    def _change(self, account: _Account, **changes: Any) -> None:
        account.payment = msgspec.structs.replace(account.payment, **changes)
        self._keep(account)

    def _account(self, id: str) -> _Account:
        found = self._find(id) if id.startswith(PREFIX) else None
        if found is None:
            raise PaymentRefusedError("InvalidRequestError (resource_missing): No such payment_intent", 404)
        return found

    def _find(self, id: str) -> _Account | None:
        if self._folder is None:
            return self._accounts.get(id)
        try:
            return msgspec.json.decode(self._file(id).read_bytes(), type=_Account)
        except FileNotFoundError:
            return None

    def _keep(self, account: _Account) -> None:
        if self._folder is None:
            self._accounts[account.payment.id] = account
            if len(self._accounts) > REMEMBERED:
                del self._accounts[next(iter(self._accounts))]
            return
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = self._file(account.payment.id)
        unfinished = file.with_suffix(".new")
        unfinished.write_bytes(msgspec.json.encode(account))
        os.replace(unfinished, file)  # noqa: PTH105 - atomic, said by its name

    def _file(self, id: str) -> Path:
        assert self._folder is not None  # noqa: S101 - the callers'
        return self._folder / f"{PREFIX}{derived_id(id)}.json"

    async def _tell(self, type: str, payment: Payment, *parts: str) -> None:
        await self._tell_object(type, _intent(payment), *parts)

    async def _tell_object(self, type: str, told: dict[str, Any], *parts: str) -> None:
        if not self._url:
            return
        seconds = self._now_ms() // 1000
        event = {
            "id": f"evt_test_{derived_id(type, told['id'], *parts)}",
            "object": "event",
            "type": type,
            "created": seconds,
            "livemode": False,
            "data": {"object": told},
        }
        body = json.dumps(event).encode()
        signature = hmac.new(self._secret.encode(), b"%d.%b" % (seconds, body), hashlib.sha256).hexdigest()
        headers = {"content-type": "application/json", "stripe-signature": f"t={seconds},v1={signature}"}
        answer = await self._outside.send(Outgoing("POST", self._url, headers, body, timeout_s=3))
        if not (isinstance(answer, Answered) and 200 <= answer.status < 300):
            why = answer.note if isinstance(answer, Answered) else answer.why
            raise PaymentFailedError(f"the webhook was not taken: {why}")


def _intent(payment: Payment) -> dict[str, Any]:
    return {
        "id": payment.id,
        "object": "payment_intent",
        "amount": payment.amount,
        "amount_received": payment.received,
        "currency": payment.currency.lower(),
        "metadata": payment.metadata,
        "status": {"open": "requires_payment_method"}.get(payment.state, payment.state),
    }


def _charge(account: _Account) -> dict[str, Any]:
    payment = account.payment
    return {
        "id": payment.id.replace(PREFIX, "ch_test_"),
        "object": "charge",
        "payment_intent": payment.id,
        "amount": payment.received,
        "amount_refunded": payment.received - account.left,
        "currency": payment.currency.lower(),
        "metadata": payment.metadata,
        "refunded": account.left == 0,
    }


def _refund(made: Refund, request: RefundPayment) -> dict[str, Any]:
    return {
        "id": made.id,
        "object": "refund",
        "payment_intent": made.payment,
        "amount": made.amount,
        "currency": made.currency.lower(),
        "metadata": request.metadata,
        "status": made.state,
    }
