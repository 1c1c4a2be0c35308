"""Which versions of which apps live, judged by when this process heard them: clocks differ, and its own deafness is nobody's death. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from msgspec.structs import replace

from causeway_common.contracts.messages import Manifest
from causeway_common.contracts.versions import together, version_order

INSTANCES_MAX: Final = 256
"""Of one version, those remembered that are gone included."""


@dataclass(frozen=True, slots=True)
class Living:
    """A version that lives: its manifest, and how many of its instances were heard of."""

    version: str
    instances: int
    manifest: Manifest


@dataclass(slots=True)
class _Instance:
    manifest: Manifest
    at_ms: int
    heard_at: int
    gone: bool


@dataclass(slots=True)
class _Version:
    """`instances` stand in the order in which they came."""

    instances: dict[str, _Instance] = field(default_factory=dict)

    @property
    def living(self) -> int:
        return sum(not each.gone for each in self.instances.values())

    @property
    def at_ms(self) -> int:
        return max(each.at_ms for each in self.instances.values())

    @property
    def manifest(self) -> Manifest:
        """What the newest that lives has: under one version number code changes too, while it is developed."""
        newest = list(self.instances.values())
        return next((each.manifest for each in reversed(newest) if not each.gone), newest[-1].manifest)

    def make_room(self) -> None:
        if len(self.instances) > INSTANCES_MAX:
            del self.instances[next((name for name, each in self.instances.items() if each.gone), next(iter(self.instances)))]


class Versions:
    """The versions of all apps.

    Args:
        silent_ms: an instance that was not heard for so long has died.
    """

    def __init__(self, silent_ms: int) -> None:
        self._silent_ms = silent_ms
        self._known: dict[tuple[str, str], _Version] = {}
        self._since = 0

    def heard(self, manifest: Manifest, now: int) -> bool:
        """An announcement, or what was announced last: only what is new of it counts. Returns whether anything changed."""
        key = manifest.app, manifest.version
        plain = replace(manifest, at_ms=0, instance="", leaving=False)
        known = self._known.setdefault(key, _Version())
        before = (known.living, known.manifest) if known.instances else None
        if before is not None and before[1] == plain:
            plain = before[1]  # one for all its instances
        instance = known.instances.get(manifest.instance)
        if instance is None:
            known.instances[manifest.instance] = _Instance(plain, manifest.at_ms, now, manifest.leaving)
            known.make_room()
        elif instance.at_ms != manifest.at_ms or (manifest.leaving and not instance.gone):
            if instance.manifest != plain:
                instance.manifest = plain
            instance.at_ms, instance.heard_at, instance.gone = manifest.at_ms, now, manifest.leaving
        elif not manifest.instance:
            instance.manifest = plain
        return before != (known.living, known.manifest)

    def removed(self, app: str, version: str) -> bool:
        """A manifest was taken out. Returns whether it was known."""
        return self._known.pop((app, version), None) is not None

    def interrupted(self, now: int) -> None:
        """The connection was lost until now: what was not heard before says nothing."""
        self._since = now

    def judge(self, now: int) -> bool:
        """All that was announced before now has been heard: who is silent has died. Returns whether anybody has."""
        died = False
        for version in self._known.values():
            for name, instance in version.instances.items():
                if name and not instance.gone and self._silent_at(instance) <= now:
                    instance.gone = died = True
        return died

    def due(self) -> int | None:
        """When somebody could be judged; None where nobody can."""
        times = [
            self._silent_at(instance)
            for version in self._known.values()
            for name, instance in version.instances.items()
            if name and not instance.gone
        ]
        return min(times, default=None)

    def living(self) -> dict[str, tuple[Living, ...]]:
        """Each app's living versions, the highest first."""
        found: dict[str, list[Living]] = {}
        for (app, version), known in self._known.items():
            if count := known.living:
                found.setdefault(app, []).append(Living(version, count, known.manifest))
        return {app: tuple(sorted(each, key=lambda one: version_order(one.version), reverse=True)) for app, each in found.items()}

    def manifests(self) -> dict[str, Manifest]:
        """What exists of each app: what its living versions have; of an app that has none, what its last one had."""
        found = {app: together([each.manifest for each in versions]) for app, versions in self.living().items()}
        for app in {app for app, _ in self._known} - found.keys():
            last = max(self.of(app), key=lambda each: (each[1], version_order(each[0].version)))
            found[app] = last[0]
        return found

    def of(self, app: str) -> Sequence[tuple[Manifest, int]]:
        """All versions of an app that were ever announced and not taken out, each with the time of day of its last announcement."""
        return [(known.manifest, known.at_ms) for (name, _), known in self._known.items() if name == app]

    def _silent_at(self, instance: _Instance) -> int:
        return max(instance.heard_at, self._since) + self._silent_ms
