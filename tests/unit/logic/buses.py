"""An app that answers over a real bus."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from causeway_common.bus import Bus, BusSettings
from causeway_logic import App
from causeway_logic.adapters.serving import Serving
from support.nats import NatsServer
from unit.logic.fakes import Bench


@asynccontextmanager
async def served(app: App, folder: Path) -> AsyncIterator[tuple[Bus, Bench]]:
    """A bus on which the app is served, and its bench."""
    server = NatsServer(folder / "nats")
    await server.start()
    ours, theirs = Bus(BusSettings(server.url, "", "", "gateway")), Bus(BusSettings(server.url, "", "", "logic"))
    bench = Bench(app)
    dispatcher = bench.dispatcher
    limits = {method.name: method.limit or 8 for method in app.methods.values()}
    serving = Serving(theirs, app.name, app.version, limits, dispatcher.rpc)
    for verb, answer in dispatcher.hooks():
        serving.with_hook(verb, answer, limit=8)
    await ours.start()
    await theirs.start()
    await dispatcher.start()
    await serving.start()
    yield ours, bench
    await serving.stop()
    await dispatcher.stop()
    await ours.stop()
    await theirs.stop()
    server.kill()
