"""Who holds what, as gateways tell storage, and the lifecycle events that come of it."""

from __future__ import annotations

from causeway_common.contracts.messages.base import ClientInfo, Message


class Attend(Message, frozen=True):
    """A gateway begins (`held`) or ends to hold a key.

    `scope` says what is held: `user` (a user's connections; `client` is set where the user is anonymous), `subscription` (likewise in
    `channel`), `channel` (its subscribers), or `member` (`client` in `channel`, with its `info`).
    """

    scope: str
    held: bool
    user: str = ""
    channel: str = ""
    client: str = ""
    info: ClientInfo | None = None


class AttendRequest(Message, frozen=True):
    """What one life of a gateway holds from now on.

    Changes are numbered 1, 2, 3… over that life, `first` is the number of the first one here: one that was seen is passed over.
    `leave_ms` of 0 or more: the gateway leaves in good order, what it still holds may be cleared after so long.
    """

    node: str
    life: int
    first: int
    changes: list[Attend] = []
    leave_ms: int = -1


class AttendReply(Message, frozen=True):
    """Durable; or nothing of it, since storage has `cleared` that life: everything it held was released."""

    cleared: bool = False


class LifecycleEvent(Message, frozen=True):
    """An event of the stream CW_EVENTS. Events of one key alternate and keep their order; a repeat has the same `id`.

    `type`: connected, disconnected (a user; an anonymous one by its `client`), subscribed, unsubscribed (likewise, in a `channel`),
    first_join, last_leave (a channel); job_dead (a job or task: `record` is its id, of this `app`, `operation` and `note` say which and why);
    endpoint_disabled (an `app`'s `endpoint` of webhooks; `note` says why).
    """

    id: str
    type: str
    time_ms: int
    user: str = ""
    client: str = ""
    channel: str = ""
    namespace: str = ""
    app: str = ""
    operation: str = ""
    record: str = ""
    note: str = ""
    endpoint: str = ""
