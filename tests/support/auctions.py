"""Is what became of a lot one linear auction? A pure function over what was published and what was answered; no eye reads the lists."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Auction:
    """What one lot left behind.

    Attributes:
        start_price, increment: as it was made.
        published: the lot's channel, in its order.
        accepted: (user, amount) of every plain bid that was answered with yes.
        refused: (user, amount) of every one that was answered with 409.
        unknown: (user, amount) of those that had no answer: they may be there or not.
        state: what `auctions.lot` says in the end.
    """

    start_price: int
    increment: int
    published: Sequence[Mapping[str, Any]]
    accepted: Sequence[tuple[str, int]]
    state: Mapping[str, Any]
    refused: Sequence[tuple[str, int]] = field(default=())
    unknown: Sequence[tuple[str, int]] = field(default=())

    def breaches(self) -> list[str]:
        """Every breach of "one linear auction", one sentence each."""
        bids = [message for message in self.published if message["type"] == "bid"]
        return [*self._order(bids), *self._answers(bids), *self._end(bids)]

    def _order(self, bids: list[Mapping[str, Any]]) -> list[str]:
        found = []
        if [bid["seq"] for bid in bids] != list(range(1, len(bids) + 1)):
            found.append(f"the bids' numbers are not 1 to {len(bids)}: {[bid['seq'] for bid in bids][:50]}")
        least = self.start_price
        for bid in bids:
            if bid["amount"] < least:
                found.append(f"bid {bid['seq']} of {bid['amount']} is below {least}")
            least = bid["amount"] + self.increment
        ends = [bid["closes_at"] for bid in bids]
        if ends != sorted(ends):
            found.append("the lot's end moved back")
        return found

    def _answers(self, bids: list[Mapping[str, Any]]) -> list[str]:
        there = Counter((bid["user"], bid["amount"]) for bid in bids)
        found = [f"{bid} was accepted and is published {there[bid]} times" for bid in self.accepted if there[bid] != 1]
        asked = {*self.accepted, *self.unknown}  # of a bid that was sent again the repeat may be refused
        found += [f"{bid} was refused and is published" for bid in {*self.refused} - asked if there[bid]]
        found += [f"{bid} is published and was never bid" for bid in there if bid not in asked]
        found += [f"{bid} had no answer and is published {there[bid]} times" for bid in self.unknown if there[bid] > 1]
        return found

    def _end(self, bids: list[Mapping[str, Any]]) -> list[str]:
        if self.state["bids"] != len(bids):
            return [f"the lot has {self.state['bids']} bids, {len(bids)} are published"]
        if bids and self.state["leader"] != bids[-1]["user"]:
            return [f"{self.state['leader']} leads, the last bid is {bids[-1]}"]
        return []
