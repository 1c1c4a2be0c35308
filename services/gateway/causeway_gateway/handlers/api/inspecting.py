"""What operators look into: an entity with its versions and outbox (`entity.inspect`), and what an app promises (`apps.contract`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from causeway_common.bus import Deadline
from causeway_common.contracts.errors import CausewayError, ErrorName
from causeway_common.contracts.messages import InspectRequest, JsonMap, Manifest, Trace
from causeway_gateway.domain.keyring import ApiCaller
from causeway_gateway.handlers.api.answers import Row
from causeway_gateway.handlers.api.bodies import Body
from causeway_gateway.ports import AppVersions, EntityInspection


class InspectEntity(Body, frozen=True):
    """Which entity."""

    app: str
    kind: str
    id: str


class Waiting(Body, frozen=True, omit_defaults=False):
    """What leaves with one commit and has not left yet."""

    version: int
    at_ms: int
    traceparent: str
    items: list[Any]


class EntityShown(Body, frozen=True, omit_defaults=False):
    """An entity: version 0 and no state where it is deleted or was never there. `versions` and `outbox`: the oldest first."""

    version: int
    state: Any
    versions: list[Trace]
    outbox: list[Waiting]


class ContractOf(Body, frozen=True):
    """Which app; a version of it, or "" for what exists of all that live."""

    app: str
    version: str = ""


class ContractShown(Body, frozen=True, omit_defaults=False):
    """The manifest, with the JSON Schemas of methods and channels."""

    manifest: Manifest


class InspectOperations:
    """Answers operators.

    Args:
        versions: the apps and their versions.
        entities: looks into entities.
    """

    def __init__(self, versions: AppVersions, entities: EntityInspection) -> None:
        self._versions, self._entities = versions, entities

    def table(self) -> Mapping[str, Row]:
        """By name."""
        return {
            "entity.inspect": (InspectEntity, EntityShown, self.inspect_entity),
            "apps.contract": (ContractOf, ContractShown, self.contract),
        }

    async def inspect_entity(self, request: InspectEntity, _caller: ApiCaller, deadline: Deadline) -> Body:
        """Raises CausewayError: 107, no name of an app or kind; 100."""
        seen = await self._entities.inspect(InspectRequest(app=request.app, kind=request.kind, id=request.id), deadline)
        return EntityShown(
            version=seen.document.version,
            state=plain(seen.document.state),
            versions=list(seen.versions),
            outbox=[
                Waiting(
                    version=each.version, at_ms=each.at_ms, traceparent=each.traceparent, items=[plain(item) for item in each.items]
                )
                for each in seen.outbox
            ],
        )

    async def contract(self, request: ContractOf, _caller: ApiCaller, _deadline: Deadline) -> Body:
        """Raises CausewayError: 104, there is no such app or version."""
        found = (
            next((each for each in self._versions.versions(request.app) if each.version == request.version), None)
            if request.version
            else self._versions.manifests.get(request.app)
        )
        if found is None:
            raise CausewayError(ErrorName.METHOD_NOT_FOUND, "there is no such app or version")
        return ContractShown(manifest=found)


def plain(value: JsonMap | Any) -> Any:
    """As JSON: a publication's data, which wait as the bytes of a JSON text, are told as what they say; other bytes in hex."""
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, bytes):
        try:
            return msgspec.json.decode(value)
        except msgspec.MsgspecError:
            return value.hex()
    return value
