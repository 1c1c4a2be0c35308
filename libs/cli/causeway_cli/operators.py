"""Questions to storage over the bus, as the NATS user who only looks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import click

from causeway_cli.options import Where, find_nats
from causeway_cli.text import printable
from causeway_common.bus import Bus, BusSettings, Deadline
from causeway_common.contracts.errors import CausewayError
from causeway_common.contracts.messages import Message
from causeway_common.contracts.verbs import Verb
from causeway_common.telemetry import warnings_to_stderr

SECONDS: Final = 5.0
OPERATOR: Final = "operator"
F = TypeVar("F", bound=Callable[..., Any])
R = TypeVar("R")
Req = TypeVar("Req", bound=Message)
Rep = TypeVar("Rep", bound=Message)


class Looking:
    """A connection to the bus that only asks. Made by `look`."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def ask(self, verb: Verb[Req, Rep], request: Req) -> Rep:
        """The answer of any storage process. Raises CausewayError."""
        return await self._bus.request(verb, request, Deadline.after(SECONDS), caller=OPERATOR)


def nats_options(command: F) -> F:
    """Adds --nats, --nats-user and --nats-password."""
    for option in (
        click.option("--nats-password", default="", envvar="CAUSEWAY_NATS_PASSWORD", show_envvar=True, help="Its password."),
        click.option(
            "--nats-user", default=OPERATOR, show_default=True, envvar="CAUSEWAY_NATS_USER", show_envvar=True, help="Its user."
        ),
        click.option(
            "--nats", default="", envvar="CAUSEWAY_NATS_URL", show_envvar=True, help="NATS of a system that runs elsewhere."
        ),
    ):
        command = option(command)
    return command


def look(where: Where, nats: str, user: str, password: str, work: Callable[[Looking], Awaitable[R]], *, what: str) -> R:
    """Connect, do the work, leave.

    Args:
        where: the stack.
        nats: its NATS where it runs elsewhere.
        user: of NATS.
        password: of that user.
        work: asks what it wants to know.
        what: that, for the error.

    Raises:
        click.ClickException: not reached, or refused; the message says which.
    """
    url, secret = find_nats(where, nats, password)
    settings = BusSettings(url=url, user=user, password=secret, name="causeway-cli")
    with warnings_to_stderr():
        return asyncio.run(_looked(settings, work, what))


async def _looked(settings: BusSettings, work: Callable[[Looking], Awaitable[R]], what: str) -> R:
    bus = Bus(settings)
    try:
        async with asyncio.timeout(SECONDS):
            await bus.start()
        return await work(Looking(bus))
    except TimeoutError as error:
        raise click.ClickException(f"{settings.url} lets the user {settings.user} not in, or is not there") from error
    except CausewayError as error:
        raise click.ClickException(f"{what} cannot be read: {error.message}") from error
    finally:
        await bus.stop()


def time_text(milliseconds: int) -> str:
    """A time of day as RFC 3339 in UTC with milliseconds."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def version_text(*, version: int, by: str, at_ms: int, traceparent: str, deleted: bool = False, **_newer: object) -> str:
    """A version of an entity for the eye: when, which, who, in which trace."""
    parts = [f"version {version}" + (" (deleted)" if deleted else ""), by or "(nobody)", traceparent]
    return "  ".join([time_text(at_ms), *(printable(part) for part in parts if part)])
