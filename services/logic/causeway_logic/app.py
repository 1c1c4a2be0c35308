"""The composition root: builds the runner of one app and wires it. No logic."""

from __future__ import annotations

import asyncio
import random
from functools import partial
from typing import Any, Final

from causeway_common.bus import Announcement, AppsDirectory, Bus, Deadline, DurableConsumer
from causeway_common.contracts.messages import Manifest
from causeway_common.contracts.verbs import CLIENT_COMMAND_SECONDS
from causeway_common.runtime import Periodic, Process, Service, StartError, Telling, new_id, now_ms
from causeway_common.telemetry import get_logger
from causeway_logic import __version__
from causeway_logic.adapters.announcer import Announcer
from causeway_logic.adapters.connectors import BusConnectors
from causeway_logic.adapters.deliveries import lifecycle_consumer, task_consumer
from causeway_logic.adapters.gateways import BusGateways
from causeway_logic.adapters.records import BusRecords
from causeway_logic.adapters.serving import Serving
from causeway_logic.adapters.storage import BusStorage
from causeway_logic.config import LogicSettings
from causeway_logic.domain.declare import App
from causeway_logic.handlers.dispatch import Dispatcher
from causeway_logic.handlers.every import Recurring
from causeway_logic.handlers.lifecycle import LifecycleEvents
from causeway_logic.handlers.tasks import Tasks
from causeway_logic.handlers.watchdog import Watchdog
from causeway_logic.handlers.work import Works
from causeway_logic.ports import Outside

log = get_logger("logic")
RECURRING_RETRY_SECONDS: Final = 1.0
TASKS_PATIENCE_SECONDS: Final = 5.0
"""So long tasks under way may end when the process stops; then they are cut off and given back, to run elsewhere."""
TASKS_STOP_SECONDS: Final = 12.0


class Durables:
    """What runs because of a record, an event or a tick."""

    def __init__(
        self,
        app: App,
        dispatcher: Dispatcher,
        outside: Outside,
        records: BusRecords,
        *,
        bus: Bus,
        directory: AppsDirectory,
        settings: LogicSettings,
    ) -> None:
        works = Works(app, dispatcher)
        self._tasks = Tasks(works, records, outside, concurrency=settings.task_concurrency, unhandled_ms=settings.unhandled_after)
        events = LifecycleEvents(app, dispatcher, outside, lambda: directory.manifests.get(app.name))
        recurring = Recurring(app, dispatcher)
        self._consumers: list[DurableConsumer[Any]] = []
        if works.some:
            self._consumers.append(task_consumer(bus, app.name, self._tasks.handle, concurrency=settings.tasks_held))
        if app.lifecycle_handlers:
            self._consumers.append(lifecycle_consumer(bus, app.name, events.handle))
        self._recurring = Periodic("recurring tasks", recurring.ensure, after_failure_s=RECURRING_RETRY_SECONDS)

    @property
    def ready(self) -> bool:
        """Whether everything that is to come does."""
        return all(consumer.ready for consumer in self._consumers)

    async def start(self) -> None:
        """Take what comes."""
        for consumer in self._consumers:
            await consumer.start()
        await self._recurring.start()

    async def stop(self) -> None:
        """Take no more, wait for what runs, and after a while give back the tasks that still do."""
        await self._recurring.stop()
        self._tasks.close()
        giving_back = asyncio.get_running_loop().call_later(TASKS_PATIENCE_SECONDS, self._tasks.stop)
        try:
            await asyncio.gather(*(consumer.stop() for consumer in self._consumers))
        finally:
            giving_back.cancel()


async def _started(dispatcher: Dispatcher) -> None:
    try:
        await dispatcher.start()
    except Exception as error:
        log.exception("a service of the app failed to start")
        raise StartError(f"a service of the app failed to start: {type(error).__name__}: {error}") from error


def _manifest(app: App) -> Manifest:
    try:
        return app.manifest()
    except ValueError as error:
        raise StartError(str(error)) from error


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
        serving = Serving(bus, app.name, app.version, limits, dispatcher.rpc)
        for verb, answer in dispatcher.hooks():
            serving.with_hook(verb, answer, limit=settings.hook_concurrency)
        directory = AppsDirectory(bus)
        announcement = Announcement(bus, directory, _manifest(app), process.node, now_ms)
        announcer = Announcer(
            lambda: announcement.give(Deadline.after(CLIENT_COMMAND_SECONDS)),
            interval_s=settings.announce_interval / 1000,
            leave=announcement.leave,
        )
        bus.on_reconnect(announcer.again)
        announcement.on_peer_left(announcer.again)
        records = BusRecords(bus, app.name, process.node)
        durables = Durables(app, dispatcher, outside, records, bus=bus, directory=directory, settings=settings)
        telling = Telling(bus, service=process.name, node=process.node, version=__version__, app_version=app.version)
        process.lifecycle.add("bus", bus.start, bus.stop)
        process.lifecycle.add("figures", telling.start, telling.stop)
        process.lifecycle.add("app", partial(_started, dispatcher), dispatcher.stop)
        process.lifecycle.add("apps", directory.start, directory.stop)
        if settings.blocking_warning:
            watchdog = Watchdog(app, seconds=settings.blocking_warning / 1000)
            process.lifecycle.add("watchdog", watchdog.start, watchdog.stop)
        process.lifecycle.add("serving", serving.start, serving.stop)
        process.lifecycle.add("announcer", announcer.start, announcer.stop)
        process.lifecycle.add("durables", durables.start, durables.stop, stop_seconds=TASKS_STOP_SECONDS)
        process.health.check("bus", lambda: bus.connected)
        process.health.check("announced", lambda: announcer.announced)
        process.health.check("durables", lambda: durables.ready)

    return Service(f"logic-{app.name}", "logic", __version__, LogicSettings, "logic", build)
