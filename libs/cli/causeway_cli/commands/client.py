"""`causeway client`: typed clients of an app."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Final

import click

from causeway_cli.apps.clients.python import python
from causeway_cli.apps.clients.surface import surface
from causeway_cli.apps.clients.typescript import typescript
from causeway_cli.apps.finding import find_contract
from causeway_cli.completing import apps
from causeway_cli.options import Where, api_key_option, data_dir_option, url_option
from causeway_cli.text import printable

LANGUAGES: Final = {"ts": typescript, "py": python}


@click.command()
@click.argument("language", type=click.Choice(tuple(LANGUAGES)))
@click.argument("app", metavar="MODULE:ATTRIBUTE|NAME", shell_complete=apps)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write it there.  [default: the standard output]")
@data_dir_option
@url_option
@api_key_option
def client(*, language: str, app: str, out: Path | None, data_dir: Path, url: str, api_key: str) -> None:
    """Write a typed client of an app over the official SDK: `ts` over `centrifuge` (npm), `py` over `centrifuge-python`.

    One class per app: a typed method for each of its own, a typed subscription for each family of channels, refusals as one error class.
    MODULE:ATTRIBUTE is imported from the current folder, nothing is started; a NAME alone is that of an app in a running stack.

    Example: causeway client ts shop:app --out web/src/shop.ts

    Exit codes: 0 written, 1 the app cannot be imported, 2 wrong usage.
    """
    text = LANGUAGES[language](
        surface(find_contract(app, Path.cwd(), Where(data_dir, url=url, api_key=api_key))),
        f"causeway client {language} {shlex.quote(app)}",
    )
    if out is None:
        sys.stdout.write(text)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{printable(str(out))} cannot be written: {error.strerror}") from error
    click.echo(f"written: {printable(str(out))}", err=True)
