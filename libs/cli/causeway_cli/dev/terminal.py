"""The supervisor's output: one prefixed line after the other.

Writing is a thread's work behind a bounded queue, so that a terminal that is paused, or a pipe that nobody reads, never stops the
supervisor or, through their full pipes, the processes. What does not fit is dropped and counted in a line of its own.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from typing import Final

import click

QUEUE_MAX_LINES: Final = 10_000
CLOSE_SECONDS: Final = 1.0
OWN_NAME: Final = "causeway"
_COLOURS: Final = ("cyan", "green", "yellow", "magenta", "blue", "bright_cyan", "bright_green", "bright_yellow", "bright_magenta")


class Terminal:
    """Lines with coloured names of one width, to one file descriptor."""

    def __init__(self, descriptor: int, *, colour: bool) -> None:
        self._descriptor, self._colour = descriptor, colour
        self._prefixes: dict[str, str] = {}
        self._width = len(OWN_NAME)
        self._lines: deque[str] = deque()
        self._dropped = 0
        self._busy = self._gone = False
        self._changed = threading.Condition()
        threading.Thread(target=self._write_all, name="terminal", daemon=True).start()

    def set_names(self, names: list[str]) -> None:
        """The names to come: they fix the width, and each name's colour."""
        self._width = max(len(name) for name in (OWN_NAME, *names))
        self._prefixes = {name: self._prefix(name, _COLOURS[at % len(_COLOURS)]) for at, name in enumerate(names)}

    def write(self, name: str, line: str) -> None:
        """One line of a process. Never waits; dropped when `QUEUE_MAX_LINES` wait already."""
        self._put((self._prefixes.get(name) or self._prefix(name, "white")) + line + "\n")

    def say(self, text: str) -> None:
        """Lines of the supervisor itself."""
        prefix = self._prefix(OWN_NAME, "bright_white")
        for line in text.splitlines():
            self._put(f"{prefix}{click.style(line, bold=True) if self._colour else line}\n")

    def close(self) -> None:
        """Wait for what is queued to be written, for `CLOSE_SECONDS` at most."""
        deadline = time.monotonic() + CLOSE_SECONDS
        with self._changed:
            while (self._lines or self._busy) and not self._gone and (left := deadline - time.monotonic()) > 0:
                self._changed.wait(left)

    def _prefix(self, name: str, colour: str) -> str:
        padded = f"{name:<{self._width}} "
        return f"{click.style(padded, fg=colour) if self._colour else padded}| "

    def _put(self, line: str) -> None:
        with self._changed:
            if self._gone:
                return
            if len(self._lines) >= QUEUE_MAX_LINES:
                self._dropped += 1
                return
            if self._dropped:
                self._lines.append(
                    f"{self._prefix(OWN_NAME, 'bright_white')}{self._dropped} lines dropped, the terminal was too slow\n"
                )
                self._dropped = 0
            self._lines.append(line)
            self._changed.notify_all()

    def _write_all(self) -> None:
        while True:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._lines)
                batch = "".join(self._lines).encode("utf-8", "replace")
                self._lines.clear()
                self._busy = True
            try:
                while batch:
                    batch = batch[os.write(self._descriptor, batch) :]
            except OSError:  # the reader is gone; the stack goes on without an audience
                with self._changed:
                    self._gone = True
                    self._changed.notify_all()
                return
