"""Storage's acknowledged appends: how many a second, and how long a lone one takes, beside raw SQLite with the same durability."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bench import raw
from bench.asking import Ask, Asked, Check, Question, Requesters
from bench.floors import ECHO_SUBJECT
from bench.plan import Plan, median
from bench.processes import Meter
from bench.speaking import message
from bench.table import Goal, Pair, Row
from causeway_common.contracts import messages as m
from causeway_common.contracts import verbs
from causeway_common.contracts.codec import decode, encode
from causeway_common.contracts.shards import channel_shard

PUBLISHERS: Final = 64
LONE: Final = 500
WARM: Final = 20
DATA: Final = message(0)


class Appending:
    """The publishers of one storage, each on a channel of its own, asking the shard's owner: every answer must be the channel's next offset."""

    def __init__(self, requesters: Requesters, name: str = "bench") -> None:
        self._requesters, self._name = requesters, name
        self.heads: dict[int, int] = {}

    async def load(self, publishers: int, *, seconds: float = 0.0, each: int = 0) -> Asked:
        """All publish, for `seconds` or `each` times. Raises WrongError."""
        asked = await self._requesters.load(publishers, self._ask, self._check, seconds=seconds, each=each)
        for publisher, times in enumerate(asked.times):
            self.heads[publisher] = self.heads.get(publisher, 0) + len(times)
        return asked

    def _ask(self, publisher: int, number: int) -> Question:
        made = f"c:{self._name}-{publisher}:{self.heads.get(publisher, 0) + number}"
        item = m.AppendItem(id=made, data=DATA)
        request = m.AppendRequest(channel=f"{self._name}:{publisher}", size=10_000, ttl_ms=3_600_000, items=[item])
        subject = verbs.SHARD_VERBS["append"].at(caller="gateway", shard=str(channel_shard(request.channel)))
        return Question(subject, encode(request), made)

    def _check(self, publisher: int, number: int, body: bytes) -> str:
        reply, expected = decode(body, m.AppendReply), self.heads.get(publisher, 0) + number + 1
        return "" if reply.offsets == [expected] and reply.repeats == [False] else f"expected offset {expected}, got {reply}"


def echo() -> tuple[Ask, Check]:
    """The question to the floor's echo, and its check."""
    question = Question(ECHO_SUBJECT, DATA)
    return lambda _caller, _number: question, lambda _caller, _number, body: "" if body == DATA else f"echoed {body!r}"


def seconds_of(times: Sequence[float]) -> float:
    """The median after warming up."""
    return median(list(times[WARM:]))


async def figures(plan: Plan) -> list[Row]:
    """Both rows. The publishers and the raw connection are on the load generator's core, nats-server, storage and the echo on the other."""
    plan.say("appends: starting nats-server, storage and the floor's echo")
    rates, lone = list[Pair](), list[Pair]()
    async with plan.stack("appends") as stack:
        await stack.storage()
        serving = dict(stack.pids)
        await stack.floor("echo")
        requesters = await Requesters.connect(stack.nats.url)
        many, one = Appending(requesters), Appending(requesters, "lone")
        await many.load(PUBLISHERS, seconds=plan.seconds / 4)
        for run in plan.runs("acknowledged appends"):
            floor = raw.rows_per_second(stack.directory / f"raw-{run}.sqlite3", plan.seconds)
            meter = Meter(serving)
            asked = await many.load(PUBLISHERS, seconds=plan.seconds)
            rates.append(Pair(floor, asked.per_second, meter.per(asked.count)))
            insert = raw.insert_seconds(stack.directory / f"lone-{run}.sqlite3", LONE)
            echoed = await requesters.load(1, *echo(), each=LONE)
            alone = await one.load(1, each=LONE)
            lone.append(Pair((insert + seconds_of(echoed.times[0])) * 1e3, seconds_of(alone.times[0]) * 1e3))
        requesters.close()
    note = (
        "floor: an append's publication and id with their indexes in storage's own tables; of the parts: processor time, µs/append"
    )
    return [
        Row("acknowledged appends, 64 publishers (floor: raw SQLite rows, 64 at once)", "/s", rates, Goal(0.35, least=True), note),
        Row("lone append (floor: one raw insert + one NATS request)", "ms", lone, Goal(1.5)),
    ]
