"""P1 and P2 on MongoDB through every fault that a network, a fail-over or a server can make of a message: two storage processes, each
behind a proxy of its own, under load; a checker reads the histories."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from causeway_storage.adapters.mongo import MongoDatabase, MongoEntities, MongoLogs, MongoOptions, MongoRecords, open_database
from chaos.storages import Load, Storage
from support.mongo import SERVERS
from support.mongo_proxy import (
    NOT_PRIMARY,
    STEPPED_DOWN,
    Fault,
    MongoProxy,
    after_write,
    cut,
    delay,
    duplicate,
    half_open,
    lose_answer,
    proxied,
    refusal,
)
from support.operations import violations_in
from support.stores import letters, mongo_uri
from support.waiting import until

ANSWER_MS = 500
"""A process that waits half a second for an answer, so that a delay of 2.5 times that is to it what 25 s are to one with the default of 10: the 5 s of
the issue would be answered within it."""
"""So long a storage process of these tests waits for the database: what arrives later lands behind its back."""
COLLECTIONS = ("heads", "entities", "heads", "entities", "segments")
READS = frozenset({"find", "aggregate"})
FAULTS: dict[str, Fault] = {
    "the connection is cut before the write": cut,
    "the write succeeds and its answer is lost": lose_answer,
    "the connection is half open": half_open,
    "the write arrives after nobody waits for it any more": delay(2.5 * ANSWER_MS / 1000),
    "the server is not the primary": refusal(*NOT_PRIMARY),
    "the primary steps down before the write": refusal(*STEPPED_DOWN),
    "the primary steps down after the write": after_write(*STEPPED_DOWN),
}


@asynccontextmanager
async def opened(options: MongoOptions, *, apply: bool) -> AsyncIterator[MongoDatabase]:
    database = MongoDatabase(options)
    try:
        await open_database(database, apply=apply)
        yield database
    finally:
        await database.stop()


@asynccontextmanager
async def storage_behind(proxy: MongoProxy, path: str) -> AsyncIterator[Storage]:
    uri = f"mongodb://127.0.0.1:{proxy.port}/{path}"
    async with opened(MongoOptions(uri, connect_ms=ANSWER_MS, answer_ms=ANSWER_MS), apply=False) as database:
        logs = MongoLogs(database, letters(), lambda _appended: None, forget_slack_ms=0)
        storage = Storage(logs, MongoEntities(database), MongoRecords(database))
        yield storage
        await storage.relay.stop()
        await logs.stop()


@asynccontextmanager
async def two_storages(name: str, directory: Path, seed: int) -> AsyncIterator[tuple[list[MongoProxy], Load]]:
    uri = mongo_uri(name, directory)
    async with AsyncExitStack() as ends:
        async with opened(MongoOptions(uri), apply=True):
            server = urlsplit(uri)
        proxies = [await ends.enter_async_context(proxied(server.port or 27017)) for _ in range(2)]
        path = server.path.strip("/")
        storages = [await ends.enter_async_context(storage_behind(proxy, path)) for proxy in proxies]
        yield proxies, Load(storages, random.Random(seed))


async def answered(load: Load, more: int, seconds: float = 20) -> None:
    """Wait until so many more appends and commits were answered."""
    goal = load.done + more

    def reached() -> bool:
        load.raise_if_failed()
        return load.done >= goal

    await until(reached, seconds)


async def through(name: str, directory: Path, fault: Fault, *, seed: int, times: int) -> None:
    async with two_storages(name, directory, seed) as (proxies, load):
        load.start()
        await answered(load, 20)
        for turn in range(times):
            proxy = proxies[turn % 2]
            before = len(proxy.hit)
            proxy.plant(fault, collections=(COLLECTIONS[turn % len(COLLECTIONS)],))
            await answered(load, 10)
            await until(lambda proxy=proxy, before=before: len(proxy.hit) > before)  # type: ignore[misc]
        await answered(load, 20)

        assert await load.finish() == []
        assert await violations_in("--uri", mongo_uri(name, directory)) == []


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", sorted(SERVERS))
@pytest.mark.parametrize("fault", FAULTS)
async def test_nothing_acknowledged_is_lost_doubled_or_half_done_when(tmp_path: Path, name: str, fault: str) -> None:
    await through(name, tmp_path, FAULTS[fault], seed=1, times=5)


@pytest.mark.soak
@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", sorted(SERVERS))
@pytest.mark.parametrize("fault", FAULTS)
async def test_nothing_is_lost_doubled_or_half_done_over_many_seeds_when(
    tmp_path: Path, name: str, fault: str, soak_seed: int
) -> None:
    await through(name, tmp_path, FAULTS[fault], seed=soak_seed, times=20)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", sorted(SERVERS))
async def test_an_insert_that_succeeded_and_is_answered_as_a_duplicate_is_found_to_be_ours(tmp_path: Path, name: str) -> None:
    async with two_storages(name, tmp_path, seed=5) as (proxies, load):
        for proxy in proxies:
            for collection in ("heads", "entities", "segments"):
                proxy.plant(duplicate, commands={"insert"}, collections={collection})
        load.start()
        await until(
            lambda: {hit for proxy in proxies for hit in proxy.hit} >= {"insert heads", "insert entities", "insert segments"}, 20
        )
        await answered(load, 40)

        assert await load.finish() == []


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", sorted(SERVERS))
async def test_reads_that_fail_are_asked_again(tmp_path: Path, name: str) -> None:
    async with two_storages(name, tmp_path, seed=2) as (proxies, load):
        load.start()
        for fault in (cut, half_open, refusal(*NOT_PRIMARY), delay(0.6)):
            for proxy in proxies:
                proxy.plant(fault, commands=READS)
            await answered(load, 40)

        assert await load.finish() == []


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", sorted(SERVERS))
async def test_a_database_that_refuses_for_five_seconds_and_comes_back_has_lost_nothing(tmp_path: Path, name: str) -> None:
    async with two_storages(name, tmp_path, seed=3) as (proxies, load):
        load.start()
        await answered(load, 20)
        for proxy in proxies:
            await proxy.refuse()
        done, repeats = load.done, load.repeats
        await asyncio.sleep(5)
        assert load.done - done < 10, "nothing is answered that is not durable"
        assert load.repeats > repeats
        for proxy in proxies:
            await proxy.listen()
        await answered(load, 40)

        assert await load.finish() == []


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", sorted(SERVERS))
async def test_one_process_that_loses_the_database_leaves_the_work_to_the_other(tmp_path: Path, name: str) -> None:
    async with two_storages(name, tmp_path, seed=4) as (proxies, load):
        load.start()
        await answered(load, 20)
        await proxies[0].refuse()
        await answered(load, 40)
        await proxies[0].listen()
        await answered(load, 40)

        assert await load.finish() == []
