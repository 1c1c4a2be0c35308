"""A listener with a gate of the tests behind it, and clients that speak bytes."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from causeway_gateway.adapters import rfc6455
from causeway_gateway.adapters.http import PublicServer, bind
from causeway_gateway.adapters.settings import Endpoints, TransportSettings
from causeway_gateway.domain.frames.codecs import Codec
from causeway_gateway.ports import Link, Visit

KEY = base64.b64encode(bytes(16)).decode()
EVERYTHING = Endpoints(http_stream=True, sse=True, uni_websocket=True, uni_http_stream=True, uni_sse=True, echo=True)


class Visitor:
    """A peer that remembers; `answer` is what it does with a message."""

    def __init__(self, link: Link, codec: Codec, visit: Visit, answer: Callable[[Visitor, bytes], None]) -> None:
        self.link, self.codec, self.visit, self._answer = link, codec, visit, answer
        self.heard: list[bytes] = []
        self.left = asyncio.Event()
        self.overflows = self.drains = 0
        self.busy = False

    def received(self, frame: bytes) -> None:
        self.heard.append(frame)
        self._answer(self, frame)

    def gone(self) -> None:
        self.left.set()

    def overflowed(self) -> None:
        self.overflows += 1

    def drained(self) -> None:
        self.drains += 1

    def say(self, payload: bytes) -> None:
        self.link.send(self.codec.frame(payload))


class Hall:
    """A gate that lets everybody in."""

    def __init__(self) -> None:
        self.visitors: list[Visitor] = []
        self.carried: list[tuple[str, str, bytes]] = []
        self.answer: Callable[[Visitor, bytes], None] = lambda _visitor, _frame: None
        self.carry: Callable[[str], None] = lambda _node: None

    def open(self, link: Link, codec: Codec, visit: Visit) -> Visitor:
        visitor = Visitor(link, codec, visit, self.answer)
        self.visitors.append(visitor)
        return visitor

    async def emulate(self, node: str, session: str, data: bytes) -> None:
        self.carry(node)
        self.carried.append((node, session, data))

    async def visitor(self, count: int = 1) -> Visitor:
        async with asyncio.timeout(5):
            while len(self.visitors) < count:
                await asyncio.sleep(0.001)
        return self.visitors[count - 1]


@dataclass
class Answered:
    body: bytes
    status: int = 200


class OneKey:
    def authorize(self, key: str) -> str | None:
        return "ops" if key == "secret" else None


class EchoApi:
    """Answers with what it was asked."""

    async def handle(self, method: str, body: bytes, caller: Any, *, transport_errors: bool, operation: bool = False) -> Answered:
        if method == "nothing":
            raise LookupError(method)
        if not body:
            raise ValueError("empty")
        return Answered(b'{"by":"%s","body":%s}' % (str(caller).encode(), body), 404 if transport_errors else 200)

    async def open(self, method: str, body: bytes, caller: Any) -> Answered:
        raise LookupError(method)

    def openapi(self) -> bytes:
        return b'{"openapi":"3.1.0"}'


@dataclass
class Place:
    """A listener that is up."""

    server: PublicServer
    hall: Hall
    port: int
    broken: list[int]
    api_port: int = 0
    raws: list[Raw] = field(default_factory=list)

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def raw(self) -> Raw:
        """A client that says nothing yet; cut off when the place is left."""
        raw = Raw(*await asyncio.open_connection("127.0.0.1", self.port))
        self.raws.append(raw)
        return raw

    async def upgraded(self, path: str = "/connection/websocket", headers: Mapping[str, str] | None = None) -> Raw:
        raw = await self.raw()
        assert (await raw.upgrade(path, headers)).startswith("HTTP/1.1 101 ")
        return raw


@asynccontextmanager
async def place(*, api: bool = True, own_port: bool = False, **options: Any) -> AsyncIterator[Place]:
    """A listener on a loopback port, every endpoint on."""
    hall = Hall()
    broken: list[int] = []
    settings = TransportSettings(**{"endpoints": EVERYTHING, **options})
    bound = bind("127.0.0.1", 0, reuse_port=False)
    api_bound = bind("127.0.0.1", 0, reuse_port=False) if own_port else None
    server = PublicServer(
        bound,
        hall,
        EchoApi() if api else None,
        OneKey(),
        settings,
        version="test",
        broken=broken.append,
        api_bound=api_bound,
    )
    found = Place(server, hall, await server.start(), broken, api_bound.getsockname()[1] if api_bound else 0)
    try:
        yield found
    finally:
        for raw in found.raws:
            raw.writer.transport.abort()
        await server.stop_accepting()
        for visitor in hall.visitors:
            visitor.link.shut(3001, "shutdown")
        await server.stop()


def masked(opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, mask: bytes | None = b"\x01\x02\x03\x04") -> bytes:
    """A frame as a client sends it."""
    first = opcode | (0x80 if fin else 0) | rsv << 4
    bit = 0x80 if mask is not None else 0
    size = len(payload)
    if size <= 125:
        head = bytes((first, bit | size))
    elif size < 1 << 16:
        head = bytes((first, bit | 126)) + size.to_bytes(2)
    else:
        head = bytes((first, bit | 127)) + size.to_bytes(8)
    if mask is None:
        return head + payload
    return head + mask + bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))


@dataclass
class Raw:
    """One end of a TCP connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    frames: list[tuple[int, bytes]] = field(default_factory=list)

    def write(self, data: bytes) -> None:
        self.writer.write(data)

    async def head(self) -> str:
        async with asyncio.timeout(5):
            return (await self.reader.readuntil(b"\r\n\r\n")).decode()

    async def upgrade(self, path: str, headers: Mapping[str, str] | None = None) -> str:
        own = {
            "Host": "x",
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": KEY,
        }
        lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in (own | dict(headers or {})).items()), "", ""]
        self.write("\r\n".join(lines).encode())
        return await self.head()

    async def frame(self) -> tuple[int, bytes]:
        """The next frame of the server: first byte, payload."""
        async with asyncio.timeout(5):
            first, size = await self.reader.readexactly(2)
            if size > 125:
                size = int.from_bytes(await self.reader.readexactly(2 if size == 126 else 8))
            return first, await self.reader.readexactly(size)

    async def closed(self) -> tuple[int, str]:
        """The code and the reason of a close frame that is next, and that nothing follows it."""
        first, payload = await self.frame()
        assert first == 0x80 | rfc6455.CLOSE, (first, payload)
        return int.from_bytes(payload[:2]), payload[2:].decode()

    async def rest(self) -> bytes:
        """Everything until the end."""
        async with asyncio.timeout(7):
            return await self.reader.read(-1)

    async def bye(self) -> None:
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()
