"""The one place that declares collections, indexes, shard keys and validators; `causeway-storage migrate` applies them.

A serving process applies nothing (outside `dev`); it looks whether what it needs is there. Versions of the service that are one
schema apart run at once on either schema: a schema only adds, and what it adds is first used one version later.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from pymongo.errors import CollectionInvalid, DuplicateKeyError, OperationFailure, PyMongoError

from causeway_common.runtime import StartError
from causeway_common.telemetry import get_logger
from causeway_storage.adapters.mongo.attendances import clear_all_holders
from causeway_storage.adapters.mongo.database import Fields, MongoDatabase
from causeway_storage.adapters.mongo.entities import ENTRIES
from causeway_storage.adapters.mongo.probe import require_atomic_updates
from causeway_storage.adapters.mongo.segments import log_key
from causeway_storage.adapters.mongo.timers import OPERATIONS, TIMERS
from causeway_storage.domain.entity import DELETED
from causeway_storage.domain.log import next_generation

log = get_logger("storage")
SCHEMA: Final = 1
META: Final = "meta"
IMPORTING: Final = "importing"
"""This mark is in `meta` while the database is filled: nobody serves it."""
WITHOUT_WILDCARD: Final = "without_wildcard_indexes"
NAMESPACE_EXISTS: Final = 48
COMMAND_NOT_FOUND: Final = 59
Keys = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Index:
    """One index. `sparse`: documents without the field are not in it."""

    keys: Keys
    sparse: bool = False

    @property
    def name(self) -> str:
        """As MongoDB itself would name it."""
        return "_".join(f"{field}_{direction}" for field, direction in self.keys)

    @property
    def wildcard(self) -> bool:
        """Whether it is over fields that are not named here."""
        return any("$**" in field for field, _ in self.keys)


@dataclass(frozen=True, slots=True)
class Declared:
    """One collection.

    Attributes:
        name: its name.
        indexes: beside the one on `_id`.
        shard_key: in a sharded cluster. Equal `_id`s lie on one shard, so that "there already" is always seen.
        fields: the fields that every document must have, with their BSON types.
    """

    name: str
    indexes: tuple[Index, ...]
    shard_key: Mapping[str, str]
    fields: Mapping[str, tuple[str, ...]]

    def validator(self) -> Fields:
        """Unknown fields are a newer version's, so they are let through."""
        properties = {name: {"bsonType": list(types)} for name, types in self.fields.items()}
        return {"$jsonSchema": {"bsonType": "object", "required": list(self.fields), "properties": properties}}


_TEXT: Final = ("string",)
_NUMBER: Final = ("int", "long")
_BY_ID: Final = {"_id": "hashed"}

COLLECTIONS: Final = (
    Declared(META, (), _BY_ID, {}),
    Declared(
        "heads",
        tuple(Index(((field, 1),), sparse=True) for field in ("expires", "trim", "ids_ms", "at")),
        _BY_ID,
        {"letters": _TEXT, "head": _NUMBER, "floor": _NUMBER, "base": _NUMBER, "pubs": ("array",), "ids": ("array",)},
    ),
    Declared(
        "segments",
        (
            Index((("log", 1), ("last", 1))),
            Index((("log", 1), ("first", 1))),
            Index((("log", 1), ("ids", 1))),
            Index((("ids_ms", 1),), sparse=True),
        ),
        {"log": "hashed"},
        {"log": _TEXT, "first": _NUMBER, "last": _NUMBER, "pubs": ("array",), "ids": ("array",)},
    ),
    Declared(
        "entities",
        (
            Index((("oldest", 1),), sparse=True),
            Index(((DELETED, 1),), sparse=True),
            Index((("app", 1), ("kind", 1), ("id", 1))),
            # Apps declare indexes while storage runs: one index over all of them, whatever they are called.
            Index(((f"{ENTRIES}.$**", 1),)),
        ),
        _BY_ID,
        {"app": _TEXT, "kind": _TEXT, "id": _TEXT, "version": _NUMBER, "outbox": ("array",)},
    ),
    Declared(
        "records",
        (
            Index((("due", 1),), sparse=True),
            Index((("done", 1),), sparse=True),
            Index((("lined", 1), ("turn", 1)), sparse=True),
            Index((("waits", 1), ("turn", 1)), sparse=True),
            Index((("held", 1),), sparse=True),
            Index((("app", 1), ("connector", 1), ("op", 1), ("created_ms", 1))),
        ),
        _BY_ID,
        {"app": _TEXT, "state": _TEXT, "attempts": _NUMBER},
    ),
    Declared(
        "attendances",
        (Index((("held", 1),)), Index((("oldest", 1),), sparse=True), Index((("idle", 1),), sparse=True)),
        _BY_ID,
        {"v": _NUMBER, "held": ("array",)},
    ),
    Declared("holders", (Index((("cleared", 1),), sparse=True),), _BY_ID, {}),
    Declared(
        TIMERS,
        (Index((("at", 1),), sparse=True), Index((("set_ms", 1),))),
        _BY_ID,
        {"version": _NUMBER, "set_ms": _NUMBER},
    ),
    Declared(OPERATIONS, (Index((("at", 1),)),), _BY_ID, {"at": _NUMBER}),
)


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that is missing, and how it is made."""

    what: str
    apply: Callable[[], Awaitable[object]]


async def plan(database: MongoDatabase) -> list[Step]:
    """What is missing, in order.

    Raises:
        StartError: the server does not answer, is none that Causeway can keep its promises on, or the database is newer than this.
    """
    try:
        steps = await _missing(database)
    except PyMongoError as error:
        raise StartError(f"the database cannot be looked at: {error}") from error
    return steps


async def migrate(database: MongoDatabase) -> list[str]:
    """Make what is missing; what that was.

    Raises:
        StartError: as `plan`, or a step was refused.
    """
    await require_atomic_updates(database)
    done: list[str] = []
    for step in await plan(database):
        try:
            await step.apply()
        except PyMongoError as error:
            raise StartError(f"{step.what}: the server refuses it: {error}") from error
        done.append(step.what)
    return done


async def open_schema(database: MongoDatabase) -> int:
    """See that the database is one that this version can serve; its generation.

    Raises:
        StartError: it is not, and what to do.
    """
    try:
        found = await database.database.get_collection(META).find_one({"_id": "schema"})
        generation = await database.database.get_collection(META).find_one({"_id": "generation"})
        importing = await database.database.get_collection(META).find_one({"_id": IMPORTING})
    except PyMongoError as error:
        raise StartError(f"the database cannot be looked at: {error}") from error
    if found is None or generation is None:
        raise StartError("the database has no schema of Causeway yet: run `causeway-storage migrate`")
    if importing is not None:
        raise StartError("an import into this database is under way, or was broken off: where none runs, begin it again")
    if abs(found["value"] - SCHEMA) > 1:
        raise StartError(
            f"the database has schema {found['value']}, this version serves {SCHEMA - 1} to {SCHEMA + 1}: run `migrate`"
        )
    return int(generation["value"])


async def raise_generation(database: MongoDatabase, now_ms: int) -> int:
    """Give every log of a restored database a new epoch; the new generation.

    Raises:
        StartError: it has no schema, or does not answer.
    """
    generation = next_generation(await open_schema(database), now_ms)
    try:
        await database.database.get_collection(META).update_one({"_id": "generation"}, {"$max": {"value": generation}})
        await _cut_to_heads(database)
        await clear_all_holders(database)
    except PyMongoError as error:
        raise StartError(f"the generation could not be raised for sure, do it again: {error}") from error
    return generation


async def _cut_to_heads(database: MongoDatabase) -> None:
    """Remove segments of the lost time: a copy that was not of one moment has some beyond its head documents."""
    segments = database.database.get_collection("segments")
    async for head in database.database.get_collection("heads").find({}, {"letters": 1, "head": 1}):
        await segments.delete_many({"log": log_key(head["letters"], head["_id"]), "last": {"$gt": head["head"]}})


async def _missing(database: MongoDatabase) -> list[Step]:
    there = set(await database.database.list_collection_names())
    sharded = (await _hello(database)).get("msg") == "isdbgrid"
    steps: list[Step] = []
    without = await _without(database) if META in there else set()
    for declared in COLLECTIONS:
        collection = database.database.get_collection(declared.name)
        found: set[Any] = set()
        if declared.name not in there:
            steps.append(Step(f"create the collection {declared.name}", partial(_create, database, declared)))
        else:
            found = {tuple(index["key"].items()) async for index in collection.list_indexes()} | without
        for index in declared.indexes:
            if index.keys not in found:
                what = f"create the index {index.name} on {declared.name}"
                steps.append(Step(what, partial(_index, database, declared.name, index)))
        if sharded:
            what = f"shard {declared.name} by {dict(declared.shard_key)}"
            steps.append(Step(what, partial(_shard, database, declared)))
    return [*steps, *await _missing_meta(database, META in there)]


async def _hello(database: MongoDatabase) -> Fields:
    """What the server says it is."""
    try:
        found: Fields = await database.admin.command("hello")
    except OperationFailure as error:
        if error.code != COMMAND_NOT_FOUND:
            raise
        found = await database.admin.command("isMaster")  # its name before MongoDB 5.0
    return found


async def _missing_meta(database: MongoDatabase, there: bool) -> list[Step]:
    meta = database.database.get_collection(META)
    wanted: Fields = {"generation": 1, "cursor_key": secrets.token_bytes(32), "schema": SCHEMA}
    found = {each["_id"]: each["value"] async for each in meta.find({"_id": {"$in": list(wanted)}})} if there else {}
    if found.get("schema", SCHEMA) > SCHEMA:
        raise StartError(
            f"the database has schema {found['schema']}, this version only knows {SCHEMA}: use the newer causeway-storage"
        )
    steps = [Step(f"write {name}", partial(_insert, database, name, value)) for name, value in wanted.items() if name not in found]
    if found.get("schema", SCHEMA) < SCHEMA:
        steps.append(
            Step(f"raise the schema to {SCHEMA}", partial(meta.update_one, {"_id": "schema"}, {"$max": {"value": SCHEMA}}))
        )
    return steps


async def _create(database: MongoDatabase, declared: Declared) -> None:
    try:
        await database.database.create_collection(declared.name, validator=declared.validator(), validationAction="error")
    except CollectionInvalid:
        return  # another process, starting at the same time, made it: the driver looks first
    except OperationFailure as error:
        if error.code != NAMESPACE_EXISTS:
            raise


async def _index(database: MongoDatabase, name: str, index: Index) -> None:
    # `sparse` where it is not needed would keep documents out of a query's index.
    options: Fields = {"sparse": True} if index.sparse else {}
    try:
        await database.database.get_collection(name).create_index(list(index.keys), name=index.name, **options)
    except OperationFailure as error:
        if error.code is not None or not index.wildcard:
            raise
        # A stand-in: MongoDB gives every error a code.
        log.warning("this server has no wildcard indexes, queries look at every document", collection=name)
        await _insert(database, WITHOUT_WILDCARD, 1)


async def _without(database: MongoDatabase) -> set[Any]:
    """Indexes that this server cannot have."""
    mark = await database.database.get_collection(META).find_one({"_id": WITHOUT_WILDCARD})
    return {index.keys for declared in COLLECTIONS for index in declared.indexes if index.wildcard} if mark else set()


async def _shard(database: MongoDatabase, declared: Declared) -> None:
    await database.admin.command({"enableSharding": database.database.name})
    await database.admin.command({"shardCollection": f"{database.database.name}.{declared.name}", "key": dict(declared.shard_key)})


async def _insert(database: MongoDatabase, name: str, value: Any) -> None:
    try:
        await database.database.get_collection(META).insert_one({"_id": name, "value": value})
    except DuplicateKeyError:
        log.info("another process migrates at the same time", what=name)


async def open_database(database: MongoDatabase, *, apply: bool) -> None:
    """Connect a serving process.

    Args:
        database: not connected yet.
        apply: migrate first; for `dev` alone.

    Raises:
        StartError: it does not answer, or has no schema that this version serves.
    """
    try:
        await database.connect()
        if apply:
            for step in await migrate(database):
                log.info("the database was prepared", what=step)
        database.generation = await open_schema(database)
    except StartError:
        await database.stop()
        raise
