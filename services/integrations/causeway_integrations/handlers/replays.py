"""`webhook.replay`: the events of an app that storage still has records of, delivered to one endpoint again, under ids of their own.

A job of integrations: a part of the records at each try, then a job for the rest; whatever is killed, it goes on where it was.
"""

from __future__ import annotations

from typing import Final

import msgspec

from causeway_common.contracts.errors import CausewayError
from causeway_common.contracts.ids import derived_id
from causeway_common.contracts.messages import JsonMap, KeptRecord, NewRecord
from causeway_common.runtime import fault_point
from causeway_integrations.domain.inbound import OWN_APP
from causeway_integrations.domain.outcome import Done, Failed, GivenUp, Outcome
from causeway_integrations.domain.webhook import CONNECTOR, DELIVER, EVENT, REPLAY, Endpoint, parse_event
from causeway_integrations.domain.work import Work
from causeway_integrations.ports import Records
from causeway_integrations.ports.endpoints import EventLog

ENDED: Final = ("done", "dead")
"""An event that waits is delivered anyway."""
PREFIX: Final = "replay_"
PAGES_AT_ONCE: Final = 2


class Replay(msgspec.Struct, frozen=True):
    """What is replayed, and how far it is: the events behind the cursor `after` are still to be looked at, in the order of their making."""

    replay: str
    endpoint: str
    app: str
    event: str
    since_ms: int
    until_ms: int
    after: str = ""
    made: int = 0
    ordered: bool = False

    def record(self) -> NewRecord:
        """The job that goes on from here."""
        payload: JsonMap = msgspec.to_builtins(self)
        part = "whr:" + derived_id(self.replay, self.after)
        return NewRecord(id=part, app=OWN_APP, connector=CONNECTOR, op=REPLAY, payload=payload)


class Replays:
    """Makes deliveries of kept events.

    Args:
        log: the records that are there.
        records: where deliveries are made.
    """

    def __init__(self, log: EventLog, records: Records) -> None:
        self._log, self._records = log, records

    async def replay(self, work: Work) -> Outcome:
        """One part. Raises CausewayError: storage is away; a part that is done twice makes nothing twice."""
        if work.app != OWN_APP:
            return GivenUp("operators alone ask for this: causeway webhooks replay")
        older = "state" in work.payload  # made by an older process, which went by ids: begin anew, what is made twice is harmless
        try:
            going = msgspec.convert({**work.payload, **({"after": ""} if older else {})}, Replay)
        except msgspec.ValidationError as error:
            return GivenUp(f"the payload is wrong: {error}")
        for _ in range(PAGES_AT_ONCE):
            page = await self._log.page(going.app, f"{CONNECTOR}.{EVENT}", going.since_ms, going.until_ms, going.after)
            if page.more and not page.cursor:
                return Failed("storage is older than this and cannot tell events by their time yet")
            made = sum([await self._again(going, each) for each in page.records])
            fault_point("integrations.replay.page")
            going = msgspec.structs.replace(going, after=page.cursor or going.after, made=going.made + made)
            if not page.more:
                return Done(f"{going.made} deliveries")
        rest = going.record()
        await self._records.enqueue([rest], message_id=rest.id)
        return Done(f"{going.made} deliveries so far, the rest is {rest.id}")

    async def _again(self, going: Replay, kept: KeptRecord) -> bool:
        brief = kept.record
        if brief.state not in ENDED or (brief.app, brief.connector, brief.op) != (going.app, CONNECTOR, EVENT):
            return False
        if not going.since_ms <= brief.created_ms <= going.until_ms:
            return False
        full = await self._log.record(brief.id)
        if full is None:  # its time was over just now
            return False
        try:
            event = parse_event(full.record.payload)
        except (ValueError, CausewayError):
            return False
        if event.type != going.event:
            return False
        key = f"{going.replay}_{derived_id(brief.id)}"
        payload: JsonMap = {"endpoint": going.endpoint, "id": key, "body": event.model_dump_json()}
        made = NewRecord(
            id=key, app=going.app, connector=CONNECTOR, op=DELIVER, payload=payload, traceparent=full.record.traceparent
        )
        if going.ordered and brief.line:
            line = "w:" + derived_id(going.endpoint, brief.line)
            made = msgspec.structs.replace(made, line=line, turn=brief.turn, behind=brief.line)
        await self._records.enqueue([made], message_id=key)
        return True


def replay_of(endpoint: Endpoint, since_ms: int, until_ms: int, unique: str) -> Replay:
    """A replay of all that an endpoint was or would have been sent in that time."""
    replay = PREFIX + derived_id(endpoint.id, unique, size=6)
    return Replay(replay, endpoint.id, endpoint.app, endpoint.event, since_ms, until_ms, ordered=endpoint.ordered)
