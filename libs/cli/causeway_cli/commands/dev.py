"""`causeway dev`: the whole system on this machine."""

from __future__ import annotations

from pathlib import Path

import click

from causeway_cli.apps.target import AppError
from causeway_cli.dev.credentials import CredentialsError
from causeway_cli.dev.crowds import CrowdError
from causeway_cli.dev.datadir import DataDirError
from causeway_cli.dev.ports import PortTakenError
from causeway_cli.dev.stack import DevOptions, StackError, run_stack
from causeway_cli.options import data_dir_option
from causeway_common.runtime import SettingsError

EXIT_CONFIGURATION = 2
MAX_GATEWAYS = 32
MAX_STORAGES = 16
MONGODB_SCHEMES = ("mongodb://", "mongodb+srv://")


def _storage(_ctx: click.Context, param: click.Parameter, text: str) -> str:
    if text in {"", "sqlite"} or text.startswith(MONGODB_SCHEMES):
        return text
    raise click.BadParameter(
        f"{text!r:.40} is neither `sqlite` nor a MongoDB URI such as mongodb://127.0.0.1:27017/causeway", param=param
    )


@click.command()
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    help="Public port of the gateway on 127.0.0.1.  [default: http_server.port of the configuration, else 8000]",
)
@data_dir_option
@click.option(
    "--config",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="TOML file for all services.  [default: a namespace `demo` to play with]",
)
@click.option(
    "--gateways",
    type=click.IntRange(1, MAX_GATEWAYS),
    default=1,
    show_default=True,
    help="Gateway processes; they share the port.",
)
@click.option(
    "--storage",
    metavar="sqlite|mongodb://…",
    default="",
    callback=_storage,
    help="Where storage keeps its data; the database is the URI's path.  [default: storage.uri of the configuration, else sqlite]",
)
@click.option(
    "--storages",
    type=click.IntRange(1, MAX_STORAGES),
    default=1,
    show_default=True,
    help="Storage processes, which share the work; more than one needs MongoDB.",
)
@click.option(
    "--app",
    "apps",
    multiple=True,
    metavar="[FOLDER/]MODULE:ATTRIBUTE",
    help="An app to run, its module looked up in FOLDER or the current folder; may be repeated. With it only these apps run.  [default: the reference apps]",
)
@click.option("--reload", is_flag=True, help="With --app: a change of an app's files starts it anew, without closing a connection.")
@click.option(
    "--simulate",
    multiple=True,
    metavar="PACKAGE",
    help="Let thirty simulated users of this app come, such as apps.auctions; may be repeated.  [default: a few of the reference apps', where these run without --config]",
)
@click.option("--no-simulate", is_flag=True, help="No simulated users.")
@click.pass_context
def dev(
    ctx: click.Context,
    *,
    port: int | None,
    data_dir: Path,
    config: Path | None,
    gateways: int,
    storage: str,
    storages: int,
    apps: tuple[str, ...],
    reload: bool,
    simulate: tuple[str, ...],
    no_simulate: bool,
) -> None:
    """Run the whole system on this machine.

    Starts NATS and the services as processes on 127.0.0.1, keeps them alive, and stops them all on Ctrl-C (a second one kills at once).
    What runs stands in DATA_DIR/stack.json, the API key and the token secret in DATA_DIR/credentials.json.

    With --app it runs your apps in place of the reference apps (name those too where you want them: --app apps.chat:app). With --reload the
    new version starts beside the old one and takes over once it is announced; one that cannot be imported says why and leaves the old one.

    Example: causeway dev --port 9000 --gateways 2 --config causeway.toml

    Example: causeway dev --app shop:app --reload

    A few simulated users of the reference apps come along, so that the page is alive: some bid and sell, some chat, none in the lobby.

    Example: causeway dev --no-simulate

    Exit codes: 0 stopped, 1 could not start, 2 wrong configuration.
    """
    if reload and not apps:
        raise click.UsageError("--reload goes with --app")
    if simulate and no_simulate:
        raise click.UsageError("--simulate and --no-simulate contradict each other")
    crowds = simulate if simulate or no_simulate else None
    try:
        run_stack(DevOptions(data_dir, config, port, gateways, storages, storage, apps, reload, crowds))
    except SettingsError as error:
        click.echo("causeway dev cannot start, its configuration is wrong:", err=True)
        for fault in error.faults:
            click.echo(f"  - {fault}", err=True)
        ctx.exit(EXIT_CONFIGURATION)
    except (StackError, AppError, CrowdError, DataDirError, PortTakenError, CredentialsError) as error:
        raise click.ClickException(str(error)) from error
