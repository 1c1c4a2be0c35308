"""The verbs of the entities, on the store in memory: what is asked, what is refused, what comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from causeway_common.bus import Call, Deadline
from causeway_common.contracts.errors import CausewayError, ErrorName
from causeway_common.contracts.messages import (
    CommitRequest,
    Condition,
    Document,
    GetRequest,
    InspectRequest,
    Manifest,
    NamespaceSpec,
    QueryRequest,
    TrailRequest,
)
from causeway_storage.adapters.memory import MemoryDatabase, MemoryEntities
from causeway_storage.domain.entity import EntityKey
from causeway_storage.domain.log import PAGE_MAX_BYTES
from causeway_storage.handlers.access import Access
from causeway_storage.handlers.entities import EntityHandlers


class Apps:
    """Manifests as a test sets them."""

    manifests: Mapping[str, Manifest] = {"auctions": Manifest(app="auctions", version="1", methods=[], indexes={"lot": ["price"]})}
    namespaces: Mapping[str, tuple[str, NamespaceSpec]] = {}


@pytest.fixture
def relayed() -> list[EntityKey]:
    """Whose relay was started."""
    return []


@pytest.fixture
def handlers(relayed: list[EntityKey]) -> EntityHandlers:
    return EntityHandlers(MemoryEntities(MemoryDatabase()), Access(Apps()), relayed.append, lambda: 5)


async def call(caller: str = "auctions") -> Call:
    return Call({"caller": caller, "verb": "x"}, "", Deadline(asyncio.get_running_loop().time()))


async def made(handlers: EntityHandlers, count: int, size: int = 1) -> None:
    for number in range(count):
        state = {"price": number, "text": "x" * size}
        request = CommitRequest(
            kind="lot", id=str(number), expected=0, commit_id="a", state=state, by="ann", indexes={"price": number}
        )
        await handlers.commit(request, await call())


async def refusal(handlers: EntityHandlers, request: QueryRequest, caller: str = "auctions") -> ErrorName:
    with pytest.raises(CausewayError) as caught:
        await handlers.query(request, await call(caller))
    return caught.value.name


async def test_a_query_is_answered_in_pages_with_the_fields_that_were_asked_for(handlers: EntityHandlers) -> None:
    await made(handlers, 5)
    where = [Condition(index="price", op="gte", value=1)]
    names, cursor = [], ""
    for _ in range(3):
        request = QueryRequest(kind="lot", where=where, order="price", descending=True, limit=2, fields=["price"], cursor=cursor)
        page = await handlers.query(request, await call())
        names.append([(each.id, each.document) for each in page.entities])
        cursor = page.cursor

    assert names == [
        [("4", Document(version=1, state={"price": 4})), ("3", Document(version=1, state={"price": 3}))],
        [("2", Document(version=1, state={"price": 2})), ("1", Document(version=1, state={"price": 1}))],
        [],
    ]
    assert cursor == ""


async def test_a_page_has_a_bound_in_bytes_and_goes_on_behind_it(handlers: EntityHandlers) -> None:
    await made(handlers, 3, size=PAGE_MAX_BYTES // 2)

    first = await handlers.query(QueryRequest(kind="lot"), await call())
    second = await handlers.query(QueryRequest(kind="lot", cursor=first.cursor), await call())

    assert [[each.id for each in page.entities] for page in (first, second)] == [["0"], ["1"]]


async def test_a_query_off_the_declared_indexes_is_refused(handlers: EntityHandlers) -> None:
    where = [Condition(index="name", op="eq", value=1)]

    assert await refusal(handlers, QueryRequest(kind="lot", where=where)) is ErrorName.BAD_REQUEST
    assert await refusal(handlers, QueryRequest(kind="lot", order="name")) is ErrorName.BAD_REQUEST
    assert await refusal(handlers, QueryRequest(kind="room", order="price")) is ErrorName.BAD_REQUEST
    assert await refusal(handlers, QueryRequest(kind="lot", order="price"), "later") is ErrorName.UNAVAILABLE
    assert await refusal(handlers, QueryRequest(kind="lot"), "gateway") is ErrorName.PERMISSION_DENIED


async def test_a_read_at_or_after_a_version_is_never_of_an_older_one(handlers: EntityHandlers) -> None:
    await made(handlers, 1)

    assert (await handlers.get(GetRequest(kind="lot", id="0", at_least=1), await call())).document.version == 1
    assert (await handlers.get(GetRequest(kind="lot", id="none", at_least=1), await call())).document.version == 0
    with pytest.raises(CausewayError) as caught:
        await handlers.get(GetRequest(kind="lot", id="0", at_least=2), await call())
    assert caught.value.name is ErrorName.UNAVAILABLE


async def test_a_deletion_is_a_commit_and_stands_in_the_trail(handlers: EntityHandlers, relayed: list[EntityKey]) -> None:
    await made(handlers, 1)
    assert relayed == [], "nothing here has an outbox"
    request = CommitRequest(kind="lot", id="0", expected=1, commit_id="b", state={}, by="bob", delete=True)

    assert (await handlers.commit(request, await call())).version == 2
    assert (await handlers.get(GetRequest(kind="lot", id="0"), await call())).document == Document()
    trail = await handlers.trail(TrailRequest(kind="lot", id="0"), await call())
    assert [(each.version, each.by, each.deleted) for each in trail.versions] == [(1, "ann", False), (2, "bob", True)]
    assert relayed == [EntityKey("auctions", "lot", "0")], "it may have had timers, which are cancelled"


@pytest.mark.parametrize(
    "fields", [{"expected": 0}, {"state": {"n": 1}}, {"indexes": {"price": 1}}], ids=["of nothing", "with a state", "with indexes"]
)
async def test_a_deletion_that_says_more_is_refused(handlers: EntityHandlers, fields: dict[str, object]) -> None:
    given = {"kind": "lot", "id": "0", "expected": 1, "commit_id": "b", "state": {}, "delete": True, **fields}

    with pytest.raises(CausewayError) as caught:
        await handlers.commit(CommitRequest(**given), await call())  # type: ignore[arg-type] # as each case says
    assert caught.value.name is ErrorName.BAD_REQUEST


async def test_the_operator_names_the_app_whose_trail_it_reads_and_an_app_reads_its_own_whatever_it_names(
    handlers: EntityHandlers,
) -> None:
    await made(handlers, 1)
    request = TrailRequest(kind="lot", id="0", app="auctions")

    assert [each.by for each in (await handlers.trail(request, await call("operator"))).versions] == ["ann"]
    assert (await handlers.trail(request, await call("chat"))).versions == []
    assert len((await handlers.trail(TrailRequest(kind="lot", id="0", app="chat"), await call())).versions) == 1


async def test_the_operator_sees_an_entity_its_versions_and_what_has_not_left_yet_and_nobody_else_does() -> None:
    """`causeway inspect` asks this; an app's name opens nothing, its own entities included."""
    handlers = EntityHandlers(MemoryEntities(MemoryDatabase()), Access(Apps()), lambda _key: None, lambda: 5)
    item = {"kind": "job", "connector": "email", "op": "send", "payload": {"to": "ann"}}
    for version in (0, 1):
        request = CommitRequest(
            kind="lot", id="0", expected=version, commit_id=str(version), state={"n": version}, by="ann", items=[item] * version
        )
        await handlers.commit(request, await call())

    seen = await handlers.inspect(InspectRequest(app="auctions", kind="lot", id="0"), await call("operator"))
    assert seen.document == Document(version=2, state={"n": 1})
    assert [(each.version, each.by) for each in seen.versions] == [(1, "ann"), (2, "ann")]
    assert [(each.version, each.items) for each in seen.outbox] == [(2, [item])]
    assert (await handlers.inspect(InspectRequest(app="auctions", kind="lot", id="0"), await call("gateway"))) == seen
    for caller in ("auctions", "integrations"):
        with pytest.raises(CausewayError) as caught:
            await handlers.inspect(InspectRequest(app="auctions", kind="lot", id="0"), await call(caller))
        assert caught.value.name is ErrorName.PERMISSION_DENIED
