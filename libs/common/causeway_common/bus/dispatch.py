"""Served endpoints: from a raw message to a handler and back, bounded, with deadline, span and errors by the table."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from causeway_common.bus.client import DirectClient, DirectSubscription, parse_headers
from causeway_common.bus.deadline import Deadline
from causeway_common.contracts.codec import decode, encode, to_fault
from causeway_common.contracts.errors import CausewayError, ErrorName, overloaded, unavailable
from causeway_common.contracts.messages import Message
from causeway_common.contracts.verbs import CLIENT_COMMAND_SECONDS, Verb
from causeway_common.telemetry import Counters, Kind, get_logger, names, span

log = get_logger("bus")
counters = Counters("dispatch")
served = counters.counter("requests", "requests served, by outcome")

DEADLINE_HEADER: Final = "Cw-Deadline-Ms"
ID_HEADER: Final = "Cw-Id"
ERROR_HEADER: Final = "Nats-Service-Error-Code"
DEADLINE_MAX_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Call:
    """What a handler learns beside the request.

    Attributes:
        fields: the fields of the subject; NATS lets only the right user send them, so they are believed.
        message_id: the caller's id of this request, the same when it is sent again; "" when none was given.
        deadline: when the caller stops waiting.
    """

    fields: Mapping[str, str]
    message_id: str
    deadline: Deadline


class Endpoint:
    """One served question on one connection."""

    def __init__(
        self, client: DirectClient, verb: Verb[Any, Any], handler: Callable[[Any, Call], Awaitable[Message]], limit: int
    ) -> None:
        self._client, self._verb, self._handler, self._limit = client, verb, handler, limit
        self.running: set[asyncio.Task[None]] = set()

    async def subscribe(self, subject: str, queue: str) -> DirectSubscription:
        """Take what comes on this subject too; in a queue group, or with "" in none."""
        return await self._client.subscribe_direct(subject, self._received, queue)

    def _received(self, subject: str, reply: str, body: bytes, block: bytes) -> None:
        if len(self.running) >= self._limit:
            self._answer_error(reply, overloaded(f"{self._verb.name} has {self._limit} requests under way"))
            return
        headers = parse_headers(block) if block else {}
        left = headers.get(DEADLINE_HEADER, "")
        seconds = min(int(left) / 1000, DEADLINE_MAX_SECONDS) if left.isdecimal() else CLIENT_COMMAND_SECONDS
        call = Call(self._verb.subject.fields(subject), headers.get(ID_HEADER, ""), Deadline.after(seconds))
        task = asyncio.get_running_loop().create_task(self._run(body, call, reply, headers.get(names.TRACEPARENT, "")))
        self.running.add(task)
        task.add_done_callback(self.running.discard)

    async def _run(self, body: bytes, call: Call, reply: str, traceparent: str) -> None:
        left = call.deadline.remaining()
        if left <= 0:
            served.add(1, "expired")
            return
        attributes = {
            names.MESSAGING_SYSTEM: names.MESSAGING_SYSTEM_NATS,
            names.MESSAGING_OPERATION_NAME: "process",
            names.MESSAGING_OPERATION_TYPE: "process",
            names.MESSAGING_DESTINATION_TEMPLATE: self._verb.subject.template,
            names.MESSAGING_MESSAGE_ID: call.message_id,
        }
        try:
            with span(f"process {self._verb.subject.template}", kind=Kind.CONSUMER, parent=traceparent, attributes=attributes):
                answer = await self._handled(body, call, left)
        except CausewayError as error:
            self._answer_error(reply, error)
            return
        served.add(1, "ok")
        self._send(reply, answer, None)

    async def _handled(self, body: bytes, call: Call, left: float) -> bytes:
        limit = asyncio.timeout(left)
        try:
            request = decode(body, self._verb.request)
            async with limit:
                return encode(await self._handler(request, call))
        except CausewayError:
            raise
        except Exception as error:
            if isinstance(error, TimeoutError) and limit.expired():
                raise unavailable("the deadline passed while this was handled, the outcome is unknown") from error
            log.exception("a handler failed", verb=self._verb.name)
            raise CausewayError(ErrorName.INTERNAL) from error

    def _answer_error(self, reply: str, error: CausewayError) -> None:
        served.add(1, error.name.value)
        self._send(reply, encode(to_fault(error)), {ERROR_HEADER: error.name.value})

    def _send(self, reply: str, body: bytes, headers: Mapping[str, str] | None) -> None:
        if not reply:
            return
        try:
            self._client.send(reply, body, headers=headers)
        except CausewayError as error:
            # The caller's own connection was told of the outage or will ask again; there is nobody else to tell.
            log.debug("a reply could not be sent", verb=self._verb.name, reason=error.message)
