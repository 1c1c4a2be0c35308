"""What operators ask about processes and their figures, and how methods of apps are called: `nodes.list`, `nodes.series`, `apps.methods`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import msgspec

from causeway_common.bus import Deadline
from causeway_common.contracts.messages import Route
from causeway_common.telemetry import FIGURES
from causeway_gateway.domain.figures import METHOD_STEP_MS, STEP_MS, WINDOW_MS, Board, Counts
from causeway_gateway.domain.keyring import ApiCaller
from causeway_gateway.domain.routing import Routing
from causeway_gateway.handlers.api.answers import Row
from causeway_gateway.handlers.api.bodies import Body
from causeway_gateway.ports import AppVersions

FIGURES_ASKED_MAX = 100


class ListNodes(Body, frozen=True):
    """All processes of all services, or of one."""

    service: str = ""


class NodeShown(Body, frozen=True, omit_defaults=False):
    """A process: `up`, `silent` (not heard of for 15 s) or `left`; it stays for ten minutes. `app_version` is that of a logic process.

    `figures` are the newest ones by name. Times are ms since the epoch.
    """

    node: str
    service: str
    version: str
    app_version: str
    started_ms: int
    heard_ms: int
    state: str
    figures: dict[str, float]


class FigureShown(Body, frozen=True, omit_defaults=False):
    """What a figure says, and whose processes have it ("": all)."""

    unit: str
    text: str
    service: str


class NodeList(Body, frozen=True, omit_defaults=False):
    """By service and id."""

    nodes: list[NodeShown]
    figures: dict[str, FigureShown]
    now_ms: int


class AskSeries(Body, frozen=True):
    """These figures (none: all) of all processes, of a service's or of one, at the steps behind `after_ms`."""

    figures: Annotated[list[str], msgspec.Meta(max_length=FIGURES_ASKED_MAX)] = []
    service: str = ""
    node: str = ""
    after_ms: Annotated[int, msgspec.Meta(ge=0)] = 0


class SeriesShown(Body, frozen=True, omit_defaults=False):
    """One figure of one process: at `from_ms` and then every `step_ms`; null where nothing was heard."""

    service: str
    node: str
    figure: str
    values: list[float | None]


class SeriesList(Body, frozen=True, omit_defaults=False):
    """All of the same length."""

    step_ms: int
    from_ms: int
    series: list[SeriesShown]


class AskMethods(Body, frozen=True):
    """The methods of all apps, or of one and then with their series."""

    app: str = ""
    window_ms: Annotated[int, msgspec.Meta(ge=METHOD_STEP_MS, le=WINDOW_MS)] = WINDOW_MS


class Counted(Body, frozen=True, omit_defaults=False):
    """Calls that ended. `errors`: no answer or a fault; `rejected`: the app said no. `mean_ms` of all."""

    calls: int
    errors: int
    rejected: int
    mean_ms: float


class VersionCounted(Counted, frozen=True, kw_only=True, omit_defaults=False):
    """Those that were sent to one version first ("": to the app as a whole)."""

    version: str


class RouteOf(Body, frozen=True, omit_defaults=False):
    """A share of the users goes to this version."""

    version: str
    share_permille: int


class MethodCounted(Counted, frozen=True, kw_only=True, omit_defaults=False):
    """A method. The series are calls and errors of each `step_ms` from `from_ms` on, empty where no app was named."""

    app: str
    method: str
    route: RouteOf | None
    versions: list[VersionCounted]
    calls_series: list[int]
    errors_series: list[int]


class MethodList(Body, frozen=True, omit_defaults=False):
    """By app and method; those that were not called too."""

    window_ms: int
    step_ms: int
    from_ms: int
    methods: list[MethodCounted]


class FigureOperations:
    """Answers operators.

    Args:
        board: the figures of all processes.
        versions: the apps and their versions.
        routing: the routes in force.
        wall: milliseconds since the Unix epoch.
    """

    def __init__(self, board: Board, versions: AppVersions, routing: Routing, wall: Callable[[], int]) -> None:
        self._board, self._versions, self._routing, self._wall = board, versions, routing, wall

    def table(self) -> Mapping[str, Row]:
        """By name."""
        return {
            "nodes.list": (ListNodes, NodeList, self.nodes),
            "nodes.series": (AskSeries, SeriesList, self.series),
            "apps.methods": (AskMethods, MethodList, self.methods),
        }

    async def nodes(self, request: ListNodes, _caller: ApiCaller, _deadline: Deadline) -> Body:
        """As this gateway heard of them."""
        now = self._wall()
        return NodeList(
            nodes=[
                NodeShown(
                    node=each.node,
                    service=each.service,
                    version=each.version,
                    app_version=each.app_version,
                    started_ms=each.started_ms,
                    heard_ms=each.at_ms,
                    state=each.state(now),
                    figures={name: round(value, 3) for name, value in each.values.items()},
                )
                for each in self._board.nodes()
                if request.service in ("", each.service)
            ],
            figures={name: FigureShown(unit=each.unit, text=each.text, service=each.service) for name, each in FIGURES.items()},
            now_ms=now,
        )

    async def series(self, request: AskSeries, _caller: ApiCaller, _deadline: Deadline) -> Body:
        """The last step is the last that is over."""
        first, last = self._board.span(request.after_ms)
        lines = self._board.lines(first, last, frozenset(request.figures), request.service, request.node)
        shown = [SeriesShown(service=each.service, node=each.node, figure=each.figure, values=list(each.values)) for each in lines]
        return SeriesList(step_ms=STEP_MS, from_ms=first * STEP_MS, series=shown)

    async def methods(self, request: AskMethods, _caller: ApiCaller, _deadline: Deadline) -> Body:
        """What all gateways counted, as far as this one has heard of it."""
        found = self._board.methods(request.app, request.window_ms)
        names = {
            (app, spec.name)
            for app, manifest in self._versions.manifests.items()
            if request.app in ("", app)
            for spec in manifest.methods
        }
        names |= {(app, method) for app, method, _ in found}
        routes = {(route.app, route.method): route for route in self._routing.routes}
        steps = request.window_ms // METHOD_STEP_MS
        return MethodList(
            window_ms=request.window_ms,
            step_ms=METHOD_STEP_MS,
            from_ms=(self._wall() // METHOD_STEP_MS - steps + 1) * METHOD_STEP_MS,
            methods=[_counted(name, found, routes, series=bool(request.app)) for name in sorted(names)],
        )


def _counted(
    name: tuple[str, str], found: Mapping[tuple[str, str, str], Counts], routes: Mapping[tuple[str, str], Route], *, series: bool
) -> MethodCounted:
    app, method = name
    own = {version: counts for (of, called, version), counts in found.items() if (of, called) == name}
    route = routes.get(name) or routes.get((app, ""))
    return MethodCounted(
        app=app,
        method=method,
        **_sums(*own.values()),
        route=RouteOf(version=route.version, share_permille=route.share_permille) if route else None,
        versions=[VersionCounted(version=version, **_sums(own[version])) for version in sorted(own)],
        calls_series=[sum(step) for step in zip(*(each.calls_by_step for each in own.values()), strict=True)] if series else [],
        errors_series=[sum(step) for step in zip(*(each.errors_by_step for each in own.values()), strict=True)] if series else [],
    )


def _sums(*counts: Counts) -> dict[str, Any]:
    calls = sum(each.calls for each in counts)
    return {
        "calls": calls,
        "errors": sum(each.errors for each in counts),
        "rejected": sum(each.rejected for each in counts),
        "mean_ms": round(sum(each.time_ms for each in counts) / calls, 1) if calls else 0.0,
    }
