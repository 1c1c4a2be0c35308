"""`causeway audit`: who did what, from storage."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click
import msgspec

from causeway_cli.options import Where, data_dir_option, find_nats
from causeway_cli.text import compact_json, printable
from causeway_common.bus import Bus, BusSettings, Deadline
from causeway_common.contracts.errors import CausewayError
from causeway_common.contracts.messages import AuditPageRequest, AuditRecord, Trace, TrailRequest
from causeway_common.contracts.verbs import AUDIT_PAGE, TRAIL
from causeway_common.telemetry import warnings_to_stderr

SECONDS: Final = 5.0
PAGE_MAX: Final = 200
CALLER: Final = "operator"


@click.command()
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="So many operations at most.")
@click.option("--entity", nargs=3, metavar="APP KIND ID", help="The last 16 versions of this entity, in place of operations.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
@data_dir_option
@click.option("--nats", default="", envvar="CAUSEWAY_NATS_URL", show_envvar=True, help="NATS of a system that runs elsewhere.")
@click.option("--nats-user", default=CALLER, show_default=True, envvar="CAUSEWAY_NATS_USER", show_envvar=True, help="Its user.")
@click.option("--nats-password", default="", envvar="CAUSEWAY_NATS_PASSWORD", show_envvar=True, help="Its password.")
def audit(
    *,
    limit: int,
    entity: tuple[str, str, str] | None,
    as_json: bool,
    data_dir: Path,
    nats: str,
    nats_user: str,
    nats_password: str,
) -> None:
    """Print who did what: the operations of the server API and of the commands that use it, the newest first.

    Subscribe, unsubscribe, disconnect, refresh, revoke and history_remove, with the API key's name, the target and the outcome ("ok" or an
    error's name). With --entity: who made its last versions, when and in which trace, the oldest first.

    Example: causeway audit --entity chat room 1 --json

    Exit codes: 0 done, 1 not reached or no such entity, 2 wrong usage.
    """
    url, password = find_nats(Where(data_dir), nats, nats_password)
    settings = BusSettings(url=url, user=nats_user, password=password, name="causeway-audit")
    with warnings_to_stderr():
        lines = asyncio.run(_lines(settings, limit, entity))
    if entity and not lines:
        raise click.ClickException(f"nothing is known of {printable(' '.join(entity))}")
    for line in lines:
        click.echo(compact_json(msgspec.to_builtins(line)) if as_json else text_of(line))


async def _lines(settings: BusSettings, limit: int, entity: tuple[str, str, str] | None) -> Sequence[AuditRecord | Trace]:
    bus = Bus(settings)
    try:
        async with asyncio.timeout(SECONDS):
            await bus.start()
        if entity is None:
            return await _operations(bus, limit)
        request = TrailRequest(app=entity[0], kind=entity[1], id=entity[2])
        return (await bus.request(TRAIL, request, Deadline.after(SECONDS), caller=CALLER)).versions
    except TimeoutError as error:
        raise click.ClickException(f"{settings.url} lets the user {settings.user} not in, or is not there") from error
    except CausewayError as error:
        raise click.ClickException(f"the audit records cannot be read: {error.message}") from error
    finally:
        await bus.stop()


async def _operations(bus: Bus, limit: int) -> list[AuditRecord]:
    found: list[AuditRecord] = []
    while len(found) < limit:
        request = AuditPageRequest(before=found[-1].id if found else "", limit=min(PAGE_MAX, limit - len(found)))
        page = (await bus.request(AUDIT_PAGE, request, Deadline.after(SECONDS), caller=CALLER)).records
        if not page:
            break
        found += page
    return found


def text_of(line: AuditRecord | Trace) -> str:
    """A line for the eye: when, who, what, how it ended."""
    when = datetime.fromtimestamp(line.at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(line, Trace):
        parts = [f"version {line.version}" + (" (deleted)" if line.deleted else ""), line.by or "(nobody)", line.traceparent]
    else:
        parts = [line.caller, line.name, line.target, line.outcome]
    return "  ".join([when, *(printable(part) for part in parts if part)])
