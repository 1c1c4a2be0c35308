"""Served endpoints: from a raw message to a handler and back, bounded, with deadline, span and errors by the table."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import cache, partial
from typing import Any, Final

import msgspec

from causeway_common.bus.client import DirectClient, DirectSubscription
from causeway_common.bus.deadline import Deadline
from causeway_common.bus.envelope import ERROR_HEADER, read
from causeway_common.bus.late import Deadlines
from causeway_common.bus.workers import Workers
from causeway_common.contracts.codec import decode, encode, to_fault
from causeway_common.contracts.errors import CausewayError, ErrorName, overloaded, unavailable
from causeway_common.contracts.messages import Message
from causeway_common.contracts.subjects import Subject
from causeway_common.contracts.verbs import CLIENT_COMMAND_SECONDS, Verb
from causeway_common.telemetry import AttributeValue, Counters, Kind, get_logger, names, span

log = get_logger("bus")
counters = Counters("dispatch")
served = counters.counter("requests", "requests served, by outcome")

DEADLINE_MAX_SECONDS: Final = 60.0


class Call(msgspec.Struct, frozen=True):
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
    """One served question on one connection. `subject`, `queue`, `requests` and `failed` are for who asks what is served (`bus.discovery`).

    Args:
        client: the connection.
        verb: the question.
        handler: its answer.
        limit: how many are under way at once.
        workers: where handlers run.
        elsewhere: the endpoint that takes in its place what has these fields of the subject; None: none does.
    """

    def __init__(
        self,
        client: DirectClient,
        verb: Verb[Any, Any],
        handler: Callable[[Any, Call], Awaitable[Message]],
        limit: int,
        workers: Workers,
        *,
        elsewhere: Callable[[Mapping[str, str]], Endpoint | None] | None = None,
    ) -> None:
        self._elsewhere = elsewhere
        self._client, self.verb, self.handler, self._limit, self._workers = client, verb, handler, limit, workers
        self.waiting: Deadlines[Request, Request] = Deadlines()
        # Looked up once: Python 3.11 asks the kernel for the process's id each time.
        self.time = asyncio.get_running_loop().time
        self._under_way = 0
        self.subject = self.queue = ""
        self.requests = self.failed = 0

    async def subscribe(self, subject: str, queue: str, *, verb: Verb[Any, Any] | None = None) -> DirectSubscription:
        """Take what comes on this subject too; in a queue group, or with "" in none. It is of this form of the question (`verb`)."""
        if not self.subject:
            self.subject, self.queue = subject, queue
        received = self._received if verb is None else partial(self._received_as, verb.subject)
        return await self._client.subscribe_direct(subject, received, queue)

    def _received(self, subject: str, reply: str, body: bytes, block: bytes) -> None:
        self._received_as(self.verb.subject, subject, reply, body, block)

    def _received_as(self, template: Subject, subject: str, reply: str, body: bytes, block: bytes) -> None:
        if self._elsewhere is not None and (other := self._elsewhere(template.fields(subject))) is not None:
            other._received_as(template, subject, reply, body, block)  # noqa: SLF001 - one of its own kind
            return
        self.requests += 1
        if self._under_way >= self._limit:
            self.answer_error(reply, overloaded(f"{self.verb.name} has {self._limit} requests under way"))
            return
        left_ms, traceparent, message_id = read(block)
        seconds = CLIENT_COMMAND_SECONDS if left_ms is None else min(left_ms / 1000, DEADLINE_MAX_SECONDS)
        call = Call(template.fields(subject), message_id, Deadline(self.time() + seconds))
        self._under_way += 1
        self._workers.put(Request(self, call, body, reply, traceparent))

    def ended(self) -> None:
        """A request is no more under way."""
        self._under_way -= 1

    def answer_error(self, reply: str, error: CausewayError) -> None:
        """Answer with an error."""
        served.add(1, error.name.value)
        self.failed += 1
        self.answer(reply, encode(to_fault(error)), {ERROR_HEADER: error.name.value})

    def answer(self, reply: str, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        """Answer, where anybody wants to hear it."""
        if not reply:
            return
        try:
            self._client.send(reply, body, headers=headers)
        except CausewayError as error:
            # The caller's own connection was told of the outage or will ask again; there is nobody else to tell.
            log.debug("a reply could not be sent", verb=self.verb.name, reason=error.message)


class Request:
    """One request under way: `workers.Work`, and late where its handler waits longer than its caller."""

    __slots__ = ("_body", "_call", "_endpoint", "_late", "_reply", "_traceparent", "_worker", "at")

    def __init__(self, endpoint: Endpoint, call: Call, body: bytes, reply: str, traceparent: str) -> None:
        self._endpoint, self._call, self._body, self._reply, self._traceparent = endpoint, call, body, reply, traceparent
        self.at = call.deadline.at
        self._worker: asyncio.Task[None] | None = None
        self._late = False

    def waits(self, worker: asyncio.Task[None]) -> None:
        """From now on it can be late."""
        self._worker = worker
        self._endpoint.waiting.hold(self, self)

    def expire(self) -> None:
        """It is late."""
        self._late = True
        if self._worker is not None:
            self._worker.cancel()

    async def run(self) -> None:
        """Handle it and answer."""
        endpoint = self._endpoint
        try:
            if self.at <= endpoint.time():
                served.add(1, "expired")
                return
            name, attributes = processing(endpoint.verb)
            with span(name, kind=Kind.CONSUMER, parent=self._traceparent, attributes=attributes) as current:
                if message_id := self._call.message_id:
                    current.set_attribute(names.MESSAGING_MESSAGE_ID, message_id)
                answer = await self._handled(endpoint)
        except CausewayError as error:
            endpoint.answer_error(self._reply, error)
        else:
            served.add(1, "ok")
            endpoint.answer(self._reply, answer)
        finally:
            endpoint.ended()
            if self._worker is not None:
                endpoint.waiting.take(self)

    async def _handled(self, endpoint: Endpoint) -> bytes:
        try:
            return encode(await endpoint.handler(decode(self._body, endpoint.verb.request), self._call))
        except CausewayError:
            raise
        except asyncio.CancelledError as error:
            if not self._late:
                raise
            raise unavailable("the deadline passed while this was handled, the outcome is unknown") from error
        except Exception as error:
            log.exception("a handler failed", verb=endpoint.verb.name)
            raise CausewayError(ErrorName.INTERNAL) from error


@cache
def processing(verb: Verb[Any, Any]) -> tuple[str, Mapping[str, AttributeValue]]:
    """The name and the attributes of the span of a request that is handled."""
    template = verb.subject.template
    return f"process {template}", {
        names.MESSAGING_SYSTEM: names.MESSAGING_SYSTEM_NATS,
        names.MESSAGING_OPERATION_NAME: "process",
        names.MESSAGING_OPERATION_TYPE: "process",
        names.MESSAGING_DESTINATION_TEMPLATE: template,
    }
