"""What a newer contract of an app breaks for those who know the older one. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from causeway_cli.apps.contract import ChannelContract, Contract, Schema
from causeway_common.contracts.compatibility import input_breaks, output_breaks

DEFS: Final = "#/$defs/"
_FIELD: Final = re.compile(r"\{[^}]*\}")


def breaks(old: Contract, new: Contract) -> list[str]:
    """One line for each break, in order; empty where a client of the old contract understands the new app."""
    return [*_methods(old, new), *_channels(old, new), *_events(old, new)]


def _methods(old: Contract, new: Contract) -> Iterator[str]:
    after = {method.name: method for method in new.methods}
    for method in old.methods:
        found = after.get(method.name)
        if found is None:
            yield f"the method {method.name} is gone"
            continue
        told = [*input_breaks(_text(method.input), _text(found.input)), *output_breaks(_text(method.output), _text(found.output))]
        yield from (f"{method.name}: {line}" for line in told)


def _channels(old: Contract, new: Contract) -> Iterator[str]:
    after = {_shape(channel.pattern): channel for channel in new.channels}
    for channel in old.channels:
        found = after.get(_shape(channel.pattern))
        if found is None:
            yield f"the channel {channel.pattern} is gone"
            continue
        yield from (f"{channel.pattern}: {line}" for line in _channel(channel, found))


def _shape(pattern: str) -> str:
    """A pattern without the names of its fields: they are not on the wire."""
    return _FIELD.sub("{}", pattern)


def _channel(old: ChannelContract, new: ChannelContract) -> Iterator[str]:
    for option, on in old.options.items():
        if on and not new.options.get(option):
            yield f"it has no {option} any more"
    if old.publishable and not new.publishable:
        yield "clients may publish no more"
    elif old.publishable:
        yield from input_breaks(_text(old.publish), _text(new.publish))
    before, after = _kinds(old.message), _kinds(new.message)
    if not (before and after):
        yield from output_breaks(_text(old.message), _text(new.message))
        return
    for kind, schema in before.items():
        if kind in after:
            yield from (f"{kind} message: {line}" for line in output_breaks(_text(schema), _text(after[kind])))
        else:
            yield f"the {kind} message is gone"


def _kinds(message: Schema | None) -> dict[str, Schema]:
    """The messages of a choice by what tells them apart (`type: "bid"`); empty for a message that is no such choice."""
    told = (message or {}).get("discriminator")
    if message is None or not isinstance(told, dict):
        return {}
    return {
        kind: {"$ref": ref, "$defs": message.get("$defs", {})}
        for kind, ref in told.get("mapping", {}).items()
        if ref.startswith(DEFS)
    }


def _events(old: Contract, new: Contract) -> Iterator[str]:
    for event in old.events:
        if not any(each.source == event.source and each.type in (event.type, "*") for each in new.events):
            yield f"events {event.type} of {event.source} are handled no more"


def _text(schema: Any) -> str:
    return "" if schema is None else json.dumps(schema)
