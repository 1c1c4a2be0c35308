"""What the app SDK costs: an RPC in the process that answers, and an edit over storage's own commit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from bench.appends import echo
from bench.asking import Question, Requesters, traced
from bench.plan import Plan
from bench.processes import Gateway, Meter, Stack
from bench.speaking import message
from bench.table import Goal, Pair, Row
from causeway_common.contracts import messages as m
from causeway_common.contracts import verbs
from causeway_common.contracts.codec import decode, encode

CALLERS: Final = 64
DATA: Final = message(0)
WARM: Final = 0.25
"""Of a load's time."""
SAMPLED: Final[dict[str, tuple[Callable[[], str], Goal | None]]] = {
    "all traced": (lambda: traced(sampled=True), None),
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


async def figures(plan: Plan) -> list[Row]:
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
