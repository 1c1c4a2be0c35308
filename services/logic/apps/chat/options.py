"""What an operator of the chat app may set, by environment."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from pydantic import PositiveFloat, TypeAdapter

from apps.chat.base import app

AWAY_VARIABLE: Final = "CHAT_AWAY_SECONDS"


@dataclass(frozen=True, slots=True)
class Options:
    """The settings of this process.

    Attributes:
        away: a mention that was not read for so long becomes a mail.
    """

    away: timedelta = timedelta(minutes=10)

    @classmethod
    def read(cls, env: Mapping[str, str]) -> Options:
        """What the environment says.

        Raises:
            ValueError: a value is no positive number.
        """
        if AWAY_VARIABLE not in env:
            return cls()
        return cls(away=timedelta(seconds=TypeAdapter(PositiveFloat).validate_python(env[AWAY_VARIABLE])))


@app.lifespan
async def options() -> AsyncIterator[Options]:
    """The settings, read once: a wrong one keeps the process from starting."""
    yield Options.read(os.environ)
