"""Webhooks that come in: whose signature they must have, and what event they are. Pure: the time of day is an argument."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, NoReturn

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from causeway_common.contracts.ids import derived_id
from causeway_common.contracts.messages import JsonMap, NewRecord
from causeway_common.contracts.ordering import line_of_event

Scheme = Literal["standard-webhooks", "stripe", "github"]
ID_MAX_CHARS: Final = 255
TYPE_MAX_CHARS: Final = 200
SECONDS_MAX: Final = 253_402_300_799
"""The last second of the year 9999."""
ON_EVENT: Final = "on_event"
TASK: Final = ""
"""The connector of a record that is a task of its app."""
CONNECTOR: Final = "inbound"
UNCLAIMED: Final = "unclaimed"
SEEN: Final = "seen"
UNTYPED: Final = "untyped"
"""The type of a Standard Webhooks body that names none, which the specification allows."""
OWN_APP: Final = "integrations"


class NotSignedError(Exception):
    """The signature is missing or wrong, or its time is out of the window. Which of them is for our log alone."""


class NoEventError(Exception):
    """It is signed, and no event of this scheme."""


@dataclass(frozen=True, slots=True)
class Source:
    """A sender. Its secrets, or references to them: any of them may have signed, so that they can be rotated."""

    name: str
    scheme: Scheme
    secrets: Sequence[str]
    tolerance_ms: int


@dataclass(frozen=True, slots=True)
class InboundEvent:
    """An event from outside.

    Attributes:
        source: the sender.
        id: the sender's own.
        type: likewise.
        data: of the body.
        occurred_ms: when it happened; 0 where the scheme does not say.
        digest: of the body, where it is all that was signed: neither the id nor a time was, so that whoever has seen one request can send it
            again under another id.
    """

    source: str
    id: str
    type: str
    data: Any
    occurred_ms: int = 0
    digest: str = ""


def verified(source: Source, secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now_ms: int) -> InboundEvent:
    """The event of a request.

    Args:
        source: who claims to send it.
        secrets: its secrets in clear.
        headers: by lower-case name.
        body: exactly as it came.
        now_ms: the time of day.

    Raises:
        NotSignedError, NoEventError: as they say.
    """
    return _READERS[source.scheme](source, secrets, headers, body, now_ms)


def record_of(event: InboundEvent, app: str, received_ms: int, traceparent: str, order_by: str = "") -> NewRecord:
    """The event as a task of an app. The id depends on source, event and app alone: a repeat changes nothing.

    Args:
        event: what came.
        app: who gets it.
        received_ms: when it came.
        traceparent: of its coming.
        order_by: where in its data the key stands whose events come one after the other; "" or nothing there: it waits for none.
    """
    line = line_of_event(app, event.source, event.data, order_by)
    return NewRecord(
        id="in:" + derived_id(event.source, event.id, app),
        app=app,
        connector=TASK,
        op=ON_EVENT,
        payload=payload_of(event, received_ms),
        traceparent=traceparent,
        line=line,
        behind=line,
    )


def unclaimed_of(event: InboundEvent, received_ms: int, traceparent: str) -> NewRecord:
    """The event as a job of ours, where no app handles it yet: it looks for one by its schedule, and is kept as dead after that."""
    return NewRecord(
        id="in:" + derived_id(event.source, event.id, OWN_APP),
        app=OWN_APP,
        connector=CONNECTOR,
        op=UNCLAIMED,
        payload=payload_of(event, received_ms),
        traceparent=traceparent,
    )


def seen_of(event: InboundEvent, window: int, now_ms: int) -> NewRecord:
    """What tells for one window of time that a body has come, and under which id it came first."""
    name = "seen:" + derived_id(event.source, event.digest, str(window))
    payload: JsonMap = {"id": event.id, "at_ms": now_ms}
    return NewRecord(id=name, app=OWN_APP, connector=CONNECTOR, op=SEEN, payload=payload)


def payload_of(event: InboundEvent, received_ms: int) -> JsonMap:
    """As the task `on_event` gets it."""
    payload = {"source": event.source, "type": event.type, "id": event.id, "data": event.data, "received_ms": received_ms}
    return {**payload, "occurred_ms": event.occurred_ms} if event.occurred_ms else payload


def event_of(payload: JsonMap) -> tuple[InboundEvent, int]:
    """The event and its time of a payload. Raises KeyError or TypeError for one that is none of ours."""
    occurred_ms = int(payload.get("occurred_ms", 0))
    event = InboundEvent(str(payload["source"]), str(payload["id"]), str(payload["type"]), payload["data"], occurred_ms)
    return event, int(payload["received_ms"])


def _standard(source: Source, secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now_ms: int) -> InboundEvent:
    """Standard Webhooks 1.0: `v1` with the keys `whsec_…`, `v1a` with `whpk_…`."""
    message, time = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    _check_time(time, source, now_ms)
    signed = b"%b.%b.%b" % (message.encode("utf-8", "surrogateescape"), time.encode(), body)
    good = False
    for entry in headers.get("webhook-signature", "").split(" ")[:10]:
        version, _, text = entry.partition(",")
        signature = _decoded(text)
        for secret in secrets:
            good |= (version == "v1" and _is_v1(secret, signed, signature)) or (
                version == "v1a" and _is_v1a(secret, signed, signature)
            )
    if not good:
        raise NotSignedError("no signature fits")
    found = _json(body)
    if "type" not in found:
        return _event(source, message, UNTYPED, found)
    return _event(source, message, found["type"], found.get("data", found))


def _is_v1(secret: str, signed: bytes, signature: bytes) -> bool:
    if secret.startswith("whpk_"):
        return False
    key = _decoded(secret.removeprefix("whsec_"))
    return bool(key) and hmac.compare_digest(hmac.new(key, signed, hashlib.sha256).digest(), signature)


def _is_v1a(secret: str, signed: bytes, signature: bytes) -> bool:
    if not secret.startswith("whpk_"):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(_decoded(secret.removeprefix("whpk_"))).verify(signature, signed)
    except (InvalidSignature, ValueError):
        return False
    return True


def _stripe(source: Source, secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now_ms: int) -> InboundEvent:
    """Stripe: `t=…,v1=…[,v1=…]` over `t.body`; the key is the secret's text, `whsec_` and all."""
    pairs = [part.partition("=") for part in headers.get("stripe-signature", "").split(",")[:20]]
    time = next((value for name, _, value in pairs if name.strip() == "t"), "")
    _check_time(time, source, now_ms)
    told = [value.encode("utf-8", "replace") for name, _, value in pairs if name.strip() == "v1"]
    signed = b"%b.%b" % (time.encode(), body)
    good = False
    for secret in secrets:
        expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest().encode()
        for signature in told:
            good |= hmac.compare_digest(expected, signature)
    if not good:
        raise NotSignedError("no signature fits")
    found = _json(body)
    data, created = found.get("data"), found.get("created")
    event = _event(
        source, found.get("id"), found.get("type"), data["object"] if isinstance(data, dict) and "object" in data else data
    )
    if type(created) is int and 0 < created <= SECONDS_MAX:
        return replace(event, occurred_ms=created * 1000)
    return event


def _github(source: Source, secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now_ms: int) -> InboundEvent:
    """GitHub: `sha256=…` over the body. No time is told, and the delivery's id and the event's name are not signed."""
    assert now_ms  # noqa: S101 - the other schemes' window
    told = headers.get("x-hub-signature-256", "").encode("utf-8", "replace")
    good = False
    for secret in secrets:
        expected = b"sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest().encode()
        good |= hmac.compare_digest(expected, told)
    if not good:
        raise NotSignedError("no signature fits")
    found = _json(body)
    kind = headers.get("x-github-event", "")
    action = found.get("action")
    event = _event(
        source, headers.get("x-github-delivery", ""), f"{kind}.{action}" if kind and isinstance(action, str) else kind, found
    )
    return replace(event, digest=hashlib.sha256(body).hexdigest())


def _check_time(text: str, source: Source, now_ms: int) -> None:
    if not (text.isascii() and text.isdigit() and len(text) <= 12):
        raise NotSignedError("no timestamp")
    if abs(now_ms - int(text) * 1000) > source.tolerance_ms:
        raise NotSignedError("the timestamp is out of the window")


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        return b""


def _json(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise NoEventError("the body is no JSON") from error
    if not isinstance(found, dict):
        raise NoEventError("the body is no JSON object")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _event(source: Source, id: object, type: object, data: Any) -> InboundEvent:
    if not (isinstance(id, str) and 1 <= len(id) <= ID_MAX_CHARS and id.isprintable()):
        raise NoEventError("it has no id")
    if not (isinstance(type, str) and 1 <= len(type) <= TYPE_MAX_CHARS and type.isprintable()):
        raise NoEventError("it has no type")
    return InboundEvent(source.name, id, type, data)


_Reader = Callable[[Source, Sequence[str], Mapping[str, str], bytes, int], InboundEvent]
_READERS: Final[Mapping[Scheme, _Reader]] = {"standard-webhooks": _standard, "stripe": _stripe, "github": _github}
