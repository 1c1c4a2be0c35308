"""Progress on a terminal, for what takes longer than a moment."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

Advance = Callable[[int], None]
PATIENCE_S: Final = 2.0
"""What is done sooner shows no progress."""


@contextmanager
def shown(what: str, total: int | None) -> Iterator[Advance]:
    """Show on standard error how far the block is, where that is a terminal.

    Args:
        what: it does.
        total: of how many; None: not known.

    Yields:
        Tells how many more are done.
    """
    if not sys.stderr.isatty():
        yield lambda _done: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    progress = Progress(*columns, console=Console(stderr=True), transient=True)
    task = progress.add_task(what, total=total)
    # By a timer: the first thing done may be the longest.
    patience = threading.Timer(PATIENCE_S, progress.start)
    patience.start()
    try:
        yield lambda done: progress.advance(task, done)
    finally:
        patience.cancel()
        patience.join()
        progress.stop()
