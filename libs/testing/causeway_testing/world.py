"""The composition root: one app, its storage, its gateway and its outside in this process, wired. No logic."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from causeway_common.bus import Call, Deadline
from causeway_common.contracts.messages import AppendRequest, FeedPublication, Manifest
from causeway_common.contracts.verbs import CLIENT_COMMAND_SECONDS
from causeway_common.telemetry import get_logger
from causeway_logic import App
from causeway_storage.ports import Appended, DueRecord
from causeway_testing.asking import Asking
from causeway_testing.bus import LocalBus
from causeway_testing.calling import Calling
from causeway_testing.calls import Calls
from causeway_testing.clock import Clock, Ids
from causeway_testing.control import Control
from causeway_testing.deliveries import Deliveries
from causeway_testing.faults import Chance
from causeway_testing.gateway import LocalGateway
from causeway_testing.hooks import Hooks
from causeway_testing.jobs import Jobs
from causeway_testing.lifecycle import Lifecycle
from causeway_testing.loop import VirtualLoop
from causeway_testing.process import AppProcess
from causeway_testing.replicas import Replicas
from causeway_testing.rooms import Rooms
from causeway_testing.steps import Steps
from causeway_testing.storage import LocalStorage

log = get_logger("testing")


class World:
    """Everything that a tester drives.

    Args:
        app: the app.
        manifest: the app's.
        calls: answers of connectors.
        chance: decides; None: nothing is left to it.
        seed: of ids.
        services: by type, in the place of the app's own.
        now: when it begins.
        replicas: how many processes the app has.
    """

    def __init__(
        self,
        app: App,
        manifest: Manifest,
        calls: Calls,
        *,
        chance: Chance | None,
        seed: int,
        services: Mapping[type[Any], Any],
        now: datetime,
        replicas: int,
    ) -> None:
        self.manifest = manifest
        self.steps = Steps(chance)
        self.loop = VirtualLoop(self.steps, _failed)
        self.clock, self.ids = Clock(self.loop, now), Ids(seed)
        self.bus = LocalBus(self.steps, self._sent)
        self.storage = LocalStorage(
            manifest,
            self.loop,
            self.clock,
            self.ids,
            self.steps,
            appended=self._appended,
            passed=self._passed,
            deliver=self._deliver,
        )
        self.rooms = Rooms(self.loop, self.steps, self.storage.logs)
        self.jobs = Jobs(self.storage, calls, self.asks)

        def process() -> AppProcess:
            return AppProcess(app, self.bus, self.clock, self.ids, services)

        self.replicas = Replicas(app.name, process, self.loop, self.steps, replicas)
        self.steps.kill = self.replicas.kill
        self.deliveries = Deliveries(self.loop, self.steps, self.replicas, manifest.lifecycle)
        lifecycle = Lifecycle(self.clock, self.ids, self.deliveries.tell)
        asking = Asking(app.name, self.replicas, self.loop, self.steps, self.ids)
        self.gateway = LocalGateway(
            manifest,
            loop=self.loop,
            clock=self.clock,
            ids=self.ids,
            bus=self.bus,
            rooms=self.rooms,
            lifecycle=lifecycle,
            asking=asking,
            hooks=Hooks(manifest.fallbacks, asking, self.clock),
        )
        self.gateway.calling = Calling(app, self.gateway, asking, self.bus)
        self.loop.sources += [self.storage, lifecycle]
        self.bus.serve(self.storage.served)
        self.bus.serve(Control(self.gateway, self.gateway.catalogue, self.rooms, calls).served)

    def asks(self, caller: str) -> Call:
        """What a verb of storage learns beside a question of this caller."""
        return Call({"caller": caller}, "", Deadline(self.loop.time() + CLIENT_COMMAND_SECONDS))

    async def _deliver(self, record: DueRecord) -> None:
        await self.deliveries.task(record)

    def _appended(self, appended: Appended) -> None:
        self.rooms.appended(appended)

    def _passed(self, request: AppendRequest, now_ms: int) -> None:
        for item in request.items:
            self.rooms.passing(
                FeedPublication(channel=request.channel, data=item.data, time_ms=now_ms, info=item.info, tags=item.tags)
            )

    def _sent(self, subject: str, body: bytes) -> None:
        self.gateway.sent(subject, body)


def _failed(context: dict[str, Any]) -> None:
    if "was destroyed but it is pending" not in str(context.get("message", "")):
        log.error(str(context.get("message", "a callback failed")), exc_info=context.get("exception"))
