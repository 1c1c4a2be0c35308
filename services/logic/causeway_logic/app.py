"""The composition root: builds the runner of one app and wires it. No logic."""

from __future__ import annotations

import asyncio
import random

from causeway_common.bus import Bus, Deadline, announce
from causeway_common.contracts.verbs import CLIENT_COMMAND_SECONDS
from causeway_common.runtime import Process, Service, new_id, now_ms
from causeway_logic import __version__
from causeway_logic.adapters.announcer import Announcer
from causeway_logic.adapters.connectors import BusConnectors
from causeway_logic.adapters.gateways import BusGateways
from causeway_logic.adapters.serving import Serving
from causeway_logic.adapters.storage import BusStorage
from causeway_logic.config import LogicSettings
from causeway_logic.domain.declare import App
from causeway_logic.handlers.dispatch import Dispatcher
from causeway_logic.handlers.watchdog import Watchdog
from causeway_logic.ports import Outside


def service(app: App) -> Service[LogicSettings]:
    """The service that runs `app`."""

    def build(settings: LogicSettings, process: Process) -> None:
        bus = Bus(process.bus_settings())
        outside = Outside(
            storage=BusStorage(bus, app.name),
            gateways=BusGateways(bus, app.name),
            connectors=BusConnectors(bus, app.name),
            now_ms=now_ms,
            new_id=new_id,
            jitter=random.random,
            pause=asyncio.sleep,
        )
        dispatcher = Dispatcher(app, outside)
        limits = {method.name: method.limit or settings.method_concurrency for method in app.methods.values()}
        serving = Serving(bus, app.name, limits, dispatcher.rpc)
        for verb, answer in dispatcher.hooks():
            serving.with_hook(verb, answer, limit=settings.hook_concurrency)
        manifest = app.manifest()
        announcer = Announcer(
            lambda: announce(bus, manifest, Deadline.after(CLIENT_COMMAND_SECONDS)), interval_s=settings.announce_interval / 1000
        )
        bus.on_reconnect(announcer.again)
        process.lifecycle.add("bus", bus.start, bus.stop)
        process.lifecycle.add("app", dispatcher.start, dispatcher.stop)
        if settings.blocking_warning:
            watchdog = Watchdog(app, seconds=settings.blocking_warning / 1000)
            process.lifecycle.add("watchdog", watchdog.start, watchdog.stop)
        process.lifecycle.add("serving", serving.start, serving.stop)
        process.lifecycle.add("announcer", announcer.start, announcer.stop)
        process.health.check("bus", lambda: bus.connected)
        process.health.check("announced", lambda: announcer.announced)

    return Service(f"logic-{app.name}", "logic", __version__, LogicSettings, "logic", build)
