"""Ids that a rerun of the same request makes again: derived from its message id, never random."""

from __future__ import annotations

from collections import Counter

from causeway_common.contracts.ids import derived_id


class Identity:
    """The ids of one request. Two runs that ask for the same ids in the same order get the same ids."""

    __slots__ = ("_edits", "_made", "_message_id")

    def __init__(self, message_id: str) -> None:
        self._message_id = message_id
        self._edits: Counter[tuple[str, str]] = Counter()
        self._made = 0

    def new_id(self) -> str:
        """32 hex digits; depends on the request and on how many were made before."""
        self._made += 1
        return derived_id(self._message_id, "id", str(self._made))

    def commit_id(self, kind: str, id: str) -> str:
        """The id of the next commit of this entity: the edits of one entity are counted within the request."""
        key = (kind, id)
        self._edits[key] += 1
        return derived_id(self._message_id, "commit", kind, id, str(self._edits[key]))
