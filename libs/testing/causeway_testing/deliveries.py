"""What a stream delivers to the app: its tasks, and lifecycle events one after the other. What is not done with comes again."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Coroutine
from functools import partial
from typing import Any, Final

from causeway_common.bus import Postponed
from causeway_common.contracts.errors import CausewayError
from causeway_common.contracts.messages import JobDelivery, LifecycleEvent
from causeway_common.telemetry import get_logger
from causeway_storage.ports import DueRecord
from causeway_testing.loop import VirtualLoop
from causeway_testing.process import AppProcess
from causeway_testing.replicas import Replicas
from causeway_testing.steps import Steps

ACK_WAIT_SECONDS: Final = 30.0
"""A task whose process died comes again after so long."""
EVENT_ACK_WAIT_SECONDS: Final = 10.0
"""A lifecycle event likewise; those behind wait for it."""
log = get_logger("testing")
Work = Callable[[AppProcess], Coroutine[Any, Any, None]]


class Deliveries:
    """The streams.

    Args:
        loop: when.
        steps: what is lost, doubled or late, and in which order.
        replicas: to whom.
        heard: the types of lifecycle events that the app handles.
    """

    def __init__(self, loop: VirtualLoop, steps: Steps, replicas: Replicas, heard: Collection[str]) -> None:
        self._heard = frozenset(heard)
        self._loop, self._steps, self._replicas = loop, steps, replicas
        self._events: deque[LifecycleEvent] = deque()
        self._telling = False
        self._held: list[Callable[[], None]] = []

    async def task(self, record: DueRecord) -> None:
        """A task is due."""
        chance = self._steps.chance
        fate = "arrives" if chance is None else chance.fate()
        if fate != "arrives":
            self._steps.tell(f"  delivery of task {record.op}: {fate}")
        if chance is not None and fate == "late":
            self._loop.call_later(chance.delay(), self._deliver, record, 1)
            return
        if fate == "lost":
            return  # its record is due again
        self._deliver(record, 1)
        if fate == "twice":
            self._deliver(record, 2)

    def tell(self, event: LifecycleEvent) -> None:
        """A lifecycle event: in its turn."""
        if event.type not in self._heard:
            return
        self._events.append(event)
        if not self._telling:
            self._telling = True
            self._tell(1)

    def resumed(self) -> None:
        """The app is there again: it gets what waited."""
        held, self._held = self._held, []
        for deliver in held:
            deliver()

    def _deliver(self, record: DueRecord, delivered: int) -> None:
        if self._replicas.down:
            self._held.append(partial(self._deliver, record, delivered))
            return
        delivery = JobDelivery(id=record.id)
        self._run(
            lambda process: process.tasks.handle(delivery, record.op, delivered),
            f"task {record.op}",
            lambda seconds: self._loop.call_later(seconds, self._deliver, record, delivered + 1),
            ACK_WAIT_SECONDS,
        )

    def _tell(self, delivered: int) -> None:
        if self._replicas.down:
            self._held.append(partial(self._tell, delivered))
            return
        event = self._events[0]
        self._run(
            lambda process: process.lifecycle.handle(event, delivered),
            f"{event.type} {event.channel or event.user or event.client}",
            lambda seconds: self._loop.call_later(seconds, self._tell, delivered + 1),
            EVENT_ACK_WAIT_SECONDS,
            self._told,
        )

    def _told(self) -> None:
        self._events.popleft()
        if self._events:
            self._tell(1)
        else:
            self._telling = False

    def _run(
        self, work: Work, activity: str, again: Callable[[float], object], ack_wait: float, done: Callable[[], None] | None = None
    ) -> None:
        answer = self._replicas.run(work, activity)

        def ended(ended: asyncio.Future[None]) -> None:
            error = None if ended.cancelled() else ended.exception()
            if isinstance(error, Postponed):
                again(error.seconds)
            elif error is not None:
                if not isinstance(error, CausewayError):
                    log.error("a delivery failed", activity=activity, exc_info=error)
                again(ack_wait)
            elif done is not None:
                done()

        answer.add_done_callback(ended)
