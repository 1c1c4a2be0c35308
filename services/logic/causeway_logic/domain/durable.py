"""The part of an app's declaration that is durable: what runs later, again, or because of what happened outside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar, overload

from causeway_common.contracts.messages import EventSpec
from causeway_common.runtime.durations import parse_duration
from causeway_logic.domain.declaring import Declarations
from causeway_logic.domain.events import LIFECYCLE_TYPES, Event, EventHandler, LifecycleEvent, LifecycleHandler, data_type
from causeway_logic.domain.indexes import EntityType
from causeway_logic.domain.retry import Retry
from causeway_logic.domain.signatures import Offer, adapter
from causeway_logic.domain.tasks import TIMEOUT_MS, Running, Task, task_name
from causeway_logic.domain.ticks import parse_ticks

F = TypeVar("F", bound=Callable[..., Any])
M = TypeVar("M")
_TASK: Final = Offer("the task")
_EVERY: Final = Offer("the recurring task", input=False)
_EVENT: Final = Offer("the event handler", given=(Event,), input=False)
_LIFECYCLE: Final = Offer("the lifecycle handler", given=(LifecycleEvent,), input=False)


class Durables(Declarations):
    """Entities, tasks, recurring tasks, events and lifecycle events of an app."""

    def __init__(self, name: str, version: str) -> None:
        super().__init__(name, version)
        self.entities: dict[type[Any], EntityType[Any]] = {}
        self.tasks: dict[str, Task] = {}
        self.event_handlers: dict[tuple[str, str], EventHandler] = {}
        self.lifecycle_handlers: dict[str, LifecycleHandler] = {}

    def entity(self, model: type[M], *, kind: str = "") -> EntityType[M]:
        """Declare a kind of entity, to give it a name of its own or indexes; `ctx.entity(Model, id)` works without.

        Args:
            model: a pydantic model or a dataclass.
            kind: its name in storage; left out, the class's `__kind__`, and without that the class's name in snake_case.

        Raises:
            TypeError: the kind is not a name.
            ValueError: the model, or its kind, is declared already.
        """
        made = EntityType(model, kind)
        if model in self.entities or any(other.kind == made.kind for other in self.entities.values()):
            raise ValueError(f"the entity {made.kind} is declared twice")
        self.entities[model] = made
        return made

    def entity_type(self, model: type[M]) -> EntityType[M]:
        """How a model is stored, declared or not. Raises TypeError where it has no usable kind."""
        return self.entities.get(model) or EntityType.of(model)

    @overload
    def task(self, handler: F, /) -> F: ...
    @overload
    def task(self, *, retry: Retry | None = None, limit: int | None = None, timeout: str = "") -> Callable[[F], F]: ...
    def task(
        self, handler: F | None = None, *, retry: Retry | None = None, limit: int | None = None, timeout: str = ""
    ) -> F | Callable[[F], F]:
        """Make `async def close(ctx: Context, req: Close) -> None` callable by the app itself, durably, under the function's name.

        Asked for by `draft.schedule` and `ctx.schedule`. It runs at least once; its commits happen once, since their ids come from the
        record. For that every run must edit the same entities in the same order. `Reject` without `temporary` ends it: dead at once, with
        its reason; anything else that it raises is tried again. `ctx.user` is who caused it.

        Args:
            handler: the function.
            retry: when a failed try is made again (after 1 s, 5 s, 30 s, 5 min, 30 min, 2 h where left out), then it is dead.
            limit: so many at once in one process (`[logic] task_concurrency` where left out); the others wait.
            timeout: one try is cancelled after so long, and has failed (30 s where left out).

        Raises:
            TypeError: its parameters are of another form.
            ValueError: the name is taken or is no task's, or an option has a value that it cannot have.
        """

        def declare(function: F) -> F:
            name = task_name(getattr(function, "__name__", ""), self.tasks)
            self.tasks[name] = Task(name, self._read(function, _TASK), _running(retry, limit, timeout, name))
            return function

        return declare if handler is None else declare(handler)

    def every(self, ticks: str, *, retry: Retry | None = None, timeout: str = "") -> Callable[[F], F]:
        """Run `async def tidy(ctx: Context) -> None` again and again, each time once over all instances of the app.

        Ticks that pass while no instance runs are made up for by one run. One run may still go on when the next begins.

        Args:
            ticks: an interval counted from the Unix epoch (`1h`: each full hour UTC; at least 1 s), or a cron line in UTC (`0 3 * * *`).
            retry: as for a task.
            timeout: as for a task.

        Raises:
            TypeError: its parameters are of another form.
            ValueError: the ticks cannot be read, or the name is taken or is no task's.
        """
        parsed = parse_ticks(ticks)

        def declare(function: F) -> F:
            name = task_name(getattr(function, "__name__", ""), self.tasks)
            self.tasks[name] = Task(name, self._read(function, _EVERY), _running(retry, None, timeout, name), parsed)
            return function

        return declare

    def on_event(
        self, source: str, type_: str, *, order_by: str = "", retry: Retry | None = None, timeout: str = ""
    ) -> Callable[[F], F]:
        """Hand events from outside to `async def paid(ctx: Context, event: Event[PaymentIntent]) -> None`, each at least once.

        An event is a task: tried again, and dead at once where its data do not fit the annotation or `Reject` says so. Its commits happen
        once. Of two handlers the one for exactly the type gets the event.

        Args:
            source: the source's name in the configuration of integrations.
            type_: the sender's name of the event's kind; "*": any.
            order_by: the path of a value in their data (`customer.id`): those of the source with one value come one after the other, in the
                order in which they were taken, the next once the one before is done or dead. One without that value waits for none.
            retry: as for a task.
            timeout: as for a task.

        Raises:
            TypeError: its parameters are of another form.
            ValueError: there is one for this source and type already, or the path has an empty part.
        """
        if order_by and not all(order_by.split(".")):
            raise ValueError(f"order_by is a path such as customer.id, got {order_by!r}")

        def declare(function: F) -> F:
            if (source, type_) in self.event_handlers:
                raise ValueError(f"there is a handler of {type_!r} of {source!r} already")
            signature = self._read(function, _EVENT)
            data = adapter(data_type(signature.given(Event)), f"the data of the event in {signature.what}")
            self.event_handlers[(source, type_)] = EventHandler(
                signature, data, _running(retry, None, timeout, signature.what), order_by
            )
            return function

        return declare

    def on_lifecycle(self, *types: str, retry: Retry | None = None, timeout: str = "") -> Callable[[F], F]:
        """Hand lifecycle events to `async def left(ctx: Context, event: LifecycleEvent) -> None`, each at least once, in order.

        `connected` and `disconnected` of all users; `subscribed`, `unsubscribed`, `first_join` and `last_leave` of channels of the app's
        own namespaces, where they have `lifecycle_events` or `occupancy_events`. One at a time over all instances. One that fails three
        times leaves the line, so that it holds up nothing, and is tried again as a task.

        Args:
            types: of the events.
            retry: as for a task, once an event is one.
            timeout: one try is cancelled after so long (30 s where left out).

        Raises:
            TypeError: its parameters are of another form.
            ValueError: no types, an unknown one, or one that has a handler already.
        """
        if not types or not set(types) <= set(LIFECYCLE_TYPES):
            raise ValueError(f"lifecycle events are {', '.join(LIFECYCLE_TYPES)}; got {', '.join(types) or 'none'}")

        def declare(function: F) -> F:
            signature = self._read(function, _LIFECYCLE)
            made = LifecycleHandler(signature, _running(retry, None, timeout, signature.what))
            for type_ in types:
                if type_ in self.lifecycle_handlers:
                    raise ValueError(f"there is a handler of {type_} already")
                self.lifecycle_handlers[type_] = made
            return function

        return declare

    def _manifest(self) -> dict[str, Any]:
        return super()._manifest() | {
            "indexes": {made.kind: sorted(made.indexes) for made in self.entities.values() if made.indexes},
            "tasks": sorted(self.tasks),
            "events": [
                EventSpec(source=source, type=type_, order_by=handler.order_by)
                for (source, type_), handler in self.event_handlers.items()
            ],
            "lifecycle": sorted(self.lifecycle_handlers),
        }


def _running(retry: Retry | None, limit: int | None, timeout: str, what: str) -> Running:
    if limit is not None and limit < 1:
        raise ValueError(f"the limit of {what} is 1 or more, got {limit}")
    timeout_ms = parse_duration(timeout) if timeout else TIMEOUT_MS
    if timeout_ms < 1:
        raise ValueError(f"the timeout of {what} is above zero, got {timeout!r}")
    return Running(retry or Retry(), limit, timeout_ms)
