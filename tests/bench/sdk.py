"""What the app SDK costs: an RPC in the process that answers, and an edit over storage's own commit."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Awaitable, Callable
from typing import ClassVar, Final

from pydantic import BaseModel

from bench.appends import echo
from bench.asking import Question, Requesters, traced
from bench.commits import APP, SIZE, TTL_MS, known, relayed
from bench.load import WrongError
from bench.plan import Plan, total
from bench.processes import Gateway, Meter, Stack
from bench.speaking import message
from bench.table import Goal, Pair, Row
from causeway_common.bus import Bus, BusSettings, Deadline
from causeway_common.contracts import messages as m
from causeway_common.contracts import verbs
from causeway_common.contracts.codec import decode, encode, encode_item
from causeway_common.runtime import new_id, now_ms
from causeway_common.telemetry import get_logger, span
from causeway_logic import App, Context, Draft, History
from causeway_logic.adapters.connectors import BusConnectors
from causeway_logic.adapters.gateways import BusGateways
from causeway_logic.adapters.storage import BusStorage
from causeway_logic.domain.identity import Identity
from causeway_logic.handlers.documents import Documents
from causeway_logic.handlers.locks import EntityLocks
from causeway_logic.handlers.scope import Scope
from causeway_logic.ports import Outside

CALLERS: Final = 64
DATA: Final = message(0)
WARM: Final = 0.25
"""Of a load's time."""
_LOG: Final = get_logger("bench")
SAMPLED: Final[dict[str, tuple[Callable[[], str], Goal]]] = {
    "all traced": (lambda: traced(sampled=True), Goal(2.5)),
    "traced as by default": (traced, Goal(2.5)),
    "sampled out": (lambda: traced(sampled=False), Goal(2)),
}


def rpc(trace: Callable[[], str]) -> tuple[Callable[[int, int], Question], Callable[[int, int, bytes], str]]:
    """The question that a gateway asks the echo app, and its check."""
    request = m.RpcRequest(user="user-1", client="0123456789abcdef0123456789abcdef", data=DATA)
    subject, body = verbs.RPC.at(app="echo", method="echo"), encode(request)

    def check(_caller: int, _number: int, reply: bytes) -> str:
        data = decode(reply, m.RpcReply).data
        return "" if data == DATA else f"echoed {data!r}"

    return lambda _caller, _number: Question(subject, body, trace=trace()), check


class Thing(BaseModel):
    """An entity of 100 B."""

    __kind__: ClassVar[str] = "thing"

    text: str = ""


app = App(APP, version="1.0.0")
app.namespace(APP, history=History(size=SIZE, ttl="1h"))


class Editing:
    """Callers with an entity each, in one process: they edit it by the SDK, or commit what the SDK would commit by themselves."""

    def __init__(self, bus: Bus) -> None:
        self._bus, self._storage, self._locks = bus, BusStorage(bus, APP), EntityLocks()
        self._documents = Documents()
        self._outside = Outside(
            storage=self._storage,
            gateways=BusGateways(bus, APP),
            connectors=BusConnectors(bus, APP),
            now_ms=now_ms,
            new_id=new_id,
            jitter=random.random,
            pause=asyncio.sleep,
        )
        self.versions: dict[str, int] = {}

    async def load(self, one: Callable[[str, int], Awaitable[None]], seconds: float) -> int:
        """All callers do `one` after the other for so long; how many they did."""
        stop = time.perf_counter() + seconds

        async def caller(number: int) -> int:
            done = 0
            while time.perf_counter() < stop:
                name = f"{one.__name__}-{number}"
                with span("bench", parent=traced()):
                    await one(name, self.versions.get(name, 0))
                self.versions[name] = self.versions.get(name, 0) + 1
                done += 1
            return done

        return sum(await asyncio.gather(*(caller(number) for number in range(CALLERS))))

    def heads(self, name: str) -> dict[str, int]:
        """Of the channels of those who do this: how much is to be in their logs."""
        return {f"{APP}:{id_}": version for id_, version in self.versions.items() if id_.startswith(name)}

    async def commit(self, id: str, version: int) -> None:
        """Storage's own commit. Raises WrongError."""
        published = m.PublishItem(channel=f"{APP}:{id}", data=message(version), size=SIZE, ttl_ms=TTL_MS)
        request = m.CommitRequest(
            kind="thing",
            id=id,
            expected=version,
            commit_id=f"{id}-{version}",
            state={"text": message(version).decode()},
            items=[encode_item(published)],
            by="user-1",
        )
        reply = await self._storage.commit(request, Deadline.after(4))
        if reply.outcome != "committed" or reply.version != version + 1 or reply.repeat:
            raise WrongError(f"expected version {version + 1}, got {reply}")

    async def edit(self, id: str, version: int) -> None:
        """The same by the SDK. Raises WrongError."""

        def change(draft: Draft[Thing]) -> None:
            draft.state.text = message(version).decode()
            draft.publish(f"{APP}:{id}", draft.state.text)

        identity = Identity(f"{id}-{version}", new_id)
        scope = Scope(self._outside, self._locks, self._documents, app, identity, "user-1", Deadline.after(4))
        entity = Context(scope, "client", _LOG).entity(Thing, id)
        state = await (entity.edit(change) if version else entity.create(Thing(), change))
        if state.text != message(version).decode():
            raise WrongError(f"got {state}")


async def edits(plan: Plan) -> list[Row]:
    """The row of edits: processor time of storage, nats-server and the process that asks, for each."""
    plan.say("edits: starting nats-server and storage")
    async with plan.stack("edits") as stack:
        await stack.storage()
        bus = Bus(BusSettings(stack.nats.url, "", "", "bench"))
        await bus.start()
        try:
            await known(bus)
            editing, found = Editing(bus), list[Pair]()
            pids = {**stack.pids, "app": os.getpid()}
            for _ in plan.runs("edits of 64 entities"):
                figures: dict[str, dict[str, float]] = {}
                for one in (editing.commit, editing.edit):
                    await editing.load(one, plan.seconds * WARM)
                    meter = Meter(pids)
                    figures[one.__name__] = meter.per(await editing.load(one, plan.seconds))
                    await relayed(bus, editing.heads(one.__name__))
                found.append(Pair(total(figures["commit"]), total(figures["edit"]), figures["edit"]))
        finally:
            await bus.stop()
    work = (
        "an edit with a publication by the SDK, 64 entities (floor: storage's own commit through the bus, from a process like it)"
    )
    return [Row(work, "µs", found, Goal(1.3), "processor time, the process that asks included")]


async def figures(plan: Plan) -> list[Row]:
    """The rows of an RPC, and of edits."""
    return [*await calls(plan), *await edits(plan)]


async def calls(plan: Plan) -> list[Row]:
    """The rows of an RPC."""
    plan.say("sdk: starting nats-server, storage, the echo app and the floor")
    async with plan.stack("sdk") as stack:
        await stack.storage()
        app = await stack.app(profile=plan.profiles is not None)
        await stack.floor("echo")
        requesters = await Requesters.connect(stack.nats.url)
        try:
            return [
                Row(
                    f"an RPC in the SDK, handler empty, {name} (floor: a nats-py subscription that answers the bytes)",
                    "µs/call",
                    await pairs(plan, stack, app, requesters, name),
                    goal,
                    "processor time of the process that answers",
                )
                for name, (_, goal) in SAMPLED.items()
            ]
        finally:
            requesters.close()


async def pairs(plan: Plan, stack: Stack, app: Gateway, requesters: Requesters, name: str) -> list[Pair]:
    """Floor and ours, run by run."""
    found: list[Pair] = []
    trace, _ = SAMPLED[name]
    for run in plan.runs(f"an RPC in the SDK, {name}"):
        floor = await load(requesters, *echo(), plan.seconds, stack.pids["echo"])
        plan.begin(app)
        ours = await load(requesters, *rpc(trace), plan.seconds, stack.pids["logic"])
        if not run:
            await plan.end(app, f"sdk-{name.replace(' ', '-')}")
        found.append(Pair(floor, ours))
    return found


async def load(
    requesters: Requesters,
    ask: Callable[[int, int], Question],
    check: Callable[[int, int, bytes], str],
    seconds: float,
    pid: int,
) -> float:
    """Microseconds of one process for one call."""
    await requesters.load(CALLERS, ask, check, seconds=seconds * WARM)
    meter = Meter({"answers": pid})
    asked = await requesters.load(CALLERS, ask, check, seconds=seconds)
    return meter.per(asked.count)["answers"]
