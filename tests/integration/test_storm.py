"""A storm of returning clients: admitted at the configured rate, the rest waiting in the accept queue, and every one served whole."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from bench.frames import client_frame
from causeway_gateway.config import ClientSettings
from support.metrics import scrape
from support.raw import Target, Wire, status, upgrade
from support.stack import running_stack

CLIENTS = 2000
RATE = 500
CONFIG = f"""
[client]
connection_rate_limit = {RATE}
stale_close_delay = "1s"
ping_interval = "0s"

[http_server]
header_timeout = "1s"
"""
"""Whoever's time ran while it waits would be closed long before the last one is admitted."""


def knock(target: Target) -> socket.socket:
    """A connection with everything said that opens it: what is waited for from now on is the gateway alone."""
    made = socket.create_connection(("127.0.0.1", target.port))
    made.sendall(upgrade() + client_frame(json.dumps({"id": 1, "connect": {"token": target.token("returning")}}).encode()))
    made.setblocking(False)
    return made


@pytest.mark.stack
@pytest.mark.timeout(90)
async def test_a_storm_is_admitted_at_its_rate_and_nobody_is_half_served(tmp_path: Path) -> None:
    admitted, served = list[float](), list[Wire]()
    async with running_stack(tmp_path, config=CONFIG) as stack, AsyncExitStack() as ends:
        target = Target(stack.port, stack.credentials["token_hmac_secret_key"], stack.credentials["api_key"])

        started = time.monotonic()
        waiting = [knock(target) for _ in range(CLIENTS)]

        async def come_back(made: socket.socket) -> None:
            wire = Wire(*await asyncio.open_connection(sock=made))
            served.append(wire)
            ends.callback(wire.writer.transport.abort)
            assert await status(wire) == 101
            assert "connect" in await wire.replies()
            admitted.append(time.monotonic())

        await asyncio.gather(*map(come_back, waiting))
        entry = next(each for each in stack.state()["processes"] if each["service"] == "gateway")
        counted = await scrape(entry["internal_port"])

        assert counted["causeway_gateway_connections", ""] == CLIENTS == len(admitted)
        assert counted["causeway_gateway_accept_throttled_total", "rate"] > 0
        assert not [sample for sample in counted if sample[0].endswith(("closes_total", "dropped_total", "refused_total"))]
        burst = RATE / 10  # what may come at once
        assert max(admitted) - started >= (CLIENTS - burst) / RATE, "more were admitted than the rate allows"


def test_the_rate_is_bounded_unless_it_is_switched_off() -> None:
    assert ClientSettings().connection_rate_limit == 2000
