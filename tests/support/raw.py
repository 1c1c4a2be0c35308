"""A client that speaks bytes, so that a test can do what no SDK does."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
import jwt

from bench.frames import CLOSE, client_frame, frame_at

SECONDS: Final = 20.0


@dataclass(frozen=True, slots=True)
class Target:
    """A gateway: its port, its token secret and its API key."""

    port: int
    secret: str
    api_key: str

    def token(self, user: str) -> str:
        """A connection token."""
        return jwt.encode({"sub": user}, self.secret, "HS256")

    async def publish(self, channel: str, data: object, times: int) -> None:
        """Publish by the server API, one after the other."""
        url, headers = f"http://127.0.0.1:{self.port}/api/publish", {"X-API-Key": self.api_key}
        async with aiohttp.ClientSession(headers=headers) as session:
            for _ in range(times):
                async with session.post(url, json={"channel": channel, "data": data}) as answer:
                    assert answer.status == 200


class Wire:
    """A WebSocket client that speaks bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self._rest = b""

    async def say(self, *commands: object) -> None:
        """One frame of commands."""
        self.writer.write(client_frame("\n".join(json.dumps(command) for command in commands).encode()))
        await self.writer.drain()

    async def frame(self) -> tuple[int, bytes] | None:
        """The next frame: opcode and payload; None at the end."""
        while (found := frame_at(self._rest, 0)) is None:
            with suppress(ConnectionError):
                if data := await asyncio.wait_for(self.reader.read(65_536), SECONDS):
                    self._rest += data
                    continue
            return None
        start, end = found
        opcode, payload = self._rest[0] & 0x0F, self._rest[start:end]
        self._rest = self._rest[end:]
        return opcode, payload

    async def replies(self) -> dict[str, Any]:
        """The next frame's last reply with an id."""
        while True:
            got = await self.frame()
            assert got is not None
            assert got[0] != CLOSE, got
            lines = [json.loads(line) for line in got[1].split(b"\n")]
            if with_id := [line for line in lines if "id" in line]:
                last: dict[str, Any] = with_id[-1]
                return last

    async def close_code(self) -> int:
        """Read to the end: the code of the close frame, 0 without one."""
        while (got := await self.frame()) is not None:
            if got[0] == CLOSE:
                return int.from_bytes(got[1][:2])
        return 0


@asynccontextmanager
async def raw(target: Target, *, receive_buffer: int = 0, address: str = "127.0.0.1") -> AsyncIterator[Wire]:
    """A connection that says nothing yet, cut off behind the block."""
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setblocking(False)
    if receive_buffer:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    made.bind((address, 0))
    await asyncio.get_running_loop().sock_connect(made, ("127.0.0.1", target.port))
    reader, writer = await asyncio.open_connection(sock=made, limit=2048 if receive_buffer else 65_536)
    try:
        yield Wire(reader, writer)
    finally:
        writer.transport.abort()


def upgrade(*headers: str, path: str = "/connection/websocket") -> bytes:
    """The handshake."""
    lines = [
        f"GET {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode()


async def status(wire: Wire) -> int:
    """The status of an HTTP answer's head; 0 where there is none."""
    with suppress(asyncio.IncompleteReadError, ConnectionError):
        head = await asyncio.wait_for(wire.reader.readuntil(b"\r\n\r\n"), SECONDS)
        return int(head.split(b" ")[1])
    return 0


@asynccontextmanager
async def client(target: Target, user: str, *, receive_buffer: int = 0, address: str = "127.0.0.1") -> AsyncIterator[Wire]:
    """A connected client."""
    async with raw(target, receive_buffer=receive_buffer, address=address) as wire:
        wire.writer.write(upgrade())
        assert await status(wire) == 101
        await wire.say({"id": 1, "connect": {"token": target.token(user)}})
        assert "connect" in await wire.replies()
        yield wire
