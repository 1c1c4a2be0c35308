"""Which apps a changed file concerns, and the watch on the files."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from watchfiles import PythonFilter, awatch

DEBOUNCE_MS: Final = 200
"""An editor that writes a file in several steps, or several files at once, restarts an app once."""
STEP_MS: Final = 30
NOT_RUN: Final = (".causeway", "tests")
"""Beside what the filter leaves out anyway: virtual environments, caches, version control."""


@dataclass(frozen=True, slots=True)
class Watched:
    """An app's process by name, its own code (a folder or a file), and the folder that its imports begin in."""

    name: str
    source: Path
    folder: Path


def concerned(changed: Iterable[Path], watched: Sequence[Watched]) -> list[str]:
    """The processes to replace: those whose own code changed; all in whose folder a file changed that is no app's own."""
    names: set[str] = set()
    for path in changed:
        owners = [app for app in watched if path.is_relative_to(app.source)]
        names.update(app.name for app in owners or [app for app in watched if path.is_relative_to(app.folder)])
    return [app.name for app in watched if app.name in names]


async def changes(watched: Sequence[Watched]) -> AsyncIterator[list[str]]:
    """The processes concerned, at each change of a Python file below the apps' folders; what tools keep there is not looked at."""
    folders = {app.folder for app in watched} | {app.source for app in watched if not app.source.is_relative_to(app.folder)}
    outermost = [folder for folder in folders if not any(folder != other and folder.is_relative_to(other) for other in folders)]
    only_python = PythonFilter(ignore_paths=[folder / name for folder in outermost for name in NOT_RUN])
    async for found in awatch(*outermost, watch_filter=only_python, debounce=DEBOUNCE_MS, step=STEP_MS):
        if names := concerned((Path(path) for _, path in found), watched):
            yield names
