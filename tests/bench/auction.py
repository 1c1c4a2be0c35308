"""300 bidders on one lot through the whole stack: a gateway, two processes of the app, one entity.

Everybody watches the lot and bids at once when a bid was answered, some increments above what they have seen. Nothing is thrown away:
every bid must be answered, and the whole must be one linear auction.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from functools import lru_cache
from typing import Any, Final

import aiohttp

from bench.frames import client_frame
from bench.load import Peer, WrongError, open_all
from bench.plan import Plan, median
from bench.processes import Gateway
from bench.speaking import connect, token
from bench.table import Pair, Row
from support.auctions import Auction

START_PRICE: Final = 1000
INCREMENT: Final = 10
BIDDERS: Final = 300
STEPS_MAX: Final = 20
"""A bid is 1 to so many increments above the price that its bidder knows, so that not all want the same one."""
ANNOUNCED_SECONDS: Final = 15.0
STANDS: Final = 409
_random: Final = random.Random(1)


@lru_cache(maxsize=64)
def _published(line: bytes) -> Any:
    """A push, decoded once for all bidders: they get the same bytes."""
    return json.loads(line)["push"]["pub"]["data"]


class Bidder(Peer):
    """Bids until told to stop; each bid is answered before the next."""

    __slots__ = ("accepted", "amount", "answered", "began", "done", "lot", "number", "refused", "seen", "stop", "times", "user")

    def __init__(self, user: str, lot: str) -> None:
        super().__init__()
        self.user, self.lot, self.number, self.amount = user, lot, 2, 0
        self.seen: list[Any] = []
        self.accepted: list[tuple[str, int]] = []
        self.refused: list[tuple[str, int]] = []
        self.times: list[float] = []
        self.began = self.stop = 0.0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def start(self, stop: float) -> None:
        """Begin; no bid after `stop`."""
        self.stop = stop
        self._bid()

    @property
    def price(self) -> int:
        """The highest price that this bidder knows of."""
        return max(self.seen[-1]["amount"] if self.seen else 0, self.accepted[-1][1] if self.accepted else 0)

    def _bid(self) -> None:
        self.number += 1
        self.amount = max(self.price, START_PRICE) + INCREMENT * _random.randint(1, STEPS_MAX)
        self.began = time.perf_counter()
        data = b'{"lot_id":"%s","amount":%d}' % (self.lot.encode(), self.amount)
        self.transport.write(client_frame(b'{"id":%d,"rpc":{"method":"auctions.bid","data":%s}}' % (self.number, data)))

    def frame(self, whole: bytes, payload: bytes) -> None:
        for line in payload.split(b"\n"):
            if line.startswith(b'{"push"'):
                self.seen.append(_published(line))
            else:
                self._answered(json.loads(line))

    def _answered(self, reply: Any) -> None:
        self.times.append(time.perf_counter() - self.began)
        bid = (self.user, self.amount)
        if reply.get("id") != self.number:
            self.fault(f"unasked for: {reply}")
        elif "rpc" in reply:
            self.accepted.append(bid)
        elif reply["error"]["code"] == STANDS:
            self.refused.append(bid)
        else:
            self.fault(f"a bid was answered {reply}")
        if time.perf_counter() < self.stop and not self.faults:
            self._bid()
        else:
            self.done.set_result(None)


class Seller:
    """Makes lots and asks how they stand, over one plain WebSocket."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self._ws, self._number = ws, 1

    @classmethod
    async def sit(cls, ws: aiohttp.ClientWebSocketResponse) -> Seller:
        """Connected as the seller."""
        await ws.send_str(json.dumps({"id": 1, "connect": {"token": token("seller")}}))
        reply = json.loads(await ws.receive_str())
        if "connect" not in reply:
            raise WrongError(f"the seller was answered {reply}")
        return cls(ws)

    async def call(self, method: str, data: Any) -> Any:
        """The answer. Raises WrongError for a refusal."""
        self._number += 1
        await self._ws.send_str(json.dumps({"id": self._number, "rpc": {"method": method, "data": data}}))
        reply = json.loads(await self._ws.receive_str())
        if "rpc" not in reply:
            raise WrongError(f"{method} was answered {reply}")
        return reply["rpc"]["data"]

    async def lot(self) -> str:
        """A new lot that stays open, as soon as the gateway knows the app."""
        lot = {"title": "bench", "currency": "EUR", "start_price": START_PRICE, "increment": INCREMENT, "closes_in": 3600}
        limit = time.perf_counter() + ANNOUNCED_SECONDS
        while True:
            try:
                return str((await self.call("auctions.create_lot", lot))["lot_id"])
            except WrongError:
                if time.perf_counter() > limit:
                    raise
                await asyncio.sleep(0.1)


async def one(plan: Plan, gateway: Gateway, seller: Seller, run: int) -> tuple[list[float], int]:
    """One auction; the seconds of every answer, how many bids were accepted. Raises WrongError."""
    lot = await seller.lot()
    count = plan.of(BIDDERS, 60)

    def bidder(number: int, _got: list[dict[str, Any]]) -> Bidder:
        return Bidder(f"bidder-{run}-{number}", lot)

    bidders = await open_all(gateway.port, count, lambda n: connect(f"bidder-{run}-{n}", f"lot:{lot}"), 2, bidder)
    stop = time.perf_counter() + plan.seconds * 2
    for each in bidders:
        each.start(stop)
    async with asyncio.timeout(plan.seconds * 2 + 30):
        await asyncio.gather(*(each.done for each in bidders))
    state = await seller.call("auctions.lot", {"lot_id": lot})
    await _all_told(bidders, state["bids"])
    faults = [fault for each in bidders for fault in each.faults]
    auction = Auction(
        START_PRICE,
        INCREMENT,
        bidders[0].seen,
        [bid for each in bidders for bid in each.accepted],
        state,
        [bid for each in bidders for bid in each.refused],
    )
    faults += auction.breaches()
    faults += [f"{each.user} saw another auction" for each in bidders if each.seen != bidders[0].seen]
    if faults:
        raise WrongError("\n".join(faults[:20]))
    for each in bidders:
        each.leave()
    return [seconds for each in bidders for seconds in each.times], len(auction.accepted)


async def _all_told(bidders: list[Bidder], bids: int) -> None:
    """Wait until everybody has seen every bid."""
    async with asyncio.timeout(20):
        while any(len(each.seen) < bids and not each.faults for each in bidders):
            await asyncio.sleep(0.01)


async def conflicts_of(session: aiohttp.ClientSession, ports: list[int]) -> int:
    """How many commits of the app's processes (their internal ports) another one came before."""
    total = 0
    for port in ports:
        async with session.get(f"http://127.0.0.1:{port}/metrics") as response:
            lines = (await response.text()).splitlines()
        total += sum(int(float(line.split()[-1])) for line in lines if line.startswith("causeway_logic_edit_conflicts"))
    return total


async def figures(plan: Plan) -> list[Row]:
    """The row of the table."""
    plan.say("auction: starting nats-server, storage, a gateway and two processes of the auctions app")
    pairs: list[Pair] = []
    rates: list[float] = []
    shares: list[tuple[float, float, float]] = []
    async with plan.stack("auction") as stack, aiohttp.ClientSession() as session:
        await stack.storage()
        gateway = await plan.gateway(stack)
        ports = [(await stack.app("apps.auctions:app", f"logic-{number}")).port for number in (1, 2)]
        async with session.ws_connect(f"http://127.0.0.1:{gateway.port}/connection/websocket") as ws:
            seller = await Seller.sit(ws)
            for run in plan.runs(f"auction, {BIDDERS} bidders"):
                before = await conflicts_of(session, ports)
                times, accepted = await one(plan, gateway, seller, run)
                times.sort()
                pairs.append(Pair(None, times[int(len(times) * 0.99)] * 1e3))
                rates.append(len(times) / (plan.seconds * 2))
                conflicts = await conflicts_of(session, ports) - before
                shares.append((times[len(times) // 2] * 1e3, accepted / len(times), conflicts / max(accepted, 1)))
    note = (
        f"every one answered, all saw the same linear auction; median {median([s[0] for s in shares]):.0f} ms, "
        f"{median(rates):,.0f} bids a second, {median([s[1] for s in shares]):.0%} of them accepted, "
        f"{median([s[2] for s in shares]):.2f} conflicts per accepted bid"
    )
    return [Row(f"{BIDDERS} bidders on one lot, two processes of the app: p99 of a bid's answer", "ms", pairs, None, note)]
