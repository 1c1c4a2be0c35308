"""Calls that wait for their answer: within the caller's deadline, or an error of the table."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final, assert_never

from causeway_common.bus import Call
from causeway_common.contracts.errors import APP_CODE_MIN, CausewayError, ErrorName, bad_request, overloaded, unavailable
from causeway_common.contracts.ids import ID_MAX_CHARS, derived_id
from causeway_common.contracts.messages import CallReply, CallRequest
from causeway_common.contracts.names import is_app_name
from causeway_common.runtime import new_id
from causeway_common.telemetry import Counters, current_traceparent, get_logger
from causeway_integrations.domain.outcome import Done, Failed, GivenUp, Outcome, Postponed
from causeway_integrations.domain.permissions import Permissions
from causeway_integrations.domain.slots import Slots
from causeway_integrations.domain.work import Work
from causeway_integrations.ports import Connector, Operation

ANSWER_MARGIN_S: Final = 0.05
"""So long before the caller's deadline the answer is given up, so that it still hears why."""

log = get_logger("integrations")
_calls: Final = Counters("integrations").counter("calls", "calls by outcome: ok, failed, refused, late, busy")


class Calls:
    """Answers calls.

    Args:
        connectors: by name.
        permissions: of the apps.
        slots: for calls, by destination.
        now_ms: the time of day.
        redact: takes secrets out of what is told.
    """

    def __init__(
        self,
        connectors: Mapping[str, Connector],
        permissions: Permissions,
        slots: Slots,
        now_ms: Callable[[], int],
        redact: Callable[[str], str] = str,
    ) -> None:
        self._redact = redact
        self._connectors, self._permissions, self._slots, self._now_ms = connectors, permissions, slots, now_ms

    async def call(self, request: CallRequest, call: Call) -> CallReply:
        """The operation's reply.

        Raises:
            CausewayError: 104, there is no such operation; 103, this app may not use it; 107, the payload is wrong; 111, the
                destination is busy; 100, it cannot be reached, or not in time; rejected with the peer's own code, it refused.
        """
        app, connector, operation = self._asked(call)
        if len(request.idempotency_key) > ID_MAX_CHARS:
            raise bad_request(f"an idempotency key has at most {ID_MAX_CHARS} characters")
        asked = request.idempotency_key or call.message_id or new_id()
        work = Work(
            app=app,
            connector=connector.name,
            op=call.fields["op"],
            payload=request.payload,
            key=derived_id("call", app, connector.name, call.fields["op"], asked),
            id=asked,
            created_ms=self._now_ms(),
            traceparent=current_traceparent(),
            waits=True,
        )
        return self._answer(work, await self._run(connector, operation, work, call.deadline.remaining() - ANSWER_MARGIN_S))

    def _asked(self, call: Call) -> tuple[str, Connector, Operation]:
        app, name, op = call.fields["caller"], call.fields["connector"], call.fields["op"]
        connector = self._connectors.get(name)
        if connector is None:
            raise _refused(ErrorName.METHOD_NOT_FOUND, f"there is no connector {name!r:.80}, there are {_listed(self._connectors)}")
        operation = connector.operations.get(op)
        if operation is None:
            there = _listed(connector.operations) or "none (nothing of it is configured)"
            raise _refused(ErrorName.METHOD_NOT_FOUND, f"{name} has no operation {op!r:.80}, its operations are {there}")
        if not is_app_name(app) or not self._permissions.may(app, name, op):
            raise _refused(ErrorName.PERMISSION_DENIED, f"{app} may not use {name}.{op}, see integrations.permissions")
        return app, connector, operation

    async def _run(self, connector: Connector, operation: Operation, work: Work, seconds: float) -> Outcome:
        destination = f"{connector.name}/{connector.destination(work)}"
        if not self._slots.take(destination):
            _calls.add(1, "busy")
            raise overloaded(f"{connector.name} has as many calls under way to this destination as it may")
        loop = asyncio.get_running_loop()
        started = loop.time()
        limit = min(seconds, connector.limit_ms(work.op) / 1000)
        try:
            async with asyncio.timeout(limit):
                return await operation(replace(work, limit_ms=max(int(limit * 1000), 1)))
        except TimeoutError as error:
            _calls.add(1, "late")
            raise unavailable(f"{connector.name}.{work.op} gave no answer within {limit:.2g} s, the outcome is unknown") from error
        finally:
            self._slots.free(destination, (loop.time() - started) * 1000)

    def _answer(self, work: Work, outcome: Outcome) -> CallReply:
        match outcome:
            case Done():
                _calls.add(1, "ok")
                return CallReply(payload=outcome.reply)
            case Failed(note) | Postponed(note):
                _calls.add(1, "failed")
                raise unavailable(f"{work.connector}.{work.op}: {self._redact(note)}")
            case GivenUp(note, _, code):
                _calls.add(1, "refused")
                why = f"{work.connector}.{work.op}: {self._redact(note)}"
                if code >= APP_CODE_MIN:
                    raise CausewayError(ErrorName.REJECTED, why, code=code)
                raise bad_request(why)
            case _:
                assert_never(outcome)


def _refused(name: ErrorName, why: str) -> CausewayError:
    _calls.add(1, "refused")
    what = "method not found" if name is ErrorName.METHOD_NOT_FOUND else "permission denied"
    return CausewayError(name, f"{what}: {why}")


def _listed(names: Mapping[str, object]) -> str:
    return ", ".join(sorted(names)[:20])
