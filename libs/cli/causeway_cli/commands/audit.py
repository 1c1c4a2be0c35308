"""`causeway audit`: who did what, from storage."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click
import msgspec

from causeway_cli.operations import Operations, operations
from causeway_cli.operators import Looking, look, nats_options, time_text, version_text
from causeway_cli.options import Where, api_key_option, data_dir_option, url_option
from causeway_cli.text import compact_json, printable
from causeway_common.contracts.messages import AuditPageRequest, TrailRequest
from causeway_common.contracts.verbs import AUDIT_PAGE, TRAIL

PAGE_MAX: Final = 200
Lines = list[dict[str, Any]]


@click.command()
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="So many operations at most.")
@click.option("--entity", nargs=3, metavar="APP KIND ID", help="The last 16 versions of this entity, in place of operations.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
@data_dir_option
@url_option
@api_key_option
@nats_options
def audit(
    *,
    limit: int,
    entity: tuple[str, str, str] | None,
    as_json: bool,
    data_dir: Path,
    url: str,
    api_key: str,
    nats: str,
    nats_user: str,
    nats_password: str,
) -> None:
    """Print who did what: the operations of the server API, of the commands that use it and of the console, the newest first.

    With the API key's or console key's name, the target and the outcome ("ok" or an error's name). With --entity: who made its last versions,
    when and in which trace, the oldest first. It is asked of a gateway; with --nats of storage itself, also where no gateway runs.

    Example: causeway audit --entity chat room 1 --json

    Exit codes: 0 done, 1 refused, not reached or no such entity, 2 wrong usage.
    """
    if nats:

        async def work(looking: Looking) -> Lines:
            return await _of_storage(looking, limit, entity)

        lines = look(Where(data_dir), nats, nats_user, nats_password, work, what="the audit records")
    else:
        with operations(Where(data_dir, url=url, api_key=api_key)) as ops:
            lines = _of_gateway(ops, limit, entity)
    if entity and not lines:
        raise click.ClickException(f"nothing is known of {printable(' '.join(entity))}")
    for line in lines:
        click.echo(compact_json(line) if as_json else text_of(line))


def _of_gateway(ops: Operations, limit: int, entity: tuple[str, str, str] | None) -> Lines:
    if entity is not None:
        versions: Lines = ops.run("entity.inspect", app=entity[0], kind=entity[1], id=entity[2])["versions"]
        return versions
    found: Lines = []
    while len(found) < limit:
        before = found[-1]["id"] if found else ""
        page = ops.run("audit.list", before=before, limit=min(PAGE_MAX, limit - len(found)))["records"]
        if not page:
            break
        found += ({"name" if key == "operation" else key: value for key, value in each.items()} for each in page)
    return found


async def _of_storage(looking: Looking, limit: int, entity: tuple[str, str, str] | None) -> Lines:
    if entity is not None:
        versions = (await looking.ask(TRAIL, TrailRequest(app=entity[0], kind=entity[1], id=entity[2]))).versions
        return [msgspec.to_builtins(each) for each in versions]
    found: Lines = []
    while len(found) < limit:
        request = AuditPageRequest(before=found[-1]["id"] if found else "", limit=min(PAGE_MAX, limit - len(found)))
        page = (await looking.ask(AUDIT_PAGE, request)).records
        if not page:
            break
        found += map(msgspec.to_builtins, page)
    return found


def text_of(line: dict[str, Any]) -> str:
    """A line for the eye: when, who, what, how it ended."""
    if "by" in line:
        return version_text(**line)
    parts = (line["caller"], line["name"], line["target"], line["outcome"])
    return "  ".join([time_text(line["at_ms"]), *(printable(part) for part in parts if part)])
