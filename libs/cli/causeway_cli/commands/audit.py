"""`causeway audit`: who did what, from storage."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click
import msgspec

from causeway_cli.operators import Looking, look, nats_options, time_text, version_text
from causeway_cli.options import Where, data_dir_option
from causeway_cli.text import compact_json, printable
from causeway_common.contracts.messages import AuditPageRequest, AuditRecord, Trace, TrailRequest
from causeway_common.contracts.verbs import AUDIT_PAGE, TRAIL

PAGE_MAX: Final = 200


@click.command()
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="So many operations at most.")
@click.option("--entity", nargs=3, metavar="APP KIND ID", help="The last 16 versions of this entity, in place of operations.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
@data_dir_option
@nats_options
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
    where = Where(data_dir)
    lines = look(where, nats, nats_user, nats_password, lambda looking: _lines(looking, limit, entity), what="the audit records")
    if entity and not lines:
        raise click.ClickException(f"nothing is known of {printable(' '.join(entity))}")
    for line in lines:
        click.echo(compact_json(msgspec.to_builtins(line)) if as_json else text_of(line))


async def _lines(looking: Looking, limit: int, entity: tuple[str, str, str] | None) -> Sequence[AuditRecord | Trace]:
    if entity is not None:
        return (await looking.ask(TRAIL, TrailRequest(app=entity[0], kind=entity[1], id=entity[2]))).versions
    found: list[AuditRecord] = []
    while len(found) < limit:
        request = AuditPageRequest(before=found[-1].id if found else "", limit=min(PAGE_MAX, limit - len(found)))
        page = (await looking.ask(AUDIT_PAGE, request)).records
        if not page:
            break
        found += page
    return found


def text_of(line: AuditRecord | Trace) -> str:
    """A line for the eye: when, who, what, how it ended."""
    if isinstance(line, Trace):
        return version_text(**msgspec.to_builtins(line))
    parts = [line.caller, line.name, line.target, line.outcome]
    return "  ".join([time_text(line.at_ms), *(printable(part) for part in parts if part)])
