"""From an App in our hands to its contract: what its manifest says, and what only its functions know (their docstrings, what may be published)."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

from pydantic import TypeAdapter

from causeway_cli.apps.contract import ChannelContract, Contract, MethodContract, Schema, of_manifest
from causeway_common.contracts.names import namespace_of
from causeway_logic import App


def contract_of(app: App) -> Contract:
    """The contract of an app. Raises TypeError where pydantic has no JSON Schema for one of its types."""
    known = of_manifest(app.manifest())
    return replace(
        known,
        methods=tuple(_method(app, method) for method in known.methods),
        channels=tuple(_channel(app, channel) for channel in known.channels),
    )


def _method(app: App, method: MethodContract) -> MethodContract:
    declared = app.methods[method.name]
    signature: Any = getattr(declared, "signature", None)
    function = signature.function if signature else declared.handler
    taken = signature.input if signature else declared.input
    return replace(
        method,
        doc=_doc(function),
        input=method.input or _schema(taken, "validation"),
        output=method.output or _schema(declared.output, "serialization"),
    )


def _channel(app: App, channel: ChannelContract) -> ChannelContract:
    namespace: Any = app.namespaces[namespace_of(channel.pattern)]
    family = next((each for each in getattr(namespace, "patterns", ()) if each.pattern == channel.pattern), None)
    hook = (family and family.publish_hook) or namespace.publish_hook
    taken = None if hook is None or namespace.binary else getattr(hook, "signature", hook).input
    return replace(channel, publish=_schema(taken, "validation"))


def _schema(adapter: TypeAdapter[Any] | None, mode: Literal["validation", "serialization"]) -> Schema | None:
    return None if adapter is None else adapter.json_schema(mode=mode)


def _doc(function: Callable[..., Any]) -> str:
    return inspect.getdoc(function) or ""
