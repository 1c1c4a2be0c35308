"""Tells storage what this gateway holds, in batches: what gathered while the last one was on its way. Clients never wait for it.

Storage being away delays it. Where storage says that it has cleared this gateway, since it was silent for too long, its clients were
told as gone: they are closed for reconnection, and a new life begins.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from causeway_common.bus import Deadline
from causeway_common.contracts.errors import CausewayError
from causeway_common.contracts.messages import AttendReply, AttendRequest
from causeway_common.telemetry import get_logger
from causeway_gateway.domain.attendance import BATCH_MAX, Attendance, keys_of, user_key
from causeway_gateway.domain.subscription import Subscription
from causeway_gateway.handlers import metrics
from causeway_gateway.ports import Attendances, Timers

log = get_logger("gateway.attending")
ASK_SECONDS: Final = 4.0
STOP_SECONDS: Final = 4.0
RETRY_SECONDS: Final = 0.25
RETRY_MAX_SECONDS: Final = 2.0


class Attending:
    """What this gateway holds.

    Args:
        attendances: storage.
        timers: the clock.
        node: this gateway's id.
        users: connections are held too (`client.lifecycle_events`).
        pause_ms: how long after its end something is told, unless it began again.
        beat_ms: so often storage is asked whether this gateway still counts as alive, where there is nothing else to tell.
        cleared: closes every client that is there when it is called.
    """

    def __init__(
        self,
        attendances: Attendances,
        timers: Timers,
        *,
        node: str,
        users: bool,
        pause_ms: int,
        beat_ms: int,
        cleared: Callable[[], Awaitable[None]],
    ) -> None:
        self._attendances, self._timers, self._node, self._users = attendances, timers, node, users
        self._pause_ms, self._beat_ms, self._cleared = pause_ms, beat_ms, cleared
        self._held = Attendance(pause_ms)
        self._life = 1
        self._most = BATCH_MAX
        self._heard_at = 0
        self._retry = RETRY_SECONDS
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """Changes that storage was not told yet."""
        return len(self._held)

    @property
    def coalesced(self) -> int:
        """Changes that were left out at the bound, since the key came back to what it was."""
        return self._held.coalesced

    # --- what happens here

    def connected(self, user: str, client: str) -> None:
        """A connection stands."""
        if self._users:
            self._held.hold(user_key(user, client))
            self._wake.set()

    def disconnected(self, user: str, client: str) -> None:
        """A connection that stood is over."""
        if self._users:
            self._held.release(user_key(user, client), self._timers.now())
            self._wake.set()

    def joined(self, channel: str, subscription: Subscription) -> None:
        """A subscription has begun."""
        for key in keys_of(channel, subscription.info, subscription.holds):
            self._held.hold(key, subscription.info if key.scope == "member" else None)
            self._wake.set()

    def left(self, channel: str, subscription: Subscription) -> None:
        """A subscription that had begun has ended."""
        for key in keys_of(channel, subscription.info, subscription.holds):
            self._held.release(key, self._timers.now())
            self._wake.set()

    # --- its life

    async def start(self) -> None:
        """Begin to tell."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    def leave(self) -> None:
        """The gateway begins to leave: clients that it closes come back elsewhere, or end with the gateway."""
        self._held.leave()

    async def stop(self) -> None:
        """Tell what waits, and that this gateway has left in good order. Without storage it will be seen to be silent."""
        self._held.leave()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        deadline = Deadline.after(STOP_SECONDS)
        try:
            while len(self._held) and deadline.remaining() > 0:
                await self._tell(deadline)
            if self._held.used:
                await self._ask(
                    AttendRequest(node=self._node, life=self._life, first=self._held.first, leave_ms=self._pause_ms), deadline
                )
        except CausewayError as error:
            log.info("storage was not told that this gateway leaves, it will find it silent", reason=error.message)

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            try:
                self._held.tick(self._timers.now())
                await self._tell(Deadline.after(ASK_SECONDS))
                self._retry = RETRY_SECONDS
            except CausewayError as error:
                metrics.attend_failures.add(1, error.name.value)
                log.debug("storage could not be told what is held, trying again", reason=error.message)
                await asyncio.sleep(self._retry)
                self._retry = min(self._retry * 2, RETRY_MAX_SECONDS)
                continue
            except Exception:
                log.exception("storage could not be told what is held, trying again")
                await asyncio.sleep(RETRY_MAX_SECONDS)
                continue
            if not len(self._held):
                await self._rest()

    async def _rest(self) -> None:
        """Until there is something to tell, or it is time to ask whether this life still counts."""
        wait = self._beat_ms
        if (due := self._held.due_at) is not None:
            wait = min(wait, max(due - self._timers.now(), 0))
        try:
            async with asyncio.timeout(wait / 1000):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _tell(self, deadline: Deadline) -> None:
        """One batch; an empty one where storage knows this life: it says whether it still counts.

        Raises:
            CausewayError: storage is away; nothing is lost.
        """
        held, batch, now = self._held, self._held.batch(self._most), self._timers.now()
        if not batch and (not held.used or now - self._heard_at < self._beat_ms):
            return
        try:
            reply = await self._ask(AttendRequest(node=self._node, life=self._life, first=held.first, changes=batch), deadline)
        except CausewayError as error:
            if error.temporary or not batch:
                raise
            self._refused(len(batch), error)
            return
        self._heard_at = now
        if reply.cleared:
            await self._restart()
            return
        held.told(len(batch))
        self._most = BATCH_MAX if self._most == BATCH_MAX else min(self._most * 2, BATCH_MAX)

    async def _ask(self, request: AttendRequest, deadline: Deadline) -> AttendReply:
        return await self._attendances.attend(request, deadline)

    def _refused(self, count: int, error: CausewayError) -> None:
        """Storage will never take this batch: its changes are tried one by one, and the one that is refused is left out."""
        if count > 1:
            self._most = 1
            return
        log.error("storage refuses a change of what is held, it is left out", reason=error.message)
        metrics.attend_refused.add()
        self._held.refused()

    async def _restart(self) -> None:
        log.warning("this gateway was silent for too long and counts as gone: its clients are closed, they come back")
        metrics.cleared.add()
        await self._cleared()
        self._held.restart()
        self._life += 1
