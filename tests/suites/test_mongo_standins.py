"""What the stand-ins for MongoDB can and cannot do: the table of docs/storage.md, found out by probes."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient, WriteConcern
from pymongo.errors import PyMongoError

from support.mongo import SERVERS, server

DOCUMENT = Path(__file__).parents[2] / "docs" / "storage.md"
Client = MongoClient[dict[str, Any]]


def replica_set(client: Client) -> bool:
    return "setName" in client.admin.command("hello")


def transactions(client: Client) -> bool:
    numbers = client.probe.transactions
    with client.start_session() as session, session.start_transaction():
        numbers.insert_one({"_id": 1}, session=session)
        session.abort_transaction()
    return numbers.find_one({}) is None


def snapshots(client: Client) -> bool:
    numbers = client.probe.snapshots
    numbers.insert_one({"_id": 1, "n": 1})
    with client.start_session(snapshot=True) as session:
        numbers.find_one({}, session=session)
        numbers.update_one({}, {"$set": {"n": 2}})
        found = numbers.find_one({}, session=session)
    return found is not None and found["n"] == 1


def write_concern(client: Client) -> bool:
    """It is refused: there are no three members."""
    try:
        client.probe.concerns.with_options(write_concern=WriteConcern(3, wtimeout=200)).insert_one({})
    except PyMongoError:
        return True
    return False


def validators(client: Client) -> bool:
    client.probe.create_collection("validated", validator={"$jsonSchema": {"required": ["a"]}})
    try:
        client.probe.validated.insert_one({"b": 1})
    except PyMongoError:
        return True
    return False


def pushes(client: Client) -> bool:
    client.probe.pushes.insert_one({"_id": 1, "list": []})
    client.probe.pushes.update_one({}, {"$push": {"list": {"a": 1}}})
    return client.probe.pushes.find_one({}) == {"_id": 1, "list": [{"a": 1}]}


def elements(client: Client) -> bool:
    client.probe.elements.insert_one({"_id": 1, "list": [1, 2]})
    client.probe.elements.update_one({}, {"$set": {"list.1": 3}})
    return client.probe.elements.find_one({}) == {"_id": 1, "list": [1, 3]}


def replaced_bytes(client: Client) -> bool:
    client.probe.replaced.insert_one({"_id": 1, "bytes": b"a"})
    client.probe.replaced.replace_one({"_id": 1}, {"bytes": b"b"})
    return client.probe.replaced.find_one({}) == {"_id": 1, "bytes": b"b"}


PROBES: dict[str, Callable[[Client], bool]] = {
    "a replica set, and so fail-over": replica_set,
    "transactions": transactions,
    "reads of one moment over several documents": snapshots,
    "a write concern that cannot be met is refused": write_concern,
    "validators are enforced": validators,
    "`$push` of a document into a list": pushes,
    "`$set` of one element of a list": elements,
    "a document with bytes is replaced whole": replaced_bytes,
}


def table() -> dict[str, dict[str, str]]:
    """The document's: by server, by row."""
    text = DOCUMENT.read_text()
    head = re.search(r"^\| can it \|(.*)\|$", text, re.MULTILINE)
    assert head is not None
    servers = [name.strip() for name in head[1].split("|")]
    rows = {row: re.search(rf"^\| {re.escape(row)} \|(.*)\|$", text, re.MULTILINE) for row in PROBES}
    cells = {row: [cell.strip() for cell in found[1].split("|")] for row, found in rows.items() if found}
    return {name: {row: its[index] for row, its in cells.items()} for index, name in enumerate(servers)}


@pytest.mark.parametrize("name", sorted(SERVERS))
def test_each_server_can_what_the_documents_say(name: str) -> None:
    found: dict[str, str] = {}
    with Client(server(name), serverSelectionTimeoutMS=20_000) as client:
        client.drop_database("probe")
        for row, probe in PROBES.items():
            try:
                found[row] = "yes" if probe(client) else "no"
            except PyMongoError:
                found[row] = "no"
        client.drop_database("probe")

    assert found == (dict.fromkeys(PROBES, "yes") if name == "mongodb" else table()[name])
