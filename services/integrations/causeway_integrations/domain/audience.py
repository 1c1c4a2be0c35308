"""Which apps handle which events from outside: also those that do not run right now, since an event is theirs when they are back."""

from __future__ import annotations

from typing import Final

from causeway_common.contracts.messages import EventSpec, Manifest
from causeway_common.contracts.versions import version_order

ANY: Final = "*"
SIDE_BY_SIDE_MS: Final = 60_000
"""Versions announced within this time of the newest one run beside it: what any of them handles, the app does."""
RETIRED_MS: Final = 30 * 24 * 3600 * 1000
"""An app that nobody has announced for so long is no more."""


class Audience:
    """The manifests, living or not."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, Manifest]] = {}

    def learn(self, manifest: Manifest) -> None:
        """An app's version was announced."""
        self._known.setdefault(manifest.app, {})[manifest.version] = manifest

    def forget(self, app: str, version: str) -> None:
        """A version was removed."""
        versions = self._known.get(app, {})
        versions.pop(version, None)
        if not versions:
            self._known.pop(app, None)

    def handling(self, source: str, type: str, now_ms: int) -> dict[str, str]:
        """The apps that handle this event, by name, and by what path in its data each wants it in order ("": in none)."""
        found = {app: _handles(self._known[app], source, type, now_ms) for app in sorted(self._known)}
        return {app: spec.order_by for app, spec in found.items() if spec is not None}


def _handles(versions: dict[str, Manifest], source: str, type: str, now_ms: int) -> EventSpec | None:
    """The newest version's handler of it, the one for exactly the type before the one for any."""
    newest = max(manifest.at_ms for manifest in versions.values())
    if newest and newest < now_ms - RETIRED_MS:
        return None
    living = [manifest for manifest in versions.values() if manifest.at_ms >= newest - SIDE_BY_SIDE_MS]
    for manifest in sorted(living, key=lambda each: version_order(each.version), reverse=True):
        for wanted in (type, ANY):
            for event in manifest.events:
                if (event.source, event.type) == (source, wanted):
                    return event
    return None
