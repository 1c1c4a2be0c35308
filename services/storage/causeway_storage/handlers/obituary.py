"""Tells of records that are dead, on the stream of events."""

from __future__ import annotations

from typing import Final

from causeway_common.contracts.errors import CausewayError
from causeway_common.contracts.messages import LifecycleEvent
from causeway_common.telemetry import get_logger
from causeway_storage.ports import Clock, Events, RecordsDesk

log = get_logger("storage")
JOB_DEAD: Final = "job_dead"


class Obituary:
    """Tells of one, before whoever ended it is answered: where this process dies meanwhile, it is asked again and tells again.

    Args:
        desk: says which it was.
        events: where it is told; a repeat of an id counts once.
        clock: the time of day.
    """

    def __init__(self, desk: RecordsDesk, events: Events, clock: Clock) -> None:
        self._desk, self._events, self._clock = desk, events, clock

    async def tell(self, id: str, attempt: int) -> None:
        """It is dead since this attempt. What cannot be told stands in the log: it is dead all the same, and listed."""
        try:
            found = await self._desk.find(id)
            if found is None:
                return
            record = found.record
            event = LifecycleEvent(
                id=f"dead:{id}:{attempt}",
                type=JOB_DEAD,
                time_ms=found.ended_ms or self._clock(),
                app=record.app,
                operation=f"{record.connector or 'task'}.{record.op}",
                record=id,
                note=record.note,
            )
            await self._events.tell(event)
        except CausewayError as error:
            log.error("that a record is dead could not be told", record=id, reason=error.message)  # noqa: TRY400 - one line
