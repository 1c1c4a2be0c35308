"""The keys of the server API: who has which, and what each may."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from causeway_common.contracts.names import namespace_of
from causeway_common.contracts.verbs import WEBHOOK_OPERATIONS, WEBHOOK_WRITES, WEBHOOKS

METHODS: Final = frozenset(
    (
        *("publish", "broadcast", "subscribe", "unsubscribe", "disconnect", "refresh", "revoke", "rpc"),
        *("presence", "presence_stats", "history", "history_remove", "channels", "info", "batch"),
    )
)
WRITES: Final = frozenset(
    {
        "jobs.redrive",
        "route.set",
        "route.remove",
        "users.disconnect",
        "users.ban",
        "users.unban",
        *(f"{WEBHOOKS}.{op}" for op in WEBHOOK_WRITES),
    }
)
"""The operations that change something: each leaves an audit record."""
STREAMS: Final = frozenset({"channels.tail", "events.tail"})
"""The operations whose answer goes on until the asker leaves."""
OPERATIONS: Final = (
    WRITES
    | STREAMS
    | {
        "console.info",
        "nodes.list",
        "nodes.series",
        "apps.list",
        "apps.methods",
        "apps.contract",
        "route.list",
        "channels.list",
        "channels.show",
        "channels.presence",
        "channels.history",
        "users.show",
        "users.bans",
        "entity.inspect",
        "timers.list",
        "jobs.list",
        "jobs.show",
        "audit.list",
        *(f"{WEBHOOKS}.{op}" for op in WEBHOOK_OPERATIONS),
    }
)
"""What operators call under `/ops/`."""


@dataclass(frozen=True, slots=True)
class ApiCaller:
    """Who asks: the key's name, and the methods and namespaces it may use (None: all)."""

    name: str
    methods: frozenset[str] | None = None
    namespaces: frozenset[str] | None = None

    def may_call(self, method: str) -> bool:
        """Whether this method is allowed."""
        return self.methods is None or method in self.methods

    def may_operate(self, operation: str) -> bool:
        """Whether this operation is allowed: to a key without limits, and to one that names it."""
        return operation in self.methods if self.methods is not None else self.namespaces is None

    def may_use(self, channel: str) -> bool:
        """Whether channels of this namespace are allowed."""
        return self.namespaces is None or namespace_of(channel) in self.namespaces


class KeyRing:
    """All keys."""

    def __init__(self, keys: Iterable[tuple[str, ApiCaller]]) -> None:
        self._keys = [(key.encode(), caller) for key, caller in keys if key]

    def __len__(self) -> int:
        """How many keys there are."""
        return len(self._keys)

    def authorize(self, key: str) -> ApiCaller | None:
        """Who has this key; None: nobody. Every key is compared, in constant time, so that the time tells nothing."""
        given, found = key.encode("utf-8", "surrogatepass"), None
        for known, caller in self._keys:
            if hmac.compare_digest(given, known):
                found = caller
        return found
