"""The bus: one NATS connection with requests, publishes, served endpoints and direct listeners."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from nats.errors import Error as NatsError

from causeway_common.bus.client import DirectClient, DirectSubscription, connect_options, parse_headers
from causeway_common.bus.deadline import Deadline
from causeway_common.bus.dispatch import DEADLINE_HEADER, ERROR_HEADER, ID_HEADER, Call, Endpoint
from causeway_common.contracts.codec import decode, encode, from_fault
from causeway_common.contracts.errors import CausewayError, ErrorName, unavailable
from causeway_common.contracts.ids import derived_id
from causeway_common.contracts.messages import Fault, Message
from causeway_common.contracts.rights import inbox_prefix
from causeway_common.contracts.verbs import Rep, Req, Verb
from causeway_common.telemetry import Counters, Kind, current_traceparent, get_logger, names, span

log = get_logger("bus")
counters = Counters("bus")
requests = counters.counter("requests", "requests sent, by outcome")
disconnects = counters.counter("disconnects", "times that the NATS connection was lost")

REPEAT_AFTER_SECONDS: Final = 1.0
REPEAT_PAUSE_SECONDS: Final = 0.05
DRAIN_SECONDS: Final = 4.0
CONNECT_RETRY_SECONDS: Final = 0.25
NO_RESPONDERS: Final = "503"


@dataclass(frozen=True, slots=True)
class BusSettings:
    """Where the bus is and who we are on it."""

    url: str
    user: str
    password: str = field(repr=False)
    name: str


@dataclass(frozen=True, slots=True)
class RawReply:
    """An answer as it came: headers (a status stands under "") and body."""

    headers: Mapping[str, str]
    body: bytes


class LostError(CausewayError):
    """100 unavailable: the connection was lost after the question was sent, so that nobody knows whether it was taken."""


class NoRespondersError(CausewayError):
    """100 unavailable: nobody serves this subject right now, nothing was asked."""


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
        self._waiting: dict[str, asyncio.Future[RawReply]] = {}
        self._tokens = itertools.count()
        self._inbox = ""
        self._endpoints: list[Endpoint] = []
        self._served: list[DirectSubscription] = []
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
        attributes = {
            names.MESSAGING_SYSTEM: names.MESSAGING_SYSTEM_NATS,
            names.MESSAGING_OPERATION_NAME: "request",
            names.MESSAGING_OPERATION_TYPE: "send",
            names.MESSAGING_DESTINATION_TEMPLATE: verb.subject.template,
            names.MESSAGING_MESSAGE_ID: message_id,
        }
        with span(f"request {verb.subject.template}", kind=Kind.PRODUCER, attributes=attributes):
            try:
                reply = await self._ask_until(subject, body, deadline, message_id, repeat=verb.repeatable, first=first)
                if ERROR_HEADER in reply.headers:
                    raise from_fault(decode(reply.body, Fault))
                answer = decode(reply.body, verb.reply)
            except CausewayError as error:
                requests.add(1, error.name.value)
                raise
        requests.add(1, "ok")
        return answer

    async def _ask_until(
        self, subject: str, body: bytes, deadline: Deadline, message_id: str, *, repeat: bool, first: str
    ) -> RawReply:
        """Ask, and where it may be repeated ask the same again as long as a first send leaves the outcome unknown."""
        headers = {ID_HEADER: message_id} if message_id else {}
        if traceparent := current_traceparent():
            headers[names.TRACEPARENT] = traceparent
        unknown = False
        while (left := deadline.remaining()) > 0:
            headers[DEADLINE_HEADER] = str(int(left * 1000))
            try:
                patience = Deadline.after(min(left, REPEAT_AFTER_SECONDS) if repeat else left)
                reply = await self.ask(first or subject, body, patience, headers)
                if reply.headers.get("", "").startswith(NO_RESPONDERS):
                    raise NoRespondersError(ErrorName.UNAVAILABLE, "unavailable: nobody answers this right now, try again")
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
        raise unavailable("no answer before the deadline, the outcome is unknown")

    async def ask(self, subject: str, body: bytes, deadline: Deadline, headers: Mapping[str, str] | None = None) -> RawReply:
        """One raw question (JetStream's API uses it), the answer as it came, its status included.

        Raises:
            TimeoutError: the deadline passed.
            LostError: 100 unavailable, the connection was lost while this was under way.
            CausewayError: 100 unavailable, the connection is away: nothing was sent.
        """
        token = str(next(self._tokens))
        future: asyncio.Future[RawReply] = asyncio.get_running_loop().create_future()
        self._client.send(subject, body, reply=f"{self._inbox}.{token}", headers=headers)
        self._waiting[token] = future
        try:
            async with asyncio.timeout(max(deadline.remaining(), 0)):
                return await future
        finally:
            self._waiting.pop(token, None)

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
        **fields: str,
    ) -> None:
        """Answer a question until `stop_serving`.

        Args:
            verb: the question; fields of its subject that are not given are wildcards.
            handler: what it returns is the reply; a CausewayError becomes an error reply, anything else 100 internal, logged.
            queue: the queue group.
            limit: how many run at once; beyond it the answer is 111 overloaded.
            fields: fixed fields of the subject.
        """
        endpoint = self.endpoint(verb, handler, limit=limit)
        self._served.append(await endpoint.subscribe(verb.wildcard(**fields), queue))

    def endpoint(self, verb: Verb[Req, Rep], handler: Callable[[Req, Call], Awaitable[Rep]], *, limit: int) -> Endpoint:
        """An endpoint that its maker subscribes and ends; `stop_serving` waits for what runs in it."""
        endpoint = Endpoint(self._client, verb, handler, limit)
        self._endpoints.append(endpoint)
        return endpoint

    async def end(self, subscriptions: Collection[DirectSubscription]) -> None:
        """Take no more on these; what the server has sent meanwhile is still answered."""
        try:
            await self._client.end_direct(subscriptions)
        except (NatsError, OSError, TimeoutError) as error:
            log.warning("the bus went away while subscriptions were ended", reason=str(error) or type(error).__name__)

    async def stop_serving(self) -> None:
        """Take no more requests, wait up to `DRAIN_SECONDS` for those that run, cancel the rest."""
        endpoints, self._endpoints = self._endpoints, []
        served, self._served = self._served, []
        await self.end(served)
        running = {task for endpoint in endpoints for task in endpoint.running}
        if running:
            _, late = await asyncio.wait(running, timeout=DRAIN_SECONDS)
            for task in late:
                task.cancel()
            if late:
                log.warning("requests were cancelled at shutdown", count=len(late))
                await asyncio.wait(late)

    async def listen(self, subject: str, callback: Callable[[str, bytes], None]) -> Listener:
        """Subscribe straight from the read loop: `callback(subject, body)` must be quick and not raise."""

        def received(subject: str, _reply: str, body: bytes, _headers: bytes) -> None:
            callback(subject, body)

        return Listener(self._client, await self._client.subscribe_direct(subject, received))

    async def listen_raw(self, subject: str, callback: Callable[[str, str, bytes, bytes], None]) -> Listener:
        """As `listen`, with reply subject and raw header block (JetStream's deliveries)."""
        return Listener(self._client, await self._client.subscribe_direct(subject, callback))

    def _on_reply(self, subject: str, _reply: str, body: bytes, headers: bytes) -> None:
        future = self._waiting.get(subject.rsplit(".", 1)[-1])
        if future is not None and not future.done():
            future.set_result(RawReply(parse_headers(headers) if headers else {}, body))

    def _fail_waiting(self, why: str) -> None:
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(LostError(ErrorName.UNAVAILABLE, f"unavailable: {why}, the outcome is unknown"))

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
