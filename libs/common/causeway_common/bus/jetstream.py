"""JetStream as Causeway uses it: streams declared here, publishes answered after their ack, one durable pull consumer.

Spoken straight over its request API (https://docs.nats.io/reference/reference-protocols/nats_api_reference), since the records own
the work and a stream only delivers: no client-side state has to survive anything.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from causeway_common.bus.client import parse_headers
from causeway_common.bus.connection import Bus, Listener
from causeway_common.bus.deadline import Deadline
from causeway_common.contracts import subjects
from causeway_common.contracts.codec import decode, encode
from causeway_common.contracts.errors import CausewayError, unavailable
from causeway_common.contracts.ids import derived_id
from causeway_common.contracts.messages import Message
from causeway_common.telemetry import Counters, Kind, current_traceparent, get_logger, names, span

M = TypeVar("M", bound=Message)
log = get_logger("jetstream")
counters = Counters("consumer")
deliveries = counters.counter("deliveries", "deliveries taken from a stream, by outcome")

API: Final = "$JS.API"
NANOSECONDS: Final = 1_000_000_000
PULL_SECONDS: Final = 5.0
RETRY_SECONDS: Final = 0.25
WRONG_LAST_SEQUENCE: Final = 10071
ACK, TERM, IN_PROGRESS = b"+ACK", b"+TERM", b"+WPI"


def _bucket(stream: str, subject: subjects.Subject, **options: Any) -> Mapping[str, Any]:
    """A KV bucket as NATS ADR-8 has it: a stream of which each subject keeps its last message."""
    return {
        "name": stream,
        "subjects": [subject.template.split("{", maxsplit=1)[0] + ">"],
        "retention": "limits",
        "storage": "file",
        "discard": "new",
        "max_msgs_per_subject": 1,
        "allow_direct": True,
        "allow_rollup_hdrs": True,
        "deny_delete": True,
        "num_replicas": 1,
        **options,
    }


STREAMS: Final[tuple[Mapping[str, Any], ...]] = (
    {
        "name": subjects.JOBS_STREAM,
        "subjects": [subjects.JOB.wildcard()],
        "retention": "workqueue",
        "storage": "file",
        "discard": "new",
        "max_bytes": 1 << 30,
        "duplicate_window": 120 * NANOSECONDS,
        "num_replicas": 1,
    },
    {
        # An app that does not run takes nothing out: its deliveries go with their age, or push their own subject's oldest out, and never
        # keep another app's from coming in. The records have them delivered again.
        "name": subjects.TASKS_STREAM,
        "subjects": [subjects.TASK.wildcard()],
        "retention": "workqueue",
        "storage": "file",
        "discard": "old",
        "max_msgs_per_subject": 10_000,
        "max_age": 600 * NANOSECONDS,
        "max_bytes": 1 << 30,
        "max_msg_size": 4 << 10,
        "duplicate_window": 120 * NANOSECONDS,
        "num_replicas": 1,
    },
    {
        "name": subjects.EVENTS_STREAM,
        "subjects": [subjects.EVENT.wildcard()],
        "retention": "limits",
        "storage": "file",
        "discard": "old",
        "max_age": 7 * 86_400 * NANOSECONDS,
        "max_bytes": 1 << 30,
        "max_msg_size": 128 << 10,
        "duplicate_window": 120 * NANOSECONDS,
        "allow_direct": True,
        "num_replicas": 1,
    },
    _bucket(subjects.APPS_STREAM, subjects.KV_APPS),
    _bucket(subjects.NODES_STREAM, subjects.KV_NODES, storage="memory", max_age=60 * NANOSECONDS),
    _bucket(subjects.REVOCATIONS_STREAM, subjects.KV_REVOCATIONS, max_msgs=100_000, allow_msg_ttl=True),
    _bucket(
        subjects.KEYS_STREAM, subjects.KV_KEYS, storage="memory", max_age=300 * NANOSECONDS, max_bytes=256 << 20, discard="old"
    ),
    _bucket(subjects.BREAKERS_STREAM, subjects.KV_BREAKERS, max_bytes=64 << 20, max_age=30 * 86_400 * NANOSECONDS, discard="old"),
)


async def api(bus: Bus, verb: str, request: Mapping[str, Any] | None, deadline: Deadline) -> dict[str, Any]:
    """One question to JetStream's API. Its answer as a map, an `error` of it included.

    Raises:
        CausewayError: 100 unavailable, JetStream is away or did not answer in time.
    """
    body = json.dumps(request).encode() if request is not None else b""
    try:
        reply = await bus.ask(f"{API}.{verb}", body, deadline)
    except TimeoutError as error:
        raise unavailable(f"JetStream did not answer {verb.split('.', maxsplit=1)[0]} in time") from error
    if "" in reply.headers:
        raise unavailable("JetStream is not there")
    answer: dict[str, Any] = json.loads(reply.body)
    return answer


async def ensure_streams(bus: Bus, deadline: Deadline) -> None:
    """Create the streams of `STREAMS`, or bring them to their declared form.

    Raises:
        CausewayError: 100 unavailable, also where JetStream refuses a stream (its reason is in the message).
    """
    for stream in STREAMS:
        answer = await api(bus, f"STREAM.CREATE.{stream['name']}", stream, deadline)
        if "error" in answer:
            answer = await api(bus, f"STREAM.UPDATE.{stream['name']}", stream, deadline)
        if "error" in answer:
            raise unavailable(f"JetStream refuses the stream {stream['name']}: {answer['error'].get('description')}")


async def publish_durable(
    bus: Bus, subject: str, message: Message, deadline: Deadline, *, message_id: str, traceparent: str = ""
) -> None:
    """Put a message into its stream; returns after JetStream has it. Repeats of `message_id` within 2 minutes are dropped there.

    Raises:
        CausewayError: 100 unavailable: not there, not in time, or refused.
    """
    attributes = {
        names.MESSAGING_SYSTEM: names.MESSAGING_SYSTEM_NATS,
        names.MESSAGING_OPERATION_NAME: "publish",
        names.MESSAGING_OPERATION_TYPE: "send",
        names.MESSAGING_MESSAGE_ID: message_id,
    }
    with span("publish " + _template(subject), kind=Kind.PRODUCER, parent=traceparent, attributes=attributes):
        headers = {"Nats-Msg-Id": message_id}
        if current := current_traceparent():
            headers[names.TRACEPARENT] = current
        await put(bus, subject, encode(message), deadline, headers)


async def create(bus: Bus, subject: str, body: bytes, deadline: Deadline) -> bool:
    """Put the first value of a key. Returns whether it was the first.

    Raises:
        CausewayError: 100 unavailable: not there, not in time, or refused for another reason.
    """
    try:
        reply = await bus.ask(subject, body, deadline, {"Nats-Expected-Last-Subject-Sequence": "0"})
    except TimeoutError as error:
        raise unavailable("JetStream did not acknowledge in time, the outcome is unknown") from error
    if "" in reply.headers:
        raise unavailable("no stream takes this right now")
    fault = json.loads(reply.body).get("error")
    if fault and fault.get("err_code") != WRONG_LAST_SEQUENCE:
        raise unavailable(f"JetStream refused: {fault.get('description')}")
    return not fault


async def put(bus: Bus, subject: str, body: bytes, deadline: Deadline, headers: Mapping[str, str] | None = None) -> None:
    """As `publish_durable`, for a body already encoded and without a span."""
    try:
        reply = await bus.ask(subject, body, deadline, headers)
    except TimeoutError as error:
        raise unavailable("JetStream did not acknowledge in time, the outcome is unknown") from error
    if "" in reply.headers:
        raise unavailable("no stream takes this right now")
    if error_of := json.loads(reply.body).get("error"):
        raise unavailable(f"JetStream refused: {error_of.get('description')}")


def ttl_headers(seconds: int) -> dict[str, str]:
    """The headers of a message that its stream (`allow_msg_ttl`) keeps no longer than this; 0: for as long as others."""
    return {"Nats-TTL": f"{seconds}s"} if seconds else {}


def _template(subject: str) -> str:
    for template in (subjects.JOB, subjects.TASK, subjects.EVENT):
        try:
            template.fields(subject)
        except ValueError:
            continue
        return template.template
    return subject.rsplit(".", 1)[0]


@dataclass(frozen=True, slots=True)
class DeliveryInfo:
    """One delivery: its subject, and how often JetStream has delivered it (1 the first time)."""

    subject: str
    delivered: int
    traceparent: str


class DurableConsumer(Generic[M]):
    """A durable pull consumer: explicit acknowledgement, bounded concurrency, made anew when the stream was lost.

    The handler's return acknowledges; what it raises is logged and the delivery comes again after `ack_wait_s`. A body that is no
    `message` is logged, counted and ended (`+TERM`): its record, if there is one, is delivered again by storage's sweep.
    """

    def __init__(
        self,
        bus: Bus,
        *,
        stream: str,
        durable: str,
        subject: str,
        message: type[M],
        handler: Callable[[M, DeliveryInfo], Awaitable[None]],
        concurrency: int,
        ack_wait_s: float = 30,
    ) -> None:
        self._bus, self._stream, self._durable, self._subject = bus, stream, durable, subject
        self._message, self._handler, self._concurrency, self._ack_wait = message, handler, concurrency, ack_wait_s
        self._inbox = f"{bus.inbox_prefix}.pull.{derived_id(stream, durable, str(id(self)), size=8)}"
        self._running: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._asked = 0
        self._listener: Listener | None = None
        self._loop_task: asyncio.Task[None] | None = None
        self.ready = False

    async def start(self) -> None:
        """Begin to pull, as soon as the stream is there."""
        self._listener = await self._bus.listen_raw(self._inbox, self._received)
        self._bus.on_reconnect(self._reconnected)
        self._loop_task = asyncio.get_running_loop().create_task(self._pull())

    async def stop(self) -> None:
        """Pull no more and wait for what runs; what was delivered and not begun comes again elsewhere."""
        if self._loop_task is not None:
            self._loop_task.cancel()
            await asyncio.gather(self._loop_task, return_exceptions=True)
        if self._listener is not None:
            await self._listener.close()
        if self._running:
            await asyncio.wait(self._running)

    def _reconnected(self) -> None:
        self.ready = False
        self._asked = 0
        self._wake.set()

    async def _pull(self) -> None:
        while True:
            try:
                if not self.ready:
                    await self._ensure()
                    self.ready = True
                    self._asked = 0
                free = self._concurrency - len(self._running) - self._asked
                if free > 0:
                    request = json.dumps({"batch": free, "expires": int(PULL_SECONDS * NANOSECONDS)}).encode()
                    self._bus.send_raw(f"{API}.CONSUMER.MSG.NEXT.{self._stream}.{self._durable}", request, reply=self._inbox)
                    self._asked += free
            except CausewayError as error:
                log.debug("cannot pull yet", stream=self._stream, reason=error.message)
                self.ready = False
                await asyncio.sleep(RETRY_SECONDS)
                continue
            self._wake.clear()
            try:
                async with asyncio.timeout(PULL_SECONDS + 1):
                    await self._wake.wait()
            except TimeoutError:
                self._asked = 0  # neither messages nor the pull's own end: it was lost with a server, ask anew
                self.ready = False

    async def _ensure(self) -> None:
        config = {
            "durable_name": self._durable,
            "ack_policy": "explicit",
            "ack_wait": int(self._ack_wait * NANOSECONDS),
            "max_deliver": -1,
            "max_ack_pending": self._concurrency * 2,
            "filter_subject": self._subject,
            "deliver_policy": "all",
        }
        request = {"stream_name": self._stream, "config": config, "action": ""}
        verb = f"CONSUMER.CREATE.{self._stream}.{self._durable}.{self._subject}"
        answer = await api(self._bus, verb, request, Deadline.after(2))
        if "error" in answer:
            raise unavailable(f"JetStream refuses the consumer {self._durable}: {answer['error'].get('description')}")

    def _received(self, subject: str, reply: str, body: bytes, block: bytes) -> None:
        headers = parse_headers(block) if block else {}
        status = headers.get("", "")
        if status and not reply:
            # 404 and 408 end a pull that found nothing; 409 and 503 say that consumer or stream are gone or busy.
            self._asked = 0
            if not status.startswith(("404", "408")):
                self.ready = False
            self._wake.set()
            return
        self._asked = max(self._asked - 1, 0)
        tokens = reply.split(".")
        info = DeliveryInfo(subject, int(tokens[-5]) if len(tokens) >= 9 else 1, headers.get(names.TRACEPARENT, ""))
        task = asyncio.get_running_loop().create_task(self._run(body, info, reply))
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._wake.set()

    async def _run(self, body: bytes, info: DeliveryInfo, reply: str) -> None:
        try:
            message = decode(body, self._message)
        except CausewayError as error:
            deliveries.add(1, "undecodable")
            log.exception("a delivery cannot be decoded and is ended", subject=info.subject, reason=error.message)
            self._settle(reply, TERM)
            return
        attributes = {
            names.MESSAGING_SYSTEM: names.MESSAGING_SYSTEM_NATS,
            names.MESSAGING_OPERATION_NAME: "process",
            names.MESSAGING_OPERATION_TYPE: "process",
        }
        try:
            with span(f"process {_template(info.subject)}", kind=Kind.CONSUMER, parent=info.traceparent, attributes=attributes):
                await self._handler(message, info)
        except CausewayError as error:
            deliveries.add(1, error.name.value)
            log.warning("a delivery was not handled and comes again", subject=info.subject, reason=error.message)
            return
        except Exception:
            deliveries.add(1, "failed")
            log.exception("a delivery was not handled and comes again", subject=info.subject)
            return
        deliveries.add(1, "ok")
        self._settle(reply, ACK)

    def _settle(self, reply: str, what: bytes) -> None:
        try:
            self._bus.send_raw(reply, what)
        except CausewayError as error:
            log.info("an acknowledgement could not be sent, the delivery comes again", reason=error.message)
