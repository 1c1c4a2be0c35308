"""What must hold of an entity's document and of a record."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from causeway_common.contracts.messages import JsonMap
from causeway_storage.domain.entity import (
    COMMIT_IDS_MAX,
    COMMITS,
    OUTBOX,
    OUTBOX_MAX_BYTES,
    OUTBOX_MAX_ITEMS,
    STATE,
    VERSION,
    oldest_ms,
)
from causeway_storage.domain.invariants.violation import Violation
from causeway_storage.domain.stored import Entity, Record

_ELEMENT_ID: Final = re.compile(r"[0-9a-f]{32}")
_COMMIT_ID_BYTES: Final = 12


def entity_name(entry: Entity) -> str:
    """The entity as a violation names it."""
    return f"entity {entry.app}/{entry.kind}/{entry.id}"


def check_entity(entry: Entity, now_ms: int, stuck_after_ms: int) -> Iterator[Violation]:
    """The violations of one entity; an outbox element that waits longer than `stuck_after_ms` is one."""
    where, document = entity_name(entry), entry.document
    if fault := _malformed(document):
        yield Violation("entity.document", where, fault)
        return
    if entry.version < 1 or entry.version != document[VERSION]:
        yield Violation("entity.version", where, f"version {entry.version} stands beside a document of version {document[VERSION]}")
    oldest = oldest_ms(document)
    if oldest is not None and (entry.oldest_ms is None or entry.oldest_ms > oldest):
        what = f"the sweep looks for it at {entry.oldest_ms}, the oldest element of its outbox is of {oldest}"
        yield Violation("outbox.misplaced", where, what)
    if oldest is not None and now_ms - oldest > stuck_after_ms:
        what = f"the oldest element waits for {(now_ms - oldest) // 1000} s; it leaves when storage runs and its target takes it"
        yield Violation("outbox.stuck", where, what)
    yield from _check_outbox(where, document[OUTBOX])
    yield from _check_commits(where, document)


def _malformed(document: JsonMap) -> str:
    """What of a document is not of the type it must be; "" where all is."""
    for name, kind in ((VERSION, int), (STATE, dict), (OUTBOX, list), (COMMITS, list)):
        if not isinstance(document.get(name), kind):
            return f"its field {name} is missing or of another type"
    for element in document[OUTBOX]:
        if not (isinstance(element, dict) and isinstance(element.get("at"), int) and isinstance(element.get("bytes"), int)):
            return "an element of its outbox has no time or size"
        items = element.get("items")
        if not (isinstance(items, list) and items and all(isinstance(each, dict) for each in items)):
            return "an element of its outbox has no items"
    if not all(_is_commit(each) for each in document[COMMITS]):
        return "one of its commit ids is malformed"
    return ""


def _is_commit(entry: Any) -> bool:
    return isinstance(entry, list) and [type(part) for part in entry[:3]] == [bytes, int, int] and len(entry[0]) == _COMMIT_ID_BYTES


def _check_outbox(where: str, outbox: list[JsonMap]) -> Iterator[Violation]:
    seen: set[str] = set()
    for element in outbox:
        name = str(element.get("id"))
        if not _ELEMENT_ID.fullmatch(name):
            yield Violation("outbox.malformed_id", where, f"an element of its outbox has the id {name!r:.80}")
        if name in seen:
            yield Violation("outbox.double_id", where, f"two elements of its outbox have the id {name}")
        seen.add(name)
    items, size = sum(len(each["items"]) for each in outbox), sum(each["bytes"] for each in outbox)
    if items > OUTBOX_MAX_ITEMS or size > OUTBOX_MAX_BYTES:
        yield Violation("outbox.bound", where, f"its outbox has {items} items of {size} bytes, above the bound")


def _check_commits(where: str, document: JsonMap) -> Iterator[Violation]:
    commits, last = document[COMMITS], 0
    if len({each[0] for each in commits}) < len(commits):
        yield Violation("commit.double_id", where, "a commit id is remembered twice")
    if len(commits) > COMMIT_IDS_MAX:
        yield Violation("commit.bound", where, f"it remembers {len(commits)} commit ids, at most {COMMIT_IDS_MAX} are kept")
    for _, version, *_ in commits:
        if not last < version <= document[VERSION]:
            what = f"a commit made version {version} after {last}, the document is version {document[VERSION]}"
            yield Violation("commit.version", where, what)
        last = version


def check_record(entry: Record) -> Iterator[Violation]:
    """The violations of one record."""
    where = f"record {entry.id}"
    for kind, broken, what in (
        ("record.state", entry.state not in {"pending", "done", "dead"}, f"its state is {entry.state!r:.80}"),
        (
            "record.attempts",
            not 0 <= entry.settled <= entry.attempts,
            f"{entry.settled} of {entry.attempts} attempts are settled",
        ),
        (
            "record.unsettled_end",
            entry.state in {"done", "dead"} and entry.settled != entry.attempts,
            f"it is {entry.state} while attempt {entry.attempts} runs",
        ),
        ("record.done_unclaimed", entry.state == "done" and not entry.attempts, "it is done, but nobody has claimed it"),
        (
            "record.never_due",
            entry.state == "pending" and not entry.next_at_ms,
            "it is pending, and nothing says when it is delivered again",
        ),
        ("record.no_end", entry.state in {"done", "dead"} and not entry.ended_ms, f"it is {entry.state} without an end"),
        ("record.early_end", entry.state == "pending" and bool(entry.ended_ms), "it is pending and has an end"),
    ):
        if broken:
            yield Violation(kind, where, what)
