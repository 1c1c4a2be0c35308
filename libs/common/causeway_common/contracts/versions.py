"""Versions of an app side by side: their order, what exists while any of them lives, and where a user stands among them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Final, TypeVar

from msgspec.structs import replace

from causeway_common.contracts.messages import Manifest

T = TypeVar("T")
PERMILLE: Final = 1000


def version_order(version: str) -> tuple[tuple[int, int, str], ...]:
    """A sort key of versions: numbers by value, numbers above words, so that 1.10 is above 1.9 and 1.0 above 1.0-rc."""
    parts = version.replace("-", ".").replace("+", ".").split(".")
    return (*((1, int(part), "") if part.isdecimal() else (-1, 0, part) for part in parts), (0, 0, ""))


def together(manifests: Sequence[Manifest]) -> Manifest:
    """What exists while several versions live, highest first: what any of them has, as the highest that has it says."""
    ruler = manifests[0]
    if len(manifests) == 1:
        return ruler
    indexes: dict[str, list[str]] = {}
    for each in manifests:
        for kind, names in each.indexes.items():
            indexes[kind] = _once((*indexes.get(kind, ()), *names), lambda name: name)
    return replace(
        ruler,
        methods=_once((spec for each in manifests for spec in each.methods), lambda spec: spec.name),
        namespaces=_once((spec for each in manifests for spec in each.namespaces), lambda spec: spec.name),
        connect_hook=any(each.connect_hook for each in manifests),
        refresh_hook=any(each.refresh_hook for each in manifests),
        indexes=indexes,
        tasks=_once((task for each in manifests for task in each.tasks), lambda task: task),
        events=_once((spec for each in manifests for spec in each.events), lambda spec: (spec.source, spec.type)),
        lifecycle=_once((kind for each in manifests for kind in each.lifecycle), lambda kind: kind),
        channels=_once((spec for each in manifests for spec in each.channels), lambda spec: spec.pattern),
    )


def standing(app: str, user: str) -> tuple[int, float]:
    """Where a user stands among an app's users, the same for ever: for a canary in 0 to 999, for a replacement in 0 to 1.

    A share takes those below it, so that who is in it stays in it when it grows. The two numbers say nothing about each other.
    """
    digest = hashlib.blake2b(f"{app}\0{user}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest[:4], "big") * PERMILLE >> 32, int.from_bytes(digest[4:], "big") / (1 << 32)


def _once(values: Iterable[T], key: Callable[[T], Hashable]) -> list[T]:
    found: dict[Hashable, T] = {}
    for value in values:
        found.setdefault(key(value), value)
    return list(found.values())
