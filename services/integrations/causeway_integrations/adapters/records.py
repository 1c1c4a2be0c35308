"""Storage's records over the bus. While storage is away a call is tried again for a while: the work at hand would be lost on it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final, TypeVar

from tenacity import AsyncRetrying, retry_if_exception, stop_after_delay, wait_random_exponential

from causeway_common.bus import Bus, Deadline
from causeway_common.bus.connection import NoRespondersError
from causeway_common.contracts.errors import CausewayError
from causeway_common.contracts.messages import (
    ClaimReply,
    ClaimRequest,
    ClaimsRequest,
    EnqueueRequest,
    NewRecord,
    SettleRequest,
    SettlesRequest,
)
from causeway_common.contracts.verbs import CLAIM, CLAIMS, CLIENT_COMMAND_SECONDS, ENQUEUE, SETTLE, SETTLES
from causeway_integrations.adapters.gathering import Gathering

CALLER: Final = "integrations"
PATIENCE_S: Final = 12.0
"""So long a call is tried again before it is given up as unavailable."""

AT_ONCE: Final = 64
"""Claims or ends in one request: with the longest notes it stays below what the bus takes."""
T = TypeVar("T")


class BusRecords:
    """`ports.Records`. Claims, and ends of attempts, go several at once."""

    def __init__(self, bus: Bus, node: str) -> None:
        self._bus, self._node = bus, node
        self._claims = Gathering(self._claim, AT_ONCE)
        self._settles = Gathering(self._settle, AT_ONCE)

    async def claim(self, id: str, lease_ms: int) -> ClaimReply:
        """As the port says. A claim whose answer was lost is answered `leased` the second time; its lease brings it back."""
        request = ClaimRequest(id=id, node=self._node, lease_ms=lease_ms)
        while (reply := await self._claims.one(request)).outcome == "later":
            pass
        return reply

    async def settle(self, request: SettleRequest) -> bool:
        """As the port says."""
        return await self._settles.one(request)

    async def _claim(self, claims: Sequence[ClaimRequest]) -> Sequence[ClaimReply]:
        request = ClaimsRequest(claims=list(claims))
        try:
            return (
                await patiently(lambda: self._bus.request(CLAIMS, request, _deadline(), caller=CALLER), unless=_is_older)
            ).replies
        except NoRespondersError:  # storage is away, or all of it is older than this: that would answer one by one
            return await asyncio.gather(*(self._claim_one(each) for each in claims))

    async def _claim_one(self, claim: ClaimRequest) -> ClaimReply:
        return await patiently(lambda: self._bus.request(CLAIM, claim, _deadline(), caller=CALLER))

    async def _settle(self, settles: Sequence[SettleRequest]) -> Sequence[bool]:
        request = SettlesRequest(settles=list(settles))
        message_id = f"{settles[0].id}:{settles[0].attempt}:{len(settles)}"
        ask = partial(self._bus.request, SETTLES, request, message_id=message_id, caller=CALLER)
        try:
            return (await patiently(lambda: ask(deadline=_deadline()), unless=_is_older)).settled
        except NoRespondersError:  # as above
            return await asyncio.gather(*(self._settle_one(each) for each in settles))

    async def _settle_one(self, request: SettleRequest) -> bool:
        message_id = f"{request.id}:{request.attempt}"
        reply = await patiently(lambda: self._bus.request(SETTLE, request, _deadline(), message_id=message_id, caller=CALLER))
        return reply.settled

    async def enqueue(self, records: list[NewRecord], *, message_id: str) -> int:
        """As the port says."""
        request = EnqueueRequest(records=records)
        reply = await patiently(lambda: self._bus.request(ENQUEUE, request, _deadline(), message_id=message_id, caller=CALLER))
        return reply.created


def _deadline() -> Deadline:
    return Deadline.after(CLIENT_COMMAND_SECONDS)


def _is_older(error: BaseException) -> bool:
    return isinstance(error, NoRespondersError)


def _never(_error: BaseException) -> bool:
    return False


async def patiently(call: Callable[[], Awaitable[T]], *, unless: Callable[[BaseException], bool] = _never) -> T:
    """The answer of a call, tried again for a while when what it needs is away, but for errors `unless`. Raises CausewayError."""
    try:
        return await call()  # the usual case needs no machine
    except CausewayError as error:
        if not error.temporary or unless(error):
            raise
    async for attempt in AsyncRetrying(
        stop=stop_after_delay(PATIENCE_S),
        wait=wait_random_exponential(multiplier=0.1, max=1),
        retry=retry_if_exception(lambda error: isinstance(error, CausewayError) and error.temporary and not unless(error)),
        reraise=True,
    ):
        with attempt:
            return await call()
    raise AssertionError("unreachable: tenacity returns or raises")
