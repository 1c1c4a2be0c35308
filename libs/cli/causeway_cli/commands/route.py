"""`causeway route`: which share of a method's users a version answers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import click

from causeway_cli.completing import methods
from causeway_cli.operations import Operations, operations
from causeway_cli.options import Where, api_key_option, data_dir_option, url_option
from causeway_cli.text import compact_json, printable

_SHARE: Final = re.compile(r"(\d{1,3})(?:\.(\d))?%")
_PERMILLE: Final = 1000


def share(_ctx: click.Context, param: click.Parameter, text: str | None) -> int | None:
    """Callback of --share: thousandths.

    Raises:
        click.BadParameter: not 0% to 100% in steps of 0.1% (exit code 2).
    """
    if text is None:
        return None
    found = _SHARE.fullmatch(text)
    permille = int(found[1]) * 10 + int(found[2] or 0) if found else _PERMILLE + 1
    if permille > _PERMILLE:
        raise click.BadParameter(f"{text!r:.80}: a share is 0% to 100%, in steps of 0.1%, such as 5%", param=param)
    return permille


@click.command()
@click.argument("method", required=False, default="", shell_complete=methods)
@click.option("--version", default="", help="The version that gets the share; it need not run yet.")
@click.option("--share", "permille", callback=share, help="Its share of the users, such as 5%.  [default: 100%]")
@click.option("--remove", is_flag=True, help="Take the route out: the highest version that runs answers again.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line: app, method, version, share_permille, instances.")
@data_dir_option
@url_option
@api_key_option
def route(
    *,
    method: str,
    version: str,
    permille: int | None,
    remove: bool,
    as_json: bool,
    data_dir: Path,
    url: str,
    api_key: str,
) -> None:
    """Send a share of a method's users to one version of its app, or list the routes.

    METHOD is app.method, or an app alone: then for its hooks and for its methods without a route of their own. Each user is answered by the
    same version always, and who is in a share stays in it when it grows. Nobody else is answered by that version, unless no other runs;
    a route to a version that does not run holds nobody up.

    Example: causeway route auctions.bid --version 1.5.0 --share 5%

    Exit codes: 0 done, 1 refused or not reached, 2 wrong usage.
    """
    app, _, name = method.partition(".")
    changes = bool(version) or permille is not None or remove
    if changes and not app:
        raise click.UsageError("METHOD is missing: app.method, or an app")
    if remove and (version or permille is not None):
        raise click.UsageError("--remove goes without --version and --share")
    if permille is not None and not version:
        raise click.UsageError("--share needs --version")
    with operations(Where(data_dir, url=url, api_key=api_key)) as ops:
        if remove:
            ops.run("route.remove", app=app, method=name)
        elif version:
            ops.run("route.set", app=app, method=name, version=version, share_permille=_PERMILLE if permille is None else permille)
        else:
            _list(ops, app, name, as_json)


def _list(ops: Operations, app: str, method: str, as_json: bool) -> None:
    found = [each for each in ops.run("route.list", app=app)["routes"] if method in ("", each["method"])]
    for each in found:
        click.echo(compact_json(each) if as_json else text_of(each))
    click.echo(f"# {len(found)} route{'s' * (len(found) != 1)}", err=True)


def text_of(found: dict[str, Any]) -> str:
    """A line for the eye."""
    name = f"{found['app']}.{found['method']}" if found["method"] else str(found["app"])
    count = found["instances"]
    running = f"{count} instance{'s' * (count != 1)}" if count else "does not run: the ruling version answers"
    return printable(f"{name}  {found['version']}  {share_text(found['share_permille'])}  {running}")


def share_text(permille: int) -> str:
    """Thousandths as the command line takes them."""
    return f"{permille / 10:g}%"
