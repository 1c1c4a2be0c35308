"""What a typed client offers, whatever the language: an app's methods and channels, with all their types under one roof."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from causeway_cli.apps.contract import ChannelContract, Contract, Schema
from causeway_cli.apps.schemas import Definitions

REF: Final = "#/$defs/"
_WORDS: Final = re.compile(r"[A-Za-z0-9]+")


@dataclass(frozen=True, slots=True)
class Call:
    """A method. `takes`: whether it has an input; a schema is None where it is not told."""

    name: str
    doc: str
    takes: bool
    input: Schema | None
    output: Schema | None


@dataclass(frozen=True, slots=True)
class Feed:
    """A family of channels. `name` is its own among the app's; `published` is what clients may send, where they may."""

    name: str
    channel: ChannelContract
    message: Schema | None
    published: Schema | None


@dataclass(frozen=True, slots=True)
class Surface:
    """A client. `types` by name, those that others refer to anywhere among them."""

    contract: Contract
    calls: tuple[Call, ...]
    feeds: tuple[Feed, ...]
    types: dict[str, Schema]

    @property
    def class_name(self) -> str:
        """The app's class."""
        return pascal(self.contract.app)


def surface(contract: Contract) -> Surface:
    """What the client of this app offers."""
    types = Definitions(REF)
    # Answers first, so that their types keep the plain names.
    outputs = [types.add(method.output, "output") if method.output is not None else None for method in contract.methods]
    messages = [types.add(channel.message, "output") if channel.message is not None else None for channel in contract.channels]
    inputs = [types.add(method.input, "input") if method.input is not None else None for method in contract.methods]
    sent = [types.add(channel.publish, "input") if channel.publish is not None else None for channel in contract.channels]
    calls = tuple(
        Call(method.name, method.doc, method.output is None or method.input is not None, taken, given)
        for method, taken, given in zip(contract.methods, inputs, outputs, strict=True)
    )
    names = _feed_names(contract.channels)
    named = [_named(types, name, message) for name, message in zip(names, messages, strict=True)]
    feeds = tuple(map(Feed, names, contract.channels, named, sent))
    return Surface(contract, calls, feeds, dict(sorted(types.types.items())))


def _named(types: Definitions, name: str, message: Schema | None) -> Schema | None:
    """A message that is a choice of types gets a name of its own: handlers of it want one."""
    if message is None or "$ref" in message:
        return message
    taken = free((f"{pascal(name)}Message",), types.types.__contains__)
    types.types[taken] = message
    return {"$ref": REF + taken}


def _feed_names(channels: Iterable[ChannelContract]) -> list[str]:
    """A family's name: its text (`lot:{lot_id}.{user}` is `lot`); where that is taken, its fields' names too; and then a number."""
    taken: list[str] = []
    for channel in channels:
        plain = "_".join(_WORDS.findall(" ".join(channel.parts[::2])))
        longer = "_".join(_WORDS.findall(channel.pattern))
        taken.append(free((plain, f"{plain}_by_{'_'.join(channel.fields)}" if channel.fields else longer), taken.__contains__))
    return taken


def free(candidates: tuple[str, ...], taken: Callable[[str], bool]) -> str:
    """The first candidate that is not taken, else the last one with a number."""
    for name in candidates:
        if not taken(name):
            return name
    number = 2
    while taken(f"{candidates[-1]}{number}"):
        number += 1
    return f"{candidates[-1]}{number}"


def pascal(name: str) -> str:
    """`create_lot` as `CreateLot`."""
    return "".join(word[:1].upper() + word[1:] for word in _WORDS.findall(name))


def camel(name: str) -> str:
    """`create_lot` as `createLot`."""
    whole = pascal(name)
    return whole[:1].lower() + whole[1:]


def renamed(types: Iterable[str], reserved: Iterable[str]) -> dict[str, str]:
    """What each type is called in the language: its own name, but for those that the client itself needs."""
    taken: dict[str, str] = {}
    needed = set(reserved)
    for name in types:
        known = (name if name[:1].isalpha() else f"T{name}",)
        candidates = known if known[0] not in needed else (f"{known[0]}Data",)
        taken[name] = free(candidates, lambda each: each in needed or each in taken.values())
    return taken
