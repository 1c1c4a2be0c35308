"""`causeway timers`: what entities want to happen later."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click

from causeway_cli import completing
from causeway_cli.operations import Operations, operations
from causeway_cli.operators import time_text
from causeway_cli.options import Where, api_key_option, data_dir_option, url_option
from causeway_cli.text import compact_json, printable

PAGE: Final = 200


@click.command()
@click.argument("app", required=False, default="", shell_complete=completing.apps)
@click.argument("kind", required=False, default="")
@click.argument("id", required=False, default="")
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True, help="At most so many.")
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON object per timer: app, kind, id, name, task, at_ms, version, payload."
)
@data_dir_option
@url_option
@api_key_option
def timers(*, app: str, kind: str, id: str, limit: int, as_json: bool, data_dir: Path, url: str, api_key: str) -> None:
    """Print the timers that wait, the soonest first: of all apps, of APP, of one KIND of its entities, of one entity.

    Example: causeway timers auctions lot 2f0c

    Exit codes: 0 told, 1 refused or not reached, 2 wrong usage.
    """
    count = 0
    with operations(Where(data_dir, url=url, api_key=api_key)) as ops:
        for each in _listed(ops, limit, app=app, kind=kind, id=id):
            click.echo(compact_json(each) if as_json else printable(_line(each)))
            count += 1
    click.echo(f"# {count} timer{'s' * (count != 1)}", err=True)


def _listed(ops: Operations, limit: int, **wanted: str) -> Iterator[dict[str, Any]]:
    after = ""
    while limit > 0:
        page = ops.run("timers.list", **wanted, after=after, limit=min(PAGE, limit))
        yield from page["timers"]
        limit -= len(page["timers"])
        after = page["next"]
        if not after:
            return


def _line(timer: dict[str, Any]) -> str:
    name = f"{timer['app']} {timer['kind']} {timer['id']}"
    return f"{time_text(timer['at_ms'])}  {name}  {timer['name']}: {timer['task']}  version {timer['version']}"
