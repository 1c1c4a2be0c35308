"""A TCP proxy in front of a MongoDB server that knows the wire's message boundaries, and does to a chosen message what a network, a
fail-over or a server may do (https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/).

It acts a fail-over; that no real one was seen is said in docs/storage.md.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

import bson

HEADER: Final = struct.Struct("<iiii")
"""Length, request id, response to, operation code."""
OP_MSG: Final = 2013
WRITES: Final = frozenset({"insert", "update", "delete", "findAndModify"})
NOT_PRIMARY: Final = (10107, "NotWritablePrimary")
STEPPED_DOWN: Final = (189, "PrimarySteppedDown")


@dataclass(slots=True)
class Message:
    """One message as it came. `command` is its first document; empty where it is no OP_MSG."""

    raw: bytes
    request: int
    response_to: int
    command: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The command's name: `insert`, `update`, `hello`…"""
        return next(iter(self.command), "")

    @property
    def collection(self) -> str:
        """The collection it is about."""
        return str(self.command.get(self.name, ""))


class Cut(Exception):  # noqa: N818 - no error, the end that a fault asks for
    """The connection ends here, on both sides."""


Fault = Callable[["Link", Message], Awaitable[None]]
"""What happens to a message in place of its being passed on."""


class Link:
    """One client's connection and the server's end of it."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.client, self.server = client, server
        self.swallowed: dict[int, asyncio.Event] = {}
        """Requests whose answers are not passed on; set once the answer has come."""

    async def pass_on(self, message: Message) -> None:
        """Give it to the server."""
        self.server.write(message.raw)
        await self.server.drain()

    async def answer(self, message: Message, document: dict[str, Any]) -> None:
        """Answer in the server's place."""
        body = struct.pack("<i", 0) + b"\0" + bson.encode(document)
        self.client.write(HEADER.pack(HEADER.size + len(body), 0, message.request, OP_MSG) + body)
        await self.client.drain()

    def close(self) -> None:
        """End both sides, as a crash does."""
        for writer in (self.client, self.server):
            writer.transport.abort()


async def cut(_link: Link, _message: Message) -> None:
    """The connection breaks before the server has got it."""
    raise Cut


async def lose_answer(link: Link, message: Message) -> None:
    """The server does it, and the connection breaks before the answer is through."""
    done = link.swallowed[message.request] = asyncio.Event()
    await link.pass_on(message)
    await done.wait()
    raise Cut


async def half_open(_link: Link, _message: Message) -> None:
    """It vanishes, and nobody is told: the connection looks open."""


def delay(seconds: float) -> Fault:
    """It arrives late."""

    async def late(link: Link, message: Message) -> None:
        await asyncio.sleep(seconds)
        await link.pass_on(message)

    return late


def refusal(code: int, name: str) -> Fault:
    """The server says that it is not the primary (any more) and does nothing."""

    async def refuse(link: Link, message: Message) -> None:
        await link.answer(message, {"ok": 0.0, "code": code, "codeName": name, "errmsg": name})

    return refuse


def after_write(code: int, name: str) -> Fault:
    """The server does it, and its answer is that it has stepped down meanwhile."""

    async def refuse(link: Link, message: Message) -> None:
        done = link.swallowed[message.request] = asyncio.Event()
        await link.pass_on(message)
        await done.wait()
        await link.answer(message, {"ok": 0.0, "code": code, "codeName": name, "errmsg": name})

    return refuse


async def duplicate(link: Link, message: Message) -> None:
    """The server inserts it, and the answer is that of a driver's repeat: it is there already."""
    done = link.swallowed[message.request] = asyncio.Event()
    await link.pass_on(message)
    await done.wait()
    error = {"index": 0, "code": 11000, "errmsg": "E11000 duplicate key error"}
    await link.answer(message, {"ok": 1.0, "n": 0, "writeErrors": [error]})


class MongoProxy:
    """Listens on `port`, and passes everything on to the server but what a fault is planted for.

    Attributes:
        hit: the faults' messages, as `command collection`.
    """

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._listener: asyncio.Server | None = None
        self._links: set[Link] = set()
        self._planted: list[tuple[frozenset[str], frozenset[str], Fault]] = []
        self.port = 0
        self.hit: list[str] = []

    def plant(self, fault: Fault, *, commands: Collection[str] = WRITES, collections: Collection[str] = (), times: int = 1) -> None:
        """Do this to the next `times` messages of these commands (and collections, where any are named)."""
        self._planted += [(frozenset(commands), frozenset(collections), fault)] * times

    async def listen(self) -> None:
        """Take connections, on the port it had before."""
        self._listener = await asyncio.start_server(self._connected, "127.0.0.1", self.port)
        self.port = self._listener.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        """End all connections and take none, until `listen`."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        for link in list(self._links):
            link.close()
        while self._links:
            await asyncio.sleep(0.01)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            from_server, to_server = await asyncio.open_connection("127.0.0.1", self._server_port)
        except OSError:
            writer.transport.abort()
            return
        link = Link(writer, to_server)
        self._links.add(link)
        ways = {asyncio.ensure_future(self._requests(reader, link)), asyncio.ensure_future(self._answers(from_server, link))}
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            link.close()
            self._links.discard(link)
            await asyncio.gather(*ways, return_exceptions=True)

    async def _requests(self, reader: asyncio.StreamReader, link: Link) -> None:
        with suppress(Cut, OSError, asyncio.IncompleteReadError):
            while True:
                message = await _read(reader)
                fault = self._fault_for(message)
                await (fault(link, message) if fault else link.pass_on(message))

    async def _answers(self, reader: asyncio.StreamReader, link: Link) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                message = await _read(reader)
                if swallowed := link.swallowed.pop(message.response_to, None):
                    swallowed.set()
                    continue
                link.client.write(message.raw)
                await link.client.drain()

    def _fault_for(self, message: Message) -> Fault | None:
        for index, (commands, collections, fault) in enumerate(self._planted):
            if message.name in commands and (not collections or message.collection in collections):
                del self._planted[index]
                self.hit.append(f"{message.name} {message.collection}")
                return fault
        return None


async def _read(reader: asyncio.StreamReader) -> Message:
    header = await reader.readexactly(HEADER.size)
    length, request, response_to, code = HEADER.unpack(header)
    body = await reader.readexactly(length - HEADER.size)
    command = bson.decode(body[5 : 5 + struct.unpack_from("<i", body, 5)[0]]) if code == OP_MSG and body[4] == 0 else {}
    return Message(header + body, request, response_to, command)


@asynccontextmanager
async def proxied(server_port: int) -> AsyncIterator[MongoProxy]:
    """A proxy for the block."""
    proxy = MongoProxy(server_port)
    await proxy.listen()
    try:
        yield proxy
    finally:
        await proxy.refuse()
