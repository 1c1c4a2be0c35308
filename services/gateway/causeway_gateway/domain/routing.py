"""Which version of an app answers whom (docs/adr/0021): the highest that lives, as far as it has instances, but for the shares of canaries."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from causeway_common.contracts.messages import Manifest, Route
from causeway_common.contracts.names import namespace_of
from causeway_common.contracts.versions import standing


class Alive(Protocol):
    """A version that lives."""

    @property
    def version(self) -> str:
        """Its name."""
        ...

    @property
    def instances(self) -> int:
        """How many serve it."""
        ...

    @property
    def manifest(self) -> Manifest:
        """What it has."""
        ...


@dataclass(frozen=True, slots=True)
class Plan:
    """How one question's askers are shared out.

    `names` are the versions but for the canary, each asked first by those who stand below its number of `upto` and not below the one
    before; `canary` by those who stand below so many thousandths (`below`).
    """

    names: tuple[str, ...]
    upto: tuple[float, ...]
    canary: str = ""
    below: int = 0

    def order(self, app: str, who: str) -> tuple[str, ...]:
        """The versions in the order in which they are asked: each next one only where nobody answers for those before it."""
        names = self.names
        if not self.canary and len(names) < 2:
            return names
        point, place = standing(app, who)
        first = next((index for index, upto in enumerate(self.upto) if place < upto), 0)
        if first:
            names = (names[first], *names[:first], *names[first + 1 :])
        if not self.canary:
            return names
        return (self.canary, *names) if point < self.below else (*names, self.canary)


class Routing:
    """A live lookup."""

    def __init__(self) -> None:
        self._living: Mapping[str, Sequence[Alive]] = {}
        self._routes: dict[tuple[str, str], Route] = {}
        self._methods: dict[tuple[str, str], Plan] = {}
        self._hooks: dict[tuple[str, str, str], Plan] = {}

    def update(self, living: Mapping[str, Sequence[Alive]]) -> None:
        """Other versions live; the highest of an app first."""
        self._living = living
        self._forget()

    def set_route(self, app: str, method: str, route: Route | None) -> None:
        """A route, or none any more."""
        if route is None:
            self._routes.pop((app, method), None)
        else:
            self._routes[app, method] = route
        self._forget()

    @property
    def routes(self) -> list[Route]:
        """Those that are set, in order."""
        return [self._routes[key] for key in sorted(self._routes)]

    def living(self, app: str) -> Sequence[Alive]:
        """The versions of an app that live, the highest first."""
        return self._living.get(app, ())

    def of_method(self, app: str, method: str, user: str, client: str) -> tuple[str, ...]:
        """The versions to ask for a user's call of a method; none where no living version has it. Who is anonymous stands by the client."""
        plan = self._methods.get((app, method))
        if plan is None:
            plan = self._plan(app, method, lambda found: any(spec.name == method for spec in found.methods))
            self._methods[app, method] = plan
        return plan.order(app, user or client)

    def of_hook(self, app: str, hook: str, channel: str, user: str, client: str) -> tuple[str, ...]:
        """The versions to ask about a connection (`channel` is "") or a channel, likewise."""
        namespace = namespace_of(channel) if channel else ""
        plan = self._hooks.get((app, hook, namespace))
        if plan is None:
            plan = self._hooks[app, hook, namespace] = self._plan(app, "", lambda found: _has_hook(found, hook, namespace))
        return plan.order(app, user or client)

    def _forget(self) -> None:
        self._methods.clear()
        self._hooks.clear()

    def _plan(self, app: str, method: str, has: Callable[[Manifest], bool]) -> Plan:
        able = [each for each in self._living.get(app, ()) if has(each.manifest)]
        route = self._routes.get((app, method)) or self._routes.get((app, ""))
        canary = route.version if route is not None and any(each.version == route.version for each in able) else ""
        rest = [each for each in able if each.version != canary]
        below = route.share_permille if route is not None else 0
        return Plan(tuple(each.version for each in rest), _shares(rest), canary, below)


def _shares(versions: Sequence[Alive]) -> tuple[float, ...]:
    """Up to which place each is asked first.

    The highest takes everybody, but no more than it has instances for: while it has fewer than the others, its part of them. So the
    first instance of a new version does not get the load of all the old ones.
    """
    found: list[float] = []
    start = 0.0
    for index, each in enumerate(versions):
        others = sum(other.instances for other in versions[index + 1 :])
        part = min(each.instances / others, 1.0) if others else 1.0
        start += (1.0 - start) * part
        found.append(start)
    return tuple(found)


def _has_hook(manifest: Manifest, hook: str, namespace: str) -> bool:
    if not namespace:
        return manifest.connect_hook if hook == "connect" else manifest.refresh_hook
    return any(spec.name == namespace and getattr(spec, f"{hook}_hook") for spec in manifest.namespaces)
