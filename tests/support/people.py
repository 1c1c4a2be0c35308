"""Clients that speak frames and never come back by themselves, each on a gateway that the test knows; and the lifecycle events as they come."""

from __future__ import annotations

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

import aiohttp

from causeway_common.bus import Bus, BusSettings, StreamTail
from causeway_common.contracts.codec import decode
from causeway_common.contracts.messages import LifecycleEvent
from causeway_common.contracts.subjects import EVENT, EVENTS_STREAM
from support.stack import Stack
from support.waiting import until

TRIES = 60


Seat = tuple[str, aiohttp.ClientWebSocketResponse]
"""A gateway and a connection to it."""


class Person:
    """One connection of a user.

    Attributes:
        gateway: the process that it is connected to.
        joins, leaves: the users whose joins and leaves it was told, by channel.
        data: what was published to it, by channel, in the order in which it came.
        code: how it was closed; 0 while it is not.
    """

    def __init__(self, user: str, gateway: str, ws: aiohttp.ClientWebSocketResponse) -> None:
        self.user, self.gateway, self._ws = user, gateway, ws
        self.joins: Counter[tuple[str, str]] = Counter()
        self.leaves: Counter[tuple[str, str]] = Counter()
        self.data: defaultdict[str, list[Any]] = defaultdict(list)
        self.code = 0
        self._replies: dict[int, Any] = {}
        self._next = 1
        self._reading = asyncio.ensure_future(self._read())

    async def ask(self, **command: Any) -> Any:
        """A command and its reply."""
        number = self._next
        self._next += 1
        await self._ws.send_str(json.dumps({"id": number, **command}))
        await until(lambda: number in self._replies or bool(self.code))
        return self._replies[number]

    async def subscribe(self, channel: str) -> Self:
        """Subscribe; refusals fail."""
        reply = await self.ask(subscribe={"channel": channel})
        assert "error" not in reply, reply
        return self

    async def leave(self) -> None:
        """Close the connection."""
        await self._ws.close()
        await self._reading

    async def _read(self) -> None:
        async for message in self._ws:
            for line in message.data.split("\n"):
                frame = json.loads(line)
                if not frame:
                    await self._ws.send_str("{}")
                elif "id" in frame:
                    self._replies[frame["id"]] = frame
                else:
                    self._told(frame["push"])
        self.code = self._ws.close_code or 1006

    def _told(self, push: dict[str, Any]) -> None:
        if "pub" in push:
            self.data[push["channel"]].append(push["pub"]["data"])
        for kind, counter in (("join", self.joins), ("leave", self.leaves)):
            if kind in push:
                counter[push["channel"], push[kind]["info"].get("user", "")] += 1


class Street:
    """Where people come from: a stack with several gateways on one port."""

    def __init__(self, stack: Stack, session: aiohttp.ClientSession) -> None:
        self._stack, self._session = stack, session

    async def person(self, user: str, gateway: str = "") -> Person:
        """A connected client; on this gateway, where one is named."""
        return await self.sit(user, await self.seat(gateway))

    async def seat(self, gateway: str = "") -> Seat:
        """An open connection that has not said yet whose it is. The kernel chooses the gateway, so it is tried until it is the right one."""
        for _ in range(TRIES):
            before = await connections(self._stack, self._session)
            ws = await self._session.ws_connect(self._stack.url)
            after = await connections(self._stack, self._session)
            (place,) = (name for name, count in after.items() if count > before.get(name, 0))
            if gateway in ("", place):
                return place, ws
            await ws.close()
            await self._gone(place, before.get(place, 0))
        raise AssertionError(f"no connection came to {gateway}")

    async def sit(self, user: str, seat: Seat) -> Person:
        """Connect as a user, "" without a token."""
        place, ws = seat
        await ws.send_str(json.dumps({"id": 1_000_000, "connect": {"token": self._stack.token(user) if user else ""}}))
        reply = json.loads((await ws.receive_str()).split("\n")[0])
        assert "connect" in reply, reply
        return Person(user, place, ws)

    async def _gone(self, place: str, count: int) -> None:
        async with asyncio.timeout(10):
            while (await connections(self._stack, self._session))[place] > count:
                await asyncio.sleep(0.01)


async def connections(stack: Stack, session: aiohttp.ClientSession) -> dict[str, int]:
    """How many each gateway of a stack has."""
    return await gauge(stack, session, "causeway_gateway_connections")


async def all_told(stack: Stack, session: aiohttp.ClientSession) -> None:
    """Wait until storage knows all that the gateways hold: whoever is killed now is told as gone."""
    async with asyncio.timeout(10):
        while any((await gauge(stack, session, "causeway_gateway_attend_waiting")).values()):
            await asyncio.sleep(0.01)


async def gauge(stack: Stack, session: aiohttp.ClientSession, name: str) -> dict[str, int]:
    """What each gateway's metrics say."""
    found: dict[str, int] = {}
    for process in stack.state()["processes"]:
        if process["service"] == "gateway":
            try:
                async with session.get(f"http://127.0.0.1:{process['internal_port']}/metrics") as response:
                    text = await response.text()
            except aiohttp.ClientConnectionError:  # it is just leaving
                continue
            line = next(line for line in text.splitlines() if line.startswith((f"{name}{{", f"{name} ")))
            found[process["name"]] = int(float(line.rsplit(" ", 1)[1]))
    return found


@asynccontextmanager
async def street(stack: Stack) -> AsyncIterator[Street]:
    """A street for the block."""
    async with aiohttp.ClientSession() as session:
        yield Street(stack, session)


class Told:
    """The lifecycle events of a stack, in order; a repeat of an id is kept, so that it shows."""

    def __init__(self) -> None:
        self.events: list[LifecycleEvent] = []

    def of(self, name: str) -> list[str]:
        """The types of what concerns this user or channel (a user's events of a channel count for both)."""
        return [event.type for event in self.events if name in (event.user, event.channel)]

    def about(self, user: str, channel: str = "") -> list[str]:
        """The types of a user's events, in this channel or of its connections alone."""
        return [event.type for event in self.events if (event.user, event.channel) == (user, channel)]


@asynccontextmanager
async def events_of(stack: Stack) -> AsyncIterator[Told]:
    """Follows CW_EVENTS from its beginning, as the operator."""
    state = stack.state()
    bus = Bus(
        BusSettings(url=state["nats_url"], user="operator", password=stack.credentials["nats_operator_password"], name="told")
    )
    await bus.start()
    told = Told()

    async def follow() -> None:
        async for message in StreamTail(bus, EVENTS_STREAM, EVENT.wildcard()).messages(1):
            told.events.append(decode(message.body, LifecycleEvent))

    following = asyncio.ensure_future(follow())
    try:
        yield told
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await bus.stop()
