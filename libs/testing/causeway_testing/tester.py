"""`AppTester`: an app in this process, with users, a clock and an outside that the test moves."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from pydantic_core import to_json, to_jsonable_python

from causeway_common.contracts.errors import CausewayError
from causeway_common.contracts.ids import derived_id
from causeway_common.contracts.messages import Manifest, NewRecord
from causeway_common.contracts.ordering import line_of_event
from causeway_common.telemetry import get_logger
from causeway_gateway.domain.protocol import publication_of
from causeway_logic import App
from causeway_logic.domain.tasks import ON_EVENT
from causeway_storage.domain.entity import EntityKey, loaded
from causeway_testing.calls import Calls
from causeway_testing.clock import BEGINNING
from causeway_testing.errors import CallError, HarnessError
from causeway_testing.faults import Chance, Faults
from causeway_testing.jobs import Job, TaskRecord
from causeway_testing.rooms import Received
from causeway_testing.users import Answered, User
from causeway_testing.world import World

M = TypeVar("M")
T = TypeVar("T")
COMPARED_AFTER: Final = timedelta(seconds=40)
"""Gateways compare heads so often."""
log = get_logger("testing")


class AppTester:
    """One app, as many users as the test likes, and nothing outside.

    Args:
        app: the app.
        seed: with one, what runs at the same time goes on in an order of its making, and `faults` happen; without, in the order asked.
        faults: what goes wrong, and how often.
        services: what the app's lifespans would make, by type: fakes in their place.
        now: when the test begins (aware).
        replicas: how many processes of the app there are.
        chance: instead of `seed` and `faults`, for `explore`.
        manifest: the app's, where it was made before: its JSON Schemas take longer than most tests.

    Attributes:
        app: the app.
        calls: what connectors answer, and what they were asked.
        seed: what was given, or 0.
    """

    def __init__(
        self,
        app: App,
        *,
        seed: int | None = None,
        faults: Faults | None = None,
        services: Mapping[type[Any], Any] | None = None,
        now: datetime = BEGINNING,
        replicas: int = 1,
        chance: Chance | None = None,
        manifest: Manifest | None = None,
    ) -> None:
        if faults is not None and seed is None:
            raise HarnessError("faults happen by a seed: AppTester(app, seed=1, faults=...)")
        if chance is None and seed is not None:
            chance = Chance(seed, faults or Faults(reorder=1.0))
        self.app, self.calls, self.seed = app, Calls(), seed or 0
        self._world = World(
            app,
            manifest or app.manifest(),
            self.calls,
            chance=chance,
            seed=self.seed,
            services=dict(services or {}),
            now=now,
            replicas=replicas,
        )
        self.loop = self._world.loop

    def __enter__(self) -> Self:
        """Begin; for plain tests, which use `run`."""
        self.start()
        return self

    def __exit__(self, _kind: object, _error: BaseException | None, _traceback: TracebackType | None) -> None:
        """End."""
        self.close()

    async def __aenter__(self) -> Self:
        """Begin."""
        self.start()
        return self

    async def __aexit__(self, _kind: object, _error: BaseException | None, _traceback: TracebackType | None) -> None:
        """End."""
        self.close()

    def start(self) -> None:
        """Begin, its services made; `async with` and the fixture do it."""
        with self.undisturbed():
            self.loop.run(self._world.replicas.start())

    def close(self) -> None:
        """End: what still runs is cancelled, and has no effect any more."""
        if self.loop.is_closed():
            return
        self.loop.run(self._world.replicas.stop())
        self.loop.finish()
        self.loop.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do this from a plain function: `tester.run(ann.call("bid", {...}))`."""
        return self.loop.run(work)

    # --- users

    def user(self, name: str, *, info: Any = None) -> User:
        """A new connection of this user, let in by a token; "" is an anonymous user. `info` is what the token says beside the user."""
        return self._world.gateway.user(name, info)

    async def connect(self, data: Any = None, *, headers: dict[str, str] | None = None) -> User:
        """A new connection without a token: the app's connect hook says who it is.

        Raises:
            CallError: the hook's refusal; 108, the app has none.
        """
        try:
            return await self._world.gateway.on_loop(
                self._world.gateway.connect(None if data is None else to_json(data), headers or {})
            )
        except CausewayError as error:
            raise CallError.of(error) from error

    @property
    def users(self) -> list[User]:
        """The connections that stand."""
        return list(self._world.gateway.users)

    # --- time

    def now(self) -> datetime:
        """The time of day, as `ctx.now()` has it."""
        return BEGINNING + timedelta(milliseconds=self._world.clock.now_ms() - round(BEGINNING.timestamp() * 1000))

    async def advance(self, delta: timedelta | None = None, **units: float) -> None:
        """Move time: what is due meanwhile happens, each at its own time.

        Args:
            delta: how far.
            units: instead or beside it, as `timedelta` takes them: `hours=2`.
        """
        seconds = ((delta or timedelta()) + timedelta(**units)).total_seconds()
        if seconds < 0:
            raise HarnessError("time only goes forward")
        await self._world.gateway.on_loop(self._advanced(seconds))

    async def _advanced(self, seconds: float) -> None:
        there: asyncio.Future[None] = self.loop.create_future()
        self.loop.call_later(seconds, there.set_result, None)
        self.loop.awaited(there, _nothing)
        self.loop.moving += 1
        try:
            await there
        finally:
            self.loop.moving -= 1
        await self._world.storage.retain()

    async def settle(self, delta: timedelta = timedelta(hours=1)) -> None:
        """Let so much time pass, and have subscribers told of what a lost message kept from them."""
        first = min(delta, COMPARED_AFTER)
        for part in (first, delta - first):
            await self.advance(part)
            await self._world.gateway.on_loop(self._world.rooms.compare())
        await self.advance(seconds=5)

    @contextmanager
    def undisturbed(self) -> Iterator[None]:
        """Nothing goes wrong within, and everything in the order asked: to prepare, and to look."""
        chance = self._world.steps.chance
        if chance is None:
            yield
            return
        before, chance.calm = chance.calm, True
        try:
            yield
        finally:
            chance.calm = before

    @contextmanager
    def app_away(self) -> Iterator[None]:
        """No process of the app is there within: calls and hooks end as their `when_unavailable` says, tasks wait."""
        self._world.replicas.down = True
        try:
            yield
        finally:
            self._world.replicas.down = False
            self._world.deliveries.resumed()

    # --- the outside

    @property
    def jobs(self) -> list[Job]:
        """What the app enqueued for connectors, in order."""
        return self._world.jobs.all()

    @property
    def tasks(self) -> list[TaskRecord]:
        """The app's own tasks that were due or are under way, events from outside among them, in order."""
        return self._world.jobs.tasks()

    async def run_jobs(self) -> list[Job]:
        """Try each pending job once with the answers of `calls`; those that were tried, as they are now."""
        return await self._world.gateway.on_loop(self._world.jobs.run())

    async def event(self, source: str, type_: str, data: Any, *, id: str = "") -> None:
        """An event came in from outside, verified: the app's handler of it is run, as a task.

        Args:
            source: where it came in.
            type_: the sender's name of its kind.
            data: what it says.
            id: the sender's; the same one again is the same event. Left out, a new one.

        Raises:
            HarnessError: the app handles no such event.
        """
        handlers = {each.type: each for each in self._world.manifest.events if each.source == source and each.type in (type_, "*")}
        if not handlers:
            raise HarnessError(f"{self.app.name} handles no {type_} of {source}")
        order_by = (handlers.get(type_) or handlers["*"]).order_by
        await self._world.gateway.on_loop(self._arrived(source, type_, data, id or self._world.ids.new_id(), order_by))

    async def _arrived(self, source: str, type_: str, data: Any, id: str, order_by: str) -> None:
        payload = {
            "source": source,
            "type": type_,
            "id": id,
            "data": to_jsonable_python(data),
            "received_ms": self._world.clock.now_ms(),
        }
        name = derived_id(source, id, self.app.name)
        line = line_of_event(self.app.name, source, payload["data"], order_by)
        record = NewRecord(id=f"in:{name}", app=self.app.name, connector="", op=ON_EVENT, payload=payload, line=line, behind=line)
        await self._world.storage.delivery.put([record], ())

    # --- what there is

    def entity(self, model: type[M], id: str) -> M:
        """The state of an entity as committed.

        Raises:
            LookupError: there is none.
        """
        found = self.find(model, id)
        if found is None:
            raise LookupError(f"there is no {self.app.entity_type(model).kind} {id!r}")
        return found

    def find(self, model: type[M], id: str) -> M | None:
        """As `entity`; None where there is none."""
        shape = self.app.entity_type(model).shape
        document = loaded(self._world.storage.database.entities.get(EntityKey(self.app.name, shape.kind, id)))
        return None if document.state is None else shape.load(document.state)

    def entities(self, model: type[M]) -> dict[str, M]:
        """All entities of this model, by id."""
        kind = self.app.entity_type(model).kind
        keys = [key.id for key in self._world.storage.database.entities if key.kind == kind]
        return {key: found for key in keys if (found := self.find(model, key)) is not None}

    def published(self, channel: str) -> list[Received]:
        """What the log of a channel holds, oldest first, whoever watches."""
        found = self._world.storage.database.logs.get(str(channel))
        return [] if found is None else [Received.of(publication_of(each)) for each, _ in found.publications.values()]

    @property
    def answered(self) -> list[Answered]:
        """The users' calls that have ended, in the order of their ends."""
        return self._world.gateway.answered

    @property
    def steps(self) -> tuple[str, ...]:
        """What happened so far, where a seed decides the order."""
        return tuple(self._world.steps.told)


def _nothing() -> None:
    """Whoever waits for time to pass gives up: it passes or not."""
