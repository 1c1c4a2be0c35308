"""`causeway apps`: the apps of a stack, their versions and which of them live."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from causeway_cli import completing
from causeway_cli.operations import operations
from causeway_cli.options import Where, api_key_option, data_dir_option, url_option
from causeway_cli.text import compact_json, printable


@click.command()
@click.argument("app", required=False, default="", shell_complete=completing.apps)
@click.option("--calls", is_flag=True, help="How often each method was called in the last ten minutes, and how that ended.")
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON object per app: app, ruling, versions, methods, namespaces, breaks."
)
@data_dir_option
@url_option
@api_key_option
def apps(*, app: str, calls: bool, as_json: bool, data_dir: Path, url: str, api_key: str) -> None:
    """Print the apps, or APP alone: versions with their living instances, methods, namespaces.

    What a version breaks of an older one that runs beside it stands below. With --calls the methods: calls, faults (no answer, internal), what the
    app rejected, the mean time, the share of a canary, and the same for each version.

    Example: causeway apps chat

    Exit codes: 0 told, 1 refused, not reached or no such app, 2 wrong usage.
    """
    with operations(Where(data_dir, url=url, api_key=api_key)) as ops:
        found = ops.run("apps.list", app=app)["apps"]
        counted = ops.run("apps.methods", app=app)["methods"] if calls and found else []
    if app and not found:
        raise click.ClickException(f"there is no app {printable(app)}")
    for each in counted:
        for line in [compact_json(each)] if as_json else _counted(each):
            click.echo(printable(line))
    for each in () if calls else found:
        if as_json:
            click.echo(compact_json(each))
        else:
            for line in lines_of(each):
                click.echo(printable(line))


def _counted(method: dict[str, Any]) -> Iterator[str]:
    """A method's calls for the eye."""
    line = f"{method['app']}.{method['method']}  {_numbers(method)}"
    if route := method["route"]:
        line += f"  {route['share_permille'] / 10:g}% to {route['version']}"
    yield line
    if len(method["versions"]) > 1:
        yield from (f"    {each['version'] or 'any version'}  {_numbers(each)}" for each in method["versions"])


def _numbers(counted: dict[str, Any]) -> str:
    return f"calls {counted['calls']}  errors {counted['errors']}  rejected {counted['rejected']}  mean {counted['mean_ms']:g} ms"


def lines_of(found: dict[str, Any]) -> Iterator[str]:
    """An app for the eye."""
    yield f"{found['app']}  {found['ruling'] or '(none lives)'}"
    for version in found["versions"]:
        count = version["instances"]
        yield f"  {version['version']}  " + (f"{count} instance{'s' * (count != 1)}" if count else "does not run")
    if found["methods"]:
        yield f"  methods: {', '.join(found['methods'])}"
    if found["namespaces"]:
        yield f"  namespaces: {', '.join(found['namespaces'])}"
    for broken in found["breaks"]:
        yield f"  ! {broken}"
