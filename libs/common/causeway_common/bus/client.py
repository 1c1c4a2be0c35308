"""nats-py with a fast lane: what a direct subscription receives goes from the read loop straight into a plain function.

Everything that Causeway needs of the client library's inside stands in this module and in `parsing` (checked against nats-py 2.16). A
nats-py subscription has a queue and a task of its own (DESIGN section 6: 5 KB, 17 µs a message); a gateway has one for each channel.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, cast

from nats.aio.client import Client
from nats.aio.subscription import Subscription

from causeway_common.bus.parsing import DirectParser
from causeway_common.contracts.errors import overloaded, unavailable
from causeway_common.telemetry import get_logger

log = get_logger("bus")

MessageCallback = Callable[[str, str, bytes, bytes], None]
"""Called with subject, reply subject ("" for none), body, raw header block (b"" for none). Must be quick and not raise."""

SEND_BUFFER_MAX_BYTES: Final = 16 * 1024 * 1024
RECONNECT_WAIT_SECONDS: Final = 0.1
_HEADER_LINE: Final = b"NATS/1.0\r\n"


class DirectSubscription:
    """A subscription without queue or task. The underscored names are those that nats-py's client reads of a subscription."""

    __slots__ = ("_id", "_queue", "_subject", "callback")

    _max_msgs = 0
    _received = 0
    _jsi = None
    _future = None
    _wait_for_msgs_task = None
    _message_iterator = None
    _pending_next_msgs_calls = None

    def __init__(self, sid: int, subject: str, queue: str, callback: MessageCallback) -> None:
        self._id, self._subject, self._queue, self.callback = sid, subject, queue, callback

    @property
    def sid(self) -> int:
        """The subscription's number on its connection."""
        return self._id


class DirectClient(Client):
    """A NATS connection whose direct subscriptions bypass nats-py's queues, and whose sends never wait."""

    def __init__(self) -> None:
        super().__init__()
        self._ps = DirectParser(self, self._deliver)

    async def subscribe_direct(self, subject: str, callback: MessageCallback, queue: str = "") -> DirectSubscription:
        """Subscribe; kept over reconnects. `flush` afterwards makes sure that the server has it."""
        self._sid += 1
        subscription = DirectSubscription(self._sid, subject, queue, callback)
        self._subs[self._sid] = cast("Subscription", subscription)
        # Also while disconnected: a subscription made between nats-py's replay and its CONNECTED state would be lost otherwise, and the
        # server takes a second SUB of the same number as none.
        await self._send_subscribe(cast("Subscription", subscription))
        return subscription

    async def unsubscribe_direct(self, subscription: DirectSubscription) -> None:
        """End a direct subscription."""
        if self._subs.pop(subscription.sid, None) is not None and not self.is_closed:
            await self._send_unsubscribe(subscription.sid)

    async def end_direct(self, subscriptions: Collection[DirectSubscription]) -> None:
        """End these once the server has sent their last message: nothing that it has handed to this connection is dropped."""
        known = [each for each in subscriptions if each.sid in self._subs]
        try:
            if known and self.is_connected:
                for each in known:
                    await self._send_unsubscribe(each.sid)
                await self.flush(timeout=2)
        finally:
            for each in known:
                await self.unsubscribe_direct(each)

    def send(
        self, subject: str, body: bytes, *, reply: str = "", headers: Mapping[str, str] | None = None, block: bytes = b""
    ) -> None:
        """Hand one message to the connection without waiting.

        Args:
            subject: where to.
            body: what.
            reply: where answers go.
            headers: by name.
            block: in their place, the whole header block as it goes over the wire.

        Raises:
            CausewayError: 100 unavailable while disconnected; 111 overloaded while `SEND_BUFFER_MAX_BYTES` wait to be sent.
        """
        if not self.is_connected:
            raise unavailable("the bus is away")
        if self._pending_data_size > SEND_BUFFER_MAX_BYTES:
            raise overloaded("the bus connection's send buffer is full")
        if headers:
            block = header_block(headers)
        if block:
            wire = b"HPUB %b %b %d %d\r\n%b%b\r\n" % (
                subject.encode(), reply.encode(), len(block), len(block) + len(body), block, body,
            )  # fmt: skip
        else:
            wire = b"PUB %b %b %d\r\n%b\r\n" % (subject.encode(), reply.encode(), len(body), body)
        self._pending.append(wire)
        self._pending_data_size += len(wire)
        if self._flush_queue is not None and self._flush_queue.empty():
            self._flush_queue.put_nowait(asyncio.get_running_loop().create_future())

    def _deliver(self, number: int, subject: bytes, reply: bytes, body: bytes, block: bytes) -> None:
        subscription: object = self._subs.get(number)
        if isinstance(subscription, DirectSubscription):  # None: it was ended meanwhile
            try:
                subscription.callback(subject.decode(), reply.decode(), body, block)
            except Exception:
                # nats-py's read loop ends for good on an unknown exception, so a fault of ours must not reach it.
                log.exception("a bus callback failed", subject=subject.decode(errors="replace"))

    async def _send_ping(self, future: asyncio.Future[Any] | None = None) -> None:
        # nats-py writes a PING past the commands that wait for its flusher; its PONG would then say nothing about a SUB before it.
        if self._pending and self.is_connected and self._transport is not None:
            waiting, self._pending, self._pending_data_size = self._pending, [], 0
            self._transport.writelines(waiting)
        await super()._send_ping(future)

    async def _attempt_reconnect(self) -> None:
        # nats-py gives up for good on an exception that it does not expect here; a process of ours never does.
        while True:
            try:
                await super()._attempt_reconnect()
            except Exception:
                log.exception("reconnecting to NATS failed, trying again")
                if self.is_closed:
                    return
                self._status = Client.RECONNECTING
                await asyncio.sleep(RECONNECT_WAIT_SECONDS)
            else:
                return


def header_block(headers: Mapping[str, str]) -> bytes:
    """Headers as they go over the wire."""
    return _HEADER_LINE + b"".join([f"{k}: {_header_value(v)}\r\n".encode() for k, v in headers.items()]) + b"\r\n"


def _header_value(value: str) -> str:
    return value.replace("\r", " ").replace("\n", " ")


def parse_headers(block: bytes) -> dict[str, str]:
    """The headers of a raw block, `NATS/1.0[ status]` and lines `Key: value`; a status stands under the key ""."""
    lines = block.decode("utf-8", "replace").split("\r\n")
    headers: dict[str, str] = {}
    if status := lines[0].removeprefix("NATS/1.0").strip():
        headers[""] = status
    for line in lines[1:]:
        key, colon, value = line.partition(":")
        if colon:
            headers[key] = value.strip()
    return headers


def connect_options(user: str, password: str, name: str, inbox_prefix: str) -> dict[str, Any]:
    """nats-py's options as Causeway sets them: its own defaults give up after 60 tries and buffer publishes while away."""
    return {
        "user": user or None,
        "password": password or None,
        "name": name,
        "inbox_prefix": inbox_prefix,
        "connect_timeout": 2,
        "reconnect_time_wait": RECONNECT_WAIT_SECONDS,
        "max_reconnect_attempts": -1,
        "ping_interval": 10,
        "max_outstanding_pings": 2,
        "skip_subject_validation": True,
    }
