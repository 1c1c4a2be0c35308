"""Reads that must not be older than their asking, shared by those who ask while the read before is under way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Fresh(Generic[K, V]):
    """Answers from a read that began after the question; a thousand questions at once cost two reads.

    Args:
        load: reads the value of a key.
    """

    def __init__(self, load: Callable[[K], Awaitable[V]]) -> None:
        self._load = load
        self._waiting: dict[K, asyncio.Task[V]] = {}
        self._locks: dict[K, asyncio.Lock] = {}

    async def read(self, key: K) -> V:
        """The value. Raises what `load` raises."""
        task = self._waiting.get(key)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._next(key))
            task.add_done_callback(_retrieved)
            self._waiting[key] = task
        return await asyncio.shield(task)

    async def _next(self, key: K) -> V:
        lock = self._locks.setdefault(key, asyncio.Lock())
        async with lock:
            del self._waiting[key]  # who asks from here on might have seen a change that this read does not see
            try:
                return await self._load(key)
            finally:
                if key not in self._waiting:
                    del self._locks[key]


def _retrieved(task: asyncio.Task[V]) -> None:
    if not task.cancelled():
        task.exception()  # those who asked may all be gone
