"""One process of the app: what the SDK's runner makes of it, over the bus of the test."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final, cast

from causeway_common.bus import Bus, Deadline
from causeway_common.contracts.errors import CausewayError
from causeway_common.contracts.messages import ClaimReply, ClaimRequest, SettleRequest
from causeway_common.contracts.verbs import CLAIM, CLIENT_COMMAND_SECONDS, SETTLE
from causeway_logic import App
from causeway_logic.adapters.connectors import BusConnectors
from causeway_logic.adapters.gateways import BusGateways
from causeway_logic.adapters.storage import BusStorage
from causeway_logic.domain.signatures import Signature
from causeway_logic.handlers.dispatch import Dispatcher
from causeway_logic.handlers.every import Recurring
from causeway_logic.handlers.lifecycle import LifecycleEvents
from causeway_logic.handlers.running import Runner
from causeway_logic.handlers.tasks import Tasks
from causeway_logic.handlers.work import Works
from causeway_logic.ports import Outside
from causeway_testing.bus import LocalBus
from causeway_testing.clock import Clock, Ids

CONCURRENCY: Final = 16
RETRY_SECONDS: Final = 1.0
PATIENCE_SECONDS: Final = 12.0
PAUSE_SECONDS: Final = 0.5


class InlineRunner(Runner):
    """Runs plain functions where they are called: a thread would make no two runs alike."""

    async def _called(self, signature: Signature, *positional: Any, **named: Any) -> Any:
        if signature.asynchronous:
            return await signature.function(*positional, **named)
        return signature.function(*positional, **named)


class LocalRecords:
    """`ports.Records`, as the SDK's own adapter, but for its jitter, which is the test's."""

    def __init__(self, bus: LocalBus, app: str, ids: Ids) -> None:
        self._bus, self._app, self._ids = bus, app, ids

    async def claim(self, id: str, lease_ms: int) -> ClaimReply:
        """As the port says."""
        reply: ClaimReply = await self._patiently(CLAIM, ClaimRequest(id=id, node=self._app, lease_ms=lease_ms))
        return reply

    async def settle(self, request: SettleRequest) -> bool:
        """As the port says."""
        settled: bool = (await self._patiently(SETTLE, request)).settled
        return settled

    async def _patiently(self, verb: Any, request: Any) -> Any:
        until = Deadline.after(PATIENCE_SECONDS)
        while True:
            try:
                return await self._bus.request(verb, request, Deadline.after(CLIENT_COMMAND_SECONDS), caller=self._app)
            except CausewayError as error:
                if not error.temporary or until.remaining() <= 0:
                    raise
            await asyncio.sleep(self._ids.jitter() * PAUSE_SECONDS)


class AppProcess:
    """One process.

    Args:
        app: whose.
        bus: leads to everything else.
        clock: the time of day.
        ids: its ids and its jitter.
        services: by type, in the place of those that the app would make.

    Attributes:
        dispatcher: answers calls and hooks.
        tasks: runs records.
        lifecycle: takes lifecycle events.
    """

    def __init__(self, app: App, bus: LocalBus, clock: Clock, ids: Ids, services: Mapping[type[Any], Any]) -> None:
        as_bus = cast("Bus", bus)  # as much of one as the SDK's adapters ask for
        outside = Outside(
            storage=BusStorage(as_bus, app.name),
            gateways=BusGateways(as_bus, app.name),
            connectors=BusConnectors(as_bus, app.name),
            now_ms=clock.now_ms,
            new_id=ids.new_id,
            jitter=ids.jitter,
            pause=asyncio.sleep,
        )
        self.dispatcher = Dispatcher(app, outside, InlineRunner(app, services=services))
        self.tasks = Tasks(Works(app, self.dispatcher), LocalRecords(bus, app.name, ids), outside, concurrency=CONCURRENCY)
        self.lifecycle = LifecycleEvents(app, self.dispatcher, outside)
        self._recurring = Recurring(app, self.dispatcher)
        self.recurs = any(task.ticks is not None for task in app.tasks.values())

    async def start(self) -> None:
        """Make the app's services. Raises what one of them raises."""
        await self.dispatcher.start()

    async def recur(self) -> None:
        """Set the timers of recurring tasks, whatever is lost on the way."""
        while True:
            try:
                await self._recurring.ensure()
            except CausewayError:
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return

    async def stop(self) -> None:
        """Close the app's services."""
        await self.dispatcher.stop()
