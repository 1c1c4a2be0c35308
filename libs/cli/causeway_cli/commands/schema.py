"""`causeway schema`: an app's contract from its code."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

import click

from causeway_cli.apps.asyncapi import asyncapi, server_of
from causeway_cli.apps.breaking import breaks
from causeway_cli.apps.contract import Contract, of_document
from causeway_cli.apps.finding import find_contract
from causeway_cli.completing import apps
from causeway_cli.options import Where, api_key_option, data_dir_option, find_url, url_option
from causeway_cli.text import printable

FORMATS: Final = ("asyncapi", "json-schema")
ACCEPT: Final = "--accept-breaks"


@click.command()
@click.argument("app", metavar="MODULE:ATTRIBUTE|NAME", shell_complete=apps)
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default="asyncapi",
    show_default=True,
    help="An AsyncAPI 3 document, or the contract: one JSON Schema for each input, output and message.",
)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write it there.  [default: the standard output]")
@click.option(
    "--check",
    "committed",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Write nothing: compare with the contract in this file, and fail where a client that knows it would no longer understand the app.",
)
@click.option(ACCEPT, is_flag=True, help="With --out over a contract: write one that breaks it.")
@data_dir_option
@url_option
@api_key_option
def schema(
    *, app: str, form: str, out: Path | None, committed: Path | None, accept_breaks: bool, data_dir: Path, url: str, api_key: str
) -> None:
    """Write what an app promises to its clients: its channels, methods and events with the schemas of all their messages.

    MODULE:ATTRIBUTE is imported from the current folder, nothing is started; a NAME alone is that of an app in a running stack. Commit the `json-schema` form, and have the CI run --check.

    Example: causeway schema shop:app --out asyncapi.json

    Example: causeway schema shop:app --format json-schema --out contract.json

    Example: causeway schema shop:app --check contract.json

    Exit codes: 0 written, or nothing is broken; 1 the app cannot be imported, or something is; 2 wrong usage.
    """
    where = Where(data_dir, url=url, api_key=api_key)
    contract = find_contract(app, Path.cwd(), where)
    if committed is not None:
        _check(read_contract(committed), contract, committed)
        return
    if form == "json-schema" and out is not None and out.exists() and not accept_breaks:
        _refuse_breaks(read_contract(out), contract, f"{printable(str(out))} is left as it is; {ACCEPT} writes it all the same")
    server = None if ":" in app else server_of(find_url(where))
    _write(asyncapi(contract, server) if form == "asyncapi" else contract.document(), out)


def read_contract(path: Path) -> Contract:
    """The contract that stands in a file.

    Raises:
        click.ClickException: it cannot be read, or is none.
    """
    try:
        return of_document(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise click.ClickException(f"{printable(str(path))} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise click.ClickException(f"{printable(str(path))} cannot be read: {printable(str(error))}") from error


def _check(old: Contract, new: Contract, path: Path) -> None:
    _refuse_breaks(old, new, f"{new.app} {new.version} breaks the contract of {old.version} in {printable(str(path))}")
    click.echo(f"{new.app} {new.version} keeps the contract of {old.version}")
    if old.document() != new.document():
        click.echo(
            f"note: the app promises more than {printable(str(path))}; write it anew with --format json-schema --out", err=True
        )


def _refuse_breaks(old: Contract, new: Contract, what: str) -> None:
    if told := breaks(old, new):
        for line in told:
            click.echo(f"broken: {printable(line)}", err=True)
        raise click.ClickException(what)


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
