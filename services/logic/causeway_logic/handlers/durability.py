"""The part of a handler's context that is durable: what runs later, and entities as more than one document."""

from __future__ import annotations

from causeway_logic.handlers.asked import ContextBase


class Durability(ContextBase):
    """Timers and tasks outside an edit, queries, snapshots."""

    __slots__ = ()
