"""The floors: what the same work costs without Causeway, as programs of their own. `python floors.py <program> <port> [<NATS URL>]`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import nats
import uvloop
from aiohttp import web
from nats.aio.msg import Msg

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.frames import server_frame

ECHO_SUBJECT = "bench.echo"
BODY_MAX_BYTES = 64 * 1024 * 1024


async def serve(port: int, **paths: object) -> None:
    """Listen until killed."""
    app = web.Application(client_max_size=BODY_MAX_BYTES)
    for name, handler in paths.items():
        app.router.add_route("*", f"/{name}", handler)  # type: ignore[arg-type]
    app.router.add_route("*", "/readyz", ready)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=4096).start()
    await asyncio.Event().wait()


async def ready(_request: web.Request) -> web.Response:
    """The program is up."""
    return web.Response(text="ok\n")


async def idle(request: web.Request) -> web.WebSocketResponse:
    """A bare WebSocket: the upgrade, then nothing."""
    ws = web.WebSocketResponse()
    await ws.prepare(request)
    async for _message in ws:
        pass
    return ws


async def websockets(port: int, _url: str) -> None:
    """Bare WebSockets (`/idle`), and fan-out: what comes by `/publish` is framed once and written to each `/subscribe`."""
    transports: list[asyncio.Transport] = []

    async def subscribe(request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        transport = request.transport
        assert transport is not None
        transports.append(transport)
        try:
            async for _message in ws:
                pass
        finally:
            transports.remove(transport)
        return ws

    async def publish(request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        async for message in ws:
            frame = server_frame(message.data.encode())
            for transport in transports:
                transport.write(frame)
        return ws

    await serve(port, idle=idle, subscribe=subscribe, publish=publish)


async def rpc(port: int, url: str) -> None:
    """A WebSocket whose messages go through one nats-py request."""
    bus = await nats.connect(url)

    async def call(request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        async for message in ws:
            reply = await bus.request(ECHO_SUBJECT, message.data.encode(), timeout=4)
            await ws.send_str(reply.data.decode())
        return ws

    await serve(port, call=call)


async def echo(port: int, url: str) -> None:
    """The other end of `rpc`."""
    bus = await nats.connect(url)

    async def answer(message: Msg) -> None:
        await message.respond(message.data)

    await bus.subscribe(ECHO_SUBJECT, cb=answer)
    await serve(port)


async def sink(port: int, _url: str) -> None:
    """No floor: where the traces go."""

    async def take(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(body=b"", content_type="application/x-protobuf")

    await serve(port, **{"v1/traces": take, "v1/metrics": take})


PROGRAMS = {program.__name__: program for program in (websockets, rpc, echo, sink)}

if __name__ == "__main__":
    uvloop.run(PROGRAMS[sys.argv[1]](int(sys.argv[2]), sys.argv[3]))
