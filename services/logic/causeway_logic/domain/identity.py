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

    __slots__ = ("_fresh", "_made", "_message_id")

    def __init__(self, message_id: str, fresh: Callable[[], str]) -> None:
        self._message_id, self._fresh = message_id, fresh
        self._made: dict[tuple[str, ...], int] = {}

    @property
    def message_id(self) -> str:
        """What all its ids come from."""
        if not self._message_id:
            self._message_id = self._fresh()
        return self._message_id

    def new_id(self) -> str:
        """32 hex digits; depends on the request and on how many were made before."""
        return self.next("id")

    def commit_id(self, kind: str, id: str) -> str:
        """The id of the next commit of this entity: the edits of one entity are counted within the request."""
        return self.next("commit", kind, id)

    def next(self, *purpose: str) -> str:
        """The next id for a purpose: those of one purpose are counted, so that what else the request does changes none of them."""
        self._made[purpose] = number = self._made.get(purpose, 0) + 1
        return derived_id(self.message_id, *purpose, str(number))

    def once(self, what: str, key: str, *purpose: str) -> str:
        """The id that makes something happen once: of the caller's own `key`, or else the next for this purpose."""
        return derived_id(what, "key", key) if key else self.next(what, *purpose)
