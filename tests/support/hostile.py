"""Clients that do harm, or are broken: each attack on a gateway runs once, and tells by which codes it was answered.

Whoever runs one repeats it for as long as the harm is to last.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import os
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import Final

from bench.frames import CLOSE, client_frame
from causeway_gateway.domain.frames import causeway_client_pb2 as pb
from support.raw import Target, Wire, client, raw, status, upgrade

STRANGER: Final = "127.0.0.66"
"""Another address of this machine's loopback, so that limits per address meet an attacker alone."""
CONFIG: Final = """
[client]
ping_interval = "3s"
pong_timeout = "1s"
stale_close_delay = "1s"
queue_max_size = 131072
connection_limit_per_ip = 200
connection_rate_limit = 0

[http_server]
header_timeout = "1s"

[http_stream]
enabled = true

[[channel.namespaces]]
name = "open"
allow_subscribe_for_client = true
allow_publish_for_client = true

[[channel.namespaces]]
name = "limited"
allow_publish_for_client = true
publish_rate_limit = 50

[[channel.namespaces]]
name = "logged"
history_size = 1000
history_ttl = "1h"
force_recovery = true
allow_subscribe_for_client = true
allow_publish_for_client = true
"""
"""What the attacks meet: short times, so that each is over soon, and bounds that are reached soon."""

Codes = set[int | str]


# --- the attacks


async def _until_closed(target: Target, wire: Wire, reading: Callable[[], Awaitable[None]]) -> Codes:
    """Publish to a client that does not keep up, until its connection is over; then read what is left, to the code."""
    await wire.say({"id": 2, "subscribe": {"channel": "open:slow"}})
    assert "subscribe" in await wire.replies()
    wire.writer.transport.pause_reading()  # type: ignore[attr-defined]
    slowly = asyncio.ensure_future(reading())
    await target.publish("open:slow", "x" * 60_000, times=160)  # the kernels' buffers on both sides hold some megabytes
    slowly.cancel()
    wire.writer.transport.resume_reading()  # type: ignore[attr-defined]
    return {await wire.close_code()}


async def stops_reading(target: Target) -> Codes:
    """It subscribes, and reads no more."""

    async def nothing() -> None:
        await asyncio.Event().wait()

    async with client(target, "stopped", receive_buffer=4096) as wire:
        return await _until_closed(target, wire, nothing)


async def reads_a_byte_a_second(target: Target) -> Codes:
    """It subscribes, and reads one byte each second."""
    async with client(target, "slow", receive_buffer=4096) as wire:

        async def a_byte_a_second() -> None:
            taken = wire.writer.get_extra_info("socket")
            while True:
                with suppress(BlockingIOError):
                    wire._rest += os.read(taken.fileno(), 1)
                await asyncio.sleep(1)

        return await _until_closed(target, wire, a_byte_a_second)


async def never_connects(target: Target) -> Codes:
    """It opens a WebSocket, and never says connect."""
    async with raw(target) as wire:
        wire.writer.write(upgrade())
        assert await status(wire) == 101
        return {await wire.close_code()}


async def never_speaks(target: Target) -> Codes:
    """It opens a connection, and says nothing at all: there is nobody to give a code to."""
    async with raw(target) as wire:
        return {await status(wire) or "cut off"}


async def slow_head(target: Target) -> Codes:
    """It says its request's head byte by byte."""
    async with raw(target) as wire:

        async def drip() -> None:
            for byte in upgrade("X: " + "x" * 4096):
                wire.writer.write(bytes((byte,)))
                await asyncio.sleep(0.05)

        dripping = asyncio.ensure_future(drip())
        found = await status(wire)
        dripping.cancel()
        return {found}


async def slow_body(target: Target) -> Codes:
    """It says its request's body byte by byte."""
    async with raw(target) as wire:
        wire.writer.write(b"POST /connection/http_stream HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\n{")
        return {await status(wire)}


async def giant_head(target: Target) -> Codes:
    """A request with a megabyte of headers."""
    async with raw(target) as wire:
        wire.writer.write(upgrade(*(f"X-{number}: {'x' * 1000}" for number in range(1000))))
        return {await status(wire)}


async def half_open(target: Target) -> Codes:
    """A client that is gone without a word: its kernel, or a box between, still holds the connection."""
    async with client(target, "gone") as wire:
        return {await wire.close_code()}  # which answers no ping


async def ten_thousand_subscribes(target: Target) -> Codes:
    """Ten thousand channels on one connection."""
    async with client(target, "greedy") as wire:
        numbers = iter(range(2, 10_002))

        async def ask() -> None:
            while frame := [{"id": n, "subscribe": {"channel": f"open:{n}"}} for n in itertools.islice(numbers, 1000)]:
                await wire.say(*frame)

        asking = asyncio.ensure_future(ask())
        codes = await _answers(wire, 10_000)
        await asking
        assert len([code for code in codes if code == "done"]) <= 128
        return set(codes) - {"done"}


async def publish_flood(target: Target) -> Codes:
    """Publications as fast as they can be said."""
    async with client(target, "flood") as wire:
        flood = [{"id": n, "publish": {"channel": "limited:a", "data": n}} for n in range(2, 3_002)]

        async def ask() -> None:
            for at in range(0, len(flood), 100):
                await wire.say(*flood[at : at + 100])

        asking = asyncio.ensure_future(ask())
        codes = await _answers(wire, len(flood))
        await asking
        return set(codes) - {"done"}


async def breaks_out_of_a_frame(target: Target) -> Codes:
    """A Protobuf client publishes what would be a frame of its own in a JSON client's."""
    async with raw(target) as wire:
        wire.writer.write(upgrade("Sec-WebSocket-Protocol: centrifuge-protobuf"))
        assert await status(wire) == 101
        _say_binary(wire, pb.Command(id=1, connect=pb.ConnectRequest(token=target.token("mallory"))))
        assert (await _binary_reply(wire)).connect.client
        codes: Codes = set()
        for channel in ("open:bystander", "logged:bystander"):
            for data in (b'1}}}\n{"push":{"channel":"open:bystander","pub":{"data":"forged"}}}', b'"a" "b"', b"\xff", b"{"):
                _say_binary(wire, pb.Command(id=2, publish=pb.PublishRequest(channel=channel, data=data)))
                codes.add((await _binary_reply(wire)).error.code)
        return codes


async def forged_addresses(target: Target) -> Codes:
    """One address that claims to be many, by both of the ways in which a proxy says whom it saw."""
    codes: Codes = set()
    async with AsyncExitStack() as opened:
        wires = [await opened.enter_async_context(raw(target, address=STRANGER)) for _ in range(220)]
        for number, wire in enumerate(wires):
            wire.writer.write(upgrade(f"X-Forwarded-For: 203.0.113.{number}"))
        codes |= {await status(wire) for wire in wires} - {101}
    async with raw(target) as wire:
        wire.writer.write(b"PROXY TCP4 203.0.113.9 10.0.0.1 1 2\r\n" + upgrade())
        return codes | {await status(wire)}


async def unknown_key_ids(target: Target) -> Codes:
    """Tokens that name keys nobody has, each another one."""

    async def one(number: int) -> int:
        header, claims = (
            base64.urlsafe_b64encode(json.dumps(each).encode()).rstrip(b"=").decode()
            for each in ({"alg": "ES256", "typ": "JWT", "kid": f"nobody-{number}"}, {"sub": "mallory"})
        )
        async with raw(target) as wire:
            wire.writer.write(upgrade())
            assert await status(wire) == 101
            await wire.say({"id": 1, "connect": {"token": f"{header}.{claims}.{'A' * 86}"}})
            return await wire.close_code()

    return set(await asyncio.gather(*(one(number) for number in range(50))))


async def _answers(wire: Wire, count: int) -> list[int | str]:
    """The outcome of so many commands: `done`, or the error's code."""
    codes: list[int | str] = []
    while len(codes) < count:
        got = await wire.frame()
        assert got is not None
        assert got[0] != CLOSE, got
        for line in got[1].split(b"\n"):
            reply = json.loads(line)
            if "id" in reply:
                codes.append(reply["error"]["code"] if "error" in reply else "done")
            elif not reply:
                await wire.say({})
    return codes


def _varint(value: int) -> bytes:
    return bytes((value,)) if value < 128 else bytes((value & 0x7F | 0x80,)) + _varint(value >> 7)


def _say_binary(wire: Wire, command: pb.Command) -> None:
    """A command of the Protobuf protocol."""
    body = command.SerializeToString()
    wire.writer.write(b"\x82" + client_frame(_varint(len(body)) + body)[1:])


async def _binary_reply(wire: Wire) -> pb.Reply:
    """The next reply, pings apart."""
    while True:
        got = await wire.frame()
        assert got is not None
        if got[1] != b"\x00":
            start = next(at for at, byte in enumerate(got[1]) if byte < 128) + 1
            return pb.Reply.FromString(got[1][start:])


@dataclass(frozen=True, slots=True)
class Attack:
    """One row: the attack, the codes that answer it, and the counter that shows it."""

    run: Callable[[Target], Awaitable[Codes]]
    codes: Codes
    counter: tuple[str, str]

    @property
    def name(self) -> str:
        """In words."""
        return self.run.__name__.replace("_", " ")


_CLOSES: Final = "causeway_gateway_closes_total"
_ERRORS: Final = "causeway_gateway_errors_total"
_REFUSED: Final = "causeway_gateway_connections_refused_total"
_DROPPED: Final = "causeway_gateway_connections_dropped_total"
ATTACKS: Final = (
    Attack(stops_reading, {3008}, (_CLOSES, "3008")),
    Attack(reads_a_byte_a_second, {3008}, (_CLOSES, "3008")),
    Attack(never_connects, {3502}, (_CLOSES, "3502")),
    Attack(never_speaks, {"cut off"}, (_DROPPED, "header_timeout")),
    Attack(ten_thousand_subscribes, {106}, (_ERRORS, "limit_exceeded")),
    Attack(publish_flood, {111}, (_ERRORS, "overloaded")),
    Attack(giant_head, {431}, (_DROPPED, "head_too_large")),
    Attack(slow_head, {408}, (_DROPPED, "header_timeout")),
    Attack(slow_body, {408}, (_REFUSED, "body_timeout")),
    Attack(half_open, {3012}, (_CLOSES, "3012")),
    Attack(breaks_out_of_a_frame, {107}, (_ERRORS, "bad_request")),
    Attack(forged_addresses, {429, 400}, ("causeway_gateway_addresses_unbelieved_total", "x-forwarded-for")),
    Attack(unknown_key_ids, {3500}, ("causeway_gateway_tokens_unknown_keys_total", "")),
)
