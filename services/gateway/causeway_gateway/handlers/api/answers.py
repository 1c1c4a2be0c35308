"""What all calls of the API and of operators have in common: the answer's form, errors by the table, who may."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from causeway_common.bus import Deadline
from causeway_common.contracts.errors import CausewayError, ErrorName
from causeway_gateway.domain.frames.json import replace_lone_surrogates
from causeway_gateway.domain.keyring import OPERATIONS, ApiCaller
from causeway_gateway.handlers import metrics
from causeway_gateway.handlers.api import bodies as b

HTTP_STATUS: Final = {100: 500, 102: 404, 103: 403, 104: 404, 107: 400, 108: 400, 111: 429, 112: 416, 113: 409}
Row = tuple[type[b.Body], type[b.Body], Callable[[Any, ApiCaller, Deadline], Awaitable[b.Body]]]
"""The types of a request and its result, and what answers."""
_encoder: Final = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class ApiAnswer:
    """A JSON document and its HTTP status."""

    body: bytes
    status: int = 200


def answer_of(reply: b.ApiReply, *, transport_errors: bool) -> ApiAnswer:
    """The reply as a document; with `transport_errors` an error is the bare object, and told by the HTTP status too."""
    if transport_errors and reply.error is not None:
        return ApiAnswer(_encoder.encode(reply.error), HTTP_STATUS.get(reply.error.code, 500))
    return ApiAnswer(_encoder.encode(reply))


def failed(error: CausewayError) -> b.ApiReply:
    """The reply that says so, counted."""
    metrics.api_requests.add(1, error.name.value)
    return b.ApiReply(error=b.ApiError(code=error.code, message=error.message, temporary=error.temporary))


def permit(caller: ApiCaller, method: str, request: b.Body) -> None:
    """Raises CausewayError: 103, this key may not call it, or not for this channel."""
    if not (caller.may_operate(method) if method in OPERATIONS else caller.may_call(method)):
        raise CausewayError(ErrorName.PERMISSION_DENIED, f"permission denied: this key may not call {method}")
    channel = getattr(request, "channel", None)
    if channel is not None:
        permit_channel(caller, channel)


def permit_channel(caller: ApiCaller, channel: str) -> None:
    """Raises CausewayError: 103, this key may not use this channel's namespace."""
    if not caller.may_use(channel):
        raise CausewayError(ErrorName.PERMISSION_DENIED, "permission denied: this key may not use this namespace")


def readable(body: bytes) -> bytes:
    """The body, checked to be UTF-8 and without halves of surrogate pairs, which the decoder refuses."""
    body.decode()
    return replace_lone_surrogates(body) if b"\\ud" in body.lower() else body
