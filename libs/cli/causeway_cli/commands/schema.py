"""`causeway schema`: an app's contract from its code."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

import click

from causeway_cli.apps.asyncapi import asyncapi
from causeway_cli.apps.finding import contract_at
from causeway_cli.text import printable

FORMATS: Final = ("asyncapi", "json-schema")


@click.command()
@click.argument("app", metavar="MODULE:ATTRIBUTE")
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default="asyncapi",
    show_default=True,
    help="An AsyncAPI 3 document, or one JSON Schema for each input, output and message.",
)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write it there.  [default: the standard output]")
def schema(*, app: str, form: str, out: Path | None) -> None:
    """Write what an app promises to its clients: its channels, methods and events with the schemas of all their messages.

    The app is imported from the current folder, nothing is started. Commit the `json-schema` form and have the CI run --check: it fails where a
    client of today would no longer understand the app.

    Example: causeway schema shop:app --out asyncapi.json

    Exit codes: 0 written, 1 the app cannot be imported or the check found a break, 2 wrong usage.
    """
    contract = contract_at(app, Path.cwd())
    _write(asyncapi(contract) if form == "asyncapi" else contract.document(), out)


def _write(document: Any, out: Path | None) -> None:
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    if out is None:
        sys.stdout.write(text)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{printable(str(out))} cannot be written: {error.strerror}") from error
    click.echo(f"written: {printable(str(out))}", err=True)
