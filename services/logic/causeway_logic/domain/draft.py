"""What a change proposes: an entity's new state, and what leaves with the commit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from causeway_common.contracts.messages import JobItem, OutboxItem, PublishItem
from causeway_common.contracts.names import is_identifier
from causeway_logic.domain.publishing import outgoing
from causeway_logic.domain.values import Channel, json_map

if TYPE_CHECKING:
    from causeway_logic.domain.declare import App

M = TypeVar("M")


class Draft(Generic[M]):
    """One proposal, made anew for every run of the change.

    Attributes:
        state: the entity's state; set it or change it in place.
    """

    __slots__ = ("_app", "_items", "state")

    def __init__(self, state: M, app: App) -> None:
        self.state = state
        self._app = app
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

    def enqueue(self, operation: str, payload: Any) -> None:
        """Call a connector durably, after the commit and at least once.

        Args:
            operation: `connector.operation`, such as `webhook.event`.
            payload: what the operation takes: a map or a model.

        Raises:
            ValueError: the operation is not of that form.
            TypeError: the payload is no map, or cannot be JSON.
        """
        connector, _, name = operation.partition(".")
        if not (is_identifier(connector) and is_identifier(name)):
            raise ValueError(f"an operation is `connector.operation`, got {operation!r}")
        self._items.append(JobItem(connector=connector, op=name, payload=json_map(payload, f"the payload of {operation}")))
