"""From an App in our hands to its contract: what its manifest says, and what only its functions know (their docstrings, what may be published)."""

from __future__ import annotations

import inspect
from dataclasses import replace

from causeway_cli.apps.contract import ChannelContract, Contract, MethodContract, of_manifest
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
    return replace(method, doc=inspect.getdoc(app.methods[method.name].signature.function) or "")


def _channel(app: App, channel: ChannelContract) -> ChannelContract:
    namespace = app.namespaces[namespace_of(channel.pattern)]
    family = next((each for each in namespace.patterns if each.pattern == channel.pattern), None)
    hook = (family and family.publish_hook) or namespace.publish_hook
    taken = None if hook is None or namespace.binary else hook.signature.input
    return replace(channel, publish=taken.json_schema(mode="validation") if taken else None)
