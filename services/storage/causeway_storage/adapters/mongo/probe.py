"""Whether the server's conditional update is atomic: everything here stands on it."""

from __future__ import annotations

import asyncio
import random
import secrets
from typing import Final

from pymongo.errors import PyMongoError

from causeway_common.runtime import StartError
from causeway_storage.adapters.mongo.database import MongoDatabase

WRITERS: Final = 8
ROUNDS: Final = 25
PROBE: Final = "probe"
SENTENCE: Final = (
    "this server's conditional update is not atomic: of {writers} writers of one document, {told} were told that theirs counted, "
    "and {counted} did. Causeway cannot keep any promise on it (FerretDB 1.x reads, then writes the whole document by its id)"
)


async def require_atomic_updates(database: MongoDatabase) -> None:
    """Let eight writers count up one document at once, each only from the number that it has read.

    Raises:
        StartError: more were told that theirs counted than did.
    """
    collection = database.database.get_collection(PROBE)
    name = secrets.token_hex(8)

    async def writer() -> int:
        told = 0
        for _ in range(ROUNDS):
            found = await collection.find_one({"_id": name})
            number = found["number"] if found else 0
            await asyncio.sleep(random.uniform(0, 0.002))  # noqa: S311 - so that they meet
            done = await collection.update_one({"_id": name, "number": number}, {"$set": {"number": number + 1}})
            told += done.matched_count
        return told

    try:
        await collection.insert_one({"_id": name, "number": 0})
        told = sum(await asyncio.gather(*(writer() for _ in range(WRITERS))))
        found = await collection.find_one({"_id": name})
        await collection.delete_one({"_id": name})
    except PyMongoError as error:
        raise StartError(f"the server could not be probed: {error}") from error
    counted = found["number"] if found else 0
    if told != counted:
        raise StartError(SENTENCE.format(writers=WRITERS, told=told, counted=counted))
