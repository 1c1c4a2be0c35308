"""What a change proposes: an entity's new state, and what leaves with the commit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from causeway_common.contracts.messages import JobItem, OutboxItem, PublishItem
from causeway_common.contracts.names import CHANNEL_MAX_BYTES, is_identifier, namespace_of
from causeway_logic.domain.values import json_bytes, json_map

if TYPE_CHECKING:
    from causeway_logic.domain.namespace import History

M = TypeVar("M")


class Draft(Generic[M]):
    """One proposal, made anew for every run of the change.

    Attributes:
        state: the entity's state; set it or change it in place.
    """

    __slots__ = ("_histories", "_items", "state")

    def __init__(self, state: M, histories: Mapping[str, History | None]) -> None:
        self.state = state
        self._histories = histories
        self._items: list[OutboxItem] = []

    @property
    def items(self) -> tuple[OutboxItem, ...]:
        """What leaves with the commit, in the order it was asked for."""
        return tuple(self._items)

    def publish(self, channel: str, data: Any, *, tags: dict[str, str] | None = None) -> None:
        """Publish with the commit, once, in version order within the channel.

        Args:
            channel: of a namespace that the app declares with history.
            data: anything pydantic can serialize.
            tags: for the publication.

        Raises:
            ValueError: the channel is not of such a namespace, or longer than 255 bytes.
            TypeError: the data cannot be JSON.
        """
        namespace = namespace_of(channel)
        history = self._histories.get(namespace)
        if history is None:
            raise ValueError(f"{channel!r} is in no namespace that this app declares with history")
        if len(channel.encode()) > CHANNEL_MAX_BYTES:
            raise ValueError(f"a channel has at most {CHANNEL_MAX_BYTES} bytes, got {len(channel.encode())}")
        body = json_bytes(data, f"the data for {channel}")
        self._items.append(PublishItem(channel=channel, data=body, size=history.size, ttl_ms=history.ttl_ms, tags=tags))

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
