"""A copy of a database file, made while storage runs."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from causeway_common.runtime import StartError
from causeway_storage.adapters.sqlite.files import faults_told, read_only, synced_in_place


def back_up(path: Path, target: Path) -> None:
    """Copy everything as of one moment to a new file, durably; it has the name `target` once it is whole.

    Raises:
        StartError: there is no database, `target` exists, or cannot be written.
    """
    if target.exists():
        raise StartError(f"{target} exists already, and a backup overwrites nothing")
    part = target.with_name(target.name + ".part")
    try:
        part.unlink(missing_ok=True)  # of a backup that was killed
        part.touch(mode=0o600)
        with faults_told(path), closing(read_only(path)) as connection:
            connection.execute("VACUUM INTO ?", (str(part),))
        synced_in_place(part, target)
    except OSError as error:
        raise StartError(f"{target} cannot be written: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
