"""The configuration of the whole stack: every service's settings checked before anything starts, and what `causeway dev` adds to them.

What the file or the environment says wins over what is added here, but for what makes it this stack: the bus, the ports, 127.0.0.1.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, SecretStr

from causeway_common.runtime import ServiceSettings, SettingsError, SettingsFault, load_settings
from causeway_common.runtime.faults import FaultError, arm

LOOPBACK_HOSTS: Final = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class _Part:
    """One service's part: its section of the file ("" is the top) and where its settings model is."""

    service: str
    section: str
    module: str
    model: str

    def load(self, path: Path, env: Mapping[str, str]) -> ServiceSettings:
        # Imported late: only `causeway dev` needs the services, and they take a while.
        model: type[ServiceSettings] = getattr(import_module(self.module), self.model)
        return load_settings(model, service=self.service, section=self.section, path=path, env=env)


PARTS: Final = (
    _Part("gateway", "", "causeway_gateway.config", "GatewaySettings"),
    _Part("storage", "storage", "causeway_storage.config", "StorageSettings"),
    _Part("logic", "logic", "causeway_logic.config", "LogicSettings"),
    _Part("integrations", "integrations", "causeway_integrations.config", "IntegrationsSettings"),
)


@dataclass(frozen=True, slots=True)
class Configured:
    """What the supervisor needs of a valid configuration.

    Attributes:
        port: the gateway's, where the configuration sets one.
        api_key: of the server API, "" where it is not set.
        token_hmac_secret_key: likewise.
        added: per service, the environment variables that give `causeway dev` its own defaults.
    """

    port: int | None
    api_key: str = field(repr=False)
    token_hmac_secret_key: str = field(repr=False)
    added: Mapping[str, Mapping[str, str]]


def load_configuration(path: Path, env: Mapping[str, str], data_dir: Path) -> Configured:
    """Check the file and the environment for every service.

    Args:
        path: the TOML file.
        env: the environment that the services will have.
        data_dir: where storage keeps its file unless configured otherwise.

    Raises:
        SettingsError: with every fault of every service, each once.
    """
    settings: dict[str, ServiceSettings] = {}
    faults: list[SettingsFault] = []
    for part in PARTS:
        try:
            settings[part.service] = part.load(path, env)
        except SettingsError as error:
            faults += error.faults
    try:
        arm(env)
    except FaultError as error:
        faults.append(SettingsFault("CAUSEWAY_FAULT", "environment", str(error)))
    if faults:
        raise SettingsError(list(dict.fromkeys(faults)))
    return _configured(settings, data_dir)


def _configured(settings: Mapping[str, ServiceSettings], data_dir: Path) -> Configured:
    gateway, hosts = settings["gateway"], set_value(settings["integrations"], "webhook.allow_hosts") or []
    added: dict[str, dict[str, str]] = {
        service: {} if set_value(own, "telemetry.log_format") else {f"CAUSEWAY_{service.upper()}_TELEMETRY__LOG_FORMAT": "console"}
        for service, own in settings.items()
    }
    if set_value(settings["storage"], "path") is None:
        added["storage"]["CAUSEWAY_STORAGE_PATH"] = str(data_dir / "storage.sqlite3")
    allowed = json.dumps(list(dict.fromkeys((*hosts, *LOOPBACK_HOSTS))))
    added["integrations"]["CAUSEWAY_INTEGRATIONS_WEBHOOK__ALLOW_HOSTS"] = allowed
    return Configured(
        port=set_value(gateway, "http_server.port"),
        api_key=set_value(gateway, "http_api.key") or "",
        token_hmac_secret_key=set_value(gateway, "client.token.hmac_secret_key") or "",
        added=added,
    )


def set_value(settings: BaseModel, path: str) -> Any:
    """The value at a dotted path where file or environment set it, secrets as text; None where it is a default."""
    *parents, last = path.split(".")
    for parent in parents:
        settings = getattr(settings, parent)
    if last not in settings.model_fields_set:
        return None
    value = getattr(settings, last)
    return value.get_secret_value() if isinstance(value, SecretStr) else value
