"""The Centrifuge protocol (JSON) as the load generator speaks it, and the floors' plain messages beside it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any, Final

import jwt

from bench.frames import client_frame
from bench.load import Peer

SECRET: Final = "a-secret-of-the-benchmark-alone-0123456789"
DATA_BYTES: Final = 100


def token(user: str) -> str:
    """A connection token that does not expire while a figure is taken."""
    return jwt.encode({"sub": user, "exp": int(time.time()) + 3600}, SECRET, "HS256")


def message(number: int) -> bytes:
    """Message `number`: a JSON string of `DATA_BYTES` bytes."""
    return b'"%s"' % f"{number:010}".ljust(DATA_BYTES - 2, "x").encode()


def commands(*each: dict[str, Any]) -> bytes:
    """One frame with these commands."""
    return client_frame(b"\n".join(json.dumps(command, separators=(",", ":")).encode() for command in each))


def connect(user: str, *channels: str, **subscribing: Any) -> bytes:
    """The first frame as centrifuge-js sends it: connect and the subscribes behind it."""
    subscribes = [
        {"id": number, "subscribe": {"channel": channel, **subscribing}} for number, channel in enumerate(channels, start=2)
    ]
    return commands({"id": 1, "connect": {"token": token(user)}}, *subscribes)


def publication_in(channel: str) -> Callable[[bytes], bytes]:
    """Reads a push of this channel: the publication's data as JSON."""

    def read(line: bytes) -> bytes:
        push = json.loads(line).get("push", {})
        return json.dumps(push["pub"]["data"]).encode() if push.get("channel") == channel and "pub" in push else b""

    return read


class Publisher(Peer):
    """A client that publishes; each of its commands must succeed."""

    __slots__ = ("_answered", "_sent", "_settled")

    def __init__(self) -> None:
        super().__init__()
        self._sent = self._answered = 1  # the connect command
        self._settled = asyncio.Event()

    def into(self, channel: str) -> Callable[[bytes], None]:
        """Publishes into this channel."""
        name = json.dumps(channel).encode()

        def publish(data: bytes) -> None:
            self._sent += 1
            self.transport.write(client_frame(b'{"id":%d,"publish":{"channel":%s,"data":%s}}' % (self._sent, name, data)))

        return publish

    def frame(self, whole: bytes, payload: bytes) -> None:
        for line in payload.split(b"\n"):
            reply = json.loads(line)
            if reply.get("publish") != {}:
                self.fault(f"a publish was answered {line!r}")
            self._answered += 1
        if self._answered == self._sent:
            self._settled.set()

    async def settled(self) -> None:
        """Wait until every publish is answered."""
        self._settled.clear()
        if self._answered < self._sent:
            async with asyncio.timeout(10):
                await self._settled.wait()


class Caller(Peer):
    """Calls, one after the other, until told to stop.

    Args:
        number: makes its messages different from others'.
        ask: the frame's payload that asks for the echo of `data` under a command's number.
        answer: the payload that must come back.
    """

    __slots__ = ("_answer", "_ask", "_awaited", "_number", "calls", "done", "stop")

    def __init__(self, number: int, ask: Callable[[int, bytes], bytes], answer: Callable[[int, bytes], bytes]) -> None:
        super().__init__()
        self._number, self._ask, self._answer = number, ask, answer
        self.calls, self.stop, self._awaited = 1, 0.0, b""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def start(self, stop: float) -> None:
        """Begin; no call after `stop`."""
        self.stop, self.done = stop, asyncio.get_running_loop().create_future()
        self._call()

    def _call(self) -> None:
        self.calls += 1
        data = message(self._number * 10_000_000 + self.calls)
        self._awaited = self._answer(self.calls, data)
        self.transport.write(client_frame(self._ask(self.calls, data)))

    def frame(self, whole: bytes, payload: bytes) -> None:
        if payload != self._awaited:
            self.fault(f"asked for {self._awaited!r}, got {payload[:300]!r}")
            self.done.set_result(None)
        elif time.perf_counter() < self.stop:
            self._call()
        else:
            self.done.set_result(None)


def rpc_command(number: int, data: bytes) -> bytes:
    """The echo app's method as a command."""
    return b'{"id":%d,"rpc":{"method":"echo.echo","data":%s}}' % (number, data)


def rpc_reply(number: int, data: bytes) -> bytes:
    """What must come back."""
    return b'{"id":%d,"rpc":{"data":%s}}' % (number, data)
