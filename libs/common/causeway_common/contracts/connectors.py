"""The operations of the connectors, typed: what `ctx.call` asks and `enqueue` leaves behind, and what comes back.

Each row works both ways. A call answers at once or fails; a job is tried until it is done or dead, with one key for all its tries.
Amounts are whole minor units (cents) with an ISO 4217 currency; nothing here is a float.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Generic, Literal, TypeVar

import msgspec

from causeway_common.contracts.errors import CausewayError, ErrorName, bad_request
from causeway_common.contracts.messages.base import JsonMap, Message
from causeway_common.contracts.names import is_identifier

Req = TypeVar("Req", bound=Message)
Rep = TypeVar("Rep", bound=Message)


class HttpRequest(Message, frozen=True):
    """One request to a declared API: `path` goes behind its base URL, `body` is sent as JSON."""

    method: str = "GET"
    path: str = ""
    query: dict[str, str] = {}
    body: Any = None


class HttpReply(Message, frozen=True):
    """A 2xx answer: its JSON, else its text. `stale`: the API failed, and this is what it said before; `age_ms`: how old it is."""

    status: int
    data: Any = None
    stale: bool = False
    age_ms: int = 0


class Attachment(Message, frozen=True):
    """A file of an e-mail: where its bytes are. They are fetched when it is sent; at each try again.

    `content`: in the message itself, so they must be small. `url`: at a host of `integrations.email.attachment_hosts`. `file`: below
    `integrations.email.attachment_folder`. `type`: what a fetched one must be too; left out, what its source says.
    """

    name: str
    content: bytes = b""
    type: str = "application/octet-stream"
    url: str = ""
    file: str = ""


class SendEmail(Message, frozen=True):
    """An e-mail. With `template`, subject and bodies come from it and `data`; else from `subject`, `text` and `html`.

    `only`: of the recipients, those whom it goes to this time; empty: all.
    """

    to: list[str]
    template: str = ""
    data: JsonMap = {}
    subject: str = ""
    text: str = ""
    html: str = ""
    cc: list[str] = []
    bcc: list[str] = []
    reply_to: str = ""
    attachments: list[Attachment] = []
    only: list[str] = []


class EmailSent(Message, frozen=True):
    """The server took it. `refused`: recipients that it did not take, with its reason."""

    message_id: str
    refused: dict[str, str] = {}


class CreatePayment(Message, frozen=True):
    """Ask for `amount` minor units of `currency`. `metadata` comes back with the payment and its events."""

    amount: int
    currency: str
    description: str = ""
    metadata: dict[str, str] = {}


class GetPayment(Message, frozen=True):
    """Look at a payment."""

    id: str


class ConfirmPayment(Message, frozen=True):
    """Pay it with this method (Stripe's `payment_method`); the test provider takes any, and refuses `pm_card_declined`."""

    id: str
    method: str = ""


class CancelPayment(Message, frozen=True):
    """Ask for it no more."""

    id: str


class RefundPayment(Message, frozen=True):
    """Give `amount` minor units back; 0: all that is left. `metadata` comes with the refund's events."""

    id: str
    amount: int = 0
    metadata: dict[str, str] = {}


PaymentState = Literal["open", "processing", "succeeded", "canceled"]


class Payment(Message, frozen=True):
    """A payment as the provider knows it. `client_secret` is for the payer's browser alone."""

    id: str
    state: PaymentState
    amount: int
    currency: str
    received: int = 0
    client_secret: str = ""
    metadata: dict[str, str] = {}


class Refund(Message, frozen=True):
    """Money on its way back."""

    id: str
    payment: str
    amount: int
    currency: str
    state: Literal["pending", "succeeded", "failed", "canceled"]


class WebhookEvent(Message, frozen=True):
    """Tell every endpoint of this app and event type. `timestamp` is ISO 8601, when it happened."""

    type: str
    timestamp: str
    data: Any = None


class WebhookAccepted(Message, frozen=True):
    """So many deliveries are on their way."""

    deliveries: int


@dataclass(frozen=True, slots=True)
class Operation(Generic[Req, Rep]):
    """One operation of a connector."""

    connector: str
    op: str
    request: type[Req]
    reply: type[Rep]

    @property
    def name(self) -> str:
        """`connector.op`, as apps and configuration write it."""
        return f"{self.connector}.{self.op}"

    def payload(self, request: Req) -> JsonMap:
        """The request as it travels and as a record keeps it."""
        made: JsonMap = msgspec.to_builtins(request, builtin_types=(bytes,))
        return made

    def read_request(self, payload: JsonMap) -> Req:
        """The request of a payload. Raises CausewayError 107 naming the place."""
        return _read(payload, self.request, self.name)

    def result(self, reply: Rep) -> JsonMap:
        """The reply as it travels, its defaults included: an app may read it without the type."""
        return {name: msgspec.to_builtins(getattr(reply, name), builtin_types=(bytes,)) for name in reply.__struct_fields__}

    def read_reply(self, payload: JsonMap) -> Rep:
        """The reply of a payload. Raises CausewayError 107 naming the place."""
        return _read(payload, self.reply, self.name)


def http(api: str) -> Operation[HttpRequest, HttpReply]:
    """The operation of a declared API: `http("rates")` is `http.rates`. Raises ValueError: no name."""
    if not is_identifier(api):
        raise ValueError(f"no API has the name {api!r}")
    return Operation("http", api, HttpRequest, HttpReply)


EMAIL_SEND: Final = Operation("email", "send", SendEmail, EmailSent)
PAYMENTS_CREATE: Final = Operation("payments", "create", CreatePayment, Payment)
PAYMENTS_GET: Final = Operation("payments", "get", GetPayment, Payment)
PAYMENTS_CONFIRM: Final = Operation("payments", "confirm", ConfirmPayment, Payment)
PAYMENTS_CANCEL: Final = Operation("payments", "cancel", CancelPayment, Payment)
PAYMENTS_REFUND: Final = Operation("payments", "refund", RefundPayment, Refund)
WEBHOOK_EVENT: Final = Operation("webhook", "event", WebhookEvent, WebhookAccepted)

OPERATIONS: Final[dict[str, Operation[Any, Any]]] = {
    row.name: row
    for row in (
        EMAIL_SEND,
        PAYMENTS_CREATE,
        PAYMENTS_GET,
        PAYMENTS_CONFIRM,
        PAYMENTS_CANCEL,
        PAYMENTS_REFUND,
        WEBHOOK_EVENT,
    )
}
"""By name, but for those of `http`, whose names are the configuration's."""


def split_operation(name: str) -> tuple[str, str]:
    """Connector and operation of `connector.op`. Raises CausewayError 104 where it is no such name."""
    connector, _, op = name.partition(".")
    if not (is_identifier(connector) and is_identifier(op)):
        raise CausewayError(ErrorName.METHOD_NOT_FOUND, f"method not found: an operation is connector.op, got {name!r:.80}")
    return connector, op


M = TypeVar("M", bound=Message)


def _read(payload: JsonMap, model: type[M], name: str) -> M:
    try:
        found: M = msgspec.convert(payload, model)
    except msgspec.ValidationError as error:
        raise bad_request(f"{name}: {error}") from error
    return found
