"""Random operations on a store, drawn by hypothesis: whatever is done, what is stored must keep every invariant."""

from __future__ import annotations

from itertools import count
from typing import Any, Literal

from hypothesis import strategies as st

from causeway_common.contracts.messages import ClaimRequest, SettleRequest
from causeway_storage.domain.entity import Commit, EntityKey
from causeway_storage.domain.relay import ParkedItem
from support.stored import ITEM, MINUTE, NOW, Ports, append, record
from support.stores import Store

APPENDS = st.tuples(
    st.just("append"),
    st.sampled_from(["demo:a", "demo:b", "démo:ü"]),
    st.lists(st.sampled_from([*(f"c:{n}" for n in range(9)), "k:key"]), min_size=1, max_size=5),
    st.integers(1, 6),
    st.integers(0, 3),
)
STEPS = st.lists(
    APPENDS
    | st.tuples(st.just("wait"), st.integers(0, 20 * MINUTE))
    | st.tuples(st.just("expire"))
    | st.tuples(st.just("forget"))
    | st.tuples(st.just("remove"), st.sampled_from(["demo:a", "demo:b"]))
    | st.tuples(st.just("commit"), st.sampled_from("ab"), st.integers(0, 2), st.binary(max_size=5))
    | st.tuples(st.just("clear"), st.sampled_from("ab"), st.integers(0, 3))
    | st.tuples(st.just("put"), st.integers(0, 3), st.booleans())
    | st.tuples(st.just("claim"), st.integers(0, 3))
    | st.tuples(st.just("settle"), st.integers(0, 3), st.integers(1, 2), st.sampled_from(["done", "dead", "retry"]))
    | st.tuples(st.just("postpone"))
    | st.tuples(st.just("remove_done")),
    max_size=30,
)


class Doing:
    """Does random steps through the ports of a store."""

    def __init__(self, ports: Ports | Store) -> None:
        self._logs, self._entities, self._records = ports.logs, ports.entities, ports.records
        self.now, self._commits = NOW, count()

    async def all(self, steps: list[Any]) -> Doing:
        """Do them, one after the other."""
        for name, *values in steps:
            await getattr(self, name)(*values)
        return self

    async def append(self, channel: str, ids: list[str], size: int, version: int) -> None:
        await self._logs.append(append(channel, *ids, size=size, version=version), self.now)

    async def wait(self, elapsed: int) -> None:
        self.now += elapsed

    async def expire(self) -> None:
        await self._logs.remove_expired(self.now, 10)

    async def forget(self) -> None:
        await self._logs.forget_ids(self.now - 15 * MINUTE, 10)

    async def remove(self, channel: str) -> None:
        await self._logs.remove(channel)

    async def commit(self, id: str, items: int, state: bytes) -> None:
        key = EntityKey("chat", "room", id)
        at = (await self._entities.load(key)).version
        made = Commit(at, str(next(self._commits)), {"bytes": state}, 1, (ITEM,) * items, items, "ann", "", self.now)
        await self._entities.commit(key, made)

    async def clear(self, id: str, many: int) -> None:
        key = EntityKey("chat", "room", id)
        await self._entities.clear(key, frozenset(each.id for each in (await self._entities.outbox(key))[:many]))

    async def put(self, number: int, parked: bool) -> None:
        items = [ParkedItem(f"o:p{number}", "chat", {"kind": "publish"}, "why", "")] if parked else []
        await self._records.put([record(f"o:{number}")], items, now_ms=self.now, next_at_ms=self.now + 1)

    async def claim(self, number: int) -> None:
        await self._records.claim(ClaimRequest(id=f"o:{number}", node="n", lease_ms=1000), self.now)

    async def settle(self, number: int, attempt: int, outcome: Literal["done", "retry", "dead"]) -> None:
        request = SettleRequest(id=f"o:{number}", attempt=attempt, outcome=outcome, note="", delay_ms=5)
        await self._records.settle(request, self.now)

    async def postpone(self) -> None:
        await self._records.postpone((await self._records.due(self.now, 10)).records, self.now + MINUTE)

    async def remove_done(self) -> None:
        await self._records.remove_done(self.now, 10)
