"""Puts a stack together: takes the data directory and the ports, checks the configuration, writes the files, runs the supervisor."""

from __future__ import annotations

import asyncio
import os
import secrets
import shlex
import shutil
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from causeway_cli import __version__
from causeway_cli.apps.target import Described, describe
from causeway_cli.dev.changes import Watched, changes
from causeway_cli.dev.config import Configured, load_configuration, storage_variables
from causeway_cli.dev.credentials import settle_credentials
from causeway_cli.dev.crowds import FEW, check_simulations, crowd_specs
from causeway_cli.dev.datadir import DataDirLock
from causeway_cli.dev.defaults import DEFAULT_CONFIG, DEFAULT_CONFIG_FILE
from causeway_cli.dev.desk import DeskAt
from causeway_cli.dev.files import write_atomic
from causeway_cli.dev.natsconf import nats_config
from causeway_cli.dev.plan import NATS_CONFIG_FILE, REFERENCE_APPS, AppSpec, StackOptions, StackPlan, plan_stack
from causeway_cli.dev.ports import HOST, Ports, PortTakenError
from causeway_cli.dev.stackfile import StackState, write_stack
from causeway_cli.dev.supervisor import Supervisor
from causeway_cli.dev.terminal import Terminal

DEFAULT_PORT: Final = 8000
DEFAULT_CONSOLE_PORT: Final = 8100


class StackError(Exception):
    """The stack cannot start, for a reason that one line tells."""


@dataclass(frozen=True, slots=True)
class DevOptions:
    """What `causeway dev` was asked for; `port` and `config` are None and `storage` is "" where it was not said.

    `apps`: as `module:attribute`; none is the reference apps. `simulate`: packages whose simulated users come; None: a few of the reference
    apps', where these run and no configuration was given.
    """

    data_dir: Path
    config: Path | None
    port: int | None
    gateways: int
    storages: int = 1
    storage: str = ""
    apps: tuple[str, ...] = ()
    reload: bool = False
    simulate: tuple[str, ...] | None = None


def run_stack(asked: DevOptions) -> None:
    """Run a stack until it is told to stop.

    Raises:
        StackError, AppError, CrowdError, DataDirError, PortTakenError, CredentialsError: it cannot start; one line says why.
        SettingsError: its configuration is wrong.
    """
    data_dir = asked.data_dir.absolute()
    lock = DataDirLock(data_dir)
    ports = Ports()
    try:
        # First of all: what a stack that was killed left here is no longer true.
        nothing = StackState(__version__, ready=False, url="", nats_url="", data_dir=str(data_dir), storage="", processes=())
        write_stack(data_dir, nothing)
        apps = find_apps(asked.apps, Path.cwd(), os.environ)
        check_simulations(asked.simulate or (), _scripts())
        plan, desk, greeting = _prepare(asked, data_dir, ports, apps)
        terminal = _terminal(plan)
        watched = [Watched(name, app.source, app.folder) for name, app in zip(processes_of(apps), apps, strict=True)]
        supervisor = Supervisor(
            plan,
            version=__version__,
            data_dir=data_dir,
            terminal=terminal,
            greeting=greeting,
            changes=(lambda: changes(watched)) if asked.reload else None,
            desk=desk,
        )
        try:
            asyncio.run(supervisor.run())
            terminal.say("stopped")
        finally:
            terminal.close()
    except OSError as error:
        raise StackError(f"the data directory {data_dir} cannot be used: {error}; choose one with --data-dir") from error
    finally:
        ports.release()
        lock.release()


def find_apps(targets: Sequence[str], here: Path, env: Mapping[str, str]) -> list[Described]:
    """The apps that were asked for, each imported once in a process of its own.

    Raises:
        AppError: one cannot be imported.
        StackError: two have the same name and version.
    """
    with ThreadPoolExecutor() as pool:
        apps = list(pool.map(lambda target: describe(target, here, env), dict.fromkeys(targets)))
    versions = [(app.name, app.version) for app in apps]
    if twice := sorted({f"{name} {version}" for name, version in versions if versions.count((name, version)) > 1}):
        raise StackError(f"two apps have the same name and version: {', '.join(twice)}")
    return apps


def processes_of(apps: Sequence[Described]) -> list[str]:
    """The name of each app's process: `logic-shop`, and for a further version of the same app `logic-shop-0.2.0`."""
    names: list[str] = []
    for app in apps:
        plain = f"logic-{app.name}"
        names.append(plain if plain not in names else f"{plain}-{app.version}")
    return names


def _prepare(asked: DevOptions, data_dir: Path, ports: Ports, apps: Sequence[Described]) -> tuple[StackPlan, DeskAt, str]:
    config = asked.config.absolute() if asked.config else data_dir / DEFAULT_CONFIG_FILE
    if asked.config is None:
        write_atomic(config, DEFAULT_CONFIG, mode=0o644)
    environment = {**os.environ, **storage_variables(asked.storage)}
    configured = load_configuration(config, environment, data_dir)
    if asked.storages > 1 and configured.storage == "sqlite":
        raise StackError(
            f"--storages {asked.storages} needs MongoDB: an SQLite file belongs to one process; add --storage mongodb://HOST/NAME"
        )
    port = _port(asked, configured)
    desk = DeskAt(HOST, ports.find(), secrets.token_urlsafe(32), tuple(f"http://{host}:{port}" for host in (HOST, "localhost")))
    options = StackOptions(
        data_dir,
        config,
        HOST,
        port,
        asked.gateways,
        _scripts(),
        storages=asked.storages,
        storage=configured.storage,
        apps=tuple(AppSpec(app.name, app.target, app.folder, name) for name, app in zip(processes_of(apps), apps, strict=True))
        or REFERENCE_APPS,
        reload=asked.reload,
        web=web_application(),
        desk=desk,
        console=console_page(),
        console_port=_console_port(configured, ports, _port(asked, configured)),
    )
    ports.public(options.port)
    if configured.api_port:
        ports.public(configured.api_port, "http_api.port")
    credentials = settle_credentials(
        data_dir,
        api_key=configured.api_key,
        token_hmac_secret_key=configured.token_hmac_secret_key,
        console_key=configured.console_key,
    )
    plan = plan_stack(
        options, configured, credentials, env=environment, new_port=ports.find, new_password=lambda: secrets.token_urlsafe(24)
    )
    crowds = crowd_specs(
        crowds_of(asked), url=plan.url, secret=credentials.token_hmac_secret_key, scripts=options.scripts, env=environment
    )
    plan = replace(plan, services=(*plan.services, *crowds))
    text = nats_config(
        host=HOST,
        port=plan.nats.port or 0,
        monitor_port=plan.nats.internal_port,
        store_dir=data_dir / "nats",
        users=list(plan.nats_users),
    )
    write_atomic(data_dir / NATS_CONFIG_FILE, text, mode=0o600)
    return plan, desk, _greeting(asked, plan, data_dir, apps, credentials.console_key)


def crowds_of(asked: DevOptions) -> dict[str, Sequence[str]]:
    """The packages whose simulated users come, each with further arguments of its simulation."""
    if asked.simulate is None:
        return {} if asked.apps or asked.config else dict(FEW)
    return dict.fromkeys(asked.simulate, ())


def web_application() -> Path | None:
    """The built web application of the working copy that this command line was installed from; None where there is none."""
    folder = Path(__file__).resolve().parents[4] / "clients" / "web" / "dist"
    return folder if (folder / "index.html").is_file() else None


def console_page() -> Path | None:
    """Likewise of the operator's console."""
    folder = Path(__file__).resolve().parents[4] / "clients" / "web" / "dist-console"
    return folder if (folder / "console.html").is_file() else None


def _console_port(configured: Configured, ports: Ports, public: int) -> int:
    """The configured one, else always the same beside the default public port, else any; 0 where the configuration decides."""
    if configured.own_console:
        return 0
    if configured.console_port:
        return ports.public(configured.console_port, "console.port")
    try:
        return ports.public(DEFAULT_CONSOLE_PORT) if public == DEFAULT_PORT else ports.find()
    except PortTakenError:
        return ports.find()


def _port(asked: DevOptions, configured: Configured) -> int:
    return asked.port or configured.port or DEFAULT_PORT


def _scripts() -> Path:
    scripts = Path(sysconfig.get_path("scripts"))
    needed = ["nats-server", *(f"causeway-{service}" for service in ("gateway", "storage", "logic", "integrations"))]
    missing = [name for name in needed if not (scripts / name).exists()]
    if missing:
        raise StackError(f"{', '.join(missing)} not found in {scripts}: `make setup` installs everything")
    return scripts


def _terminal(plan: StackPlan) -> Terminal:
    terminal = Terminal(sys.stdout.fileno(), colour=sys.stdout.isatty() and not os.environ.get("NO_COLOR"))
    terminal.set_names([plan.nats.name, *(spec.name for spec in plan.services)])
    terminal.say(f"Causeway {__version__}: starting {1 + len(plan.services)} processes for {plan.url}")
    return terminal


def _greeting(asked: DevOptions, plan: StackPlan, data_dir: Path, apps: Sequence[Described], console_key: str) -> str:
    program = "causeway" if shutil.which("causeway") else os.path.relpath(sys.argv[0])
    where = "" if asked.data_dir == Path(".causeway") else f" --data-dir {shlex.quote(str(asked.data_dir))}"
    lines = [
        "",
        f"ready: {plan.url}  (clients: {plan.url.replace('http', 'ws', 1)}/connection/websocket, server API: {plan.api_url}/api)",
        f"data and credentials: {data_dir}",
    ]
    if plan.console_port:  # what stands behind # never leaves the browser
        lines.append(f"operator's console: http://{HOST}:{plan.console_port}/console#key={console_key}")
    if apps:
        told = ", ".join(f"{app.name} {app.version} ({app.target})" for app in apps)
        lines.append(f"apps: {told}{'; a change of their files replaces them' if asked.reload else ''}")
    if apps:
        lines += ["paste into a second terminal:", f"  {program} apps{where}"]
    elif asked.config is None:
        lines += [
            "paste into a second terminal:",
            f"  {program} tail demo:hello{where}",
            "and into a third:",
            f'  {program} publish demo:hello \'{{"text": "hi"}}\'{where}',
        ]
    else:
        lines += ["a token to connect with, to paste into a second terminal:", f"  {program} token --user ann{where}"]
    return "\n".join([*lines, ""])
