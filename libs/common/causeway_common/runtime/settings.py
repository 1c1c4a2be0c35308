"""Typed settings, read once: one TOML file for all services, environment variables over it, every fault in one list.

The gateway's options stand at the top of the file (Centrifugo v6's names), the other services' under `[storage]`, `[logic]` and
`[integrations]`; `[nats]` and `[telemetry]` are everybody's. `CAUSEWAY_<SERVICE>_` and the path in capitals with `__` between
the levels overrides a value (lists as JSON); the same with `_FILE` behind it reads the value from a file. A service reads its own
part only.
"""

from __future__ import annotations

import difflib
import json
import re
import tomllib
import types
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_core import ErrorDetails

from causeway_common.runtime.durations import Duration

SERVICE_SECTIONS: Final = ("storage", "logic", "integrations")
SHARED_SECTIONS: Final = ("nats", "telemetry")
SWITCHES: Final = frozenset({"CAUSEWAY_GATEWAY_TEST_ECHO"})
"""Variables with a service's prefix that are no settings: no file can set them."""
Path_ = tuple[str | int, ...]


class Settings(BaseModel):
    """Base of every settings model: frozen, unknown keys are faults."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class NatsSettings(Settings):
    """How a process reaches the bus."""

    url: str = Field("nats://127.0.0.1:4222", description="NATS server URLs, separated by commas")
    user: str = Field("", description="the process's own NATS user")
    password: SecretStr = Field(SecretStr(""), description="its password")
    heartbeat: Duration = Field(5_000, ge=100, description="between two signs of life of a process")
    silence: Duration = Field(15_000, ge=500, description="a process not heard of for so long counts as dead; the same everywhere")

    @model_validator(mode="after")
    def _beats_in_time(self) -> Self:
        if self.heartbeat * 2 >= self.silence:
            raise ValueError("silence must be more than two heartbeats")
        return self


class TelemetrySettings(Settings):
    """Traces, metrics and logs."""

    otlp_endpoint: str = Field("", description="base URL of an OTLP/HTTP receiver; empty: nothing is exported")
    sample_ratio: float = Field(0.05, ge=0, le=1, description="share of the traces that the gateway samples")
    export_interval: Duration = Field(1000, description="how long spans wait for their batch")
    log_format: str = Field("json", pattern="^(json|console)$", description="json or console")
    log_level: str = Field("info", pattern="^(debug|info|warning|error)$", description="debug, info, warning or error")


class InternalSettings(Settings):
    """The internal listener: /livez, /readyz, /metrics. By environment only, since every process has its own."""

    host: str = Field("127.0.0.1", description="address of the internal listener")
    port: int = Field(0, ge=0, le=65535, description="its port; 0: any free one")


class ServiceSettings(Settings):
    """Base of a service's settings: what every process has."""

    nats: NatsSettings = NatsSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    internal: InternalSettings = InternalSettings()


S = TypeVar("S", bound=ServiceSettings)


@dataclass(frozen=True, slots=True)
class SettingsFault:
    """One fault: the key, where its value stands, and what is wrong and allowed."""

    key: str
    place: str
    problem: str

    def __str__(self) -> str:
        """One line."""
        return f"{self.key} ({self.place}): {self.problem}"


class SettingsError(Exception):
    """A configuration that cannot be used, with all its faults."""

    def __init__(self, faults: list[SettingsFault]) -> None:
        self.faults = faults
        super().__init__("\n".join(map(str, faults)))


def read_toml(path: Path | None) -> dict[str, Any]:
    """The file as a map; empty without a file.

    Raises:
        SettingsError: it cannot be read or is not TOML.
    """
    if path is None:
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError([SettingsFault("--config", str(path), f"cannot be read: {error}")]) from error


def load_settings(model: type[S], *, service: str, section: str, path: Path | None, env: Mapping[str, str]) -> S:
    """The settings of one service.

    Args:
        model: its settings model.
        service: its name in the variables (`CAUSEWAY_<SERVICE>_…`).
        section: its section of the file; "" is the top level (the gateway).
        path: the TOML file, or None.
        env: the environment.

    Raises:
        SettingsError: with every fault of file and environment.
    """
    document = read_toml(path)
    values, faults = _own_part(document, section, path)
    text = path.read_text(encoding="utf-8") if path else ""
    places = _overlay(values, model, f"CAUSEWAY_{service.upper()}_", env, faults)

    def place(location: Path_) -> str:
        dotted = ".".join(map(str, location))
        for known, where in places.items():
            if dotted == known or dotted.startswith(known + "."):
                return where
        if path is None:
            return "not set"
        shared = location and location[0] in SHARED_SECTIONS
        line = _line_of(text, location if shared or not section else (section, *location))
        return f"{path}, line {line}" if line else str(path)

    try:
        settings = model.model_validate(values)
    except ValidationError as error:
        for detail in error.errors():
            location = tuple(part for part in detail["loc"] if part != "function-before[parse_duration(), int]")
            faults.append(SettingsFault(_dotted(location, section), place(location), _problem(model, location, detail)))
    else:
        if not faults:
            return settings
    raise SettingsError(faults)


def _own_part(document: dict[str, Any], section: str, path: Path | None) -> tuple[dict[str, Any], list[SettingsFault]]:
    faults: list[SettingsFault] = []
    for name in (*SERVICE_SECTIONS, *SHARED_SECTIONS):
        if not isinstance(document.get(name, {}), dict):
            faults.append(SettingsFault(name, str(path), f"must be a section: [{name}]"))
            document[name] = {}
    if section:
        values = dict(document.get(section, {}))
    else:
        values = {key: value for key, value in document.items() if key not in SERVICE_SECTIONS}
    for name in (*SHARED_SECTIONS, "internal"):
        if section and name in values:
            faults.append(SettingsFault(f"{section}.{name}", str(path), f"[{name}] does not stand under [{section}]"))
            del values[name]
    if "internal" in values:
        faults.append(SettingsFault("internal", str(path), "is set by environment variables only: each process has its own"))
        del values["internal"]
    for name in SHARED_SECTIONS:
        if name in document:
            values[name] = dict(document[name])
    return values, faults


def _overlay(
    values: dict[str, Any], model: type[BaseModel], prefix: str, env: Mapping[str, str], faults: list[SettingsFault]
) -> dict[str, str]:
    """Put the variables over `values`; returns where each of these values stands."""
    places: dict[str, str] = {}
    for variable in sorted(key for key in env if key.startswith(prefix)):
        keys = variable[len(prefix) :].lower().split("__")
        field, text = _field_at(model, keys), env[variable]
        if field is None and keys[-1].endswith("_file"):
            keys[-1] = keys[-1].removesuffix("_file")
            field = _field_at(model, keys)
            if field is not None:
                try:
                    text = Path(text).read_text(encoding="utf-8").rstrip("\n")
                except (OSError, UnicodeDecodeError) as error:
                    faults.append(SettingsFault(".".join(keys), variable, f"cannot be read: {error}"))
                    continue
        dotted = ".".join(keys)
        if field is None and variable in SWITCHES:
            continue
        if field is None:
            faults.append(SettingsFault(dotted, variable, "unknown key" + _nearest(dotted, _all_keys(model))))
            continue
        value: Any = text
        if get_origin(field) in (list, dict, tuple):
            try:
                value = json.loads(text)
            except ValueError as error:
                faults.append(SettingsFault(dotted, variable, f"must be JSON: {error}"))
                continue
        at = values
        for key in keys[:-1]:
            inner = at.get(key)
            at[key] = dict(inner) if isinstance(inner, dict) else {}
            at = at[key]
        at[keys[-1]] = value
        places[dotted] = variable
    return places


def _field_at(model: type[BaseModel], keys: list[str]) -> Any:
    """The annotation of a leaf of the model; None where there is no such leaf."""
    field = model.model_fields.get(keys[0])
    if field is None:
        return None
    inner = _model_of(field.annotation)
    if len(keys) == 1:
        return None if inner else field.annotation
    return _field_at(inner, keys[1:]) if inner else None


def _model_of(annotation: Any) -> type[BaseModel] | None:
    if get_origin(annotation) in (Union, types.UnionType):
        return next((found for part in get_args(annotation) if (found := _model_of(part))), None)
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def _element_model(annotation: Any) -> type[BaseModel] | None:
    return _model_of(get_args(annotation)[0]) if get_origin(annotation) in (list, tuple) else _model_of(annotation)


def _all_keys(model: type[BaseModel], prefix: str = "") -> list[str]:
    keys: list[str] = []
    for name, field in model.model_fields.items():
        inner = _model_of(field.annotation)
        keys += _all_keys(inner, f"{prefix}{name}.") if inner else [f"{prefix}{name}"]
    return keys


def _nearest(key: str, known: list[str], elsewhere: list[str] | None = None) -> str:
    """The nearest key of the same level; else the one that has this name on another level; else what there is."""
    if found := difflib.get_close_matches(key, known, n=1, cutoff=0.6):
        return f", did you mean {found[0]}?"
    leaves = {path.rpartition(".")[2]: path for path in elsewhere or []}
    if found := difflib.get_close_matches(key, leaves, n=1, cutoff=0.7):
        return f", did you mean {leaves[found[0]]}?"
    return f"; known are {', '.join(sorted(known)[:12])}"


def _problem(model: type[BaseModel], location: Path_, detail: ErrorDetails) -> str:
    if detail["type"] == "extra_forbidden":
        at: type[BaseModel] | None = model
        for part in location[:-1]:
            if isinstance(part, str) and at is not None:
                field = at.model_fields.get(part)
                at = _element_model(field.annotation) if field else None
        known = list(at.model_fields) if at else []
        if len(location) == 1:
            known += SERVICE_SECTIONS
        return "unknown key" + _nearest(str(location[-1]), known, _all_keys(model))
    shown = "" if _is_secret(model, location) or detail["type"] == "missing" else f", got {detail['input']!r:.80}"
    return detail["msg"].removeprefix("Value error, ") + shown


def _is_secret(model: type[BaseModel], location: Path_) -> bool:
    at: type[BaseModel] | None = model
    annotation: Any = None
    for part in location:
        if isinstance(part, str) and at is not None:
            field = at.model_fields.get(part)
            annotation = field.annotation if field else None
            at = _element_model(annotation)
    return at is not None or annotation is SecretStr or SecretStr in get_args(annotation)


def _dotted(location: Path_, section: str) -> str:
    parts = [str(part) for part in location]
    if section and not (parts and parts[0] in (*SHARED_SECTIONS, "internal")):
        parts.insert(0, section)
    return ".".join(parts) or "configuration"


def _line_of(text: str, location: Path_) -> int:
    """The line (from 1) where a key of the file stands, as well as plain TOML lets it be found; 0 when it is not."""
    names = [part for part in location if isinstance(part, str)]
    index = next((part for part in location if isinstance(part, int)), 0)
    header, seen, best = "", -1, 0
    for number, line in enumerate(text.splitlines(), 1):
        if match := re.match(r"\s*(\[\[?)\s*([^\]]+?)\s*\]", line):
            header = match[2].replace('"', "")
            seen = seen + 1 if match[1] == "[[" and names[:-1] == header.split(".") else seen
            if header.split(".") == names[: len(header.split("."))]:
                best = best or number
        elif match := re.match(r'\s*([\w."-]+)\s*=', line):
            key = [*(header.split(".") if header else []), *match[1].replace('"', "").split(".")]
            if key == names and seen in (-1, index):
                return number
            if key == names[: len(key)]:
                best = number
    return best
