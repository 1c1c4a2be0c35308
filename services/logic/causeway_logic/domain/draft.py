"""What a change proposes: an entity's new state, and what leaves with the commit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from causeway_common.contracts.connectors import Operation
from causeway_common.contracts.messages import CancelItem, JobItem, Message, OutboxItem, PublishItem
from causeway_logic.domain.operations import order, order_key
from causeway_logic.domain.publishing import outgoing
from causeway_logic.domain.tasks import TaskName, find_task, item_of, timer_name
from causeway_logic.domain.values import Channel

if TYPE_CHECKING:
    from datetime import datetime

    from causeway_logic.domain.declare import App

M = TypeVar("M")
Req = TypeVar("Req", bound=Message)


class Draft(Generic[M]):
    """One proposal, made anew for every run of the change.

    Attributes:
        state: the entity's state; set it or change it in place.
    """

    __slots__ = ("_app", "_by", "_items", "state")

    def __init__(self, state: M, app: App, by: str = "") -> None:
        self.state = state
        self._app, self._by = app, by
        self._items: list[OutboxItem] = []

    @property
    def items(self) -> tuple[OutboxItem, ...]:
        """What leaves with the commit, in the order it was asked for."""
        return tuple(self._items)

    def publish(self, channel: str | Channel, data: Any, *, tags: dict[str, str] | None = None) -> None:
        """Publish with the commit, once, in version order within the channel.

        Args:
            channel: of a namespace that the app declares with history: its full name, or one that a pattern made.
            data: anything pydantic can serialize; where the channel's family has a type of message, one of these.
            tags: for the publication.

        Raises:
            ValueError: the channel is not of such a namespace, of none of its families, or longer than 255 bytes.
            TypeError: the data cannot be JSON, or are not of the family's type.
        """
        name, namespace, body = outgoing(self._app.namespaces, channel, data)
        history = namespace.history
        if history is None:
            raise ValueError(
                f"{name!r} is in no namespace that this app declares with history: only there it can leave with a commit"
            )
        self._items.append(PublishItem(channel=name, data=body, size=history.size, ttl_ms=history.ttl_ms, tags=tags))

    @overload
    def enqueue(self, operation: Operation[Req, Any], payload: Req, *, key: str = "") -> None: ...
    @overload
    def enqueue(self, operation: str, payload: Any, *, key: str = "") -> None: ...
    def enqueue(self, operation: Operation[Any, Any] | str, payload: Any, *, key: str = "") -> None:
        """Call a connector durably, after the commit and at least once.

        Args:
            operation: a row of `causeway_logic.connectors` such as `EMAIL_SEND`, or `connector.operation`.
            payload: what the operation takes: the row's own request; by name a map or a model.
            key: whoever delivers in order (an ordered endpoint of webhooks) does so among those of one key; left out, of this entity.

        Raises:
            ValueError: the operation is not of that form, or the key is longer than 255 bytes.
            TypeError: the payload is not what the row takes, is no map, or cannot be JSON.
        """
        connector, op, made = order(operation, payload)
        self._items.append(JobItem(connector=connector, op=op, payload=made, key=order_key(key)))

    def schedule(self, task: TaskName, payload: Any = None, *, at: datetime | None = None, name: str | None = None) -> None:
        """Have a task of the app run once the change is committed.

        With a time or a name it is a timer of this entity: setting one of the same name again moves it, and it goes with the version
        that set it last.

        Args:
            task: the function under `@app.task`, or its name.
            payload: its input, a model or a map; None for a task without one.
            at: when, with a time zone; None: at once.
            name: of the timer; left out, the task's name.

        Raises:
            ValueError: the app has no such task, or the name is empty or longer than 255 bytes.
            TypeError: the payload is not what the task takes, or the time has no zone.
        """
        found = find_task(self._app.tasks, task)
        self._items.append(item_of(found, found.payload(payload, self._by), at, name))

    def cancel(self, name: TaskName) -> None:
        """Cancel the entity's timer of this name (a task's function stands for its name), where there is one that has not fired.

        Raises:
            ValueError: the name is empty or longer than 255 bytes.
        """
        self._items.append(CancelItem(name=timer_name(name if isinstance(name, str) else find_task(self._app.tasks, name).name)))
