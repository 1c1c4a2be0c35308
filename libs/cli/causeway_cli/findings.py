"""What a valid configuration amounts to, for the eye: what it switches on, which keys it has, what in it is dangerous. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, SecretStr

from causeway_cli.configuration import PARTS, leaves
from causeway_common.runtime import ServiceSettings, format_duration
from causeway_common.runtime.settings import SWITCHES

HMAC_KEY_MIN_BYTES: Final = 32
"""RFC 7518: a key of HS256 is no shorter than its hash."""
API_KEY_MIN_BYTES: Final = 16
TRANSPORTS: Final = ("websocket", "http_stream", "sse", "uni_websocket", "uni_http_stream", "uni_sse")
_KEY_SECTIONS: Final = ("client.token.", "client.subscription_token.", "http_api.")
_OTHER_VARIABLES: Final = frozenset(
    {"DATA_DIR", "URL", "API_KEY", "TOKEN_SECRET", "TESTING", "FAULT", "PARENT_FD"}
    | {name.removeprefix("CAUSEWAY_") for name in SWITCHES}
)


@dataclass(frozen=True, slots=True)
class Findings:
    """Lines to print: what there is (a name and its value), and what to think about."""

    found: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]


def findings(settings: Mapping[str, ServiceSettings], env: Mapping[str, str]) -> Findings:
    """Look at the settings of all services, which are valid, and at the environment that they were read with."""
    gateway = dict(leaves(settings["gateway"]))
    found = (
        *_namespaces(settings["gateway"]),
        ("transports", ", ".join(_transports(gateway)) or "none"),
        ("connect hook", gateway.get("client.connect_app") or "none"),
        ("without a token", _without_token(gateway)),
        *((path, "present" if _text(value) else "missing") for path, value in _keys(gateway)),
        ("server API", _server_api(gateway)),
        *_others(settings),
    )
    return Findings(found, (*_warnings(gateway), *_left_out(gateway), *_unread(env)))


def _namespaces(gateway: BaseModel) -> Iterator[tuple[str, str]]:
    channel: Any = getattr(gateway, "channel", None)
    for namespace in getattr(channel, "namespaces", ()):
        yield f"namespace {namespace.name}", _options(namespace)
    if not getattr(channel, "namespaces", ()):
        yield "namespaces", "none but those of apps"
    if getattr(channel, "without_namespace", None) is not None:
        yield "without a namespace", _options(channel.without_namespace)


def _options(options: BaseModel) -> str:
    """The options that are not as by default; history in one word."""
    values = {name: getattr(options, name) for name in type(options).model_fields if name != "name"}
    size, ttl = values.pop("history_size", 0), values.pop("history_ttl", 0)
    told = [f"history {size} for {format_duration(ttl)}"] if size and ttl else ["no history"]
    for name, value in values.items():
        if value != type(options).model_fields[name].get_default(call_default_factory=True):
            told.append(name if value is True else f"{name} {_shown(name, value)}")
    return ", ".join(told)


def _shown(name: str, value: Any) -> str:
    if name.endswith("_ttl") and isinstance(value, int):
        return format_duration(value)
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _transports(gateway: Mapping[str, Any]) -> Iterator[str]:
    for name in TRANSPORTS:
        known = any(path.startswith(f"{name}.") for path in gateway)
        if known and not gateway.get(f"{name}.disabled", False) and gateway.get(f"{name}.enabled", True):
            yield name


def _keys(gateway: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What tokens and callers are verified with."""
    for path, value in gateway.items():
        name = path.rpartition(".")[2]
        if path.startswith(_KEY_SECTIONS) and (isinstance(value, SecretStr) or name.endswith(("_key", "jwks_public_endpoint"))):
            yield path, value


def _without_token(gateway: Mapping[str, Any]) -> str:
    if gateway.get("client.connect_app"):
        return "the connect hook is asked"
    if gateway.get("client.insecure"):
        return "anybody connects (client.insecure)"
    if gateway.get("client.allow_anonymous_connect_without_token"):
        return "anonymous clients connect"
    return "nobody connects"


def _server_api(gateway: Mapping[str, Any]) -> str:
    if gateway.get("http_api.disabled"):
        return "off (http_api.disabled)"
    held = sum(bool(_text(value)) for path, value in _keys(gateway) if path.startswith("http_api."))
    where = f" port {port}" if (port := gateway.get("http_api.port")) else ""
    return f"on{where}, {held} key{'s' * (held != 1)}" if held else "off, it has no key (http_api.key)"


def _others(settings: Mapping[str, ServiceSettings]) -> Iterator[tuple[str, str]]:
    storage, integrations = dict(leaves(settings["storage"])), dict(leaves(settings["integrations"]))
    yield "storage", str(storage.get("path", ""))
    endpoints = sum(path.startswith("webhook.endpoints.") and path.endswith(".url") for path in integrations)
    yield "webhook endpoints", str(endpoints)


def _warnings(gateway: Mapping[str, Any]) -> Iterator[str]:
    for path, value in gateway.items():
        if path.rpartition(".")[2] == "insecure" and value:
            yield f"{path} is on: everybody may do everything there"
    for path, value in _keys(gateway):
        size = len(_text(value).encode())
        if "hmac" in path and 0 < size < HMAC_KEY_MIN_BYTES:
            yield f"{path} is short ({size} bytes), anybody may try it out: {HMAC_KEY_MIN_BYTES} are enough"
        if path.startswith("http_api.") and 0 < size < API_KEY_MIN_BYTES:
            yield f"{path} is short ({size} bytes), anybody may try it out: {API_KEY_MIN_BYTES} random ones are enough"
    if "*" in (gateway.get("client.allowed_origins") or []):
        yield 'client.allowed_origins holds "*": any page of the web may connect in its visitor\'s name'
    for path, value in gateway.items():
        base, dot, name = path.rpartition(".")
        if (
            name == "allow_publish_for_anonymous"
            and value
            and any(gateway.get(f"{base}{dot}allow_publish_for_{who}") for who in ("client", "subscriber"))
        ):
            yield f"{path} is on: whoever may connect may publish there, without a name"
    if not _anybody_connects(gateway):
        yield "nobody can connect: no key for tokens (client.token), no connect hook (client.connect_app), no anonymous clients"


def _left_out(gateway: Mapping[str, Any]) -> Iterator[str]:
    """What is switched on and does nothing without something else."""
    personal = "client.subscribe_to_user_personal_channel"
    declared = [value for path, value in gateway.items() if path.startswith("channel.namespaces.") and path.endswith(".name")]
    if gateway.get(f"{personal}.enabled") and (space := gateway.get(f"{personal}.namespace")) and space not in declared:
        yield f"{personal}.namespace {space} is not in the file: unless an app announces it, no user can connect (102)"
    own = "client.subscription_token"
    if not gateway.get(f"{own}.enabled") and any(_text(value) for path, value in _keys(gateway) if path.startswith(f"{own}.")):
        yield f"{own} has keys and is not enabled: subscription tokens are verified with those of client.token"
    if gateway.get("http_server.proxy_protocol") and not gateway.get("http_server.trusted_proxies"):
        yield "http_server.proxy_protocol is on, but no proxy is believed (http_server.trusted_proxies)"


def _anybody_connects(gateway: Mapping[str, Any]) -> bool:
    switches = ("client.insecure", "client.allow_anonymous_connect_without_token", "client.connect_app")
    if any(gateway.get(path) for path in switches):
        return True
    return any(_text(value) for path, value in _keys(gateway) if path.startswith("client.token."))


def _unread(env: Mapping[str, str]) -> Iterator[str]:
    """Variables that look like ours and that nobody reads. Unknown keys of a known service are faults already."""
    services = [part.service.upper() for part in PARTS]
    for variable in sorted(env):
        name = variable.removeprefix("CAUSEWAY_")
        if name == variable or name in _OTHER_VARIABLES or name.startswith(tuple(f"{service}_" for service in services)):
            continue
        near = difflib.get_close_matches(name.partition("_")[0], services, n=1)
        hint = f"CAUSEWAY_{near[0]}_…?" if near else f"a service's variables begin with CAUSEWAY_ and {', '.join(services)}"
        yield f"{variable} is set and nothing reads it: {hint}"
    for variable in sorted(SWITCHES & env.keys()):
        yield f"{variable} is set: it is for tests"


def _text(value: Any) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value or "")
