"""Inbound webhooks: verified, made durable as records, and only then taken."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from causeway_common.contracts.errors import CausewayError, ErrorName
from causeway_common.contracts.messages import NewRecord
from causeway_common.runtime import fault_point
from causeway_common.telemetry import Counters, Kind, current_traceparent, get_logger, names, span
from causeway_integrations.domain.inbound import (
    OWN_APP,
    UNCLAIMED,
    InboundEvent,
    NoEventError,
    NotSignedError,
    Source,
    event_of,
    record_of,
    unclaimed_of,
    verified,
)
from causeway_integrations.domain.outcome import Done, Failed, GivenUp, Outcome
from causeway_integrations.domain.secrets import Reveal
from causeway_integrations.domain.work import Work
from causeway_integrations.handlers.repeats import Repeats
from causeway_integrations.ports import AppsOfEvents, Operation, Records

log = get_logger("integrations")
_hooks: Final = Counters("integrations").counter(
    "hooks", "inbound webhooks by outcome: taken, unclaimed, repeated, unsigned, malformed, unknown, large, unavailable"
)


@dataclass(frozen=True, slots=True)
class Taken:
    """What the sender is answered. `text` says nothing that helps to forge a signature."""

    status: int
    text: str


OK: Final = Taken(200, "ok\n")


class Hooks:
    """Takes webhooks.

    Args:
        sources: by name.
        records: where events become durable.
        apps: who handles what.
        repeats: knows bodies that come again.
        reveal: secrets by reference.
        now_ms: the time of day.
    """

    def __init__(
        self,
        sources: Mapping[str, Source],
        records: Records,
        apps: AppsOfEvents,
        repeats: Repeats,
        *,
        reveal: Reveal,
        now_ms: Callable[[], int],
    ) -> None:
        self._sources, self._records, self._apps, self._repeats = sources, records, apps, repeats
        self._reveal, self._now_ms = reveal, now_ms

    def knows(self, source: str) -> bool:
        """Whether there is such a source."""
        return source in self._sources

    async def take(self, name: str, headers: Mapping[str, str], body: bytes) -> Taken:
        """Verify, make durable, answer. A repeat is answered as the first time and changes nothing.

        Args:
            name: of the source, from the path.
            headers: by lower-case name.
            body: exactly as it came.
        """
        source = self._sources.get(name)
        if source is None:
            _hooks.add(1, "unknown")
            return Taken(404, "there is no such source\n")
        # A trace of our own: what a stranger says about its trace is not believed.
        with span(names.SPAN_HOOK, kind=Kind.SERVER, parent=None, attributes={names.HTTP_METHOD: "POST"}) as started:
            taken = await self._taken(source, headers, body)
            started.set_attribute(names.HTTP_STATUS, taken.status)
            return taken

    async def _taken(self, source: Source, headers: Mapping[str, str], body: bytes) -> Taken:
        now = self._now_ms()
        try:
            event = verified(source, [self._reveal(secret) for secret in source.secrets], headers, body, now)
            if await self._repeats.is_repeat(event, now):
                _hooks.add(1, "repeated")
                log.warning("a webhook came again under another id", source=source.name, id=event.id)
                return OK
            claimed = await self._store(event, now)
        except NotSignedError as error:
            _hooks.add(1, "unsigned")
            log.warning("a webhook was refused", source=source.name, reason=str(error))
            return Taken(401, "the signature is missing, wrong or too old\n")
        except NoEventError as error:
            _hooks.add(1, "malformed")
            return Taken(400, f"not an event: {error}\n")
        except CausewayError as error:
            return self._refused(source, error)
        _hooks.add(1, "taken" if claimed else "unclaimed")
        return OK

    async def _store(self, event: InboundEvent, now: int) -> bool:
        apps = self._apps.handling(event.source, event.type)
        if apps is None:
            raise CausewayError(ErrorName.UNAVAILABLE, "the apps' manifests are not known yet")
        fault_point("integrations.hook.before")
        await store(self._records, event, apps, now)
        fault_point("integrations.hook.after")
        return bool(apps)

    def _refused(self, source: Source, error: CausewayError) -> Taken:
        if error.name is ErrorName.BAD_REQUEST:
            _hooks.add(1, "large")
            log.warning("a webhook cannot be kept", source=source.name, reason=error.message)
            return Taken(413, "the event is too large or too deep to be kept\n")
        _hooks.add(1, "unavailable")
        log.warning("a webhook could not be made durable, its sender will try again", source=source.name, reason=error.message)
        return Taken(503, "try again later\n")


async def store(records: Records, event: InboundEvent, apps: Mapping[str, str], received_ms: int) -> None:
    """Make an event durable: a task of each app that handles it, all or none; or a job of ours that waits for such an app.

    Raises:
        CausewayError: storage is away (100), or the event cannot be kept (107).
    """
    traceparent = current_traceparent()
    made: list[NewRecord] = [record_of(event, app, received_ms, traceparent, order_by) for app, order_by in apps.items()]
    await records.enqueue(made or [unclaimed_of(event, received_ms, traceparent)], message_id=f"{event.source}:{event.id}"[:200])


class InboundConnector:
    """The job of an event that no app handled when it came."""

    def __init__(self, records: Records, apps: AppsOfEvents) -> None:
        self._records, self._apps = records, apps

    def operations(self) -> Mapping[str, Operation]:
        """By name."""
        return {UNCLAIMED: self.unclaimed}

    async def unclaimed(self, work: Work) -> Outcome:
        """Give it to the apps that handle it now, under the ids that it would have had then.

        Raises:
            CausewayError: storage is away.
        """
        if work.app != OWN_APP:
            return GivenUp("only integrations keep unclaimed events")
        try:
            event, received_ms = event_of(work.payload)
        except (KeyError, TypeError, ValueError):
            return GivenUp("the payload is no event")
        apps = self._apps.handling(event.source, event.type)
        if not apps:
            return Failed(f"no app handles {event.type} of {event.source}")
        await store(self._records, event, apps, received_ms)
        return Done(f"given to {', '.join(apps)}")
