"""`causeway check`: the configuration of all services, validated without starting any."""

from __future__ import annotations

import os
from pathlib import Path

import click

from causeway_cli.configuration import load_services
from causeway_cli.findings import findings
from causeway_cli.operations import operations
from causeway_cli.options import Where, api_key_option, data_dir_option, is_stack_there, url_option
from causeway_cli.text import printable
from causeway_common.runtime import SettingsError

EXIT_CONFIGURATION = 2


@click.command()
@click.option(
    "--config",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="TOML file for all services.  [default: none, the environment alone]",
)
@data_dir_option
@url_option
@api_key_option
@click.pass_context
def check(ctx: click.Context, *, config: Path | None, data_dir: Path, url: str, api_key: str) -> None:
    """Validate the configuration of all services; nothing is started.

    Reads the file and the environment variables (CAUSEWAY_GATEWAY_… and the like) as the services do. Tells every fault at once, or what the
    configuration amounts to, with warnings of what is dangerous in it. No secret is printed. Of a system that runs, found as the other
    commands find it, it also warns where versions of an app that run side by side do not agree.

    Example: causeway check --config causeway.toml

    Exit codes: 0 valid (also with warnings), 2 not valid.
    """
    try:
        settings = load_services(config, os.environ)
    except SettingsError as error:
        count = len(error.faults)
        click.echo(f"the configuration is not valid, {count} fault{'s' * (count != 1)}:", err=True)
        for fault in error.faults:
            click.echo(f"  - {printable(str(fault))}", err=True)
        ctx.exit(EXIT_CONFIGURATION)
    seen = findings(settings, os.environ)
    click.echo("the configuration is valid")
    for name, value in seen.found:
        click.echo(f"  {printable(name)}: {printable(value)}")
    for warning in (*seen.warnings, *_disagreements(Where(data_dir, url=url, api_key=api_key))):
        click.echo(f"warning: {printable(warning)}", err=True)


def _disagreements(where: Where) -> list[str]:
    """What versions that run side by side break of each other; nothing where no system runs."""
    if not is_stack_there(where):
        return []
    try:
        with operations(where) as ops:
            found = ops.run("apps.list")["apps"]
    except click.ClickException as error:
        return [f"the running system was not looked at: {error.message}"]
    return [f"{app['app']}: {line}" for app in found for line in app["breaks"]]
