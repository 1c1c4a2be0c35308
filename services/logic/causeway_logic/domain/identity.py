"""Ids that a rerun of the same request makes again: derived from its message id, never random."""

from __future__ import annotations

from collections.abc import Callable

from causeway_common.contracts.ids import derived_id


class Identity:
    """The ids of one request. Two runs that ask for the same ids in the same order get the same ids.

    Args:
        message_id: the caller's id of the request; "" where it gave none, and no id outlives the run.
        fresh: makes an id in its place, if one is needed at all.
    """

    __slots__ = ("_edits", "_fresh", "_made", "_message_id", "_records")

    def __init__(self, message_id: str, fresh: Callable[[], str]) -> None:
        self._message_id, self._fresh = message_id, fresh
        self._edits: dict[tuple[str, str], int] = {}
        self._made = self._records = 0

    def new_id(self) -> str:
        """32 hex digits; depends on the request and on how many were made before."""
        self._made += 1
        return derived_id(self._base(), "id", str(self._made))

    def commit_id(self, kind: str, id: str) -> str:
        """The id of the next commit of this entity: the edits of one entity are counted within the request."""
        key = (kind, id)
        self._edits[key] = number = self._edits.get(key, 0) + 1
        return derived_id(self._base(), "commit", kind, id, str(number))

    def record_id(self) -> str:
        """The id of the next record that the request makes outside of an edit."""
        self._records += 1
        return derived_id(self._base(), "record", str(self._records))

    def _base(self) -> str:
        if not self._message_id:
            self._message_id = self._fresh()
        return self._message_id
