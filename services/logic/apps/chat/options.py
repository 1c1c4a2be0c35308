"""What an operator of the chat app may set, by environment."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from pydantic import PositiveFloat, PositiveInt, TypeAdapter

from apps.chat.base import app

AWAY_VARIABLE: Final = "CHAT_AWAY_SECONDS"
PACE_VARIABLE: Final = "CHAT_MESSAGES_PER_SECOND"


@dataclass(frozen=True, slots=True)
class Options:
    """The settings of this process.

    Attributes:
        away: a mention that was not read for so long becomes a mail.
        pace: so many messages of one member in a room in one second, beyond: 429.
    """

    away: timedelta = timedelta(minutes=10)
    pace: int = 1000

    @classmethod
    def read(cls, env: Mapping[str, str]) -> Options:
        """What the environment says.

        Raises:
            ValueError: a value is no positive number.
        """
        found = cls()
        if AWAY_VARIABLE in env:
            found = replace(found, away=timedelta(seconds=TypeAdapter(PositiveFloat).validate_python(env[AWAY_VARIABLE])))
        if PACE_VARIABLE in env:
            found = replace(found, pace=TypeAdapter(PositiveInt).validate_python(env[PACE_VARIABLE]))
        return found


@app.lifespan
async def options() -> AsyncIterator[Options]:
    """The settings, read once: a wrong one keeps the process from starting."""
    yield Options.read(os.environ)
