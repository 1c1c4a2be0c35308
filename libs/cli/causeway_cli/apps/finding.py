"""The contract of an app that the command line names."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path

import click

from causeway_cli.apps.contract import Contract
from causeway_cli.apps.reading import contract_of
from causeway_cli.apps.target import folder_of
from causeway_cli.text import printable
from causeway_logic.adapters.loader import LoadError, load_app


def contract_at(target: str, here: Path) -> Contract:
    """Import an app and read its contract; what it prints meanwhile goes to the standard error.

    Raises:
        click.ClickException: it cannot be imported, or one of its types has no JSON Schema.
    """
    try:
        with redirect_stdout(sys.stderr):
            return contract_of(load_app(target, folder=folder_of(target, here)))
    except (LoadError, TypeError) as error:
        raise click.ClickException(printable(str(error))) from error
