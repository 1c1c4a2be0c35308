"""The configuration of all four services, read and checked together; nothing is started."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, SecretStr

from causeway_common.runtime import ServiceSettings, SettingsError, SettingsFault, load_settings
from causeway_common.runtime.faults import FaultError, arm


@dataclass(frozen=True, slots=True)
class _Part:
    """One service's part: its section of the file ("" is the top) and where its settings model is."""

    service: str
    section: str
    module: str
    model: str

    def load(self, path: Path | None, env: Mapping[str, str]) -> ServiceSettings:
        # Imported late: few commands need the services, and they take a while.
        model: type[ServiceSettings] = getattr(import_module(self.module), self.model)
        return load_settings(model, service=self.service, section=self.section, path=path, env=env)


PARTS: Final = (
    _Part("gateway", "", "causeway_gateway.config", "GatewaySettings"),
    _Part("storage", "storage", "causeway_storage.config", "StorageSettings"),
    _Part("logic", "logic", "causeway_logic.config", "LogicSettings"),
    _Part("integrations", "integrations", "causeway_integrations.config", "IntegrationsSettings"),
)


def load_services(path: Path | None, env: Mapping[str, str]) -> dict[str, ServiceSettings]:
    """The settings of every service, by its name.

    Args:
        path: the TOML file, or None.
        env: the environment that the services will have.

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
    return settings


def set_value(settings: BaseModel, path: str) -> Any:
    """The value at a dotted path where file or environment set it, secrets as text; None where it is a default."""
    *parents, last = path.split(".")
    for parent in parents:
        settings = getattr(settings, parent)
    if last not in settings.model_fields_set:
        return None
    value = getattr(settings, last)
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def leaves(settings: BaseModel, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every value with its dotted path, those of lists of sections with their index; secrets stay wrapped."""
    for name in type(settings).model_fields:
        yield from _leaves(getattr(settings, name), prefix + name)


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, BaseModel):
        yield from leaves(value, f"{path}.")
    elif isinstance(value, list) and value and isinstance(value[0], BaseModel):
        for number, element in enumerate(value):
            yield from _leaves(element, f"{path}.{number}")
    else:
        yield path, value
