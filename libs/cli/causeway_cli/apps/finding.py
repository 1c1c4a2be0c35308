"""The contract of an app that the command line names: by its module, or by its name where it lives."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path

import click
import msgspec

from causeway_cli.apps.contract import Contract, of_manifest
from causeway_cli.apps.reading import contract_of
from causeway_cli.apps.target import find_target
from causeway_cli.operations import operations
from causeway_cli.options import Where
from causeway_cli.text import printable
from causeway_common.contracts.messages import Manifest
from causeway_logic.adapters.loader import LoadError, load_app


def find_contract(app: str, here: Path, where: Where) -> Contract:
    """The contract of `module:attribute`, or, without a colon, of the app of that name in a running stack.

    Raises:
        click.ClickException: the app cannot be imported, or the stack knows none of that name.
    """
    return contract_at(app, here) if ":" in app else contract_of_living(app, where)


def contract_at(target: str, here: Path) -> Contract:
    """Import an app and read its contract; what it prints meanwhile goes to the standard error.

    Raises:
        click.ClickException: it cannot be imported, or one of its types has no JSON Schema.
    """
    try:
        module, folder = find_target(target, here)
        with redirect_stdout(sys.stderr):
            return contract_of(load_app(module, folder=folder))
    except (LoadError, TypeError) as error:
        raise click.ClickException(printable(str(error))) from error


def contract_of_living(app: str, where: Where) -> Contract:
    """What the living versions of an app announce. What only its code knows (docstrings, what may be published) is not in it.

    Raises:
        click.ClickException: not reached, or there is no such app.
    """
    with operations(where) as ops:
        told = ops.run("apps.contract", app=app)
    try:
        return of_manifest(msgspec.convert(told["manifest"], Manifest))
    except (KeyError, ValueError) as error:
        raise click.ClickException(f"the contract of {printable(app)} cannot be understood") from error
