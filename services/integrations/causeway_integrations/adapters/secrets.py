"""Reads secrets by reference, again whenever their file changed."""

from __future__ import annotations

import os
from pathlib import Path

from causeway_common.contracts.errors import unavailable
from causeway_integrations.domain.secrets import ENV, FILE


class SecretFiles:
    """`domain.secrets.Reveal` over the environment and files; a file is read again when it was replaced or written."""

    def __init__(self) -> None:
        self._files: dict[str, tuple[tuple[int, int, int], str]] = {}

    def reveal(self, text: str) -> str:
        """The secret that `text` refers to, or is.

        Raises:
            CausewayError: 100 unavailable: the variable or the file is not there. The message names the place, never the content.
        """
        if text.startswith(ENV):
            name = text.removeprefix(ENV)
            if name not in os.environ:
                raise unavailable(f"the environment variable {name} of a secret is not set")
            return os.environ[name]
        return self._of_file(text.removeprefix(FILE)) if text.startswith(FILE) else text

    def _of_file(self, path: str) -> str:
        try:
            stat = Path(path).stat()
            seen = (stat.st_mtime_ns, stat.st_ino, stat.st_size)
            known = self._files.get(path)
            if known is None or known[0] != seen:
                known = self._files[path] = seen, Path(path).read_text(encoding="utf-8").rstrip("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise unavailable(f"the secret file {path} cannot be read: {type(error).__name__}") from error
        return known[1]
