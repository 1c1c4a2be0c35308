"""Every NATS subject of Causeway, declared once as a template (DESIGN section 5), and the one reversible token encoder.

Nothing else in the code base puts a subject together. What comes from outside becomes a token only through `encode_token`
or after `is_identifier`, so that it is never a wildcard, a separator or a control character.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from causeway_common.contracts.names import ChannelName, is_identifier

_SAFE = re.compile(rb"[A-Za-z0-9_-]")
_ESCAPED = re.compile(r"=([0-9A-F]{2})")
_TOKEN = re.compile(r"(?:[A-Za-z0-9_-]|=[0-9A-F]{2})+")
_FIELD = re.compile(r"\{(\w+)\}")
_TABLE: Final = tuple(chr(b) if _SAFE.match(bytes([b])) else f"={b:02X}" for b in range(256))
_EMPTY: Final = "="


def encode_token(text: str) -> str:
    """Any text as one subject token: letters, digits, `_` and `-` as they are, every other UTF-8 byte as `=XX`.

    Injective and reversible (`decode_token`); the empty text is the token `=`.
    """
    return "".join([_TABLE[b] for b in text.encode("utf-8", "surrogatepass")]) or _EMPTY


def decode_token(token: str) -> str:
    """The text that `encode_token` made this token from.

    Raises:
        ValueError: no text encodes to this token.
    """
    if token == _EMPTY:
        return ""
    if not _TOKEN.fullmatch(token):
        raise ValueError(f"not an encoded token: {token!r}")
    raw = _ESCAPED.sub(lambda m: chr(int(m[1], 16)), token).encode("latin-1")
    text = raw.decode("utf-8", "surrogatepass")
    if encode_token(text) != token:
        raise ValueError(f"not the canonical form of a token: {token!r}")
    return text


@dataclass(frozen=True, slots=True, eq=False)  # each is declared once, and hashed by its identity for every message
class Subject:
    """A subject template: `template` as declared, `at(...)` the wire subject, `wildcard(...)` what a server subscribes."""

    template: str

    def at(self, **fields: str) -> str:
        """The wire subject with every field filled; each value must be one token.

        Raises:
            ValueError: a field is missing, unknown, or its value is no token.
        """
        return _filled(self, *fields.items())  # make bench: 3.4 of the 7 µs of an RPC that subjects cost before they were kept

    def wildcard(self, **fields: str) -> str:
        """As `at`, with `*` for every field left out."""
        return self._fill(fields, "*")

    def fields(self, subject: str) -> Mapping[str, str]:
        """The fields of a wire subject of this template.

        Raises:
            ValueError: the subject is not of this template.
        """
        return _fields(self, subject)

    def _read(self, subject: str) -> dict[str, str]:
        names, values = self.template.split("."), subject.split(".")
        if len(names) != len(values):
            raise ValueError(f"{subject!r} is no subject of {self.template!r}")
        found: dict[str, str] = {}
        for name, value in zip(names, values, strict=True):
            if field := _FIELD.fullmatch(name):
                found[field[1]] = value
            elif name != value:
                raise ValueError(f"{subject!r} is no subject of {self.template!r}")
        return found

    def _fill(self, fields: dict[str, str], default: str | None) -> str:
        used = 0
        parts: list[str] = []
        for name in self.template.split("."):
            field = _FIELD.fullmatch(name)
            if field is None:
                parts.append(name)
                continue
            value = fields.get(field[1])
            if value is None:
                if default is None:
                    raise ValueError(f"the subject {self.template!r} needs {field[1]}")
                parts.append(default)
                continue
            used += 1
            if value != _EMPTY and not _TOKEN.fullmatch(value):
                raise ValueError(f"not a subject token for {field[1]}: {value!r}")
            parts.append(value)
        if used != len(fields):
            raise ValueError(f"the subject {self.template!r} has no field for some of {sorted(fields)}")
        return ".".join(parts)


@lru_cache(maxsize=4096)
def _filled(subject: Subject, *fields: tuple[str, str]) -> str:
    return subject._fill(dict(fields), None)  # noqa: SLF001 - the cached half of `Subject.at`


@lru_cache(maxsize=4096)
def _fields(subject: Subject, wire: str) -> Mapping[str, str]:
    return MappingProxyType(subject._read(wire))  # noqa: SLF001 - the cached half of `Subject.fields`


APP_RPC: Final = Subject("cw.v1.app.{app}.rpc.{method}")
APP_RPC_VERSION: Final = Subject("cw.v1.app.{app}.rpc.{method}.v.{version}")
APP_HOOK: Final = Subject("cw.v1.app.{app}.hook.{hook}")
APP_HOOK_VERSION: Final = Subject("cw.v1.app.{app}.hook.{hook}.v.{version}")
STORAGE: Final = Subject("cw.v1.storage.{caller}.any.{verb}")
STORAGE_SHARD: Final = Subject("cw.v1.storage.{caller}.shard.{shard}.{verb}")
FEED_LOGGED: Final = Subject("cw.v1.feed.l.{channel}")
FEED_UNLOGGED: Final = Subject("cw.v1.feed.u.{channel}")
FEED_APP: Final = Subject("cw.v1.feed.a.{app}.{channel}")
FEED_MEMBERS: Final = Subject("cw.v1.feed.m.{channel}")
GATEWAY_NODE: Final = Subject("cw.v1.gateway.{node}.{verb}")
GATEWAY_ALL: Final = Subject("cw.v1.gateway.all.{verb}")
APP_CONTROL: Final = Subject("cw.v1.control.{caller}.{verb}")
CALL: Final = Subject("cw.v1.call.{caller}.{connector}.{op}")
JOB: Final = Subject("cw.v1.job.{connector}.{op}")
TASK: Final = Subject("cw.v1.task.{app}.{task}")
EVENT: Final = Subject("cw.v1.event.{source}.{type}")
KV_APPS: Final = Subject("$KV.cw_apps.{app}.{version}")
KV_ROUTES: Final = Subject("$KV.cw_routes.{app}.{method}")
KV_NODES: Final = Subject("$KV.cw_nodes.{node}")
KV_REVOCATIONS: Final = Subject("$KV.cw_revocations.{kind}.{id}")
KV_KEYS: Final = Subject("$KV.cw_keys.{channel}.{key}")
KV_BREAKERS: Final = Subject("$KV.cw_breakers.{connector}.{destination}")
FIGURES: Final = Subject("cw.v1.figures.{service}.{node}")
DISCOVERY: Final = "$SRV"
"""Who is there, as the standard tooling asks (NATS ADR-32)."""

JOBS_STREAM: Final = "CW_JOBS"
TASKS_STREAM: Final = "CW_TASKS"
EVENTS_STREAM: Final = "CW_EVENTS"
APPS_BUCKET: Final = "cw_apps"
APPS_STREAM: Final = "KV_cw_apps"
ROUTES_STREAM: Final = "KV_cw_routes"
NODES_STREAM: Final = "KV_cw_nodes"
REVOCATIONS_STREAM: Final = "KV_cw_revocations"
KEYS_STREAM: Final = "KV_cw_keys"
BREAKERS_STREAM: Final = "KV_cw_breakers"
LIFECYCLE_SOURCE: Final = "gateway"
"""The source of the events that the gateways cause; no source of inbound events has this name."""
VERB_COMPARE_HEADS: Final = "compare_heads"


def feed_subject(channel: str, *, logged: bool, app: str = "") -> str:
    """The feed subject of a channel: `l` where it has history (storage alone publishes there), else `a` of its app, or `u` without one."""
    token = encode_token(channel)
    if logged:
        return FEED_LOGGED.at(channel=token)
    return FEED_APP.at(app=app, channel=token) if app else FEED_UNLOGGED.at(channel=token)


def members_subject(channel: str) -> str:
    """Where joins and leaves of a channel are told."""
    return FEED_MEMBERS.at(channel=encode_token(channel))


def feed_channel(subject: str) -> ChannelName:
    """The channel of a feed subject. Raises ValueError for any other subject."""
    return ChannelName(decode_token(subject.rsplit(".", 1)[-1]))


def require_identifier(text: str, what: str) -> str:
    """`text` where it is an identifier. Raises ValueError naming `what` otherwise."""
    if not is_identifier(text):
        raise ValueError(f"{what} is not a name: {text!r}")
    return text
