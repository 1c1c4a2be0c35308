"""Stripe, by its own package's async client over our checked session. Retries are the job's or the caller's, never the client's."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Any, Final, Literal, TypeVar, cast

import stripe
from aiohttp import ClientSession, ClientTimeout

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
from causeway_integrations.adapters.http import open_session
from causeway_integrations.domain.secrets import Reveal
from causeway_integrations.ports.payments import PaymentFailedError, PaymentRefusedError

T = TypeVar("T")
_STATES: Final[Mapping[str, PaymentState]] = {
    "requires_payment_method": "open",
    "requires_confirmation": "open",
    "requires_action": "open",
    "requires_capture": "processing",
    "processing": "processing",
    "succeeded": "succeeded",
    "canceled": "canceled",
}
_REFUNDS: Final[Mapping[str, Literal["pending", "succeeded", "failed", "canceled"]]] = {
    "pending": "pending",
    "requires_action": "pending",
    "succeeded": "succeeded",
    "failed": "failed",
    "canceled": "canceled",
}
PAYMENT_REQUIRED: Final = 402


class StripeProvider:
    """`ports.payments.Provider`.

    Args:
        api_key: the secret key, or a reference to it.
        base_url: of the API; "" is Stripe's own.
        timeout_s: for one request.
        allowed: host names that may be private, for a peer of the tests.
        connections: open at once.
        user_agent: what the session calls itself where the client does not.
        reveal: secrets by reference.
    """

    def __init__(
        self,
        *,
        api_key: str,
        base_url: str,
        timeout_s: float,
        allowed: frozenset[str],
        connections: int,
        user_agent: str,
        reveal: Reveal,
    ) -> None:
        self._key, self._base_url, self._timeout_s, self._reveal = api_key, base_url, timeout_s, reveal
        self._allowed, self._connections, self._user_agent = allowed, connections, user_agent
        self._session: ClientSession | None = None
        self._client: stripe.StripeClient | None = None
        self._client_key = ""

    async def start(self) -> None:
        """Open the session."""
        stripe.enable_telemetry = False  # else the client tells Stripe about our requests' times
        self._session = open_session(allowed=self._allowed, connections=self._connections, user_agent=self._user_agent)

    async def stop(self) -> None:
        """Close it."""
        if self._session is not None:
            await self._session.close()

    async def create(self, request: CreatePayment, key: str) -> Payment:
        """As the protocol says."""
        params: Any = {
            "amount": request.amount,
            "currency": request.currency.lower(),
            "metadata": dict(request.metadata),
            "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
        }
        if request.description:
            params["description"] = request.description
        return _payment(await _asked(self._stripe().v1.payment_intents.create_async(params, {"idempotency_key": key})))

    async def get(self, request: GetPayment) -> Payment:
        """As the protocol says."""
        return _payment(await _asked(self._stripe().v1.payment_intents.retrieve_async(request.id)))

    async def confirm(self, request: ConfirmPayment, key: str) -> Payment:
        """As the protocol says."""
        params: Any = {"payment_method": request.method} if request.method else {}
        asked = self._stripe().v1.payment_intents.confirm_async(request.id, params, {"idempotency_key": key})
        return _payment(await _asked(asked))

    async def cancel(self, request: CancelPayment, key: str) -> Payment:
        """As the protocol says."""
        asked = self._stripe().v1.payment_intents.cancel_async(request.id, {}, {"idempotency_key": key})
        return _payment(await _asked(asked))

    async def refund(self, request: RefundPayment, key: str) -> Refund:
        """As the protocol says."""
        params: Any = {"payment_intent": request.id}
        if request.amount:
            params["amount"] = request.amount
        if request.metadata:
            params["metadata"] = dict(request.metadata)
        found = await _asked(self._stripe().v1.refunds.create_async(params, {"idempotency_key": key}))
        return Refund(
            id=found.id,
            payment=request.id,
            amount=found.amount,
            currency=found.currency.upper(),
            state=_REFUNDS.get(found.status or "", "pending"),
        )

    def _stripe(self) -> stripe.StripeClient:
        """The client, with the key as it is now."""
        if self._session is None:
            raise RuntimeError("the payment provider is not started")
        key = self._reveal(self._key)
        if self._client is None or key != self._client_key:
            timeout = cast("Any", ClientTimeout(total=self._timeout_s))  # the client hands it on to aiohttp as it is
            bases: Any = {"api": self._base_url} if self._base_url else {}
            self._client = stripe.StripeClient(
                key,
                http_client=stripe.AIOHTTPClient(timeout=timeout, session=self._session),
                base_addresses=bases,
                max_network_retries=0,
            )
            self._client_key = key
        return self._client


async def _asked(request: Awaitable[T]) -> T:
    """The answer, its errors told apart: what the request is to blame for stays, all else may pass."""
    try:
        return await request
    except stripe.CardError as error:
        raise PaymentRefusedError(_why(error), PAYMENT_REQUIRED) from error
    except (stripe.AuthenticationError, stripe.PermissionError, stripe.RateLimitError) as error:
        raise PaymentFailedError(_why(error), error.http_status or 0, _retry_after_ms(error)) from error
    except (stripe.InvalidRequestError, stripe.IdempotencyError) as error:
        raise PaymentRefusedError(_why(error), error.http_status or 400) from error
    except stripe.StripeError as error:
        raise PaymentFailedError(_why(error), error.http_status or 0, _retry_after_ms(error)) from error


def _why(error: stripe.StripeError) -> str:
    """Type, code and message, which Stripe writes without secrets of ours (a key is shortened by it)."""
    code = f" ({error.code})" if error.code else ""
    return f"{type(error).__name__}{code}: {error.user_message or 'no answer'}"


def _retry_after_ms(error: stripe.StripeError) -> int:
    text = str((error.headers or {}).get("retry-after", ""))
    return int(text) * 1000 if text.isdigit() and len(text) < 6 else 0


def _payment(found: stripe.PaymentIntent) -> Payment:
    return Payment(
        id=found.id,
        state=_STATES.get(found.status, "processing"),
        amount=found.amount,
        currency=found.currency.upper(),
        received=getattr(found, "amount_received", 0) or 0,
        client_secret=found.client_secret or "",
        metadata=_metadata(found.metadata),
    )


def _metadata(found: Any) -> dict[str, str]:
    plain: dict[str, str] = found.to_dict() if found is not None else {}
    return plain
