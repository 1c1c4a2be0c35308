"""Files that are whole at any time: written beside, then moved into place."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write_atomic(path: Path, text: str, *, mode: int) -> None:
    """Replace the file by `text`; a reader sees the old or the new one, never a part. Not synced: it is for readers, not for power cuts.

    Args:
        path: the file; its directory exists.
        text: written as UTF-8.
        mode: its permissions, in force before the text is in it.

    Raises:
        OSError: it cannot be written; nothing is left behind.
    """
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(descriptor, mode)
            file.write(text)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
