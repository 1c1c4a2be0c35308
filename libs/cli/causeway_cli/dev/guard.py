"""Waits for the supervisor's end, and where that came without a stop (SIGKILL) keeps its promises: stack.json true, no process left.

A program of its own, `python -I -S guard.py DATA_DIR`, that imports nothing of ours. Its standard input is a pipe whose other end only the
supervisor holds. A file that another stack has taken over meanwhile is left alone, which the lock tells.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sys
import time
from pathlib import Path

LOOKS = 50
PAUSE_SECONDS = 0.01


def main(data_dir: Path) -> None:
    """Wait, then clear stack.json. What goes wrong is this process's exit code: nobody is left to be told."""
    while os.read(0, 1):
        pass
    if not _take_lock(os.open(data_dir / "lock", os.O_RDWR)):
        return
    path = data_dir / "stack.json"
    state = json.loads(path.read_text(encoding="utf-8"))
    if sys.platform != "linux":  # there the tether does it
        for entry in state["processes"]:
            if entry["service"] != "dev":  # the supervisor itself, which is gone
                _kill_group(entry["pid"])
    beside = path.with_name(".stack.json.guard")
    beside.write_text(json.dumps({**state, "ready": False, "processes": []}, indent=2) + "\n", encoding="utf-8")
    beside.replace(path)


def _take_lock(lock: int) -> bool:
    """Whether nobody runs a stack here. The kernel may close a killed process's pipe before its lock, hence more than one look."""
    for _ in range(LOOKS):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(PAUSE_SECONDS)
        else:
            return True
    return False


def _kill_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


if __name__ == "__main__":
    main(Path(sys.argv[1]))
