"""Watches from a thread of its own that the event loop turns, and names the handler that keeps it from turning."""

from __future__ import annotations

import asyncio
import inspect
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Mapping
from types import CodeType, FrameType
from typing import Final

from causeway_common.telemetry import Counters, get_logger
from causeway_logic.domain.declare import App
from causeway_logic.domain.signatures import Signature

log = get_logger("logic")
_counters: Final = Counters("logic")
_blocked: Final = _counters.counter(
    "loop_blocked", "times that a handler kept the event loop for longer than it may", label="handler"
)
_blocked_ms: Final = _counters.counter("loop_blocked_time", "how long handlers kept the event loop", label="handler", unit="ms")
UNKNOWN: Final = "unknown"
STACK_FRAMES: Final = 20


class Watchdog:
    """Warns once of each time that the loop does not turn for `seconds`.

    Args:
        app: whose handlers are told by their names.
        seconds: so long may one keep the loop.
    """

    def __init__(self, app: App, *, seconds: float) -> None:
        self._seconds = seconds
        self._handlers = handlers_of(app)
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    async def start(self) -> None:
        """Begin to watch the running loop, from its own thread."""
        loop, looped = asyncio.get_running_loop(), threading.get_ident()
        self._thread = threading.Thread(target=self._watch, args=(loop, looped), name="causeway-watchdog", daemon=True)
        self._thread.start()

    async def stop(self) -> None:
        """End."""
        self._ended.set()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    def _watch(self, loop: asyncio.AbstractEventLoop, looped: int) -> None:
        turned = threading.Event()
        while not self._ended.wait(self._seconds / 2):
            turned.clear()
            asked = time.monotonic()
            try:
                loop.call_soon_threadsafe(turned.set)
            except RuntimeError:  # the loop is closed: the process ends
                return
            if turned.wait(self._seconds):
                continue
            handler = self._warn(looped)
            while not turned.wait(self._seconds):
                if self._ended.is_set():
                    return
            _blocked_ms.add(int((time.monotonic() - asked) * 1000), handler)

    def _warn(self, looped: int) -> str:
        frame = sys._current_frames().get(looped)  # noqa: SLF001 - the only way to see what another thread does
        handler = next((self._handlers[each.f_code] for each in _frames(frame) if each.f_code in self._handlers), UNKNOWN)
        stack = "".join(traceback.format_stack(frame, limit=STACK_FRAMES)) if frame else ""
        _blocked.add(1, handler)
        log.warning(
            "a handler keeps the event loop from everything else: await what takes long, or make it a plain `def`",
            handler=handler,
            milliseconds=int(self._seconds * 1000),
            stack=stack,
        )
        return handler


def handlers_of(app: App) -> Mapping[CodeType, str]:
    """The names of an app's handlers by their code."""
    codes = ((getattr(inspect.unwrap(signature.function), "__code__", None), name) for name, signature in _signatures(app))
    return {code: name for code, name in codes if code is not None}


def _signatures(app: App) -> Iterator[tuple[str, Signature]]:
    for method in app.methods.values():
        yield f"{app.name}.{method.name}", method.signature
    for task in app.tasks.values():
        yield f"{app.name} task {task.name}", task.signature
    for (source, type_), handler in app.event_handlers.items():
        yield f"{app.name} on_event {source} {type_}", handler.signature
    for type_, told in app.lifecycle_handlers.items():
        yield f"{app.name} on_lifecycle {type_}", told.signature
    for what, hook in (("on_connect", app.connect_hook), ("on_refresh", app.refresh_hook)):
        if hook is not None:
            yield f"{app.name} {what}", hook.signature
    for namespace in app.namespaces.values():
        for owner, family in ((namespace.name, namespace), *((each.pattern, each) for each in namespace.patterns)):
            hooks = {"subscribe": family.subscribe_hook, "sub_refresh": family.sub_refresh_hook, "publish": family.publish_hook}
            yield from ((f"{owner} on_{what}", hook.signature) for what, hook in hooks.items() if hook is not None)


def _frames(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back
