"""`causeway inspect`: one entity with its versions and its outbox."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from causeway_cli.completing import apps
from causeway_cli.operations import operations
from causeway_cli.operators import time_text, version_text
from causeway_cli.options import Where, api_key_option, data_dir_option, url_option
from causeway_cli.text import compact_json, printable


@click.command()
@click.argument("app", shell_complete=apps)
@click.argument("kind")
@click.argument("id")
@click.option("--json", "as_json", is_flag=True, help="One JSON object: app, kind, id, version, state, versions, outbox.")
@data_dir_option
@url_option
@api_key_option
def inspect(*, app: str, kind: str, id: str, as_json: bool, data_dir: Path, url: str, api_key: str) -> None:
    """Print an entity: its state, who made its last 16 versions in which trace, and what has not left its outbox yet.

    KIND is the model's name in snake_case (`room` for `Room`), where the app sets no other.

    Example: causeway inspect chat room 2f0c --json

    Exit codes: 0 told, 1 refused, not reached or nothing known of it, 2 wrong usage.
    """
    with operations(Where(data_dir, url=url, api_key=api_key)) as ops:
        seen = ops.run("entity.inspect", app=app, kind=kind, id=id)
    if not (seen["version"] or seen["versions"] or seen["outbox"]):
        raise click.ClickException(f"nothing is known of {printable(f'{app} {kind} {id}')}")
    if as_json:
        click.echo(compact_json({"app": app, "kind": kind, "id": id, **seen}))
        return
    for line in lines_of(f"{app} {kind} {id}", seen):
        click.echo(printable(line))


def lines_of(name: str, seen: dict[str, Any]) -> Iterator[str]:
    """An entity for the eye."""
    yield f"{name}: " + (f"version {seen['version']}" if seen["version"] else "deleted")
    if seen["state"] is not None:
        yield from (f"  {line}" for line in json.dumps(seen["state"], indent=2, ensure_ascii=False).splitlines())
    yield "versions:"
    yield from (f"  {version_text(**version)}" for version in seen["versions"])
    yield "outbox:" if seen["outbox"] else "outbox: empty"
    for waiting in seen["outbox"]:
        for item in waiting["items"]:
            yield f"  {time_text(waiting['at_ms'])}  version {waiting['version']}  {compact_json(item)}"
