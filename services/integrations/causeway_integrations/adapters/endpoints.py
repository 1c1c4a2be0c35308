"""The endpoints of webhooks as entities of integrations, over the bus."""

from __future__ import annotations

import asyncio
import builtins
import socket
from collections.abc import Callable
from typing import Final, TypeVar
from urllib.parse import urlsplit

import msgspec

from causeway_common.bus import Bus, Deadline, ask_owner
from causeway_common.bus.jetstream import publish_durable
from causeway_common.contracts.codec import encode_item
from causeway_common.contracts.errors import unavailable
from causeway_common.contracts.messages import (
    CommitReply,
    CommitRequest,
    Condition,
    Document,
    GetRequest,
    JobItem,
    JsonMap,
    KeptRecord,
    LifecycleEvent,
    NewRecord,
    QueryReply,
    QueryRequest,
    RecordRequest,
    RecordsReply,
    RecordsRequest,
)
from causeway_common.contracts.shards import entity_shard
from causeway_common.contracts.subjects import EVENT
from causeway_common.contracts.verbs import CLIENT_COMMAND_SECONDS, COMMIT, GET, QUERY, RECORD, RECORDS
from causeway_common.runtime import new_id
from causeway_integrations.adapters.fresh import Fresh
from causeway_integrations.adapters.records import CALLER, patiently
from causeway_integrations.domain.addresses import is_literal, is_public
from causeway_integrations.domain.endpoints import (
    CONFIGURED_KIND,
    HEALTH_KIND,
    KIND,
    RATE_KIND,
    ConfiguredState,
    Health,
    KeptEndpoint,
    Seen,
    merged,
)
from causeway_integrations.domain.rate import KeptRate, Lease, taken

S = TypeVar("S", bound=msgspec.Struct)
TRIES: Final = 50
PAGE: Final = 200


class EntityEndpoints:
    """`ports.endpoints.EndpointBook`, `Rates`, `EventLog` and `Announcer`."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._one = Fresh[str, KeptEndpoint | None](self._find)
        self._some = Fresh[tuple[str, str], list[KeptEndpoint]](self._hearing)

    async def find(self, id: str) -> KeptEndpoint | None:
        """As the port says."""
        return await self._one.read(id)

    async def hearing(self, app: str, event: str) -> list[KeptEndpoint]:
        """As the port says."""
        return await self._some.read((app, event))

    async def all(self) -> list[KeptEndpoint]:
        """As the port says."""
        return await self._query([])

    async def add(self, endpoint: KeptEndpoint) -> bool:
        """As the port says."""
        reply = await self._commit(KIND, endpoint.id, 0, _packed(endpoint, {}), hears=_hears(endpoint.app, endpoint.event))
        return reply.outcome == "committed"

    async def change(
        self, id: str, change: Callable[[KeptEndpoint], KeptEndpoint], leaves: NewRecord | None = None
    ) -> KeptEndpoint | None:
        """As the port says."""
        document = await self._load(KIND, id)
        for _ in range(TRIES):
            before = _unpacked(document, KeptEndpoint)
            if before is None:
                return None
            after = change(before)
            if after == before:
                return before
            item = JobItem(connector=leaves.connector, op=leaves.op, payload=leaves.payload) if leaves else None
            state = _packed(after, document.state or {})
            hears = _hears(after.app, after.event)
            reply = await self._commit(KIND, id, document.version, state, hears=hears, item=item)
            if reply.outcome == "committed":
                return after
            document = reply.document or Document()
        raise unavailable("too many change this endpoint at once")

    async def disabled(self, id: str) -> ConfiguredState:
        """As the port says."""
        return _unpacked(await self._load(CONFIGURED_KIND, id), ConfiguredState) or ConfiguredState()

    async def disable(self, id: str, state: ConfiguredState, leaves: NewRecord | None = None) -> bool:
        """As the port says."""
        item = JobItem(connector=leaves.connector, op=leaves.op, payload=leaves.payload) if leaves else None

        def change(before: ConfiguredState | None) -> ConfiguredState | None:
            return None if bool((before or ConfiguredState()).disabled) == bool(state.disabled) else state

        return await self._changed(CONFIGURED_KIND, id, ConfiguredState, change, item) is not None

    async def take(self, endpoint: str, rate: float, now_ms: int) -> Lease:
        """As the port says."""
        got: list[Lease] = []

        def change(before: KeptRate | None) -> KeptRate | None:
            after, lease = taken(before, rate, now_ms)
            got.append(lease)
            return after if lease.tokens else None

        await self._changed(RATE_KIND, endpoint, KeptRate, change)
        return got[-1]

    async def _changed(
        self, kind: str, id: str, type: builtins.type[S], change: Callable[[S | None], S | None], item: JobItem | None = None
    ) -> S | None:
        """Change what is kept, whoever else does; None, and nothing is written, where `change` says so."""
        document = await self._load(kind, id)
        for _ in range(TRIES):
            after = change(_unpacked(document, type))
            if after is None:
                return None
            reply = await self._commit(kind, id, document.version, _packed(after, document.state or {}), item=item)
            if reply.outcome == "committed":
                return after
            document = reply.document or Document()
        raise unavailable("too many change this endpoint at once")

    async def remove(self, id: str) -> bool:
        """As the port says."""
        await self._delete(HEALTH_KIND, id)
        await self._delete(RATE_KIND, id)
        return await self._delete(KIND, id)

    async def health(self, id: str) -> Health:
        """As the port says."""
        return _unpacked(await self._load(HEALTH_KIND, id), Health) or Health()

    async def saw(self, id: str, seen: Seen) -> Health:
        """As the port says."""
        after = await self._changed(HEALTH_KIND, id, Health, lambda before: merged(before or Health(), seen))
        return after or Health()

    async def page(self, app: str, operation: str, since_ms: int, until_ms: int, after: str) -> RecordsReply:
        """As the port says."""
        request = RecordsRequest(
            state="", after=after, limit=PAGE, app=app, operation=operation, since_ms=since_ms, until_ms=until_ms, by_time=True
        )
        return await patiently(lambda: self._bus.request(RECORDS, request, _deadline(), caller=CALLER))

    async def record(self, id: str) -> KeptRecord | None:
        """As the port says."""
        request = RecordRequest(id=id)
        return (await patiently(lambda: self._bus.request(RECORD, request, _deadline(), caller=CALLER))).record

    async def tell(self, event: LifecycleEvent) -> None:
        """As the port says."""
        subject = EVENT.at(source=CALLER, type=event.type)
        await patiently(lambda: publish_durable(self._bus, subject, event, _deadline(), message_id=event.id))

    async def _delete(self, kind: str, id: str) -> bool:
        document = await self._load(kind, id)
        for _ in range(TRIES):
            if document.version == 0:
                return False
            reply = await self._commit(kind, id, document.version, {}, delete=True)
            if reply.outcome == "committed":
                return True
            document = reply.document or Document()
        raise unavailable("too many change this endpoint at once")

    async def _find(self, id: str) -> KeptEndpoint | None:
        return _unpacked(await self._load(KIND, id), KeptEndpoint)

    async def _hearing(self, key: tuple[str, str]) -> list[KeptEndpoint]:
        return await self._query([Condition(index="hears", op="eq", value=_hears(*key))])

    async def _query(self, where: list[Condition]) -> list[KeptEndpoint]:
        found: list[KeptEndpoint] = []
        cursor = ""
        while True:
            reply = await self._page_of(QueryRequest(kind=KIND, where=where, cursor=cursor, limit=PAGE))
            found += [kept for each in reply.entities if (kept := _unpacked(each.document, KeptEndpoint))]
            cursor = reply.cursor
            if not cursor:
                return found

    async def _page_of(self, request: QueryRequest) -> QueryReply:
        return await patiently(lambda: self._bus.request(QUERY, request, _deadline(), caller=CALLER))

    async def _load(self, kind: str, id: str) -> Document:
        request = GetRequest(kind=kind, id=id)
        return (await patiently(lambda: self._bus.request(GET, request, _deadline(), caller=CALLER))).document

    async def _commit(
        self,
        kind: str,
        id: str,
        expected: int,
        state: JsonMap,
        *,
        hears: str = "",
        item: JobItem | None = None,
        delete: bool = False,
    ) -> CommitReply:
        request = CommitRequest(
            kind=kind,
            id=id,
            expected=expected,
            commit_id=new_id(),
            state=state,
            items=[encode_item(item)] if item else [],
            by=CALLER,
            indexes={"hears": hears} if hears else {},
            delete=delete,
        )
        shard, message_id = entity_shard(CALLER, kind, id), request.commit_id
        return await patiently(
            lambda: ask_owner(self._bus, COMMIT, request, _deadline(), shard=shard, message_id=message_id, caller=CALLER)
        )


class CheckedDestinations:
    """`ports.endpoints.Destinations`. `allowed`: hosts (lower case) that may be private."""

    def __init__(self, allowed: frozenset[str]) -> None:
        self._allowed = allowed

    async def refusal(self, url: str) -> str:
        """As the port says."""
        host = (urlsplit(url).hostname or "").lower()
        if host in self._allowed:
            return ""
        if is_literal(host):
            return "" if is_public(host) else self._why(f"the address {host} is not public")
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            return ""
        private = next((str(each[4][0]) for each in found if not is_public(str(each[4][0]))), "")
        return self._why(f"{host} has the address {private}, which is not public") if private else ""

    @staticmethod
    def _why(what: str) -> str:
        return f"{what}; integrations.webhook.allow_hosts names the hosts that may be private"


def _hears(app: str, event: str) -> str:
    return f"{app}/{event}"


def _packed(value: msgspec.Struct, before: JsonMap) -> JsonMap:
    """The state to write: fields of a newer version survive."""
    state: JsonMap = msgspec.to_builtins(value)
    return {**before, **state}


def _unpacked(document: Document, kind: type[S]) -> S | None:
    return None if document.version == 0 or document.state is None else msgspec.convert(document.state, kind)


def _deadline() -> Deadline:
    return Deadline.after(CLIENT_COMMAND_SECONDS)
