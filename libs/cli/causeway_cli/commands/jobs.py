"""`causeway jobs`: what left and what did not, attempt by attempt, and again for what is dead."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from causeway_cli.operations import Operations, operations
from causeway_cli.options import Where, api_key_option, data_dir_option, url_option
from causeway_cli.text import compact_json, printable

STATES: Final = ("pending", "retrying", "dead", "done")
PAGE: Final = 200
AT_ONCE: Final = 100


@click.group()
def jobs() -> None:
    """Look at jobs, tasks and inbound events, and have dead ones tried again.

    Example: causeway jobs list --state dead
    """


@jobs.command(name="list")
@click.option("--state", type=click.Choice(STATES), help="retrying: tried, and waits for another try.  [default: all]")
@click.option("--app", default="", help="Of this app alone.")
@click.option("--connector", default="", help="Of this connector alone, such as email; task: tasks of apps.")
@click.option("--limit", type=click.IntRange(1), help="At most so many.  [default: all]")
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON array, also when there are none; as when the output is no terminal."
)
@data_dir_option
@url_option
@api_key_option
def list_jobs(
    *, state: str | None, app: str, connector: str, limit: int | None, as_json: bool, data_dir: Path, url: str, api_key: str
) -> None:
    """List jobs, by id.

    Exit codes: 0 done, 1 refused or not reached, 2 wrong usage.
    """
    with operations(Where(data_dir, url=url, api_key=api_key)) as ops:
        found = _listed(ops, limit, state=state or "", app=app, connector=connector)
    if as_json or not sys.stdout.isatty():
        click.echo(compact_json(found))
        return
    for each in found:
        click.echo(_line(each))
    click.echo(f"# {len(found)} {state + ' ' if state else ''}job{'s' * (len(found) != 1)}", err=True)


@jobs.command()
@click.argument("id")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@data_dir_option
@url_option
@api_key_option
def show(*, id: str, as_json: bool, data_dir: Path, url: str, api_key: str) -> None:
    """Show one job: its payload, and what became of each attempt.

    Exit codes: 0 done, 1 there is none, refused or not reached, 2 wrong usage.
    """
    with operations(Where(data_dir, url=url, api_key=api_key)) as ops:
        found = ops.run("jobs.show", id=id)
    if as_json:
        click.echo(compact_json(found))
        return
    click.echo(_line(found))
    click.echo(printable(f"  payload: {json.dumps(found['payload'], ensure_ascii=False)}"))
    for entry in found["attempts"]:
        status = f" {entry['status']}" if entry.get("status") else ""
        text = f"  try {entry['number']} at {_time(entry['at_ms'])}, {entry['duration_ms']} ms: {entry['outcome']}{status}"
        click.echo(printable(f"{text}: {entry.get('answer', '')}"))


@jobs.command()
@click.argument("ids", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON array: the ids that were dead.")
@data_dir_option
@url_option
@api_key_option
def redrive(*, ids: tuple[str, ...], as_json: bool, data_dir: Path, url: str, api_key: str) -> None:
    """Have dead jobs tried again, under the same ids and keys, by a fresh schedule.

    Exit codes: 0 all of them, 1 some were not dead, refused or not reached, 2 wrong usage.
    """
    done: list[str] = []
    with operations(Where(data_dir, url=url, api_key=api_key)) as ops:
        for start in range(0, len(ids), AT_ONCE):
            done += ops.run("jobs.redrive", ids=list(ids[start : start + AT_ONCE]))["redriven"]
    if as_json:
        click.echo(compact_json(done))
    else:
        click.echo(f"{len(done)} of {len(ids)} will be tried again")
    if len(done) < len(set(ids)):
        raise click.exceptions.Exit(1)


def _listed(ops: Operations, limit: int | None, **wanted: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    more = True
    while more and (limit is None or len(found) < limit):
        after = found[-1]["id"] if found else ""
        page = ops.run("jobs.list", **wanted, after=after, limit=PAGE if limit is None else min(PAGE, limit - len(found)))
        found += page["jobs"]
        more = page["more"]
    return found


def _line(job: dict[str, Any]) -> str:
    when = f"ended {_time(job['ended_ms'])}" if job["ended_ms"] else f"next {_time(job['next_at_ms'])}"
    return printable(f"{job['id']}  {job['app']}  {job['operation']}  {job['state']}  tries {job['tries']}  {when}  {job['note']}")


def _time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
