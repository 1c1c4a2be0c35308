"""Which app may use which operation, as configured. What is not allowed is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

ANY: Final = "*"
ALWAYS: Final = frozenset({"webhook.event"})
"""An event goes only to endpoints that the configuration gives this app, which is permission enough."""
OWN: Final = frozenset({"webhook.deliver", "webhook.replay", "webhook.disabled", "inbound.unclaimed", "inbound.seen"})
"""Made by integrations alone."""


class Permissions:
    """`allowed`: by app ("*": every app) the operations, `connector.op`, `connector.*` or `*`."""

    def __init__(self, allowed: Mapping[str, Sequence[str]]) -> None:
        self._allowed = {app: frozenset(names) for app, names in allowed.items()}

    def may(self, app: str, connector: str, op: str) -> bool:
        """Whether the app may use the operation."""
        name = f"{connector}.{op}"
        if name in ALWAYS:
            return True
        names = self._allowed.get(app, frozenset()) | self._allowed.get(ANY, frozenset())
        return name not in OWN and not names.isdisjoint({name, f"{connector}.{ANY}", ANY})
