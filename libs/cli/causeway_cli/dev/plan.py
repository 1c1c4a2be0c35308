"""What a stack consists of: its processes with command, environment, ports, rights. Pure: ports and passwords come from arguments."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from causeway_cli.dev.config import Configured
from causeway_cli.dev.credentials import Credentials
from causeway_cli.dev.desk import DeskAt
from causeway_cli.dev.natsconf import NatsUser
from causeway_cli.dev.rates import CACHE, RATES_API, RATES_PATH
from causeway_common.contracts.rights import Role, rights_of

NATS_CONFIG_FILE: Final = "nats.conf"
# Crowds first, they only ask; then gateways, so that clients are sent away while all behind them still answers; the bus last.
STOP_ORDER: Final = ("crowd", "gateway", "logic", "integrations", "storage", "nats")
OPERATOR: Final = "operator"
"""The NATS user of the command line."""
STOP_SECONDS: Final = 10.0
RELOAD_ANNOUNCE: Final = "1s"
# Its banner, and that passwords stand in the file: they are made anew at each start and the file is its owner's alone.
NATS_HIDDEN: Final = re.compile(r"\[INF\](?! Server is ready)|\[WRN\] Plaintext passwords")


@dataclass(frozen=True, slots=True)
class AppSpec:
    """An app: its name, what `causeway-logic run` takes, its folder (None: where we are), and its process's name ("": after the app)."""

    name: str
    target: str
    folder: Path | None = None
    process: str = ""


DEMO_APP: Final = AppSpec("chat", "apps.chat:app")
"""Lets in demo users where it is told so, by `DEMO_SWITCH`."""
DEMO_SWITCH: Final = "CAUSEWAY_CHAT_DEMO_USERS"
REFERENCE_APPS: Final = (DEMO_APP, AppSpec("auctions", "apps.auctions:app"))


@dataclass(frozen=True, slots=True)
class StackOptions:
    """What was asked for. Paths are absolute; `scripts` is the folder of the console scripts and of nats-server.

    `web`: the folder of the built web application; None: there is none. `desk`: where processes can be killed, which that page is told.
    `console`: the folder of the operator's console; `console_port`: where the gateways serve that; 0: the configuration says whether they do.
    """

    data_dir: Path
    config: Path
    host: str
    port: int
    gateways: int
    scripts: Path
    apps: tuple[AppSpec, ...] = REFERENCE_APPS
    storages: int = 1
    storage: str = "sqlite"
    reload: bool = False
    web: Path | None = None
    desk: DeskAt | None = None
    console: Path | None = None
    console_port: int = 0


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """One process to keep alive.

    Attributes:
        service: as stack.json names it (`gateway`, `logic-chat`, `nats`…).
        name: unique in the stack.
        kind: its place in `STOP_ORDER`.
        command: absolute program and arguments.
        env: its whole environment.
        port: what it serves to others, or None.
        internal_port: health and metrics.
        health_url: answers 200 when it is ready; "": it is, while it runs.
        cwd: its current folder; None: ours.
        hidden: lines of its output in which this pattern is found are not printed.
    """

    service: str
    name: str
    kind: str
    command: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    port: int | None
    internal_port: int
    health_url: str
    hidden: re.Pattern[str] | None = None
    cwd: Path | None = None


@dataclass(frozen=True, slots=True)
class StackPlan:
    """A stack, ready to start. `storage`: `sqlite` or `mongodb`.

    `twins`: for each process that may be replaced while it runs, by name, the same on another internal port. `console_port`: where the gateways
    serve the operator's console; 0: nowhere.
    """

    url: str
    api_url: str
    nats_url: str
    storage: str
    nats: ProcessSpec
    services: tuple[ProcessSpec, ...]
    nats_users: tuple[NatsUser, ...]
    twins: Mapping[str, ProcessSpec] = field(default_factory=dict)
    console_port: int = 0


@dataclass(frozen=True, slots=True)
class _Member:
    """A service process before it has ports: `role` names its settings and its console script too."""

    role: Role
    name: str
    arguments: tuple[str, ...] = ()
    app: str = ""
    folder: Path | None = None

    @property
    def service(self) -> str:
        return self.name if self.role is Role.LOGIC else self.role.value


def plan_stack(
    options: StackOptions,
    configured: Configured,
    credentials: Credentials,
    *,
    env: Mapping[str, str],
    new_port: Callable[[], int],
    new_password: Callable[[], str],
) -> StackPlan:
    """The stack's processes.

    Args:
        options: what was asked for.
        configured: what the configuration adds.
        credentials: the secrets in force, for the gateways and the operator.
        env: the environment that all processes inherit.
        new_port: a port that is free and stays ours.
        new_password: a fresh password.
    """
    nats_port, monitor_port = new_port(), new_port()
    nats_url = f"nats://{options.host}:{nats_port}"
    users: list[NatsUser] = []
    services: list[ProcessSpec] = []
    twins: dict[str, ProcessSpec] = {}
    for member in _members(options):
        user = NatsUser(member.name, new_password(), rights_of(member.role, member.name, member.app))
        users.append(user)
        own = {
            **_bus_variables(user, nats_url),
            **_gateway_variables(member, options, configured, credentials),
            **_app_variables(member, options),
        }
        port = options.port if member.role is Role.GATEWAY else None
        if member.role is Role.INTEGRATIONS:
            port = configured.hooks_port or new_port()
            own |= {"HOOKS__HOST": options.host, "HOOKS__PORT": str(port), **_api_variables(options, configured)}
        inherited = {**env, **configured.added.get(member.role, {}), **_demo_variables(member)}
        services.append(_service(options, member, inherited, own, (port, new_port())))
        if options.reload and member.role is Role.LOGIC:
            twins[member.name] = _service(options, member, inherited, own, (None, new_port()))
    users.append(NatsUser(OPERATOR, credentials.nats_operator_password, rights_of(Role.OPERATOR, OPERATOR)))
    nats = ProcessSpec(
        service="nats",
        name="nats",
        kind="nats",
        command=(str(options.scripts / "nats-server"), "-c", str(options.data_dir / NATS_CONFIG_FILE)),
        env=env,
        port=nats_port,
        internal_port=monitor_port,
        health_url=f"http://{options.host}:{monitor_port}/healthz",
        hidden=NATS_HIDDEN,
    )
    return StackPlan(
        url=f"http://{options.host}:{options.port}",
        api_url=f"http://{options.host}:{configured.api_port or options.port}",
        nats_url=nats_url,
        storage=options.storage,
        nats=nats,
        services=tuple(services),
        nats_users=tuple(users),
        twins=twins,
        console_port=options.console_port,
    )


def _members(options: StackOptions) -> list[_Member]:
    logic = [
        _Member(Role.LOGIC, app.process or f"logic-{app.name}", ("run", app.target), app.name, app.folder) for app in options.apps
    ]
    gateways = [_Member(Role.GATEWAY, f"gateway-{number}") for number in range(1, options.gateways + 1)]
    numbers = range(1, options.storages + 1)
    storages = [_Member(Role.STORAGE, f"storage-{number}" if options.storages > 1 else "storage") for number in numbers]
    return [*storages, *logic, _Member(Role.INTEGRATIONS, "integrations"), *gateways]


def _bus_variables(user: NatsUser, nats_url: str) -> dict[str, str]:
    return {"NATS__URL": nats_url, "NATS__USER": user.name, "NATS__PASSWORD": user.password}


def _demo_variables(member: _Member) -> dict[str, str]:
    return {DEMO_SWITCH: "1"} if member.role is Role.LOGIC and member.arguments == ("run", DEMO_APP.target) else {}


def _gateway_variables(member: _Member, options: StackOptions, configured: Configured, credentials: Credentials) -> dict[str, str]:
    if member.role is not Role.GATEWAY:
        return {}
    demo = any(app.target == DEMO_APP.target for app in options.apps) and not configured.own_sign_in
    return {
        **({"CLIENT__CONNECT_APP": DEMO_APP.name} if demo else {}),
        **(_page_variables(options.web, options.desk) if options.web and not configured.own_web else {}),
        **_console_variables(options, configured, credentials),
        "HTTP_SERVER__ADDRESS": options.host,
        "HTTP_SERVER__PORT": str(options.port),
        "HTTP_SERVER__REUSE_PORT": "true",
        "HTTP_API__KEY": credentials.api_key,
        "CLIENT__TOKEN__HMAC_SECRET_KEY": credentials.token_hmac_secret_key,
    }


def _console_variables(options: StackOptions, configured: Configured, credentials: Credentials) -> dict[str, str]:
    if not options.console_port:
        return {}
    page = {"CONSOLE__DIRECTORY": str(options.console)} if options.console and not configured.own_console_page else {}
    return {
        **page,
        "CONSOLE__ENABLED": "true",
        "CONSOLE__ADDRESS": options.host,
        "CONSOLE__PORT": str(options.console_port),
        "CONSOLE__KEY": credentials.console_key,
    }


def _page_variables(folder: Path, desk: DeskAt | None) -> dict[str, str]:
    kills = {"WEB__PLAYGROUND_URL": desk.url, "WEB__PLAYGROUND_TOKEN": desk.token} if desk else {}
    return {"WEB__DIRECTORY": str(folder), **kills}


def _api_variables(options: StackOptions, configured: Configured) -> dict[str, str]:
    """The demo's exchange rates, unless the configuration has outside APIs of its own."""
    if options.desk is None or configured.own_apis:
        return {}
    return {"APIS": json.dumps([{"name": RATES_API, "base_url": options.desk.url + RATES_PATH, "cache": CACHE}])}


def _app_variables(member: _Member, options: StackOptions) -> dict[str, str]:
    """An app that is replaced says often what it is, so that what its predecessor said last does not stand for long."""
    return {"ANNOUNCE_INTERVAL": RELOAD_ANNOUNCE} if options.reload and member.role is Role.LOGIC else {}


def _service(
    options: StackOptions, member: _Member, env: Mapping[str, str], own: Mapping[str, str], ports: tuple[int | None, int]
) -> ProcessSpec:
    """`own` are the variables of this process alone, without their prefix; `ports` what it serves to others, and its internal one."""
    port, internal_port = ports
    internal = {"INTERNAL__HOST": options.host, "INTERNAL__PORT": str(internal_port)}
    prefix = f"CAUSEWAY_{member.role.upper()}_"
    return ProcessSpec(
        service=member.service,
        name=member.name,
        kind=member.role.value,
        command=(str(options.scripts / f"causeway-{member.role}"), *member.arguments, "--config", str(options.config)),
        env={**env, **{prefix + key: value for key, value in {**own, **internal}.items()}},
        port=port,
        internal_port=internal_port,
        health_url=f"http://{options.host}:{internal_port}/readyz",
        cwd=member.folder,
    )
