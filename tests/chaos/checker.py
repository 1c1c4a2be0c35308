"""Compares what was acknowledged with the log and with what clients received. A pure function: no eye reads the histories."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Entry = tuple[int, str]
"""(offset, key) of one publication."""


@dataclass(frozen=True)
class Histories:
    """What one run left behind.

    Attributes:
        epoch: the log's epoch as history says it.
        log: the whole log, in the order that history gave it.
        acknowledged: key to (offset, epoch) as each publish was answered; every attempt counts in `sent`.
        sent: every key that was ever sent.
        received: for each client the publications in the order they came, and the position where it began.
        complaints: what a client was told instead (`recovered: false`, unsubscribed, disconnected for good).
    """

    epoch: str
    log: Sequence[Entry]
    acknowledged: Mapping[str, tuple[int, str]]
    sent: frozenset[str]
    received: Mapping[str, tuple[int, Sequence[Entry]]]
    complaints: Sequence[str] = field(default=())


def violations(histories: Histories) -> list[str]:
    """Every breach of P1, one sentence each; empty when the promise was kept."""
    found = list(histories.complaints)
    log = list(histories.log)
    offsets = [offset for offset, _ in log]
    if offsets != list(range(1, len(log) + 1)):
        found.append(f"the log's offsets are not 1..{len(log)}: {_first_break(offsets)}")
    for key, count in Counter(key for _, key in log).items():
        if count > 1:
            found.append(f"{key} stands {count} times in the log")
        if key not in histories.sent:
            found.append(f"{key} stands in the log and was never sent")
    by_key = {key: offset for offset, key in log}
    for key, (offset, epoch) in histories.acknowledged.items():
        if key not in by_key:
            found.append(f"{key} was acknowledged at {offset} and is not in the log")
        elif (by_key[key], histories.epoch) != (offset, epoch):
            found.append(f"{key} was acknowledged as {offset}@{epoch} and stands at {by_key[key]}@{histories.epoch}")
    for client, (start, entries) in histories.received.items():
        expected = log[start:]
        if list(entries) != expected:
            found.append(f"{client} received {len(entries)} of {len(expected)}: {_difference(list(entries), expected)}")
    return found


@dataclass(frozen=True)
class Commits:
    """What one run did to one entity, whose state is the list of the ids of its commits, each of which publishes its own id once.

    Attributes:
        entity: its name, for the sentences.
        answers: (commit id, version) of every answer that said committed, first ones and repeats.
        sent: every commit id that was ever sent.
        version: the entity's at the end.
        state: its state at the end.
        effects: the log of the channel that it alone feeds.
    """

    entity: str
    answers: Sequence[tuple[str, int]]
    sent: frozenset[str]
    version: int
    state: Sequence[str]
    effects: Sequence[str]


def commit_violations(commits: Commits) -> list[str]:
    """Every breach of P2, one sentence each: versions are linear, a repeat is answered as the first time, each effect is there once."""
    name, state = commits.entity, list(commits.state)
    found: list[str] = []
    if len(state) != commits.version:
        found.append(f"{name} has version {commits.version} after {len(state)} commits")
    found += [f"{name} took {id_} {count} times" for id_, count in Counter(state).items() if count > 1]
    found += [f"{name} took {id_}, which was never sent" for id_ in state if id_ not in commits.sent]
    for id_, version in dict.fromkeys(commits.answers):
        if not 0 < version <= len(state) or state[version - 1] != id_:
            found.append(f"{name} answered {id_} as version {version}, which is {state[version - 1 : version]}")
    effects = list(commits.effects)
    if effects != state:
        found.append(f"{name}'s effects are not its commits: {_unlike(effects, state)}")
    return found


def order_violations(log: Sequence[Entry], publishers: Mapping[str, Sequence[str]]) -> list[str]:
    """What stands in the log in another order than its publisher, who waits for each answer, was answered."""
    places = {key: offset for offset, key in log}
    found: list[str] = []
    for publisher, keys in publishers.items():
        offsets = [places[key] for key in keys if key in places]
        if offsets != sorted(offsets):
            found.append(f"{publisher}'s publications are out of order: {offsets[:20]}")
    return found


def _unlike(effects: list[str], state: list[str]) -> str:
    counts = Counter(effects)
    if doubles := [id_ for id_, count in counts.items() if count > 1]:
        return f"doubled {doubles[:3]}"
    if missing := [id_ for id_ in state if id_ not in counts]:
        return f"{len(missing)} missing, {missing[:3]}"
    return f"another order, or foreign ones: {effects[:5]} for {state[:5]}"


def _first_break(offsets: list[int]) -> str:
    for index, offset in enumerate(offsets, 1):
        if offset != index:
            return f"{offset} where {index} should be"
    return "none"


def _difference(entries: list[Entry], expected: list[Entry]) -> str:
    doubles = [key for key, count in Counter(key for _, key in entries).items() if count > 1]
    if doubles:
        return f"doubled {doubles[:3]}"
    for index, (came, wanted) in enumerate(zip(entries, expected, strict=False)):
        if came != wanted:
            return f"number {index} is {came}, the log says {wanted}"
    return f"lost what follows number {min(len(entries), len(expected))}"
