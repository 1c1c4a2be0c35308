"""The bus: one NATS connection with requests, publishes, served endpoints and direct listeners."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from nats.errors import Error as NatsError

from causeway_common.bus.client import DirectClient, DirectSubscription, connect_options, header_block
from causeway_common.bus.deadline import Deadline
from causeway_common.bus.discovery import Discovery, Identity
from causeway_common.bus.dispatch import Call, Endpoint
from causeway_common.bus.envelope import written
from causeway_common.bus.late import Deadlines
from causeway_common.bus.questions import (
    UNKNOWN,
    Awaited,
    Begun,
    LostError,
    Question,
    RawReply,
    answer_of,
    requests,
    require_responder,
    sending,
)
from causeway_common.bus.questions import NoRespondersError as NoRespondersError  # noqa: PLC0414 - an error of this module's too
from causeway_common.bus.workers import Workers
from causeway_common.contracts.codec import encode
from causeway_common.contracts.errors import CausewayError, ErrorName, unavailable
from causeway_common.contracts.ids import derived_id
from causeway_common.contracts.messages import Message
from causeway_common.contracts.rights import inbox_prefix
from causeway_common.contracts.verbs import Rep, Req, Verb
from causeway_common.telemetry import Counters, Kind, OpenSpan, Unsampled, current_traceparent, get_logger, names, span

log = get_logger("bus")
counters = Counters("bus")
disconnects = counters.counter("disconnects", "times that the NATS connection was lost")

REPEAT_AFTER_SECONDS: Final = 1.0
REPEAT_PAUSE_SECONDS: Final = 0.05
DRAIN_SECONDS: Final = 4.0
CONNECT_RETRY_SECONDS: Final = 0.25


@dataclass(frozen=True, slots=True)
class BusSettings:
    """Where the bus is and who we are on it; with an `identity` the standard tooling sees us."""

    url: str
    user: str
    password: str = field(repr=False)
    name: str
    identity: Identity | None = None


class Listener:
    """A direct subscription; `close` ends it."""

    __slots__ = ("_client", "_subscription")

    def __init__(self, client: DirectClient, subscription: DirectSubscription) -> None:
        self._client, self._subscription = client, subscription

    async def close(self) -> None:
        """No more calls after this, but those already under way."""
        await self._client.unsubscribe_direct(self._subscription)


class Bus:
    """One NATS connection, under the process's own user and inbox prefix.

    While the connection is away every request and publish fails at once as 100 unavailable; of those under way the repeatable ones
    are asked again once it is back, within their deadline, and the others fail with the outcome unknown.
    """

    def __init__(self, settings: BusSettings) -> None:
        self._settings = settings
        self._client = DirectClient()
        self._waiting: Deadlines[str, Question] = Deadlines()
        self._tokens = itertools.count()
        self._inbox = ""
        self._served: list[DirectSubscription] = []
        self._endpoints: list[Endpoint] = []
        self._workers = Workers()
        self._reconnected: list[Callable[[], None]] = []

    @property
    def connected(self) -> bool:
        """Whether the connection stands right now."""
        return bool(self._client.is_connected)

    @property
    def inbox_prefix(self) -> str:
        """Under this prefix the connection's user may subscribe."""
        return inbox_prefix(self._settings.user)

    def on_reconnect(self, callback: Callable[[], None]) -> None:
        """Call this each time after the connection came back."""
        self._reconnected.append(callback)

    async def start(self) -> None:
        """Connect, trying without end; returns once connected."""
        settings = self._settings
        options = connect_options(settings.user, settings.password, settings.name, self.inbox_prefix)
        while True:
            try:
                await self._client.connect(
                    [url.strip() for url in settings.url.split(",")],
                    error_cb=self._on_error,
                    disconnected_cb=self._on_disconnect,
                    reconnected_cb=self._on_reconnect,
                    closed_cb=self._on_closed,
                    **options,
                )
                break
            except (NatsError, OSError, TimeoutError) as error:
                log.warning("cannot connect to NATS yet", url=settings.url, user=settings.user, reason=str(error))
                await self._client.close()
                self._client = DirectClient()
                await asyncio.sleep(CONNECT_RETRY_SECONDS)
        self._inbox = f"{self.inbox_prefix}.{derived_id(settings.name, str(id(self)), str(self._client.client_id), size=8)}"
        await self._client.subscribe_direct(f"{self._inbox}.*", self._on_reply)
        if settings.identity is not None:
            await Discovery(self._client, settings.identity, lambda: self._endpoints).start()
        await self.flush()

    async def stop(self) -> None:
        """Stop serving, let what runs finish, close."""
        await self.stop_serving()
        self._fail_waiting("this process is stopping")
        await self._client.close()

    async def flush(self) -> None:
        """A round trip: after it the server has processed everything sent before, subscriptions included.

        Raises:
            CausewayError: 100 unavailable.
        """
        try:
            await self._client.flush(timeout=5)
        except (NatsError, OSError, TimeoutError) as error:
            raise unavailable("the bus is away") from error

    async def request(
        self, verb: Verb[Req, Rep], request: Req, deadline: Deadline, *, message_id: str = "", first: str = "", **fields: str
    ) -> Rep:
        """Ask and wait for the answer.

        Args:
            verb: the question.
            request: its body.
            deadline: after it the outcome is unknown; what is left of it travels along.
            message_id: makes a repeat harmless; a repeatable verb is sent again with it when no answer came within 1 s or the
                connection was lost meanwhile, until the deadline: only so is an unknown outcome found out.
            first: a subject that is asked before the verb's own: the one who knows best, if there is one (`bus.owners`).
            fields: the fields of the verb's subject.

        Raises:
            CausewayError: the peer's own error; 100 unavailable at once where nothing was sent (no responders, bus away), else at
                the deadline; 107 when the request is too large or the reply is none of this verb.
        """
        subject, body = verb.at(**fields), encode(request)
        name, attributes = sending(verb)
        with span(name, kind=Kind.PRODUCER, attributes=attributes) as current:
            if message_id:
                current.set_attribute(names.MESSAGING_MESSAGE_ID, message_id)
            try:
                reply = await self._ask_until(subject, body, deadline, message_id, repeat=verb.repeatable, first=first)
                answer: Rep = answer_of(reply.headers, reply.body, verb)
            except CausewayError as error:
                requests.add(1, error.name.value)
                raise
        requests.add(1, "ok")
        return answer

    def begin(
        self,
        verb: Verb[Req, Rep],
        request: Req,
        deadline: Deadline,
        done: Callable[[Rep | CausewayError], None],
        *,
        parent: str | OpenSpan = "",
        **fields: str,
    ) -> None:
        """As `request`, without a coroutine and without asking again: `done` is called once, with the reply or the error.

        Args:
            verb: the question; no repeatable one.
            request: its body.
            deadline: after it the outcome is unknown.
            done: called from the read loop: must be quick and not raise. Never before this returns.
            parent: the span that this belongs to; "" takes the current one.
            fields: the fields of the verb's subject.

        Raises:
            CausewayError: 100 unavailable, 107 or 111: nothing was sent, `done` is not called.
        """
        subject, body = verb.at(**fields), encode(request)
        if isinstance(parent, Unsampled):
            trace: OpenSpan = parent
        else:
            name, attributes = sending(verb)
            trace = span(name, kind=Kind.PRODUCER, parent=parent, attributes=attributes)
        block = written(deadline.remaining_ms(), trace.traceparent, "")
        try:
            self._send_question(subject, body, block, Begun(deadline.at, verb, done, trace))
        except CausewayError as error:
            requests.add(1, error.name.value)
            trace.finish(error)
            raise

    def _send_question(self, subject: str, body: bytes, block: bytes, question: Question) -> str:
        token = str(next(self._tokens))
        self._client.send(subject, body, reply=f"{self._inbox}.{token}", block=block)
        self._waiting.hold(token, question)
        return token

    async def _ask_until(
        self, subject: str, body: bytes, deadline: Deadline, message_id: str, *, repeat: bool, first: str
    ) -> RawReply:
        """Ask, and where it may be repeated ask the same again as long as a first send leaves the outcome unknown."""
        traceparent = current_traceparent()
        unknown = False
        while (left := deadline.remaining()) > 0:
            block = written(int(left * 1000), traceparent, message_id)
            try:
                patience = Deadline.after(min(left, REPEAT_AFTER_SECONDS) if repeat else left)
                reply = await self._ask(first or subject, body, patience, block)
                require_responder(reply.headers)
            except TimeoutError:
                unknown = True
            except CausewayError as error:
                unknown = unknown or isinstance(error, LostError)
                if not (first and isinstance(error, NoRespondersError)):
                    if not (unknown and repeat):
                        raise
                    await asyncio.sleep(min(REPEAT_PAUSE_SECONDS, max(deadline.remaining(), 0)))
            else:
                return reply
            first = ""
        raise unavailable(UNKNOWN)

    async def ask(self, subject: str, body: bytes, deadline: Deadline, headers: Mapping[str, str] | None = None) -> RawReply:
        """One raw question (JetStream's API uses it), the answer as it came, its status included.

        Raises:
            TimeoutError: the deadline passed.
            LostError: 100 unavailable, the connection was lost while this was under way.
            CausewayError: 100 unavailable, the connection is away: nothing was sent.
        """
        return await self._ask(subject, body, deadline, header_block(headers) if headers else b"")

    async def _ask(self, subject: str, body: bytes, deadline: Deadline, block: bytes) -> RawReply:
        question = Awaited(deadline.at)
        token = self._send_question(subject, body, block, question)
        try:
            return await question.future
        finally:
            self._waiting.take(token)

    async def publish(self, subject: str, message: Message, *, headers: Mapping[str, str] | None = None) -> None:
        """Send without an answer: at most once.

        Raises:
            CausewayError: 100 unavailable, 111 overloaded, or 107 (too large).
        """
        self._client.send(subject, encode(message), headers=headers)

    def send_raw(self, subject: str, body: bytes, *, reply: str = "", headers: Mapping[str, str] | None = None) -> None:
        """As `publish`, for bodies that are no message of ours (JetStream's acknowledgements and API)."""
        self._client.send(subject, body, reply=reply, headers=headers)

    async def serve(
        self,
        verb: Verb[Req, Rep],
        handler: Callable[[Req, Call], Awaitable[Rep]],
        *,
        queue: str,
        limit: int,
        elsewhere: Callable[[Mapping[str, str]], Endpoint | None] | None = None,
        **fields: str,
    ) -> None:
        """Answer a question until `stop_serving`.

        Args:
            verb: the question; fields of its subject that are not given are wildcards.
            handler: what it returns is the reply; a CausewayError becomes an error reply, anything else 100 internal, logged.
            queue: the queue group.
            limit: how many run at once; beyond it the answer is 111 overloaded.
            elsewhere: the endpoint that takes in this one's place what has such fields of the subject. Two subscriptions of one queue group
                that overlap would not do: the server gives a message to either.
            fields: fixed fields of the subject.
        """
        endpoint = Endpoint(self._client, verb, handler, limit, self._workers, elsewhere=elsewhere)
        self._endpoints.append(endpoint)
        self._served.append(await endpoint.subscribe(verb.wildcard(**fields), queue))

    def endpoint(self, verb: Verb[Req, Rep], handler: Callable[[Req, Call], Awaitable[Rep]], *, limit: int) -> Endpoint:
        """An endpoint that its maker subscribes and ends; `stop_serving` waits for what runs in it."""
        self._endpoints.append(Endpoint(self._client, verb, handler, limit, self._workers))
        return self._endpoints[-1]

    async def end(self, subscriptions: Collection[DirectSubscription]) -> None:
        """Take no more on these; what the server has sent meanwhile is still answered."""
        try:
            await self._client.end_direct(subscriptions)
        except (NatsError, OSError, TimeoutError) as error:
            log.warning("the bus went away while subscriptions were ended", reason=str(error) or type(error).__name__)

    async def stop_serving(self) -> None:
        """Take no more requests, wait up to `DRAIN_SECONDS` for those that run, cancel the rest."""
        served, self._served, self._endpoints = self._served, [], []
        await self.end(served)
        workers, self._workers = self._workers, Workers()
        if late := await workers.stop(DRAIN_SECONDS):
            log.warning("requests were cancelled at shutdown", count=late)

    async def listen(self, subject: str, callback: Callable[[str, bytes], None]) -> Listener:
        """Subscribe straight from the read loop: `callback(subject, body)` must be quick and not raise."""

        def received(subject: str, _reply: str, body: bytes, _headers: bytes) -> None:
            callback(subject, body)

        return Listener(self._client, await self._client.subscribe_direct(subject, received))

    async def listen_raw(self, subject: str, callback: Callable[[str, str, bytes, bytes], None]) -> Listener:
        """As `listen`, with reply subject and raw header block (JetStream's deliveries)."""
        return Listener(self._client, await self._client.subscribe_direct(subject, callback))

    def _on_reply(self, subject: str, _reply: str, body: bytes, headers: bytes) -> None:
        question = self._waiting.take(subject.rpartition(".")[2])
        if question is not None:
            question.answered(headers, body)

    def _fail_waiting(self, why: str) -> None:
        for question in self._waiting.take_all():
            question.lost(LostError(ErrorName.UNAVAILABLE, f"unavailable: {why}, the outcome is unknown"))

    async def _on_error(self, error: Exception) -> None:
        if "permissions violation" in str(error).lower():
            log.error("NATS refused a subject to this user", user=self._settings.user, reason=str(error))
        else:
            log.debug("NATS client", reason=str(error) or type(error).__name__)

    async def _on_disconnect(self) -> None:
        if not self._client.is_closed:
            disconnects.add()
            log.warning("the connection to NATS is lost, reconnecting", name=self._settings.name)
        self._fail_waiting("the bus connection was lost")

    async def _on_reconnect(self) -> None:
        log.info("connected to NATS again", name=self._settings.name)
        for callback in self._reconnected:
            callback()

    async def _on_closed(self) -> None:
        log.debug("the connection to NATS is closed", name=self._settings.name)
