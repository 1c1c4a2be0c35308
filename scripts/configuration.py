"""Makes docs/configuration.md from the settings models; a test compares the file with what this makes."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from causeway_common.runtime import NatsSettings, ServiceSettings, TelemetrySettings, format_duration
from causeway_gateway.config import GatewaySettings
from causeway_integrations.config import IntegrationsSettings
from causeway_integrations.config.schedules import check_schedule
from causeway_logic.config import LogicSettings
from causeway_storage.config import StorageSettings

HEADER = """\
# Configuration

One TOML file for all services. The gateway's options stand at its top, under Centrifugo v6's names where it has one; the other services'
under `[storage]`, `[logic]` and `[integrations]`; `[nats]` and `[telemetry]` are everybody's. `causeway dev --config FILE` checks the whole
before anything starts; `causeway-gateway --config FILE --check` (and likewise the others) checks one service's part.

`CAUSEWAY_<SERVICE>_` and the path in capitals with `__` between the levels overrides a value, as in
`CAUSEWAY_GATEWAY_CLIENT__TOKEN__HMAC_SECRET_KEY` or `CAUSEWAY_STORAGE_PATH`; lists are written as JSON. With `_FILE` behind it the value is
read from that file. Durations are a number and `ms`, `s`, `m`, `h` or `d`. `INTERNAL__HOST` and `INTERNAL__PORT` (health and metrics) are
set by variables only, since each process has its own.

This page is made by `scripts/configuration.py` from the settings themselves.
"""
SECTIONS: tuple[tuple[str, str, type[BaseModel]], ...] = (
    ("Gateway", "", GatewaySettings),
    ("Storage", "storage", StorageSettings),
    ("Logic", "logic", LogicSettings),
    ("Integrations", "integrations", IntegrationsSettings),
    ("NATS, for every service", "nats", NatsSettings),
    ("Telemetry, for every service", "telemetry", TelemetrySettings),
)
SHARED = frozenset(ServiceSettings.model_fields)


def reference() -> str:
    """The page."""
    parts = [HEADER]
    for title, section, model in SECTIONS:
        parts.append(f"\n## {title}\n\n| option | default | |\n|---|---|---|\n")
        parts += [f"| `{name}` | {default} | {text} |\n" for name, default, text in rows(model, section)]
    return "".join(parts)


def rows(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, str, str]]:
    """(path, default, description) of each leaf."""
    for name, field in model.model_fields.items():
        if not prefix.count(".") and name in SHARED and issubclass(model, ServiceSettings):
            continue
        path = f"{prefix}.{name}" if prefix else name
        inner = field.annotation
        element = get_args(inner)[0] if get_origin(inner) is list else None
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from rows(inner, path)
        elif isinstance(element, type) and issubclass(element, BaseModel):
            yield from rows(element, f"{path}[]")
        else:
            yield path, default_of(field), _text(field.description or "")


def default_of(field: FieldInfo) -> str:
    """A default as it would be written in TOML."""
    value: Any = field.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return "required"
    if any(getattr(each, "func", None) is check_schedule for each in field.metadata):
        return f"`{json.dumps([format_duration(each) for each in value])}`"
    if any(
        getattr(each, "func", None).__class__.__name__ == "function" and each.func.__name__ == "parse_duration"
        for each in field.metadata
    ):
        return f'`"{format_duration(value)}"`'
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, Path):
        value = value.as_posix()
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f'`"{value}"`' if isinstance(value, str) else f"`{value}`"


def _text(description: str) -> str:
    return description.replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    Path("docs/configuration.md").write_text(reference(), encoding="utf-8")
    sys.stdout.write("docs/configuration.md is up to date\n")
