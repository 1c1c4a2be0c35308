"""What a payment provider is."""

from __future__ import annotations

from typing import Protocol

from causeway_common.contracts.connectors import (
    CancelPayment,
    ConfirmPayment,
    CreatePayment,
    GetPayment,
    Payment,
    Refund,
    RefundPayment,
)


class PaymentRefusedError(Exception):
    """The provider refuses for good: a declined card, a payment that is not there or not in that state. `code`: 400 to 499."""

    def __init__(self, why: str, code: int) -> None:
        super().__init__(why)
        self.code = code


class PaymentFailedError(Exception):
    """It did not work and may work later: no connection, a limit, the provider's own trouble. `status`: its HTTP status, or 0."""

    def __init__(self, why: str, status: int = 0, retry_after_ms: int = 0) -> None:
        super().__init__(why)
        self.status, self.retry_after_ms = status, retry_after_ms


class Provider(Protocol):
    """A payment provider. With the same `key` an operation has one effect and one answer.

    Raises:
        PaymentRefusedError, PaymentFailedError: as they say; nothing else.
    """

    async def create(self, request: CreatePayment, key: str) -> Payment:
        """Ask for money."""
        ...

    async def get(self, request: GetPayment) -> Payment:
        """Look."""
        ...

    async def confirm(self, request: ConfirmPayment, key: str) -> Payment:
        """Pay."""
        ...

    async def cancel(self, request: CancelPayment, key: str) -> Payment:
        """Ask no more."""
        ...

    async def refund(self, request: RefundPayment, key: str) -> Refund:
        """Give back."""
        ...
