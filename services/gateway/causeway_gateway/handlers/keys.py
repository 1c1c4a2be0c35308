"""The key set that tokens are verified with: fetched through integrations, kept while it may be, shared by all who wait for it."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from causeway_common.bus import Deadline
from causeway_common.contracts.errors import CausewayError
from causeway_common.telemetry import get_logger
from causeway_gateway.domain import keyset
from causeway_gateway.handlers import metrics
from causeway_gateway.ports import KeySource, Tasks, Timers

log = get_logger("gateway.keys")
FETCH_SECONDS: Final = 4.0
UNKNOWN_EVERY_MS: Final = 60_000
FAILED_FIRST_MS: Final = 1_000


class Keys:
    """One endpoint's keys. Those that are known stay good while the endpoint is away.

    Args:
        source: fetches the document.
        url: where it is; "" is nowhere.
        timers: the clock.
        tasks: where a fetch runs.
    """

    def __init__(self, source: KeySource, url: str, timers: Timers, tasks: Tasks) -> None:
        self._source, self._url, self._timers, self._tasks = source, url, timers, tasks
        self._fetching: asyncio.Future[None] | None = None
        self._again_at = 0
        self._failures = 0
        self.known: dict[str, tuple[str, Any]] = {}

    async def start(self) -> None:
        """Fetch the keys for the first time, beside everything else."""
        if self._url:
            self._begin()

    async def stop(self) -> None:
        """Nothing to do: a fetch under way ends with the background tasks."""

    async def need(self, kid: str, deadline: Deadline) -> None:
        """A key that is not known is wanted: have the keys fetched, at most once a minute, whoever asks. Returns when it was tried."""
        if not self._url or kid in self.known:
            return
        if self._fetching is None:
            if self._timers.now() < self._again_at:
                metrics.unknown_keys.add()
                return
            self._begin()
        if self._fetching is not None:
            await asyncio.wait({self._fetching}, timeout=max(deadline.remaining(), 0))

    def _begin(self) -> None:
        self._fetching = asyncio.get_running_loop().create_future()
        self._tasks.spawn(self._fetch(self._fetching))

    async def _fetch(self, done: asyncio.Future[None]) -> None:
        try:
            reply = await self._source.fetch(self._url, Deadline.after(FETCH_SECONDS))
            found = keyset.parse(reply.document)
        except (CausewayError, ValueError) as error:
            self._failures += 1
            wait = min(FAILED_FIRST_MS << min(self._failures, 10), UNKNOWN_EVERY_MS)
            log.warning(
                "the key set could not be fetched, known keys stay good", reason=str(error), again_in_ms=wait, known=len(self.known)
            )
        else:
            self._failures = 0
            self.known.clear()
            self.known.update(found)
            wait = UNKNOWN_EVERY_MS
            self._timers.at(self._timers.now() + reply.max_age_ms, self._stale)
            log.info("the key set was fetched", keys=len(found))
        self._again_at = self._timers.now() + wait
        self._fetching = None
        done.set_result(None)
        if self._failures:
            self._timers.at(self._again_at, self._stale)

    def _stale(self) -> None:
        if self._fetching is None and self._timers.now() >= self._again_at - 1:
            self._begin()
