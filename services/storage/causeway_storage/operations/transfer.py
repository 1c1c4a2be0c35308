"""Export and import: a database to a stream of bytes, and a stream into an empty database."""

from __future__ import annotations

from typing import BinaryIO, Final

from causeway_common.runtime import StartError
from causeway_storage import __version__
from causeway_storage.domain.log import next_generation
from causeway_storage.domain.stored import AnyEntry, Operation, Unreadable
from causeway_storage.domain.stream import ExportReader, ExportWriter, Header
from causeway_storage.operations.progress import Advance
from causeway_storage.ports import Inspection, Restoration

READ_BYTES: Final = 1024 * 1024
ADD: Final = 1000


async def exported(inspection: Inspection, target: BinaryIO, *, now_ms: int, advance: Advance) -> dict[str, int]:
    """Write everything stored to `target`; how many of each kind.

    Raises:
        StartError: something stored cannot be read. What is written so far has no trailer, and no import takes it.
        StreamError: an entry is too large.
        OSError: `target` cannot be written.
    """
    facts = await inspection.facts()
    writer = ExportWriter()
    target.write(writer.header(Header(adapter=facts.adapter, generation=facts.generation, at_ms=now_ms, by=__version__)))
    async for page in inspection.pages():
        target.write(b"".join(writer.entry(_readable(entry)) for entry in page))
        advance(len(page))
    target.write(writer.trailer())
    return dict(writer.counts)


def _readable(entry: AnyEntry | Unreadable) -> AnyEntry:
    if isinstance(entry, Unreadable):
        raise StartError(f"nothing is exported from a damaged database: {entry.where}: {entry.what}; `check` tells all of it")
    return entry


async def imported(
    source: BinaryIO, restoration: Restoration, *, now_ms: int, advance: Advance, record: Operation | None = None
) -> tuple[int, dict[str, int]]:
    """Fill an empty database, and leave this audit record in it; its generation, and how many of each kind.

    Raises:
        StartError: the database is not empty, or in use.
        StreamError: `source` is no whole export. The database is as empty as before.
        OSError: `source` cannot be read.
    """
    generation = await restoration.begin()
    reader, waiting = ExportReader(), list[AnyEntry]()
    while data := source.read(READ_BYTES):
        for entry in reader.feed(data):
            waiting.append(entry)
            if len(waiting) == ADD:
                await restoration.add(waiting)
                advance(len(waiting))
                waiting.clear()
    reader.end()
    assert reader.header is not None  # noqa: S101 - the reader has seen the end
    await restoration.add(waiting if record is None else [*waiting, record])
    advance(len(waiting))
    generation = next_generation(max(generation, reader.header.generation), now_ms)
    await restoration.finish(generation)
    return generation, dict(reader.counts)
