"""One attempt of an operation, whatever it does: bounded in time, and what it raises is classified."""

from __future__ import annotations

import asyncio

from causeway_common.contracts.errors import CausewayError
from causeway_common.telemetry import get_logger
from causeway_integrations.domain.outcome import Failed, GivenUp, Outcome
from causeway_integrations.domain.work import Work
from causeway_integrations.ports import Operation

log = get_logger("integrations")


async def attempt(operation: Operation, work: Work, limit_ms: int) -> Outcome:
    """The outcome; nothing is raised but a cancellation."""
    try:
        async with asyncio.timeout(limit_ms / 1000):
            return await operation(work)
    except TimeoutError:
        return Failed(f"no end within {limit_ms} ms")
    except CausewayError as error:
        return Failed(str(error)) if error.temporary else GivenUp(str(error))
    except Exception as error:
        log.exception("an attempt failed for a reason that its connector does not know", record=work.id)
        return Failed(f"internal: {type(error).__name__}")
