"""`causeway new`: a working app with tests."""

from __future__ import annotations

from pathlib import Path

import click

from causeway_cli.apps.scaffold import ScaffoldError, make_app
from causeway_cli.text import printable


@click.command()
@click.argument("name", type=click.Path(path_type=Path))
def new(*, name: Path) -> None:
    """Make a folder with a working app: a typed method, an entity, a channel, a task, and tests that pass.

    NAME is the app's: a lower-case letter, then lower-case letters, digits or _ (a path makes it elsewhere, the app is named as its last part).

    Example: causeway new shop

    Exit codes: 0 made, 1 the name is taken or the folder is not empty, 2 wrong usage.
    """
    try:
        made = make_app(name)
    except ScaffoldError as error:
        raise click.ClickException(printable(str(error))) from error
    for path in made:
        click.echo(printable(str(path)))
    click.echo(f"\nnext:\n  cd {printable(str(name))}\n  pytest\n  causeway dev --app {name.name}:app --reload")
