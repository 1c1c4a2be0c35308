"""The data directory belongs to one stack at a time: an flock on its file `lock`, which ends with the process that holds it."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import Final

LOCK_FILE: Final = "lock"
# `is_in_use` holds a shared lock for an instant; this outlasts it.
_TRIES: Final = 6
_PAUSE_SECONDS: Final = 0.05


class DataDirError(Exception):
    """The data directory cannot be used; one line says why."""


class DataDirLock:
    """Holds the directory until `release`, or until the process ends, however it ends."""

    def __init__(self, data_dir: Path) -> None:
        """Take the directory, making it (0700) where it is missing.

        Raises:
            DataDirError: another stack holds it, or it cannot be written.
        """
        path = data_dir / LOCK_FILE
        try:
            data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise DataDirError(
                f"the data directory {data_dir} cannot be used: {error.strerror}; choose one with --data-dir"
            ) from error
        if not _try_lock(self._descriptor, fcntl.LOCK_EX, _TRIES):
            holder = os.pread(self._descriptor, 20, 0).decode("ascii", "replace").strip()
            os.close(self._descriptor)
            who = f" (process {holder})" if holder.isdecimal() else ""
            raise DataDirError(
                f"the data directory {data_dir} is in use by another stack{who}; stop it, or choose another one with --data-dir"
            )
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Give the directory back."""
        os.close(self._descriptor)


def is_in_use(data_dir: Path) -> bool:
    """Whether a stack holds this directory right now."""
    try:
        descriptor = os.open(data_dir / LOCK_FILE, os.O_RDONLY)
    except OSError:
        return False
    try:
        return not _try_lock(descriptor, fcntl.LOCK_SH, tries=1)
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int, kind: int, tries: int) -> bool:
    for left in range(tries, 0, -1):
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if left > 1:
                time.sleep(_PAUSE_SECONDS)
        else:
            return True
    return False
