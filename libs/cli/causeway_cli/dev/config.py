"""The configuration of the whole stack: every service's settings checked before anything starts, and what `causeway dev` adds to them.

What the file or the environment says wins over what is added here, but for what makes it this stack: the bus, the ports, 127.0.0.1.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from causeway_cli.configuration import load_services, set_value
from causeway_common.runtime import ServiceSettings

SENDER: Final = "Causeway <causeway@localhost>"
SIGN_IN: Final = ("client.connect_app", "client.allow_anonymous_connect_without_token", "client.insecure")
LOOPBACK_HOSTS: Final = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Configured:
    """What the supervisor needs of a valid configuration.

    Attributes:
        storage: what storage keeps its data in, `sqlite` or `mongodb`.
        port: the gateway's, where the configuration sets one.
        api_port: of the server API's own; 0: it has none.
        api_key: of the server API, "" where it is not set.
        token_hmac_secret_key: likewise.
        hooks_port: where integrations take webhooks, 0 where the configuration does not say.
        own_sign_in: the configuration says what becomes of clients without a token.
        own_web: it says what is served at `/`.
        own_apis: it names outside APIs, so none is added for the demo.
        console_port: of the operator's console, 0 where the configuration does not say.
        console_key: "" where it is not set.
        own_console: the configuration says whether there is one; `causeway dev` has one otherwise.
        own_console_page: it says which page that has.
        added: per service, the environment variables that give `causeway dev` its own defaults.
    """

    storage: str
    port: int | None
    api_port: int
    api_key: str = field(repr=False)
    token_hmac_secret_key: str = field(repr=False)
    added: Mapping[str, Mapping[str, str]]
    hooks_port: int = 0
    own_sign_in: bool = False
    own_web: bool = False
    own_apis: bool = False
    console_port: int = 0
    console_key: str = field(default="", repr=False)
    own_console: bool = False
    own_console_page: bool = False


def load_configuration(path: Path, env: Mapping[str, str], data_dir: Path) -> Configured:
    """Check the file and the environment for every service.

    Args:
        path: the TOML file.
        env: the environment that the services will have.
        data_dir: where storage keeps its file unless configured otherwise.

    Raises:
        SettingsError: with every fault of every service, each once.
    """
    return _configured(load_services(path, env), data_dir)


def storage_variables(storage: str) -> dict[str, str]:
    """What `--storage` says as environment variables: `sqlite` or a MongoDB URI, "" for what the configuration says."""
    return {"CAUSEWAY_STORAGE_URI": "" if storage == "sqlite" else storage} if storage else {}


def _configured(settings: Mapping[str, ServiceSettings], data_dir: Path) -> Configured:
    gateway = settings["gateway"]
    added: dict[str, dict[str, str]] = {
        service: {} if set_value(own, "telemetry.log_format") else {f"CAUSEWAY_{service.upper()}_TELEMETRY__LOG_FORMAT": "console"}
        for service, own in settings.items()
    }
    if set_value(settings["storage"], "path") is None:
        added["storage"]["CAUSEWAY_STORAGE_PATH"] = str(data_dir / "storage.sqlite3")
    added["integrations"] |= _of_integrations(settings["integrations"], data_dir)
    storage = "mongodb" if set_value(settings["storage"], "uri") else "sqlite"
    if storage == "mongodb" and set_value(settings["storage"], "migrate") is None:
        added["storage"]["CAUSEWAY_STORAGE_MIGRATE"] = "true"
    return Configured(
        storage=storage,
        port=set_value(gateway, "http_server.port"),
        api_port=set_value(gateway, "http_api.port") or 0,
        api_key=set_value(gateway, "http_api.key") or "",
        token_hmac_secret_key=set_value(gateway, "client.token.hmac_secret_key") or "",
        added=added,
        hooks_port=set_value(settings["integrations"], "hooks.port") or 0,
        own_sign_in=any(set_value(gateway, key) is not None for key in SIGN_IN),
        own_web=set_value(gateway, "web.directory") is not None,
        own_apis=set_value(settings["integrations"], "apis") is not None,
        console_port=set_value(gateway, "console.port") or 0,
        console_key=set_value(gateway, "console.key") or "",
        own_console=set_value(gateway, "console.enabled") is not None,
        own_console_page=set_value(gateway, "console.directory") is not None,
    )


def _of_integrations(settings: ServiceSettings, data_dir: Path) -> dict[str, str]:
    """Loopback may be reached, every app may use everything, e-mails are files, and payments a rehearsal: unless configured otherwise."""
    added: dict[str, str] = {}
    for section in ("webhook", "http", "payments", "email"):
        hosts = set_value(settings, f"{section}.allow_hosts") or []
        added[f"{section}__allow_hosts"] = json.dumps(list(dict.fromkeys((*hosts, *LOOPBACK_HOSTS))))
    if set_value(settings, "permissions") is None:
        added["permissions"] = json.dumps({"*": ["*"]})
    if set_value(settings, "email.host") is None and set_value(settings, "email.folder") is None:
        added["email__folder"] = str(data_dir / "mail")
        if set_value(settings, "email.sender") is None:
            added["email__sender"] = SENDER
    source = set_value(settings, "payments.source") or "stripe"
    if set_value(settings, "payments.provider") is None and source not in {
        each.name for each in set_value(settings, "sources") or []
    }:
        added["payments__provider"] = "test"
        added["payments__folder"] = str(data_dir / "payments")
    return {f"CAUSEWAY_INTEGRATIONS_{key.upper()}": value for key, value in added.items()}
