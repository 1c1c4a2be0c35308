"""A page of 100 publications out of logs of ten thousand and of a million.

As a program it is the floor: a bare NATS responder with one raw connection that answers with what an indexed query finds.
"""

from __future__ import annotations

import random
import sqlite3
import sys
from pathlib import Path
from typing import Final

import nats
import uvloop
from nats.aio.msg import Msg

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench import raw
from bench.appends import seconds_of
from bench.asking import Question, Requesters
from bench.floors import serve
from bench.plan import Plan, median
from bench.speaking import message
from bench.table import Goal, Pair, Row, number
from causeway_common.contracts import messages as m
from causeway_common.contracts import verbs
from causeway_common.contracts.codec import decode, encode

PAGE: Final = 100
PAGES: Final = 300
SUBJECT: Final = "bench.page"
_random: Final = random.Random(3)


class Reading:
    """One reader of pages behind random positions: every page must be whole and in order."""

    def __init__(self, requesters: Requesters, channel: str, sinces: list[int]) -> None:
        self._requesters, self._channel, self._sinces = requesters, channel, sinces
        self._subject = verbs.HISTORY.at(caller="gateway")

    async def seconds(self) -> float:
        """A page, median. Raises WrongError."""
        asked = await self._requesters.load(1, self._ask, self._check, each=len(self._sinces))
        return seconds_of(asked.times[0])

    def _ask(self, _caller: int, number: int) -> Question:
        request = m.HistoryRequest(channel=self._channel, since=self._sinces[number], limit=PAGE)
        return Question(self._subject, encode(request))

    def _check(self, _caller: int, number: int, body: bytes) -> str:
        page, since = decode(body, m.HistoryReply).publications, self._sinces[number]
        found = [(each.offset, each.data) for each in page]
        expected = [(offset, message(offset)) for offset in range(since + 1, since + PAGE + 1)]
        return "" if found == expected else f"behind {since} there is {found[:1]} and {len(found)} in all"


class ReadingRaw(Reading):
    """The same of the floor."""

    def _ask(self, _caller: int, number: int) -> Question:
        return Question(SUBJECT, f"{self._channel} {self._sinces[number]}".encode())

    def _check(self, _caller: int, number: int, body: bytes) -> str:
        since = self._sinces[number]
        expected = b"".join(raw.body(offset) for offset in range(since + 1, since + PAGE + 1))
        return "" if body == expected else f"behind {since} there are other {len(body)} bytes"


async def page(port: int, url: str, path: str) -> None:
    """The floor: the pages of `path`, until killed."""
    query = "SELECT body FROM publications WHERE number = ? AND position > ? ORDER BY position LIMIT ?"
    connection, bus = sqlite3.connect(path, isolation_level=None), await nats.connect(url)
    connection.execute("PRAGMA cache_size = -32768")

    async def answer(message: Msg) -> None:
        channel, since = message.data.decode().split()
        (number,) = connection.execute("SELECT number FROM heads WHERE channel = ?", (channel,)).fetchone()
        await message.respond(b"".join([body for (body,) in connection.execute(query, (number, int(since), PAGE))]))

    await bus.subscribe(SUBJECT, cb=answer)
    await serve(port)


async def figures(plan: Plan) -> list[Row]:
    """A row for each size. Readers are on the load generator's core, nats-server, storage and the floor on the other."""
    sizes = {"10 thousand": 10_000, "1 million": plan.of(1_000_000, 100_000)}
    found: dict[str, list[Pair]] = {name: [] for name in sizes}
    queries: list[float] = []
    async with plan.stack("history") as stack:
        path = stack.directory / "storage.sqlite3"
        for size in sizes.values():
            plan.say(f"history: writing a log of {size:,}")
            raw.write_log(path, f"logged:{size}", size)
        await stack.storage()
        await stack.floor("page", path, script="history.py")
        requesters = await Requesters.connect(stack.nats.url)
        for _run in plan.runs("history"):
            for name, size in sizes.items():
                sinces = [_random.randrange(size - PAGE) for _ in range(PAGES)]
                queries.append(raw.query_seconds(path, f"logged:{size}", sinces, PAGE))
                floor = await ReadingRaw(requesters, f"logged:{size}", sinces).seconds()
                ours = await Reading(requesters, f"logged:{size}", sinces).seconds()
                found[name].append(Pair(floor * 1e3, ours * 1e3))
        requesters.close()
    note = f"the query alone, without NATS: {number(median(queries) * 1e3)} ms"
    return [
        Row(f"history of {PAGE} from a log of {name} (floor: a raw indexed query behind NATS)", "ms", pairs, Goal(1.3), note)
        for name, pairs in found.items()
    ]


if __name__ == "__main__":
    uvloop.run(page(int(sys.argv[2]), sys.argv[3], sys.argv[4]))
