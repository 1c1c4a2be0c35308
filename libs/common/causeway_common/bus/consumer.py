"""A durable JetStream pull consumer, spoken straight over its request API (as `bus.jetstream`)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Generic, Literal, TypeVar

from causeway_common.bus.client import parse_headers
from causeway_common.bus.connection import Bus, Listener
from causeway_common.bus.deadline import Deadline
from causeway_common.bus.jetstream import API, NANOSECONDS, RETRY_SECONDS, api, template_of
from causeway_common.contracts.codec import decode
from causeway_common.contracts.errors import CausewayError, unavailable
from causeway_common.contracts.ids import derived_id
from causeway_common.contracts.messages import Message
from causeway_common.telemetry import Counters, Kind, get_logger, names, span

M = TypeVar("M", bound=Message)
log = get_logger("jetstream")
counters = Counters("consumer")
deliveries = counters.counter("deliveries", "deliveries taken from a stream, by outcome")

PULL_SECONDS: Final = 5.0
PULL_SHARE: Final = 4
ACK, TERM, IN_PROGRESS, NAK = b"+ACK", b"+TERM", b"+WPI", b"-NAK %b"
_PROCESSING: Final = {
    names.MESSAGING_SYSTEM: names.MESSAGING_SYSTEM_NATS,
    names.MESSAGING_OPERATION_NAME: "process",
    names.MESSAGING_OPERATION_TYPE: "process",
}
HELD_SHARE: Final = 3
"""So many times within its `ack_wait_s` JetStream is told that a delivery is still under way."""


@dataclass(frozen=True, slots=True)
class DeliveryInfo:
    """One delivery: its subject, and how often JetStream has delivered it (1 the first time)."""

    subject: str
    delivered: int
    traceparent: str


class Postponed(Exception):  # noqa: N818 - no error: a handler gives a delivery back
    """A handler gives a delivery back: it comes again after so many seconds, here or elsewhere."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class DurableConsumer(Generic[M]):
    """A durable pull consumer: explicit acknowledgement, bounded concurrency, made anew when the stream was lost.

    The handler's return acknowledges; what it raises is logged and the delivery comes again after `ack_wait_s`, but for `Postponed`,
    which says when. A body that is no `message` is logged, counted and ended (`+TERM`): its record, if there is one, is delivered again
    by storage's sweep.

    Args:
        bus: the connection.
        stream: where the deliveries are.
        durable: the consumer's name; all processes of this name share it.
        subject: which of them.
        message: what they hold.
        handler: what becomes of one.
        concurrency: so many at once in this process.
        ack_wait_s: a delivery that nobody has acknowledged for so long comes again.
        in_progress: tell JetStream of those under way, so that this counts from their last word, and not from their beginning.
        max_pending: so many are under way in all processes together, those given back included; -1: no bound. None: twice `concurrency`.
        poison: keeps a body that is no `message`, before its delivery is ended; where it fails the delivery comes again.
        deliver: where a consumer that is not there yet begins: `all` that the stream holds, or what is `new`.
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
        in_progress: bool = False,
        max_pending: int | None = None,
        deliver: Literal["all", "new"] = "all",
        poison: Callable[[bytes, DeliveryInfo], Awaitable[None]] | None = None,
    ) -> None:
        self._poison = poison
        self._in_progress, self._deliver = in_progress, deliver
        self._max_pending = concurrency * 2 if max_pending is None else max_pending
        self._under_way: set[str] = set()
        self._bus, self._stream, self._durable, self._subject = bus, stream, durable, subject
        self._message, self._handler, self._concurrency, self._ack_wait = message, handler, concurrency, ack_wait_s
        self._inbox = f"{bus.inbox_prefix}.pull.{derived_id(stream, durable, str(id(self)), size=8)}"
        self._running: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._asked = 0
        self._listener: Listener | None = None
        self._loop_task: asyncio.Task[None] | None = None
        self._word_task: asyncio.Task[None] | None = None
        self.ready = False

    async def start(self) -> None:
        """Begin to pull, as soon as the stream is there."""
        self._listener = await self._bus.listen_raw(self._inbox, self._received)
        self._bus.on_reconnect(self._reconnected)
        self._loop_task = asyncio.get_running_loop().create_task(self._pull())
        if self._in_progress:
            self._word_task = asyncio.get_running_loop().create_task(self._keep_word())

    async def stop(self) -> None:
        """Pull no more and wait for what runs; what was delivered and not begun comes again elsewhere."""
        if self._loop_task is not None:
            self._loop_task.cancel()
            await asyncio.gather(self._loop_task, return_exceptions=True)
        if self._listener is not None:
            await self._listener.close()
        if self._running:
            await asyncio.wait(self._running)
        if self._word_task is not None:
            self._word_task.cancel()
            await asyncio.gather(self._word_task, return_exceptions=True)

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
                # Several at once: a pull for each that ended would be a message more for each.
                if free > 0 and (not self._asked or free * PULL_SHARE >= self._concurrency):
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

    async def _keep_word(self) -> None:
        while True:
            await asyncio.sleep(self._ack_wait / HELD_SHARE)
            for reply in self._under_way:
                self._settle(reply, IN_PROGRESS)

    async def _ensure(self) -> None:
        config = {
            "durable_name": self._durable,
            "ack_policy": "explicit",
            "ack_wait": int(self._ack_wait * NANOSECONDS),
            "max_deliver": -1,
            "max_ack_pending": self._max_pending,
            "filter_subject": self._subject,
            "deliver_policy": self._deliver,
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
        self._under_way.add(reply)

        def ended(task: asyncio.Task[None]) -> None:
            self._running.discard(task)
            self._under_way.discard(reply)
            self._wake.set()

        task.add_done_callback(ended)

    async def _run(self, body: bytes, info: DeliveryInfo, reply: str) -> None:
        try:
            message = decode(body, self._message)
        except CausewayError as error:
            deliveries.add(1, "undecodable")
            log.exception("a delivery cannot be decoded and is ended", subject=info.subject, reason=error.message)
            await self._end_poison(body, info, reply)
            return
        later: Postponed | None = None
        try:
            with span(f"process {template_of(info.subject)}", kind=Kind.CONSUMER, parent=info.traceparent, attributes=_PROCESSING):
                later = await self._handled(message, info)
        except CausewayError as error:
            deliveries.add(1, error.name.value)
            log.warning("a delivery was not handled and comes again", subject=info.subject, reason=error.message)
            return
        except Exception:
            deliveries.add(1, "failed")
            log.exception("a delivery was not handled and comes again", subject=info.subject)
            return
        if later is not None:
            deliveries.add(1, "postponed")
            self._settle(reply, NAK % json.dumps({"delay": int(later.seconds * NANOSECONDS)}).encode())
            return
        deliveries.add(1, "ok")
        self._settle(reply, ACK)

    async def _end_poison(self, body: bytes, info: DeliveryInfo, reply: str) -> None:
        try:
            if self._poison is not None:
                await self._poison(body, info)
        except CausewayError as error:
            log.warning("what cannot be decoded could not be kept and comes again", subject=info.subject, reason=error.message)
            return
        self._settle(reply, TERM)

    async def _handled(self, message: M, info: DeliveryInfo) -> Postponed | None:
        try:
            await self._handler(message, info)
        except Postponed as later:
            return later
        return None

    def _settle(self, reply: str, what: bytes) -> None:
        try:
            self._bus.send_raw(reply, what)
        except CausewayError as error:
            log.info("an acknowledgement could not be sent, the delivery comes again", reason=error.message)
