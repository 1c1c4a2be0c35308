"""A client that is gone leaves presence within 2 s, whatever its transport and however it went."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest
import pytest_asyncio
from cent import AsyncClient, PresenceRequest

from bench.frames import client_frame
from support.raw import Target, raw, upgrade
from support.stack import running_stack

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(60)]
CHANNEL = "room:a"
SECONDS = 2.0
CONFIG = """
[http_stream]
enabled = true
[sse]
enabled = true
[uni_websocket]
enabled = true
[uni_http_stream]
enabled = true
[uni_sse]
enabled = true

[[channel.namespaces]]
name = "room"
presence = true
allow_subscribe_for_client = true
"""


def opening(transport: str, token: str) -> bytes:
    """What a client of this transport says to connect and subscribe."""
    request = {"token": token, "subs": {CHANNEL: {}}}
    said = json.dumps(request if transport.startswith("uni_") else {"id": 1, "connect": request}).encode()
    path = f"/connection/{transport}"
    if transport.endswith("websocket"):
        return upgrade(path=path) + client_frame(said)
    if transport.endswith("sse"):
        return f"GET {path}?cf_connect={quote(said)} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    return f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(said)}\r\n\r\n".encode() + said


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Target, AsyncClient]]:
    directory: Path = tmp_path_factory.mktemp("presence")
    async with running_stack(directory, config=CONFIG, gateways=2) as stack, stack.api() as api:
        yield Target(stack.port, stack.credentials["token_hmac_secret_key"], stack.credentials["api_key"]), api


@pytest.mark.parametrize("how", ["reset", "closed"])
@pytest.mark.parametrize("transport", ["websocket", "http_stream", "sse", "uni_websocket", "uni_http_stream", "uni_sse"])
async def test_a_client_that_is_gone_leaves_presence(scene: tuple[Target, AsyncClient], transport: str, how: str) -> None:
    target, api = scene

    async def present() -> list[str]:
        return [info.user for info in (await api.presence(PresenceRequest(channel=CHANNEL))).presence.values()]

    async def until(users: list[str], seconds: float) -> None:
        limit = time.monotonic() + seconds
        while (found := await present()) != users:
            assert time.monotonic() < limit, f"{found} are still said to be there"
            await asyncio.sleep(0.05)

    async with raw(target) as wire:
        wire.writer.write(opening(transport, target.token("ann")))
        await until(["ann"], 10)
        if how == "closed":
            wire.writer.close()
        else:
            wire.writer.transport.abort()
        await until([], SECONDS)
