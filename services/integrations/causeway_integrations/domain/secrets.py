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


def is_reference(text: str) -> bool:
    """Whether a value is none itself but says where it is."""
    return text.startswith((ENV, FILE))
