"""A key set behind HTTP: fetched by integrations, and a client let in with a token of its key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from support.nats import free_port
from support.stack import running_stack

pytestmark = pytest.mark.stack


async def test_a_token_of_a_published_key_opens_a_connection(tmp_path: Path) -> None:
    private, port = ec.generate_private_key(ec.SECP256R1()), free_port()
    key = json.loads(ECAlgorithm.to_jwk(private.public_key())) | {"kid": "k1"}

    async def serve(_: web.Request) -> web.Response:
        return web.json_response({"keys": [key]}, headers={"Cache-Control": "max-age=300"})

    app = web.Application()
    app.router.add_get("/jwks", serve)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    url = f"http://127.0.0.1:{port}/jwks"
    config = f"""
[client.token]
jwks_public_endpoint = "{url}"

[integrations.jwks]
urls = ["{url}"]

[integrations.webhook]
allow_hosts = ["127.0.0.1"]
"""
    try:
        async with running_stack(tmp_path, config=config) as stack:
            good = jwt.encode({"sub": "ann"}, private, "ES256", headers={"kid": "k1"})
            foreign = jwt.encode({"sub": "ann"}, ec.generate_private_key(ec.SECP256R1()), "ES256", headers={"kid": "k1"})
            assert "connect" in await _connect(stack.url, good)
            assert await _connect(stack.url, foreign) == 3500
            assert await _connect(stack.url, stack.token("ann")[:-6] + "AAAAAA") == 3500
            assert "connect" in await _connect(stack.url, stack.token("bob"))
    finally:
        await runner.cleanup()


async def _connect(url: str, token: str) -> Any:
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
        await socket.send_json({"id": 1, "connect": {"token": token}})
        message = await socket.receive(timeout=10)
        return json.loads(message.data) if message.type is aiohttp.WSMsgType.TEXT else message.data
