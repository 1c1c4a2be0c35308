"""Values at the border of an app: channels, publications, and JSON in both directions through pydantic."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticInvalidForJsonSchema
from pydantic_core import ErrorDetails, PydanticSerializationError, from_json, to_json, to_jsonable_python

from causeway_common.contracts.errors import bad_request
from causeway_common.contracts.messages import ClientInfo, HistoryReply, JsonMap, PresenceReply, StoredPublication
from causeway_common.contracts.names import NAMESPACE_SEPARATOR, namespace_of

FAULTS_TOLD_MAX: Final = 5
"""So many faults of one input are told; the rest is cut off."""
FAULT_CHARS_MAX: Final = 500
"""So long the told faults are at most: keys in them may be the client's."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel's name and its parts: `lot:42` is `42` in the namespace `lot`."""

    name: str
    namespace: str
    id: str

    def __str__(self) -> str:
        """Its name."""
        return self.name

    @classmethod
    def parse(cls, name: str) -> Channel:
        """The channel of this name; one without a namespace has the namespace ""."""
        namespace = namespace_of(name)
        return cls(name, namespace, name.partition(NAMESPACE_SEPARATOR)[2] if namespace else name)


@dataclass(frozen=True, slots=True)
class Publication:
    """One publication of a channel's log. `data` is its JSON value, decoded; `time` is when storage took it."""

    offset: int
    data: Any
    time: datetime
    tags: dict[str, str] | None = None


@dataclass(frozen=True, slots=True)
class PublicationPage:
    """A page of a log, in the order asked for. `more`: the same question from the last offset has more."""

    publications: tuple[Publication, ...]
    more: bool
    offset: int
    epoch: str

    @classmethod
    def of(cls, reply: HistoryReply) -> PublicationPage:
        """The page that storage answered; `offset` and `epoch` are the log's head."""
        return cls(tuple(map(_publication, reply.publications)), reply.more, reply.head.head, reply.head.epoch)


@dataclass(frozen=True, slots=True)
class Published:
    """Where a publication stands in its channel's log; 0 and "" in a channel without one. `repeat`: it had been published before."""

    offset: int = 0
    epoch: str = ""
    repeat: bool = False


@dataclass(frozen=True, slots=True)
class Member:
    """A client that is subscribed to a channel. `info` is its connection's, `channel_info` its own in this channel, decoded."""

    client: str
    user: str
    info: Any = None
    channel_info: Any = None

    @classmethod
    def of(cls, info: ClientInfo) -> Member:
        """As the bus tells it."""
        return cls(info.client, info.user, optional_json(info.conn_info), optional_json(info.chan_info))


@dataclass(frozen=True, slots=True)
class Presence:
    """Who is subscribed to a channel: all of them are `total`, `members` are those that were asked for."""

    members: tuple[Member, ...]
    total: int

    @classmethod
    def of(cls, reply: PresenceReply) -> Presence:
        """As the bus tells it."""
        return cls(tuple(map(Member.of, reply.clients)), reply.total)


@dataclass(frozen=True, slots=True)
class PresenceStats:
    """How many clients and users are subscribed to a channel."""

    clients: int
    users: int


def moment(milliseconds: int) -> datetime:
    """The time of day of so many milliseconds since the Unix epoch, aware, in UTC, exact."""
    return _EPOCH + timedelta(milliseconds=milliseconds)


def milliseconds(when: datetime) -> int:
    """The milliseconds since the Unix epoch of a time of day, rounded up: an expiry is never early, and never 0.

    Raises:
        TypeError: it has no time zone.
    """
    if when.tzinfo is None:
        raise TypeError(f"a time needs a time zone (ctx.now() has one), got {when!r}")
    return max(1, -((_EPOCH - when) // timedelta(milliseconds=1)))


def optional_json(data: bytes | None) -> Any:
    """The value of one JSON text, None for none. Raises ValueError where it is no JSON."""
    return None if data is None else from_json(data)


def read_input(adapter: TypeAdapter[Any], data: bytes) -> Any:
    """The typed value of a client's JSON, strictly: a number is no string.

    Raises:
        CausewayError: 107 with each field's path and the reason, never with the value.
    """
    try:
        return adapter.validate_json(data, strict=True)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        told = "; ".join(map(_fault, faults[:FAULTS_TOLD_MAX]))
        raise bad_request(told[:FAULT_CHARS_MAX]) from error


def typed_json(adapter: TypeAdapter[Any], value: Any, what: str) -> bytes:
    """The JSON of a value of this type.

    Raises:
        TypeError: it is none; `what` names it.
    """
    try:
        return adapter.dump_json(adapter.validate_python(value, strict=True), by_alias=True, warnings="error")
    except (ValidationError, PydanticSerializationError) as error:
        raise TypeError(f"{what} is not what its type says: {error}") from error


def json_bytes(value: Any, what: str) -> bytes:
    """Any value that pydantic can serialize (models, dataclasses, datetimes, JSON itself) as one JSON value.

    Raises:
        TypeError: it cannot be JSON; `what` names it. NaN and infinities are no JSON.
    """
    try:
        data = to_json(value)
        if (
            b"NaN" in data or b"Infinity" in data
        ):  # it may stand in a text: parsing all data for it was most of a publication's time
            json.loads(data, parse_constant=_no_constant)
    except (PydanticSerializationError, ValueError) as error:
        raise TypeError(f"{what} cannot be JSON: {error}") from error
    return data


def optional_bytes(value: Any, what: str) -> bytes | None:
    """As `json_bytes`; None for None. Raises TypeError."""
    return None if value is None else json_bytes(value, what)


def json_schema(types: TypeAdapter[Any], mode: Literal["validation", "serialization"]) -> str:
    """The JSON Schema of a type as a JSON text; "" for a type that JSON Schema cannot tell."""
    try:
        return json.dumps(types.json_schema(mode=mode), separators=(",", ":"), sort_keys=True)
    except PydanticInvalidForJsonSchema:
        return ""


def json_map(value: Any, what: str) -> JsonMap:
    """A value as a JSON-like map.

    Raises:
        TypeError: it is no map, or cannot be JSON; `what` names it.
    """
    try:
        found = to_jsonable_python(value)
    except (PydanticSerializationError, ValueError) as error:
        raise TypeError(f"{what} cannot be JSON: {error}") from error
    if not isinstance(found, dict):
        raise TypeError(f"{what} must be a map, got {type(value).__name__}")
    return found


def _publication(stored: StoredPublication) -> Publication:
    return Publication(stored.offset, from_json(stored.data), moment(stored.time_ms), stored.tags)


def _fault(fault: ErrorDetails) -> str:
    path = ".".join(map(str, fault["loc"])) or "data"
    return f"{path}: {fault['msg'].removeprefix('Value error, ')}"


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON value")
