"""Timers as operators see them."""

from __future__ import annotations

from causeway_common.contracts.messages.base import JsonMap, Message


class TimersRequest(Message, frozen=True):
    """Timers that wait, the soonest first, from behind the cursor `after` on: of one app, kind of entity and entity where these are given."""

    app: str = ""
    kind: str = ""
    entity: str = ""
    after: str = ""
    limit: int = 50


class WaitingTimer(Message, frozen=True):
    """A timer of an entity, set by its `version`: at `at_ms` the app's `task` is called with `payload`."""

    app: str
    kind: str
    entity: str
    name: str
    version: int
    set_ms: int
    at_ms: int
    task: str
    payload: JsonMap
    traceparent: str = ""


class TimersReply(Message, frozen=True):
    """A page; `cursor` "": there are no more."""

    timers: list[WaitingTimer]
    cursor: str = ""
