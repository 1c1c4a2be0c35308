"""Bodies that come again under another id, where a sender signs the body alone: for one window of time they are known as repeats."""

from __future__ import annotations

from collections.abc import Mapping

from causeway_integrations.domain.inbound import OWN_APP, SEEN, InboundEvent, seen_of
from causeway_integrations.domain.outcome import Done, GivenUp, Outcome
from causeway_integrations.domain.work import Work
from causeway_integrations.ports import Operation, Records
from causeway_integrations.ports.endpoints import EventLog


class Repeats:
    """Remembers bodies for all processes, as records of integrations' own that are done at once and go with the others.

    Args:
        records: where they are kept.
        log: where they are read.
        window_ms: so long a body that comes again is a repeat.
    """

    def __init__(self, records: Records, log: EventLog, *, window_ms: int) -> None:
        self._records, self._log, self._window_ms = records, log, window_ms

    def operations(self) -> Mapping[str, Operation]:
        """By name."""
        return {SEEN: self.seen}

    async def is_repeat(self, event: InboundEvent, now_ms: int) -> bool:
        """Whether this body came under another id a short time ago. The same id is none: its sender may not know yet that it was taken.

        Raises:
            CausewayError: storage is away.
        """
        if not event.digest:
            return False
        window = now_ms // self._window_ms
        if await self._came(seen_of(event, window - 1, now_ms).id, event, now_ms):
            return True
        seen = seen_of(event, window, now_ms)
        if await self._records.enqueue([seen], message_id=seen.id):
            return False
        return await self._came(seen.id, event, now_ms)

    async def seen(self, work: Work) -> Outcome:
        """There is nothing to do: the record itself is what was wanted."""
        return Done() if work.app == OWN_APP else GivenUp("only integrations keep what was seen")

    async def _came(self, id: str, event: InboundEvent, now_ms: int) -> bool:
        kept = await self._log.record(id)
        if kept is None:
            return False
        seen = kept.record.payload
        return seen["id"] != event.id and int(seen["at_ms"]) > now_ms - self._window_ms
