"""Money and lots balance whatever is killed: every process of the stack dies by kill -9 while lots are bid on, close and are paid."""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path

import pytest

from chaos.auction_house import INCREMENT, START_PRICE, Bidder, auction_of, paid, published, unbalanced
from support.operations import violations_in
from support.stack import Stack, running_stack
from support.waiting import until

BIDDERS = 8
LOTS = 3
BIDDING_KILLS = 2
"""So many die while lots are bid on, the others while they close and are paid."""
VICTIMS = ["gateway", "storage", "nats", "logic-auctions", "integrations"]


async def lots_of(stack: Stack, closes_in: int) -> list[str]:
    """Lots that close one after the other, so that some are paid while others are bid on."""
    seller = stack.client("sam")
    await seller.connect()
    await seller.ready(10)
    lot = {"title": "A chair", "currency": "EUR", "start_price": START_PRICE, "increment": INCREMENT, "pay_within": 4}
    made = [await seller.rpc("auctions.create_lot", {**lot, "closes_in": closes_in + 3 * number}) for number in range(LOTS)]
    await seller.disconnect()
    return [each.data["lot_id"] for each in made]


async def auctions_under_kills(directory: Path, seed: int) -> None:
    """One run; who dies in which order, and what the bidders draw, comes from the seed."""
    draw = random.Random(seed)
    victims = draw.sample(VICTIMS, len(VICTIMS))
    async with running_stack(directory, gateways=1 + seed % 2) as stack, stack.api() as api:
        lots = await lots_of(stack, closes_in=8)
        bidders = [Bidder(stack.client(f"b{n}"), f"b{n}", draw, forgetful=n % 2 == 0) for n in range(BIDDERS)]
        for bidder in bidders:
            await bidder.start(lots)
        started = time.monotonic()
        for number, victim in enumerate(victims):
            if number == BIDDING_KILLS:
                for bidder in bidders:
                    bidder.enough()
            await asyncio.sleep(draw.uniform(0.2, 1.2))  # the moment of the kill is what the seed draws
            pid = stack.kill(victim)
            await until(lambda gone=pid: gone not in stack.pids(), 10)  # type: ignore[misc]
            await stack.ready()
        try:
            async with asyncio.timeout(60):
                await asyncio.gather(*(bidder.finish() for bidder in bidders))
        except TimeoutError:
            raise AssertionError(f"a lot is not over: {[bidder.waits_for for bidder in bidders]}\n{stack.log()[-6000:]}") from None
        looking = stack.client("eve")
        await looking.connect()
        states = {lot: (await looking.rpc("auctions.lot", {"lot_id": lot})).data for lot in lots}
        await looking.disconnect()
        faults = unbalanced(states, paid(stack))
        for _ in range(100):  # refunds are jobs: they come, within their first retries
            if not faults:
                break
            await asyncio.sleep(0.2)
            faults = unbalanced(states, paid(stack))
        for lot in lots:
            faults += auction_of(bidders, lot, await published(api, lot), states[lot]).breaches()
        faults += [f"stored: {each}" for each in await violations_in("--data-dir", stack.data_dir)]
        print(
            f"\nseed {seed}: {sum(bidder.bids() for bidder in bidders)} bids accepted, "
            f"{sum(len(each) for bidder in bidders for each in bidder.unknown.values())} without an answer, "
            f"lots {', '.join(state['status'] for state in states.values())}, killed {', '.join(victims)}, "
            f"{time.monotonic() - started:.1f} s, {len(faults)} faults"
        )
        assert sum(bidder.bids() for bidder in bidders) > 3 * LOTS
        assert not faults, "\n".join(faults[:20]) + f"\n{stack.log()[-4000:]}"


@pytest.mark.stack
@pytest.mark.timeout(150)
async def test_money_and_lots_balance_whatever_process_dies(tmp_path: Path) -> None:
    """The short form: one seed."""
    await auctions_under_kills(tmp_path, seed=1)


@pytest.mark.soak
@pytest.mark.timeout(150)
async def test_money_and_lots_balance_over_many_seeds(tmp_path: Path, soak_seed: int) -> None:
    """The long form."""
    await auctions_under_kills(tmp_path, seed=soak_seed)
