"""Secrets by reference: `env:NAME` or `file:/path` in configuration stand for what is there; everything else stands for itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

ENV: Final = "env:"
FILE: Final = "file:"
SEALED: Final = "sealed:"
"""In the database: what follows is encrypted."""
Reveal = Callable[[str], str]
"""The secret of a reference, as it is now. Raises CausewayError 100: it cannot be read."""


REDACTED: Final = "[secret]"
LEAST_CHARS: Final = 8
"""A shorter one is no secret, and may be part of any word."""


class Redactor:
    """Reveals secrets that are sent to peers, and takes them out of what peers say: some repeat in an error what they were sent.

    Args:
        reveal: the secret of a reference.
    """

    def __init__(self, reveal: Reveal) -> None:
        self._reveal = reveal
        self._known: dict[str, tuple[str, ...]] = {}

    def reveal(self, text: str) -> str:
        """As `Reveal`."""
        secret = self._reveal(text)
        parts = {secret, *secret.split()}  # of "Bearer abc…" a peer may repeat the second word alone
        self._known[text] = tuple(sorted((part for part in parts if len(part) >= LEAST_CHARS), key=len, reverse=True))
        return secret

    def redact(self, text: str) -> str:
        """The text without any secret that was revealed."""
        for parts in self._known.values():
            for part in parts:
                text = text.replace(part, REDACTED)
        return text


def is_reference(text: str) -> bool:
    """Whether a value is none itself but says where it is."""
    return text.startswith((ENV, FILE))
