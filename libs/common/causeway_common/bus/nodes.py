"""Who lives: every process puts itself into the KV bucket `cw_nodes`, again every few seconds, and takes itself out when it leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from causeway_common.bus.buckets import LiveBucket
from causeway_common.bus.connection import Bus
from causeway_common.bus.deadline import Deadline
from causeway_common.bus.jetstream import put
from causeway_common.contracts.codec import decode, encode
from causeway_common.contracts.errors import CausewayError
from causeway_common.contracts.messages import NodeBeat
from causeway_common.contracts.subjects import KV_NODES, NODES_STREAM
from causeway_common.telemetry import get_logger

log = get_logger("nodes")
BEAT_SECONDS: Final = 5.0
RETRY_SECONDS: Final = 0.25
SILENT_MS: Final = 15_000
MET_MAX: Final = 10_000


class Judge:
    """Whether silence means death. It counts only while this process heard its own beats, each within half of `silent_ms` after the last."""

    def __init__(self, silent_ms: int) -> None:
        self._silent_ms = silent_ms
        self._own_at: int | None = None
        self._since = 0
        self._met: dict[str, int] = {}

    def own_beat(self, now: int) -> None:
        """Its own beat came back to it."""
        if self._own_at is None or now - self._own_at > self._silent_ms // 2:
            self._since = now
            self._met.clear()
        self._own_at = now

    def interrupted(self) -> None:
        """Its connection was lost: what it did not hear says nothing."""
        self._own_at = None

    def silent(self, node: str, heard_at: int | None, now: int) -> bool:
        """Whether a process that was last heard at `heard_at` counts as dead."""
        if self._own_at is None or now - self._own_at > self._silent_ms // 2:
            return False
        if heard_at is None:
            heard_at = self._met.setdefault(node, now)
            if len(self._met) > MET_MAX:
                del self._met[next(iter(self._met))]
        return now - max(heard_at, self._since) >= self._silent_ms


class Nodes:
    """Announces this process and knows the others.

    Args:
        bus: the connection.
        service: of this process.
        node: its id.
        version: its version.
        clock: monotonic milliseconds, by which silence is measured: from when a beat was heard here, clocks differ.
        wall: milliseconds since the Unix epoch, told along.
        beat_s: seconds between two beats.
        silent_ms: a process that was not heard of for so long counts as dead.
        database: of a storage process, told along.
    """

    def __init__(
        self,
        bus: Bus,
        *,
        service: str,
        node: str,
        version: str,
        clock: Callable[[], int],
        wall: Callable[[], int],
        beat_s: float = BEAT_SECONDS,
        silent_ms: int = SILENT_MS,
        database: str = "",
    ) -> None:
        self._bus, self._service, self._node, self._version = bus, service, node, version
        self._clock, self._wall, self._silent_ms = clock, wall, silent_ms
        self._beat_s, self._database = beat_s, database
        self._judging = Judge(silent_ms)
        self._told: list[Callable[[], None]] = []
        self._started = wall()
        self._heard: dict[str, tuple[NodeBeat, int]] = {}
        self._bucket = LiveBucket(bus, NODES_STREAM, KV_NODES, self._changed)
        self._announced = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Announce this process, durably in the bucket, and begin to follow it; waits until both is done."""
        await self.begin()
        await self._announced.wait()

    async def begin(self) -> None:
        """As `start`, for who does not wait until it is done."""
        self._bus.on_reconnect(self._judging.interrupted)
        await self._bucket.start()
        self._task = asyncio.get_running_loop().create_task(self._beat_on())

    async def stop(self) -> None:
        """Take this process out."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._bucket.stop()
        try:
            await put(self._bus, KV_NODES.at(node=self._node), b"", Deadline.after(1))
        except CausewayError as error:
            log.debug("this process could not take itself out, it will be seen to be silent", reason=error.message)

    def living(self, service: str, *, within_ms: int | None = None) -> list[str]:
        """The ids of a service's processes that were heard of within `within_ms` (`silent_ms`); none before the bucket was read."""
        if not self._bucket.ready:
            return []
        silent = self._clock() - (self._silent_ms if within_ms is None else within_ms)
        return [node for node, (beat, at) in self._heard.items() if beat.service == service and at > silent]

    @property
    def database(self) -> str:
        """What storage keeps its data in, as one of its processes told last; "" where none was heard of."""
        told = [(at, beat.database) for beat, at in self._heard.values() if beat.database]
        return max(told, default=(0, ""))[1]

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call this each time a process was heard of or has left; it must be quick and not raise."""
        self._told.append(callback)

    def _tell(self) -> None:
        for callback in self._told:
            callback()

    def silent(self, node: str) -> bool:
        """Whether a process counts as dead: not heard of for `silent_ms`, in which this one heard its own beats without a gap.

        One that was never heard of is met with the first question about it.
        """
        heard = self._heard.get(node)
        return self._judging.silent(node, None if heard is None else heard[1], self._clock())

    def _changed(self, subject: str, body: bytes) -> None:
        if not body:
            self._heard.pop(KV_NODES.fields(subject)["node"], None)
            self._tell()
            return
        try:
            beat = decode(body, NodeBeat)
        except CausewayError as error:
            log.warning("a node's entry cannot be read", subject=subject, reason=error.message)
            return
        known = self._heard.get(beat.node)
        if known is None or known[0].at_ms != beat.at_ms:
            self._heard[beat.node] = (beat, self._clock())
            if beat.node == self._node:
                self._judging.own_beat(self._clock())
            self._tell()

    async def _beat(self) -> bool:
        beat = NodeBeat(
            node=self._node,
            service=self._service,
            version=self._version,
            started_ms=self._started,
            at_ms=self._wall(),
            database=self._database,
        )
        try:
            await put(self._bus, KV_NODES.at(node=self._node), encode(beat), Deadline.after(self._beat_s / 2))
        except CausewayError as error:
            log.debug("this process cannot be announced yet", reason=error.message)
            return False
        return True

    async def _beat_on(self) -> None:
        # Before its stream is there a beat is only waited for in vain: our own listener makes it look taken.
        await self._bucket.loaded()
        while True:
            beaten = await self._beat()
            if beaten:
                self._announced.set()
            await asyncio.sleep(self._beat_s if beaten else RETRY_SECONDS)
