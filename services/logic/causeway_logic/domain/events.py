"""Events as handlers get them: from outside (webhooks), and what became of clients (lifecycle)."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Generic, TypeVar

from pydantic import TypeAdapter

from causeway_common.contracts import messages as m
from causeway_common.contracts.errors import bad_request
from causeway_common.contracts.messages import JsonMap
from causeway_logic.domain.signatures import Signature
from causeway_logic.domain.tasks import Running
from causeway_logic.domain.values import json_bytes, moment, read_input

T = TypeVar("T")
ANY_TYPE: Final = "*"
LIFECYCLE_TYPES: Final = ("connected", "disconnected", "subscribed", "unsubscribed", "first_join", "last_leave")
OF_USERS: Final = frozenset({"connected", "disconnected"})
"""Of these every app may hear; the others are about channels, and told to the app that owns them."""


@dataclass(frozen=True, slots=True)
class Event(Generic[T]):
    """An event from outside, verified and durable.

    Attributes:
        id: the sender's; the same however often it was sent.
        source: where it came in.
        type: the sender's name of its kind.
        data: validated by the annotation's type: `Event[PaymentIntent]`; anything for a bare `Event`.
        received_at: when it came in the first time.
        occurred_at: when it happened, where the sender's scheme says so.
    """

    id: str
    source: str
    type: str
    data: T
    received_at: datetime
    occurred_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class LifecycleEvent:
    """What became of a user's connections or a channel's subscribers.

    Attributes:
        id: the same however often it is told.
        type: `connected`, `disconnected`, `subscribed`, `unsubscribed`, `first_join` or `last_leave`.
        at: when.
        user: whose connections; "" for an anonymous user, and for a channel's first_join and last_leave.
        client: the connection of an anonymous user.
        channel: the channel's full name; "" for connected and disconnected.
        namespace: the channel's.
    """

    id: str
    type: str
    at: datetime
    user: str = ""
    client: str = ""
    channel: str = ""
    namespace: str = ""

    @classmethod
    def of(cls, event: m.LifecycleEvent) -> LifecycleEvent:
        """As the stream told it."""
        return cls(event.id, event.type, moment(event.time_ms), event.user, event.client, event.channel, event.namespace)


@dataclass(frozen=True, slots=True)
class EventHandler:
    """A handler of events from outside, the type of their data, and by what in them they come in order ("": by nothing)."""

    signature: Signature
    data: TypeAdapter[Any]
    running: Running
    order_by: str = ""

    def read(self, payload: JsonMap) -> Event[Any]:
        """The event of a record's payload. Raises CausewayError 107, naming the field, where its data do not fit."""
        data = read_input(self.data, json_bytes(payload.get("data"), "an event's data"))
        try:
            id_, source, type_, received_ms = (payload[name] for name in ("id", "source", "type", "received_ms"))
        except KeyError as error:
            raise bad_request(f"an event without its {error.args[0]}") from error
        occurred_ms = payload.get("occurred_ms")
        occurred = moment(occurred_ms) if isinstance(occurred_ms, int) else None
        return Event(str(id_), str(source), str(type_), data, moment(int(received_ms)), occurred)


@dataclass(frozen=True, slots=True)
class LifecycleHandler:
    """A handler of lifecycle events."""

    signature: Signature
    running: Running


def data_type(annotation: Any) -> Any:
    """The type of an event's data, from the parameter's annotation."""
    found = typing.get_args(annotation)
    return found[0] if found else Any


def handler_of(handlers: Mapping[tuple[str, str], EventHandler], source: str, type_: str) -> EventHandler | None:
    """The one for exactly this type, else the one for any of the source."""
    return handlers.get((source, type_)) or handlers.get((source, ANY_TYPE))


def stored_event(event: m.LifecycleEvent) -> JsonMap:
    """A lifecycle event as the payload of a task."""
    return {
        "id": event.id,
        "type": event.type,
        "time_ms": event.time_ms,
        "user": event.user,
        "client": event.client,
        "channel": event.channel,
        "namespace": event.namespace,
    }


def event_stored(payload: JsonMap) -> m.LifecycleEvent:
    """The lifecycle event of such a payload. Raises CausewayError 107 where it is none."""
    try:
        return m.LifecycleEvent(**payload)
    except TypeError as error:
        raise bad_request(f"this is no lifecycle event: {error}") from error
