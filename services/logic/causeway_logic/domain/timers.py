"""An app's own timers: those that no entity of its author has. Each is a hidden entity, so that its order is that of its commits."""

from __future__ import annotations

from typing import Final

from causeway_common.contracts.messages import JsonMap, ScheduleItem, TaskItem

TIMER_KIND: Final = "timer"
"""The kind of the hidden entities; no app's model has this one (`RESERVED_KINDS`)."""
TIMER: Final = "_timer"
"""In a task's payload: the timer that it was, and which setting of it."""


def timer_state(item: ScheduleItem | TaskItem, mark: str) -> JsonMap:
    """The hidden entity's state: enough for whoever looks at it, and the mark of this setting."""
    at_ms = item.at_ms if isinstance(item, ScheduleItem) else 0
    return {"task": item.task, "at_ms": at_ms, "mark": mark}


def marked(payload: JsonMap, name: str, mark: str) -> JsonMap:
    """A payload that says which timer it came of."""
    return {**payload, TIMER: [name, mark]}


def mark_of(payload: JsonMap) -> tuple[str, str] | None:
    """The timer that a payload came of, and which setting of it."""
    match payload.get(TIMER):
        case [str(name), str(mark)]:
            return name, mark
        case _:
            return None


def fired(state: JsonMap | None, mark: str) -> bool:
    """Whether a hidden entity is only what this setting left: it was not set again since."""
    return state is not None and state.get("mark") == mark
