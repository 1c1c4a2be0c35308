"""What a store of many channels and records takes of disk and memory, and how much an append writes.

As a program it puts records into a database of its own, without a bus that would deliver them, and prints what they take.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.appends import DATA, PUBLISHERS, Appending
from bench.asking import Question, Requesters
from bench.plan import Plan
from bench.processes import memory_kb
from bench.table import Goal, Pair, Row, number
from causeway_common.contracts import messages as m
from causeway_common.contracts import verbs
from causeway_common.contracts.codec import decode, encode
from causeway_storage.adapters.sqlite import SqliteDatabase, SqliteRecords

SIZES: Final = (1_000, 10_000, 100_000)
HEADS_GOAL_MB: Final = 100
RECORDS_AT_ONCE: Final = 256
FAR_MS: Final = 2**40
WRITING: Final = {"64 publishers": PUBLISHERS, "one publisher": 1}


def disk_bytes(path: Path) -> int:
    """What the database's files have."""
    return sum(each.stat().st_size for each in path.parent.glob(path.name + "*"))


def written_bytes(pid: int) -> int:
    """What a process has given to the disk so far."""
    lines = Path(f"/proc/{pid}/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("write_bytes"))


class Opening:
    """Callers that write the first publication of one channel after the other."""

    def __init__(self, requesters: Requesters) -> None:
        self._requesters, self._count = requesters, 0
        self._subject = verbs.APPEND.at(caller="gateway")

    async def until(self, count: int) -> None:
        """So many channels in all. Raises WrongError."""
        each = (count - self._count) // PUBLISHERS
        if each:
            await self._requesters.load(PUBLISHERS, self._ask, self._check, each=each)
        self._count += each * PUBLISHERS

    def _ask(self, caller: int, number: int) -> Question:
        channel = f"grown:{self._count + number * PUBLISHERS + caller:08}"
        request = m.AppendRequest(channel=channel, size=100, ttl_ms=3_600_000, items=[m.AppendItem(id="c:client-id:1", data=DATA)])
        return Question(self._subject, encode(request))

    def _check(self, _caller: int, _number: int, body: bytes) -> str:
        reply = decode(body, m.AppendReply)
        return "" if reply.offsets == [1] and reply.repeats == [False] else str(reply)


async def records(path: Path, sizes: list[int]) -> list[tuple[int, int, int]]:
    """(records, bytes on disk, KB in memory) at each size, and before the first."""
    database = SqliteDatabase(path, write_queue=1000, write_queue_bytes=1 << 28, read_queue=10)
    await database.start()
    store, found, count = SqliteRecords(database), [(0, disk_bytes(path), memory_kb_of_this())], 0
    for size in sizes:
        while count < size:
            some = [record(number) for number in range(count, min(count + RECORDS_AT_ONCE, size))]
            await store.put(some, (), now_ms=0, next_at_ms=FAR_MS)
            count += len(some)
        found.append((count, disk_bytes(path), memory_kb_of_this()))
    await database.stop()
    return found


def record(number: int) -> m.NewRecord:
    """A record with 100 B of payload."""
    return m.NewRecord(
        id=f"o:{number:032x}:0", app="bench", connector="webhook", op="event", payload={"text": DATA.decode()}, traceparent="0" * 55
    )


def memory_kb_of_this() -> int:
    """What of this process is in memory."""
    return memory_kb("self")


async def figures(plan: Plan) -> list[Row]:
    """The rows; growth is measured once, it does not spread."""
    sizes = [size for size in SIZES if size <= plan.of(SIZES[-1], SIZES[-2])]
    plan.say(f"growth: writing {sizes[-1]:,} channels and as many records")
    async with plan.stack("growth") as stack:
        await stack.storage()
        path, pid = stack.directory / "storage.sqlite3", stack.pids["storage"]
        requesters = await Requesters.connect(stack.nats.url)
        appending = {name: Appending(requesters, f"written-{count}") for name, count in WRITING.items()}
        for name, each in appending.items():
            await each.load(WRITING[name], seconds=plan.seconds / 4)
        opening, channels = Opening(requesters), [(0, disk_bytes(path), memory_kb(pid))]
        for size in sizes:
            await opening.until(size)
            channels.append((size, disk_bytes(path), memory_kb(pid)))
        wrote: dict[str, list[Pair]] = {name: [] for name in WRITING}
        for _run in plan.runs("bytes written"):
            for name, each in appending.items():
                before = written_bytes(pid)
                asked = await each.load(WRITING[name], seconds=plan.seconds / 2)
                wrote[name].append(Pair(None, (written_bytes(pid) - before) / (asked.count * len(DATA))))
        requesters.close()
        child = await asyncio.create_subprocess_exec(
            sys.executable, __file__, str(stack.directory / "records.sqlite3"), *map(str, sizes), stdout=asyncio.subprocess.PIPE
        )
        printed, _ = await child.communicate()
    put: list[tuple[int, int, int]] = json.loads(printed)
    heads = (channels[-1][2] - channels[0][2]) / 1024
    return [
        Row(f"heads of {sizes[-1]:,} channels in storage's memory", "MB", [Pair(None, heads)], Goal(HEADS_GOAL_MB, absolute=True)),
        *_growth("a channel with one publication of 100 B", channels),
        *_growth("a record with 100 B of payload", put),
        *(Row(f"bytes written for a byte acknowledged, 100 B each, {name}", "B/B", pairs) for name, pairs in wrote.items()),
    ]


def _growth(what: str, found: list[tuple[int, int, int]]) -> list[Row]:
    _, first_disk, first_memory = found[0]
    disk = {count: (size - first_disk) / count for count, size, _ in found[1:]}
    memory = {count: (size - first_memory) * 1024 / count for count, _, size in found[1:]}
    return [
        Row(
            f"{what}, {where}",
            "B",
            [Pair(None, list(sizes.values())[-1])],
            None,
            "; ".join(f"at {n:,}: {number(b)} B" for n, b in sizes.items()),
        )
        for where, sizes in (("disk", disk), ("memory", memory))
    ]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(records(Path(sys.argv[1]), [int(size) for size in sys.argv[2:]]))))
