"""Which apps handle which events from outside, by the manifests as they are known."""

from __future__ import annotations

from causeway_common.bus import AppsDirectory

ANY = "*"


class EventsOfApps:
    """`ports.AppsOfEvents`."""

    def __init__(self, directory: AppsDirectory) -> None:
        self._directory = directory

    def handling(self, source: str, type: str) -> list[str] | None:
        """As the port says."""
        if not self._directory.ready:
            return None
        return sorted(
            app
            for app, manifest in self._directory.manifests.items()
            if any(each.source == source and each.type in (type, ANY) for each in manifest.events)
        )
