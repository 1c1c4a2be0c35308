"""P5 over the real stack: each kind of bad load has its bound, its code and its counter, and a bystander goes on meanwhile.

How long the bystander's round trips take is printed and recorded, never asserted: `make bench ARGS=hostile` has the figures.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from centrifuge import Client, PublicationContext, SubscriptionEventHandler
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from support.hostile import ATTACKS, CONFIG, Attack, Codes
from support.metrics import scrape
from support.nats import free_port
from support.raw import Target
from support.stack import Stack, running_stack
from support.waiting import until

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(90)]
ROUND_TRIPS = 60
CHANNEL = "logged:bystander"


class Bystander(SubscriptionEventHandler):
    """An honest client that publishes, receives what it published, and calls an app, again and again."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.subscription = client.new_subscription(CHANNEL, self)
        self.room = ""
        self.seen: list[int] = []
        self._came = asyncio.Event()

    async def on_publication(self, ctx: PublicationContext) -> None:
        self.seen.append(ctx.pub.data)
        self._came.set()

    async def start(self) -> None:
        await self.client.connect()
        await self.subscription.subscribe()
        await self.subscription.ready(10)
        self.room = (await self.client.rpc("chat.create_room", {"name": "bystanders"})).data["room"]

    async def round_trip(self) -> float:
        """Publish, get it back, call; the milliseconds from publishing to getting."""
        number, started = len(self.seen), time.perf_counter()
        await self.subscription.publish(number)
        while len(self.seen) <= number:
            self._came.clear()
            await asyncio.wait_for(self._came.wait(), 10)
        took = (time.perf_counter() - started) * 1e3
        await self.client.rpc("chat.history", {"room": self.room, "limit": 1})
        return took


@dataclass
class Scene:
    """A stack under attack."""

    stack: Stack
    target: Target
    bystander: Bystander
    fetches: list[float]
    alone: list[float] = field(default_factory=list)

    async def counted(self) -> dict[tuple[str, str], float]:
        entry = next(each for each in self.stack.state()["processes"] if each["service"] == "gateway")
        return await scrape(entry["internal_port"])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    directory: Path = tmp_path_factory.mktemp("bad-load")
    port, fetches = free_port(), list[float]()
    url = f"http://127.0.0.1:{port}/jwks"
    key = json.loads(ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()).public_key())) | {"kid": "k1"}

    async def serve(_: web.Request) -> web.Response:
        fetches.append(time.monotonic())
        return web.json_response({"keys": [key]}, headers={"Cache-Control": "max-age=300"})

    app = web.Application()
    app.router.add_get("/jwks", serve)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    keys = f'\n[client.token]\njwks_public_endpoint = "{url}"\n[integrations.jwks]\nurls = ["{url}"]\n'
    config = f'{CONFIG}{keys}\n[integrations.webhook]\nallow_hosts = ["127.0.0.1"]\n'
    try:
        async with running_stack(directory, config=config) as stack:
            found = stack.credentials
            bystander = Bystander(stack.client("bystander"))
            await bystander.start()
            target = Target(stack.port, found["token_hmac_secret_key"], found["api_key"])
            scene = Scene(stack, target, bystander, fetches)
            scene.alone = [await bystander.round_trip() for _ in range(ROUND_TRIPS)]
            yield scene
            await bystander.client.disconnect()
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("attack", ATTACKS, ids=[attack.name for attack in ATTACKS])
async def test_bad_load_is_bounded_answered_and_counted_and_nobody_else_notices(
    scene: Scene, attack: Attack, record_property: Callable[[str, Any], None]
) -> None:
    before, times, enough = await scene.counted(), 0, False
    codes: Codes = set()

    async def attacking() -> None:
        nonlocal times
        while not enough:
            codes.update(await attack.run(scene.target))
            times += 1

    harm, took = asyncio.create_task(attacking()), list[float]()
    while not harm.done() and (len(took) < ROUND_TRIPS or not times):
        took.append(await scene.bystander.round_trip())
    enough = True
    await harm

    assert codes == attack.codes
    after = await scene.counted()
    assert after[attack.counter] >= before[attack.counter] + times
    assert scene.bystander.client.state.name == "CONNECTED"
    assert scene.bystander.seen == list(range(len(scene.bystander.seen))), "in order, once, and nothing forged"
    async with asyncio.timeout(20):  # nothing of it is left behind
        while (await scene.counted())["causeway_gateway_connections", ""] != 1:
            await asyncio.sleep(0.1)
    told = f"{_figures(took)}, alone {_figures(scene.alone)}"
    record_property("reported", f"bystander's round trip in ms (median, longest), {attack.name}: {told}")


async def test_a_flood_of_unknown_key_ids_has_the_keys_fetched_once(scene: Scene) -> None:
    """At most once a minute, whoever asks; the first time is at the start."""
    await until(lambda: bool(scene.fetches))
    gaps = [later - earlier for earlier, later in zip(scene.fetches, scene.fetches[1:], strict=False)]

    assert all(gap > 59 for gap in gaps)


def _figures(took: list[float]) -> tuple[float, float]:
    ordered = sorted(took)
    return round(ordered[len(ordered) // 2], 1), round(ordered[-1], 1)
