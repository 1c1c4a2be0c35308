"""Tasks of an app: durable calls of itself, now or later; and what asks for one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from causeway_common.contracts.errors import CausewayError
from causeway_common.contracts.messages import JsonMap, ScheduleItem, TaskItem
from causeway_common.contracts.names import IDENTIFIER_RULE, is_identifier
from causeway_logic.domain.retry import Retry
from causeway_logic.domain.signatures import Signature
from causeway_logic.domain.ticks import TICK, Ticks
from causeway_logic.domain.timers import TIMER
from causeway_logic.domain.values import json_bytes, json_map, milliseconds

ON_EVENT: Final = "on_event"
ON_LIFECYCLE: Final = "on_lifecycle"
ON_QUEUED_CALL: Final = "on_queued_call"
RESERVED: Final = frozenset({ON_EVENT, ON_LIFECYCLE, ON_QUEUED_CALL})
"""Tasks that every app may be sent: an event from outside, a lifecycle event that failed, a call that waited for an instance."""
TIMEOUT_MS: Final = 30_000
"""So long one try of a task, an event handler or a lifecycle handler may take where nothing else is said."""
DOWN_MS: Final = 86_400_000
NAME_MAX_BYTES: Final = 255
BY: Final = "_by"
"""In a task's payload: the user whose call caused it. No input has a field of this name, pydantic keeps such names private."""
HIDDEN: Final = frozenset({BY, TIMER, TICK})
AT_ONCE_MS: Final = 1
"""A time that has always come."""

TaskName = str | Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Running:
    """How a durable handler is run.

    Attributes:
        retry: when a failed try is made again.
        limit: so many at once in one process; None: the runner's setting.
        timeout_ms: one try is cancelled after so long, and has failed.
    """

    retry: Retry = field(default_factory=Retry)
    limit: int | None = None
    timeout_ms: int = TIMEOUT_MS

    @property
    def remember_ms(self) -> int:
        """So long after a commit another try may come: the whole schedule, and a day in which no instance of the app ran."""
        return self.retry.total_ms + DOWN_MS


@dataclass(frozen=True, slots=True)
class Task:
    """One task: its handler, how it is run, and for `app.every` when."""

    name: str
    signature: Signature
    running: Running
    ticks: Ticks | None = None

    def payload(self, given: Any, by: str) -> JsonMap:
        """What a record carries.

        Args:
            given: the input as the author gives it: a model or a map; None is an empty map.
            by: the user who causes it.

        Raises:
            TypeError: it is no map, or not what the task takes.
        """
        what = f"the payload of the task {self.name}"
        payload = {} if given is None else json_map(given, what)
        if self.signature.input is None and payload:
            raise TypeError(f"the task {self.name} takes no input, got {given!r:.80}")
        self._check(payload, what)
        return {**payload, BY: by} if by else payload

    def read(self, payload: JsonMap) -> Any:
        """The input of one run. Raises CausewayError 107, naming the field, where the payload does not fit this version."""
        return self.signature.read(json_bytes({name: value for name, value in payload.items() if name not in HIDDEN}, "a payload"))

    def _check(self, payload: JsonMap, what: str) -> None:
        try:
            self.signature.read(json_bytes(payload, what))
        except CausewayError as error:
            raise TypeError(f"{what} does not fit: {error.message}") from error


def task_name(name: str, taken: Mapping[str, Any]) -> str:
    """A name that a task may have. Raises ValueError."""
    if not is_identifier(name) or name in RESERVED:
        raise ValueError(f"a task's name is {IDENTIFIER_RULE}, and none of {', '.join(sorted(RESERVED))}; got {name!r}")
    if name in taken:
        raise ValueError(f"the task {name} is declared twice")
    return name


def find_task(tasks: Mapping[str, Task], wanted: TaskName) -> Task:
    """The task of this name, or of this function. Raises ValueError where the app declares none."""
    if isinstance(wanted, str):
        found = tasks.get(wanted)
    else:
        found = next((task for task in tasks.values() if task.signature.function is wanted), None)
    if found is None:
        shown = wanted if isinstance(wanted, str) else getattr(wanted, "__name__", wanted)
        raise ValueError(f"{shown!r} is no task of this app: declare it with @app.task")
    return found


def timer_name(name: str) -> str:
    """A timer's name, if it may be one. Raises ValueError."""
    if not 1 <= len(name.encode()) <= NAME_MAX_BYTES:
        raise ValueError(f"a timer's name has 1 to {NAME_MAX_BYTES} bytes, got {len(name.encode())}")
    return name


def item_of(task: Task, payload: JsonMap, at: datetime | None, name: str | None) -> TaskItem | ScheduleItem:
    """What leaves with a commit: without a name and a time a task at once, else a timer of that name (the task's, where it has none).

    Raises:
        TypeError: the time has no zone.
        ValueError: the name is empty or longer than 255 bytes.
    """
    if at is None and name is None:
        return TaskItem(task=task.name, payload=payload)
    at_ms = AT_ONCE_MS if at is None else milliseconds(at)
    return ScheduleItem(name=timer_name(task.name if name is None else name), at_ms=at_ms, task=task.name, payload=payload)
