"""Messages to bytes and back: msgpack maps through msgspec, checked against the type when decoded."""

from __future__ import annotations

from functools import cache
from typing import Any, Final, TypeVar, get_args

import msgspec

from causeway_common.contracts.errors import CausewayError, ErrorName, bad_request
from causeway_common.contracts.messages import Fault, JsonMap, Message, OutboxItem

M = TypeVar("M", bound=Message)

# NATS takes 1 MiB a message by default; what is larger than this is refused before it is sent.
BODY_MAX_BYTES: Final = 960 * 1024

_encoder = msgspec.msgpack.Encoder()


@cache
def _decoder(message_type: type[M]) -> msgspec.msgpack.Decoder[M]:
    return msgspec.msgpack.Decoder(message_type)


def encode(message: Message) -> bytes:
    """The body of a message.

    Raises:
        CausewayError: 107, the body is larger than `BODY_MAX_BYTES` or holds what msgpack cannot.
    """
    try:
        body = _encoder.encode(message)
    except (TypeError, OverflowError, ValueError) as error:
        raise bad_request(f"{type(message).__name__} cannot be encoded: {error}") from error
    if len(body) > BODY_MAX_BYTES:
        raise bad_request(f"{type(message).__name__} has {len(body)} bytes, at most {BODY_MAX_BYTES} are allowed")
    return body


def decode(body: bytes, message_type: type[M]) -> M:
    """The message of a body.

    Raises:
        CausewayError: 107 with the place of the fault, the body is not a `message_type`.
    """
    try:
        message: M = _decoder(message_type).decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise bad_request(f"not a {message_type.__name__}: {error}") from error
    return message


def encode_item(item: OutboxItem) -> JsonMap:
    """An outbox item as the map that a document carries."""
    encoded: JsonMap = msgspec.to_builtins(item, builtin_types=(bytes,))
    return encoded


def decode_item(item: JsonMap) -> OutboxItem | None:
    """The outbox item of a map; None for a kind that this process does not know (a newer one will).

    Raises:
        CausewayError: 107, the kind is known and the map does not fit it.
    """
    item_type = _ITEM_TYPES.get(item.get("kind", ""))
    if item_type is None:
        return None
    try:
        decoded: OutboxItem = msgspec.convert(item, item_type)  # of the union it would work out the type anew each time: 10 µs
    except msgspec.ValidationError as error:
        raise bad_request(f"not an outbox item: {error}") from error
    return decoded


_ITEM_TYPES: Final[dict[str, type[OutboxItem]]] = {str(kind.__struct_config__.tag): kind for kind in get_args(OutboxItem)}
ITEM_KINDS: Final = frozenset(_ITEM_TYPES)
"""The kinds of outbox items that this process knows."""


def to_fault(error: CausewayError) -> Fault:
    """The error as it crosses the bus."""
    return Fault(name=error.name.value, code=error.code, message=error.message, temporary=error.temporary)


def from_fault(fault: Fault) -> CausewayError:
    """The error that a fault stands for; a name newer than this process becomes `internal`."""
    try:
        name = ErrorName(fault.name)
    except ValueError:
        return CausewayError(ErrorName.INTERNAL)
    if name is ErrorName.REJECTED:
        return CausewayError(name, fault.message, code=fault.code, temporary=fault.temporary)
    return CausewayError(name, fault.message)


def json_value(data: bytes, what: str = "data") -> bytes:
    """`data` where it is exactly one JSON value (RFC 8259), its raw newlines removed: the wire separates frames by them.

    Raises:
        CausewayError: 107 naming `what`.
    """
    try:
        if not data.isascii():
            data.decode()
        _json.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise bad_request(f"{what} is not one JSON value: {error}") from error
    if b"\n" in data or b"\r" in data:
        return data.replace(b"\n", b"").replace(b"\r", b"")
    return data


_json: Final[msgspec.json.Decoder[Any]] = msgspec.json.Decoder()
