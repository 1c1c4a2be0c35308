"""What operators ask about apps and the shares of their versions: `route.set`, `route.remove`, `route.list`, `apps.list`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Final

import msgspec

from causeway_common.bus import Deadline
from causeway_common.contracts.errors import CausewayError, ErrorName, bad_request
from causeway_common.contracts.messages import Manifest, Route
from causeway_gateway.domain.keyring import ApiCaller
from causeway_gateway.domain.routing import Routing
from causeway_gateway.handlers.api.answers import Row
from causeway_gateway.handlers.api.bodies import Body, Empty
from causeway_gateway.handlers.compatibility import broken
from causeway_gateway.ports import AppVersions, Routes

_VERSION: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+-]{0,63}")
METHODS_SHOWN: Final = 1000


class RouteName(Body, frozen=True):
    """One route: of a method, or without one of an app's hooks and of its methods without a route of their own."""

    app: str
    method: str = ""


class SetRoute(RouteName, frozen=True, kw_only=True):
    """So many thousandths of the users are answered by this version, each user always the same."""

    version: str
    share_permille: Annotated[int, msgspec.Meta(ge=0, le=1000)]


class RouteShown(SetRoute, frozen=True, kw_only=True, omit_defaults=False):
    """A route; while no `instances` of its version live, the ruling version answers."""

    instances: int = 0


class ListRoutes(Body, frozen=True):
    """The routes of all apps, or of one."""

    app: str = ""


class RouteList(Body, frozen=True, omit_defaults=False):
    """The routes, in order."""

    routes: list[RouteShown]


class VersionShown(Body, frozen=True, omit_defaults=False):
    """A version: how many instances of it live, and its methods."""

    version: str
    instances: int
    methods: list[str]


class AppShown(Body, frozen=True, omit_defaults=False):
    """An app: the version that rules ("": none lives), all that are known of, what exists of it.

    `breaks`: what living versions break of older ones that live beside them.
    """

    app: str
    ruling: str
    versions: list[VersionShown]
    methods: list[str]
    namespaces: list[str]
    breaks: list[str]


class ListApps(Body, frozen=True):
    """All apps, or one."""

    app: str = ""


class AppList(Body, frozen=True, omit_defaults=False):
    """The apps, in order."""

    apps: list[AppShown]


class VersionOperations:
    """Answers operators.

    Args:
        versions: the apps and their versions.
        routing: the routes in force.
        routes: where they are kept.
    """

    def __init__(self, versions: AppVersions, routing: Routing, routes: Routes) -> None:
        self._versions, self._routing, self._routes = versions, routing, routes

    def table(self) -> Mapping[str, Row]:
        """By name."""
        return {
            "route.set": (SetRoute, Empty, self.set_route),
            "route.remove": (RouteName, Empty, self.remove_route),
            "route.list": (ListRoutes, RouteList, self.list_routes),
            "apps.list": (ListApps, AppList, self.list_apps),
        }

    async def set_route(self, request: SetRoute, _caller: ApiCaller, deadline: Deadline) -> Body:
        """Raises CausewayError: 104, no such app or method; 107, no version; 100. The version need not live yet."""
        manifest = self._versions.manifests.get(request.app)
        if manifest is None or (request.method and all(spec.name != request.method for spec in manifest.methods)):
            raise CausewayError(ErrorName.METHOD_NOT_FOUND)
        if not _VERSION.fullmatch(request.version):
            raise bad_request(f"version is of the form 1.4.0, got {request.version[:64]!r}")
        route = Route(app=request.app, method=request.method, version=request.version, share_permille=request.share_permille)
        await self._routes.set(route, deadline)
        return Empty()

    async def remove_route(self, request: RouteName, _caller: ApiCaller, deadline: Deadline) -> Body:
        """Raises CausewayError: 104, there is no such route; 100."""
        if all((route.app, route.method) != (request.app, request.method) for route in self._routing.routes):
            raise CausewayError(ErrorName.METHOD_NOT_FOUND, "there is no such route")
        await self._routes.remove(request.app, request.method, deadline)
        return Empty()

    async def list_routes(self, request: ListRoutes, _caller: ApiCaller, _deadline: Deadline) -> Body:
        """What holds here; a change reaches every gateway within moments."""
        found = [route for route in self._routing.routes if request.app in ("", route.app)]
        return RouteList(
            routes=[
                RouteShown(
                    app=route.app,
                    method=route.method,
                    version=route.version,
                    share_permille=route.share_permille,
                    instances=self._instances(route.app, route.version),
                )
                for route in found
            ]
        )

    async def list_apps(self, request: ListApps, _caller: ApiCaller, _deadline: Deadline) -> Body:
        """As this gateway knows them."""
        manifests = self._versions.manifests
        return AppList(apps=[self._shown(app, manifests[app]) for app in sorted(manifests) if request.app in ("", app)])

    def _shown(self, app: str, exists: Manifest) -> AppShown:
        living = self._versions.living.get(app, ())
        return AppShown(
            app=app,
            ruling=living[0].version if living else "",
            versions=[
                VersionShown(
                    version=each.version,
                    instances=self._instances(app, each.version),
                    methods=[spec.name for spec in each.methods[:METHODS_SHOWN]],
                )
                for each in self._versions.versions(app)
            ],
            methods=[spec.name for spec in exists.methods[:METHODS_SHOWN]],
            namespaces=[spec.name for spec in exists.namespaces],
            breaks=list(broken(living)),
        )

    def _instances(self, app: str, version: str) -> int:
        return next((each.instances for each in self._versions.living.get(app, ()) if each.version == version), 0)
