"""An app's contract as an AsyncAPI 3 document: channels, operations with request and reply, events. Pure."""

from __future__ import annotations

import itertools
import re
from typing import Any, Final
from urllib.parse import urlsplit

from causeway_cli.apps.contract import ChannelContract, Contract, EventContract, MethodContract, Schema
from causeway_cli.apps.schemas import Definitions, Mode
from causeway_common.contracts.names import NAMESPACE_SEPARATOR

ASYNCAPI: Final = "3.0.0"
SCHEMAS: Final = "#/components/schemas/"
JSON: Final = "application/json"
_NO_KEY: Final = re.compile(r"[^A-Za-z0-9_.-]+")


def asyncapi(contract: Contract, server: Schema | None = None) -> dict[str, Any]:
    """The document.

    Args:
        contract: of the app.
        server: where it runs, as an AsyncAPI server object; None leaves it open.
    """
    types = Definitions(SCHEMAS)
    written = _Document(types)
    # Answers first: where an answer and a question have a type of one name and another form, the answer's keeps the plain name.
    answers = {method.name: _payload(types, method.output, "output") for method in contract.methods}
    for channel in contract.channels:
        written.channel(channel)
    for method in contract.methods:
        written.method(contract.app, method, answers[method.name])
    for source in dict.fromkeys(event.source for event in contract.events):
        written.events(source, [event for event in contract.events if event.source == source])
    info = {
        "title": contract.app,
        "version": contract.version,
        "description": contract.doc or f"What the app {contract.app} answers, publishes and handles.",
    }
    return {
        "asyncapi": ASYNCAPI,
        "info": info,
        "defaultContentType": JSON,
        **({"servers": {"causeway": server}} if server else {}),
        "channels": written.channels,
        "operations": written.operations,
        "components": {"schemas": {name: _draft_7(schema) for name, schema in sorted(types.types.items())}},
    }


def server_of(url: str) -> Schema:
    """The server object of a running stack, by its base URL."""
    parts = urlsplit(url)
    return {
        "host": parts.netloc,
        "pathname": parts.path.rstrip("/") + "/connection/websocket",
        "protocol": "wss" if parts.scheme == "https" else "ws",
        "description": "Speaks the Centrifuge client protocol: an RPC is a method's address, a channel's address is its name.",
    }


class _Document:
    def __init__(self, types: Definitions) -> None:
        self._types = types
        self.channels: dict[str, Any] = {}
        self.operations: dict[str, Any] = {}

    def _free(self, key: str) -> str:
        """`key`, or with a number behind it: a namespace may be called `rpc`."""
        return next(name for n in itertools.count(1) if (name := key if n == 1 else f"{key}_{n}") not in self.channels)

    def method(self, app: str, method: MethodContract, answer: Schema) -> None:
        key = self._free(f"rpc.{method.name}")
        messages = {
            "request": {"name": f"{method.name}.request", "payload": _payload(self._types, method.input, "input")},
            "reply": {"name": f"{method.name}.reply", "payload": answer},
        }
        self.channels[key] = {"address": f"{app}.{method.name}", "messages": messages}
        self.operations[key] = {
            "action": "receive",
            "channel": _to(key),
            **_described(method.doc),
            "messages": [_to(key, "request")],
            "reply": {"channel": _to(key), "messages": [_to(key, "reply")]},
            "x-causeway": {"kind": "rpc", "concurrent": method.concurrent, "when_unavailable": method.when_unavailable},
        }

    def channel(self, channel: ChannelContract) -> None:
        key = self._free(_NO_KEY.sub("_", channel.pattern.replace(NAMESPACE_SEPARATOR, ".").replace("{", "").replace("}", "")))
        messages = {"publication": {"name": f"{key}.publication", "payload": _payload(self._types, channel.message, "output")}}
        if channel.publishable:
            messages["published"] = {"name": f"{key}.published", "payload": _payload(self._types, channel.publish, "input")}
        self.channels[key] = {
            "address": channel.pattern,
            **({"parameters": {name: {} for name in channel.fields}} if channel.fields else {}),
            "messages": messages,
            "x-causeway": dict(channel.options),
        }
        self.operations[f"{key}.publish"] = {"action": "send", "channel": _to(key), "messages": [_to(key, "publication")]}
        if channel.publishable:
            self.operations[f"{key}.published"] = {"action": "receive", "channel": _to(key), "messages": [_to(key, "published")]}

    def events(self, source: str, events: list[EventContract]) -> None:
        key = self._free(f"event.{source}")
        names = {event.type: "any" if event.type == "*" else _NO_KEY.sub("_", event.type) for event in events}
        self.channels[key] = {
            "address": f"/hooks/{source}",
            "messages": {name: {"name": type_, "payload": {}} for type_, name in names.items()},
        }
        self.operations[key] = {"action": "receive", "channel": _to(key), "messages": [_to(key, name) for name in names.values()]}


def _payload(types: Definitions, schema: Schema | None, mode: Mode) -> Schema:
    return {} if schema is None else _draft_7(types.add(schema, mode))


def _described(doc: str) -> dict[str, str]:
    summary, _, rest = doc.partition("\n\n")
    return {key: text for key, text in (("summary", summary), ("description", rest.strip())) if text}


def _to(channel: str, message: str = "") -> dict[str, str]:
    return {"$ref": f"#/channels/{channel}" + (f"/messages/{message}" if message else "")}


def _draft_7(value: Any) -> Any:
    """AsyncAPI's schemas are those of draft 7: tuples are written otherwise there, and a discriminator is a field's name."""
    if isinstance(value, list):
        return [_draft_7(each) for each in value]
    if not isinstance(value, dict):
        return value
    found = {key: each if key in {"const", "enum", "default", "examples"} else _draft_7(each) for key, each in value.items()}
    if "prefixItems" in found:
        found |= {"items": found.pop("prefixItems"), "additionalItems": found.get("items", False)}
    if isinstance(told := found.get("discriminator"), dict):
        found["discriminator"] = told["propertyName"]
    return found
