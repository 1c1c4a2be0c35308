"""Claims and ends of attempts together: what arrives while the last request is on its way, to whatever storage there is."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from causeway_common.bus.connection import NoRespondersError
from causeway_common.contracts import verbs
from causeway_common.contracts.errors import ErrorName, unavailable
from causeway_common.contracts.messages import (
    ClaimReply,
    ClaimRequest,
    ClaimsReply,
    ClaimsRequest,
    SettleReply,
    SettleRequest,
    SettlesReply,
    SettlesRequest,
)
from causeway_integrations.adapters.gathering import Gathering
from causeway_integrations.adapters.records import BusRecords


async def test_what_arrives_while_a_request_is_on_its_way_goes_together_in_the_next_and_a_lone_one_at_once() -> None:
    asked: list[list[int]] = []
    gates: list[asyncio.Future[None]] = []

    async def ask(questions: Sequence[int]) -> list[int]:
        asked.append(list(questions))
        gates.append(asyncio.get_running_loop().create_future())
        await gates[-1]
        return [-each for each in questions]

    gathering = Gathering(ask, 3)
    first = asyncio.ensure_future(gathering.one(0))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert asked == [[0]]
    others = [asyncio.ensure_future(gathering.one(number)) for number in range(1, 6)]
    await asyncio.sleep(0)
    others[1].cancel()
    await asyncio.sleep(0)
    for _ in range(3):
        gates[-1].set_result(None)
        for _ in range(4):
            await asyncio.sleep(0)

    assert asked == [[0], [1, 2, 3], [4, 5]], "at most three at once; one that nobody waits for harms none"
    assert (await first, [await each for each in others if not each.cancelled()]) == (0, [-1, -3, -4, -5])
    again = asyncio.ensure_future(gathering.one(7))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    gates[-1].set_result(None)
    assert await again == -7


async def test_a_request_that_fails_fails_for_each_that_asked_and_for_nobody_else() -> None:
    fails = [True, False]

    async def ask(questions: Sequence[int]) -> list[int]:
        if fails.pop(0):
            raise unavailable("storage is away")
        return list(questions)

    gathering = Gathering(ask, 8)
    found = await asyncio.gather(gathering.one(1), gathering.one(2), return_exceptions=True)

    assert [str(each) for each in found] == [str(unavailable("storage is away"))] * 2
    assert await gathering.one(3) == 3


class OneByOne:
    """A bus on which storage knows `claims` and `settles`, or is older and knows them not; `later` of the first claims are put off."""

    def __init__(self, *, older: bool, later: int = 0) -> None:
        self.older, self.later = older, later
        self.asked: list[str] = []

    async def request(self, verb: verbs.Verb[Any, Any], request: Any, deadline: object, **_: object) -> Any:
        assert deadline
        self.asked.append(verb.name)
        match request:
            case ClaimsRequest(claims) if not self.older:
                put_off, self.later = self.later, 0
                return ClaimsReply(replies=[ClaimReply(outcome="later" if n < put_off else "done") for n in range(len(claims))])
            case SettlesRequest(settles) if not self.older:
                return SettlesReply(settled=[each.outcome == "done" for each in settles])
            case ClaimRequest():
                return ClaimReply(outcome="done")
            case SettleRequest():
                return SettleReply(settled=request.outcome == "done")
            case _:
                raise NoRespondersError(ErrorName.UNAVAILABLE)


@pytest.mark.parametrize("older", [False, True])
async def test_claims_and_ends_are_answered_each_whether_storage_knows_many_or_one_at_a_time(older: bool) -> None:
    """P9: integrations may be newer than every storage process."""
    bus = OneByOne(older=older, later=0 if older else 1)
    records = BusRecords(bus, "node")  # type: ignore[arg-type] # what it uses of a bus
    claims = await asyncio.gather(*(records.claim(str(number), 1000) for number in range(3)))
    ends = await asyncio.gather(
        *(records.settle(SettleRequest(id="1", attempt=1, outcome=each)) for each in ("done", "dead", "done"))
    )

    assert [each.outcome for each in claims] == ["done"] * 3, "one that was put off is asked for again"
    assert ends == [True, False, True]
    assert ("claim" in bus.asked, "settle" in bus.asked) == (older, older)
