"""The part of an app's declaration that is durable: what runs later, again, or because of what happened outside."""

from __future__ import annotations

from causeway_logic.domain.declaring import Declarations


class Durables(Declarations):
    """Tasks, timers, events and lifecycle events of an app."""
