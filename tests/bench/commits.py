"""Commits with one publication: of 64 entities at once, and of one that 64 callers want."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from bench import raw
from bench.appends import PUBLISHERS, Appending
from bench.asking import Question, Requesters
from bench.load import WrongError
from bench.plan import Plan, median
from bench.processes import Meter, Stack
from bench.speaking import message
from bench.table import Goal, Pair, Row
from causeway_common.bus import Bus, BusSettings, Deadline
from causeway_common.bus.apps import announce
from causeway_common.contracts import messages as m
from causeway_common.contracts import verbs
from causeway_common.contracts.codec import decode, encode, encode_item
from causeway_common.contracts.errors import CausewayError

CALLERS: Final = 64
HOT_TIMES: Final = 4
HOT_RUNS: Final = 2
APP: Final = "made"
SIZE: Final = 10_000
TTL_MS: Final = 3_600_000
PATIENCE_SECONDS: Final = 15.0
PAUSE_S: Final = 0.005
"""As the app SDK pauses after a conflict (`CONFLICT_PAUSE_S`)."""
_random: Final = random.Random(2)


def commit(id: str, expected: int, commit_id: str) -> Question:
    """A commit of 100 B of state and a publication of 100 B."""
    published = m.PublishItem(channel=f"{APP}:{id}", data=message(expected), size=SIZE, ttl_ms=TTL_MS)
    state = {"text": message(expected).decode()}
    request = m.CommitRequest(
        kind="thing", id=id, expected=expected, commit_id=commit_id, state=state, items=[encode_item(published)]
    )
    return Question(verbs.COMMIT.at(caller=APP), encode(request), commit_id)


class Committing:
    """Callers with an entity each: every answer must be the next version."""

    def __init__(self, requesters: Requesters) -> None:
        self._requesters = requesters
        self.versions = [0] * CALLERS

    async def load(self, seconds: float) -> int:
        """All commit; how many commits. Raises WrongError."""
        asked = await self._requesters.load(CALLERS, self._ask, self._check, seconds=seconds)
        self.versions = [version + len(times) for version, times in zip(self.versions, asked.times, strict=True)]
        return asked.count

    def _ask(self, caller: int, number: int) -> Question:
        version = self.versions[caller] + number
        return commit(str(caller), version, f"{caller}-{version}")

    def _check(self, caller: int, number: int, body: bytes) -> str:
        reply, expected = decode(body, m.CommitReply), self.versions[caller] + number + 1
        right = reply.outcome == "committed" and reply.version == expected and not reply.repeat
        return "" if right else f"expected version {expected}, got {reply}"


@dataclass(slots=True)
class _Edit:
    """What a caller of the hot entity is at; `version` is None where it has to load first."""

    version: int | None = None
    conflicts: int = 0
    began: float = 0.0
    done: int = 0


class Contending:
    """Callers that edit one entity as the app SDK does from processes of their own: load, commit; on a conflict pause, commit on what came."""

    def __init__(self, requesters: Requesters, id: str) -> None:
        self._requesters, self._id = requesters, id
        self._edits = [_Edit() for _ in range(CALLERS)]
        self.times: list[float] = []
        self.conflicts = 0

    async def load(self, seconds: float) -> list[int]:
        """All edit; how many edits each had committed. Raises WrongError."""
        await self._requesters.load(CALLERS, self._ask, self._check, seconds=seconds)
        return [edit.done for edit in self._edits]

    def _ask(self, caller: int, _number: int) -> Question:
        edit = self._edits[caller]
        if edit.version is None:
            edit.began = time.perf_counter()
            return Question(verbs.GET.at(caller=APP), encode(m.GetRequest(kind="thing", id=self._id)))
        pause = _random.random() * PAUSE_S if edit.conflicts else 0.0
        return replace(commit(self._id, edit.version, f"{caller}-{edit.done}"), after=pause)

    def _check(self, caller: int, _number: int, body: bytes) -> str:
        edit = self._edits[caller]
        if edit.version is None:
            edit.version = decode(body, m.GetReply).document.version
            return ""
        reply = decode(body, m.CommitReply)
        if reply.outcome == "conflict":
            edit.version = reply.version
            edit.conflicts += 1
            self.conflicts += 1
            return ""
        self.times.append(time.perf_counter() - edit.began)
        right = reply.version == edit.version + 1 and not reply.repeat
        edit.version, edit.conflicts, edit.done = None, 0, edit.done + 1
        return "" if right else f"got {reply}"


async def relayed(bus: Bus, wanted: dict[str, int]) -> None:
    """Wait until the logs of these channels have as many publications. Raises WrongError."""
    request = m.HeadsRequest(channels=list(wanted))
    limit = time.perf_counter() + PATIENCE_SECONDS
    while True:
        reply = await bus.request(verbs.HEADS, request, Deadline.after(4), caller="gateway")
        found = [head.head for head in reply.heads]
        if found == list(wanted.values()):
            return
        if time.perf_counter() > limit:
            raise WrongError(f"of {sum(wanted.values())} publications of commits {sum(found)} are in the logs")
        await asyncio.sleep(0.005)


async def known(bus: Bus) -> None:
    """Announce the app and wait until storage knows it."""
    namespace = m.NamespaceSpec(name=APP, history_size=SIZE, history_ttl_ms=TTL_MS)
    await announce(bus, m.Manifest(app=APP, version="1", methods=[], namespaces=[namespace]), Deadline.after(4))
    limit = time.perf_counter() + PATIENCE_SECONDS
    while True:
        try:
            await bus.request(verbs.HISTORY, m.HistoryRequest(channel=f"{APP}:0", limit=0), Deadline.after(4), caller=APP)
        except CausewayError:
            if time.perf_counter() > limit:
                raise
            await asyncio.sleep(0.05)
        else:
            return


async def figures(plan: Plan) -> list[Row]:
    """The rows of commits. A commit counts when it is answered and its publication is in the log and fed."""
    plan.say("commits: starting nats-server and storage")
    async with plan.stack("commits") as stack:
        await stack.storage()
        bus, requesters = Bus(BusSettings(stack.nats.url, "", "", "bench")), await Requesters.connect(stack.nats.url)
        await bus.start()
        try:
            await known(bus)
            spread = await spread_pairs(plan, stack, bus, requesters)
            hot, notes = await hot_pairs(plan, bus, requesters)
        finally:
            requesters.close()
            await bus.stop()
    parts = "its publication in the log; of the parts: processor time"
    return [
        Row(
            "a commit with a publication, 64 entities (floor: an append + one raw conditional update)",
            "µs",
            spread,
            Goal(1.6),
            parts,
        ),
        Row(
            "commits of one entity by 64 callers: the slowest caller's time over the median",
            "x",
            hot,
            Goal(20, absolute=True),
            notes,
        ),
    ]


async def spread_pairs(plan: Plan, stack: Stack, bus: Bus, requesters: Requesters) -> list[Pair]:
    """64 callers on 64 entities."""
    appending, committing, pairs = Appending(requesters), Committing(requesters), list[Pair]()
    document = encode(m.GetReply(document=m.Document(version=1, state={"text": message(0).decode()})))
    await committing.load(plan.seconds / 4)
    for run in plan.runs("commits on 64 entities"):
        update = raw.updates_per_second(stack.directory / f"updates-{run}.sqlite3", plan.seconds / 2, document)
        appended = await appending.load(PUBLISHERS, seconds=plan.seconds)
        meter, started = Meter(stack.pids), time.perf_counter()
        count = await committing.load(plan.seconds)
        await relayed(bus, {f"{APP}:{caller}": version for caller, version in enumerate(committing.versions)})
        elapsed = time.perf_counter() - started
        pairs.append(Pair(1e6 / appended.per_second + 1e6 / update, elapsed / count * 1e6, meter.per(count)))
    return pairs


async def hot_pairs(plan: Plan, bus: Bus, requesters: Requesters) -> tuple[list[Pair], str]:
    """64 callers on one entity: the slowest over the median, and what to say of it."""
    pairs, rates, wasted, worst = list[Pair](), list[float](), list[float](), list[float]()
    for run in islice(plan.runs("commits on one entity"), HOT_RUNS):
        contending = Contending(requesters, f"hot-{run}")
        started = time.perf_counter()
        done = await contending.load(plan.seconds * HOT_TIMES)
        rates.append(sum(done) / (time.perf_counter() - started))
        await relayed(bus, {f"{APP}:hot-{run}": sum(done)})
        pairs.append(Pair(None, median([float(count) for count in done]) / max(min(done), 0.01)))
        wasted.append(contending.conflicts / (contending.conflicts + sum(done)))
        worst.append(max(contending.times) / median(contending.times))
    return pairs, (
        f"{median(rates):.0f} commits a second; {median(wasted):.0%} of all tries ended in a conflict; "
        f"the slowest single commit took {median(worst):.0f} times the median one"
    )
