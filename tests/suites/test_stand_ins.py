"""What the stand-ins for MongoDB can and cannot do is found out here, and docs/storage.md says the same."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bson.binary import Binary
from pymongo import MongoClient, WriteConcern
from pymongo.collection import Collection
from pymongo.errors import BulkWriteError, PyMongoError

from support.mongo import SERVERS, server

PAGE = Path(__file__).parents[2] / "docs" / "storage.md"
STAND_INS = ("nx-27017", "mongo-java-server")
Documents = Collection[dict[str, Any]]


def replica_set(documents: Documents) -> bool:
    return "setName" in documents.database.client.admin.command("hello")


def transactions(documents: Documents) -> bool:
    with documents.database.client.start_session() as session:
        session.start_transaction()
        documents.insert_one({"_id": 1}, session=session)
        seen = documents.find_one({"_id": 1})
        session.abort_transaction()
    return seen is None and documents.find_one({"_id": 1}) is None


def write_concern(documents: Documents) -> bool:
    """Seven nodes that are not there cannot have it: MongoDB says so."""
    try:
        documents.with_options(write_concern=WriteConcern(w=7, wtimeout=100)).insert_one({"_id": 1})
    except PyMongoError:
        return True
    return False


def validators(documents: Documents) -> bool:
    documents.database.create_collection(documents.name, validator={"$jsonSchema": {"required": ["x"]}})
    try:
        documents.insert_one({"y": 1})
    except PyMongoError:
        return True
    return False


def wildcard_indexes(documents: Documents) -> bool:
    documents.create_index([("x.$**", 1)])
    return True


def conditional_updates(documents: Documents) -> bool:
    documents.insert_one({"_id": 1, "head": 1})
    counted = [documents.update_one({"_id": 1, "head": 1}, {"$set": {"head": 2}}).matched_count for _ in range(2)]
    return counted == [1, 0]


def push_of_documents(documents: Documents) -> bool:
    documents.insert_one({"_id": 1, "list": [{"id": "a"}]})
    documents.update_one({"_id": 1}, {"$push": {"list": {"id": "b"}}})
    return documents.find_one({"_id": 1}) == {"_id": 1, "list": [{"id": "a"}, {"id": "b"}]}


def fields_of_lists(documents: Documents) -> bool:
    documents.insert_one({"_id": 1, "list": [{"id": "a", "body": "x"}]})
    return documents.find_one({"_id": 1}, {"list.id": 1}) == {"_id": 1, "list": [{"id": "a"}]}


def binary_ranges(documents: Documents) -> bool:
    documents.insert_one({"_id": 1, "at": Binary(b"b")})
    return documents.find_one({"at": {"$gte": Binary(b"a"), "$lt": Binary(b"c")}}) is not None


def binary_replacement(documents: Documents) -> bool:
    documents.insert_one({"_id": 1})
    documents.replace_one({"_id": 1}, {"at": Binary(b"b")})
    return documents.find_one({"_id": 1}) == {"_id": 1, "at": b"b"}


def counts_beside_duplicates(documents: Documents) -> bool:
    documents.insert_one({"_id": 1})
    try:
        documents.insert_many([{"_id": 1}, {"_id": 2}], ordered=False)
    except BulkWriteError as error:
        return bool((error.details or {}).get("nInserted") == 1)
    return False


PROBES: dict[str, Callable[[Documents], bool]] = {
    "a conditional update counts once": conditional_updates,
    "replica set, and so fail-over": replica_set,
    "transactions": transactions,
    "a write concern that cannot be met is told": write_concern,
    "validators refuse": validators,
    "wildcard indexes": wildcard_indexes,
    "`$push` of a document": push_of_documents,
    "projection of fields within a list": fields_of_lists,
    "ranges of binary values": binary_ranges,
    "replacement by a document with binary values": binary_replacement,
    "how many were inserted beside a duplicate": counts_beside_duplicates,
}


def can(name: str, probe: Callable[[Documents], bool]) -> bool:
    with MongoClient[dict[str, Any]](server(name), retryWrites=False) as client:
        try:
            return probe(client.get_database(f"cw_{secrets.token_hex(8)}").get_collection("probed"))
        except PyMongoError:
            return False


def documented() -> dict[str, dict[str, bool]]:
    """By stand-in, what the page says."""
    rows = re.findall(r"^\| (.+?) \| (yes|no) \| (yes|no) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return {name: {row[0]: row[1 + index] == "yes" for row in rows} for index, name in enumerate(STAND_INS)}


@pytest.mark.parametrize("name", [name for name in STAND_INS if name in SERVERS])
def test_the_page_says_what_a_stand_in_can_do(name: str) -> None:
    assert {what: can(name, probe) for what, probe in PROBES.items()} == documented()[name]
