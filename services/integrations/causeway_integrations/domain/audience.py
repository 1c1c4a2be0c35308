"""Which apps handle which events from outside: also those that do not run right now, since an event is theirs when they are back."""

from __future__ import annotations

from typing import Final

from causeway_common.contracts.messages import Manifest

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

    def handling(self, source: str, type: str, now_ms: int) -> list[str]:
        """The apps that handle this event, by name."""
        return sorted(app for app, versions in self._known.items() if _handles(versions, source, type, now_ms))


def _handles(versions: dict[str, Manifest], source: str, type: str, now_ms: int) -> bool:
    newest = max(manifest.at_ms for manifest in versions.values())
    if newest and newest < now_ms - RETIRED_MS:
        return False
    return any(
        event.source == source and event.type in (type, ANY)
        for manifest in versions.values()
        if manifest.at_ms >= newest - SIDE_BY_SIDE_MS
        for event in manifest.events
    )
