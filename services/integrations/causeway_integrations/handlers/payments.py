"""The `payments` connector: checked here, done by the provider; what it refuses and what it could not do are told apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from causeway_common.contracts.connectors import (
    PAYMENTS_CANCEL,
    PAYMENTS_CONFIRM,
    PAYMENTS_CREATE,
    PAYMENTS_GET,
    PAYMENTS_REFUND,
)
from causeway_common.contracts.errors import bad_request
from causeway_common.contracts.money import check_amount, check_currency
from causeway_integrations.domain.outcome import Done, Failed, GivenUp, Outcome
from causeway_integrations.domain.work import Work
from causeway_integrations.ports import Operation
from causeway_integrations.ports.payments import PaymentFailedError, PaymentRefusedError, Provider

ID_MAX_CHARS: Final = 2048
METADATA_MAX: Final = 50
METADATA_VALUE_MAX: Final = 500
METADATA_KEY_MAX: Final = 40


class PaymentsConnector:
    """The operations over one provider."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    def operations(self) -> Mapping[str, Operation]:
        """By name."""
        return {
            PAYMENTS_CREATE.op: self.create,
            PAYMENTS_GET.op: self.get,
            PAYMENTS_CONFIRM.op: self.confirm,
            PAYMENTS_CANCEL.op: self.cancel,
            PAYMENTS_REFUND.op: self.refund,
        }

    async def create(self, work: Work) -> Outcome:
        """As `connectors.PAYMENTS_CREATE`. Raises CausewayError 107: amount, currency or metadata are wrong."""
        request = PAYMENTS_CREATE.read_request(work.payload)
        check_amount(request.amount)
        check_currency(request.currency)
        _check_metadata(request.metadata)
        try:
            payment = await self._provider.create(request, work.key)
        except (PaymentRefusedError, PaymentFailedError) as error:
            return _failure(error)
        return Done(f"{payment.id} is {payment.state}", reply=PAYMENTS_CREATE.result(payment))

    async def get(self, work: Work) -> Outcome:
        """As `connectors.PAYMENTS_GET`. Raises CausewayError 107."""
        request = PAYMENTS_GET.read_request(work.payload)
        _check_id(request.id)
        try:
            payment = await self._provider.get(request)
        except (PaymentRefusedError, PaymentFailedError) as error:
            return _failure(error)
        return Done(f"{payment.id} is {payment.state}", reply=PAYMENTS_GET.result(payment))

    async def confirm(self, work: Work) -> Outcome:
        """As `connectors.PAYMENTS_CONFIRM`. Raises CausewayError 107."""
        request = PAYMENTS_CONFIRM.read_request(work.payload)
        _check_id(request.id)
        try:
            payment = await self._provider.confirm(request, work.key)
        except (PaymentRefusedError, PaymentFailedError) as error:
            return _failure(error)
        return Done(f"{payment.id} is {payment.state}", reply=PAYMENTS_CONFIRM.result(payment))

    async def cancel(self, work: Work) -> Outcome:
        """As `connectors.PAYMENTS_CANCEL`. Raises CausewayError 107."""
        request = PAYMENTS_CANCEL.read_request(work.payload)
        _check_id(request.id)
        try:
            payment = await self._provider.cancel(request, work.key)
        except (PaymentRefusedError, PaymentFailedError) as error:
            return _failure(error)
        return Done(f"{payment.id} is {payment.state}", reply=PAYMENTS_CANCEL.result(payment))

    async def refund(self, work: Work) -> Outcome:
        """As `connectors.PAYMENTS_REFUND`. Raises CausewayError 107: id, amount or metadata are wrong."""
        request = PAYMENTS_REFUND.read_request(work.payload)
        _check_id(request.id)
        check_amount(request.amount, least=0)
        _check_metadata(request.metadata)
        try:
            refund = await self._provider.refund(request, work.key)
        except (PaymentRefusedError, PaymentFailedError) as error:
            return _failure(error)
        return Done(f"{refund.id} is {refund.state}", reply=PAYMENTS_REFUND.result(refund))


def _failure(error: PaymentRefusedError | PaymentFailedError) -> Outcome:
    match error:
        case PaymentRefusedError():
            return GivenUp(str(error), error.code, code=error.code)
        case PaymentFailedError():
            return Failed(str(error), error.status, error.retry_after_ms)


def _check_id(id: str) -> None:
    if not (1 <= len(id) <= ID_MAX_CHARS and id.isascii() and id.replace("_", "").replace("-", "").isalnum()):
        raise bad_request("a payment's id is letters, digits, - and _")


def _check_metadata(metadata: Mapping[str, str]) -> None:
    if len(metadata) > METADATA_MAX or any(
        not key or len(key) > METADATA_KEY_MAX or len(value) > METADATA_VALUE_MAX or set("[]") & set(key)
        for key, value in metadata.items()
    ):
        raise bad_request(
            f"metadata has at most {METADATA_MAX} keys of {METADATA_KEY_MAX} characters (no brackets), values of {METADATA_VALUE_MAX}"
        )
