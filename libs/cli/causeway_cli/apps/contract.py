"""What an app promises to its clients, as plain values: its methods, channels and events with their JSON Schemas."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from causeway_common.contracts.messages import ChannelSpec, Manifest, MethodSpec, NamespaceSpec
from causeway_common.contracts.names import NAMESPACE_SEPARATOR, namespace_of

Schema: TypeAlias = dict[str, Any]
_FIELD: Final = re.compile(r"\{([a-z_][a-z0-9_]*)\}")


@dataclass(frozen=True, slots=True)
class MethodContract:
    """One RPC method. `input` is None where it takes none or its schema is not told, `output` where that is not told."""

    name: str
    input: Schema | None
    output: Schema | None
    doc: str = ""
    concurrent: bool = False
    when_unavailable: str = "error"


@dataclass(frozen=True, slots=True)
class ChannelContract:
    """A family of channels: what is published there, and what clients may publish themselves (None: not told).

    `publishable`: whether clients may publish at all; `options`: what the namespace keeps and tells.
    """

    pattern: str
    message: Schema | None
    publish: Schema | None = None
    publishable: bool = False
    options: Mapping[str, bool] = field(default_factory=dict)

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of the pattern's fields, in their order."""
        return tuple(_FIELD.findall(self.pattern))

    @property
    def parts(self) -> tuple[str, ...]:
        """Text, field, text, field, …, text."""
        return tuple(_FIELD.split(self.pattern))


@dataclass(frozen=True, slots=True)
class EventContract:
    """Events from outside that the app handles."""

    source: str
    type: str


@dataclass(frozen=True, slots=True)
class Contract:
    """One version of an app."""

    app: str
    version: str
    doc: str = ""
    methods: tuple[MethodContract, ...] = ()
    channels: tuple[ChannelContract, ...] = ()
    events: tuple[EventContract, ...] = ()

    def document(self) -> dict[str, Any]:
        """The contract as one JSON document: what `causeway schema --format json-schema` writes and `--check` reads."""
        return {
            "app": self.app,
            "version": self.version,
            "methods": {
                method.name: {"input": method.input, "output": method.output, "when_unavailable": method.when_unavailable}
                for method in self.methods
            },
            "channels": {
                channel.pattern: {
                    "message": channel.message,
                    **({"publish": channel.publish} if channel.publishable else {}),
                    "options": dict(channel.options),
                }
                for channel in self.channels
            },
            "events": [{"source": event.source, "type": event.type} for event in self.events],
        }


def of_document(document: Any) -> Contract:
    """The contract that `Contract.document` wrote.

    Raises:
        ValueError: it is none.
    """
    try:
        return Contract(
            app=document["app"],
            version=document["version"],
            methods=tuple(
                MethodContract(name, of["input"], of["output"], when_unavailable=of.get("when_unavailable", "error"))
                for name, of in document["methods"].items()
            ),
            channels=tuple(
                ChannelContract(pattern, of["message"], of.get("publish"), "publish" in of, of.get("options", {}))
                for pattern, of in document["channels"].items()
            ),
            events=tuple(EventContract(of["source"], of["type"]) for of in document["events"]),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("it is no contract as `causeway schema --format json-schema` writes it") from error


def of_manifest(manifest: Manifest) -> Contract:
    """The contract that a manifest announces. Raises ValueError where a schema in it is no JSON."""
    spaces = {space.name: space for space in manifest.namespaces}
    told = [_channel(spec, spaces[name]) for spec in manifest.channels if (name := namespace_of(spec.pattern)) in spaces]
    named = {namespace_of(channel.pattern) for channel in told}
    rest = [
        _channel(ChannelSpec(f"{name}{NAMESPACE_SEPARATOR}{{id}}"), space) for name, space in spaces.items() if name not in named
    ]
    return Contract(
        app=manifest.app,
        version=manifest.version,
        methods=tuple(map(_method, manifest.methods)),
        channels=tuple(sorted((*told, *rest), key=lambda channel: channel.pattern)),
        events=tuple(EventContract(event.source, event.type) for event in manifest.events),
    )


def _method(spec: MethodSpec) -> MethodContract:
    return MethodContract(
        spec.name, _parsed(spec.input), _parsed(spec.output), concurrent=spec.concurrent, when_unavailable=spec.when_unavailable
    )


def _channel(spec: ChannelSpec, space: NamespaceSpec) -> ChannelContract:
    options = {
        "history": space.has_history,
        "recovery": space.force_recovery,
        "presence": space.presence,
        "join_leave": space.join_leave,
    }
    publishable = space.publish_hook or space.allow_publish_for_client or space.allow_publish_for_subscriber
    return ChannelContract(spec.pattern, _parsed(spec.message), publishable=publishable, options=options)


def _parsed(text: str) -> Schema | None:
    return dict(json.loads(text)) if text else None
