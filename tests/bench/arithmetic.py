"""The figures that docs/storage.md's last section computes with, where `make bench` has none: `python -m tests.bench.arithmetic`.

Not a benchmark with a floor: bytes, counted on this machine.
"""

from __future__ import annotations

import asyncio
import io
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from causeway_common.contracts.codec import encode
from causeway_common.contracts.messages import StoredPublication
from causeway_storage.adapters.sqlite import restoring
from causeway_storage.domain.stored import AnyEntry, Log, Publication, Record, SeenId
from causeway_storage.domain.stream import ExportWriter, Header
from causeway_storage.operations.transfer import imported
from support.nats import NatsServer

DATA = b'"' + b"x" * 98 + b'"'
CHANNELS = 100_000
SUBSCRIPTIONS = 200_000


def _channels(held: int) -> list[AnyEntry]:
    found: list[AnyEntry] = []
    for number in range(CHANNELS // held):
        channel = f"user:{number:08}"
        found.append(Log(channel=channel, letters="abcdefgh", head=held, floor=0, ttl_ms=3_600_000, expires_ms=1))
        for offset in range(1, held + 1):
            body = encode(StoredPublication(offset=offset, data=DATA, time_ms=1_800_000_000_000))
            found.append(SeenId(channel=channel, id=f"c:0123456789abcdef:{offset}", offset=offset, time_ms=1_800_000_000_000))
            found.append(Publication(channel=channel, offset=offset, time_ms=1_800_000_000_000, body=body))
    return found


def _records() -> list[AnyEntry]:
    return [
        Record(
            id=f"o:{number:032}:0",
            app="chat",
            connector="webhook",
            op="event",
            payload={"text": "x" * 98},
            traceparent="",
            created_ms=1,
            state="pending",
            attempts=0,
            settled=0,
            free_at_ms=0,
            next_at_ms=1_800_000_000_000,
            note="",
            ended_ms=0,
            node="",
        )
        for number in range(CHANNELS)
    ]


async def _on_disk(entries: list[AnyEntry]) -> int:
    writer = ExportWriter()
    stream = writer.header(Header(adapter="sqlite", generation=1, at_ms=1, by="bench"))
    stream += b"".join(map(writer.entry, entries)) + writer.trailer()
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "s.sqlite3"
        async with restoring(path) as restoration:
            await imported(io.BytesIO(stream), restoration, now_ms=1, advance=lambda _done: None)
        return path.stat().st_size


async def _interest() -> float:
    """Bytes of nats-server for each subscription of a channel's feed."""
    with tempfile.TemporaryDirectory() as directory:
        server = NatsServer(Path(directory))
        await server.start()
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            await reader.readline()
            writer.write(b'CONNECT {"verbose":false}\r\nPING\r\n')
            await reader.readuntil(b"PONG\r\n")
            before = _resident(server)
            for number in range(SUBSCRIPTIONS):
                writer.write(f"SUB cw.v1.feed.l.user_{number:08} {number}\r\n".encode())
            writer.write(b"PING\r\n")
            await reader.readuntil(b"PONG\r\n")
            return (_resident(server) - before) / SUBSCRIPTIONS
        finally:
            server.kill()


def _resident(server: NatsServer) -> int:
    status = Path(f"/proc/{server.pid}/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS"))


async def main() -> None:
    """Print them."""
    one, many = await _on_disk(_channels(1)), await _on_disk(_channels(100))
    records = await _on_disk(_records())
    print(f"SQLite, a channel with one publication of 100 B and its id: {one / CHANNELS:.0f} B")
    print(f"SQLite, a publication of 100 B and its id, 100 in each channel: {many / CHANNELS:.0f} B")
    print(f"SQLite, a pending record with a payload of 100 B: {records / CHANNELS:.0f} B")
    print(f"nats-server, a subscription of a channel's feed: {await _interest():.0f} B resident")


if __name__ == "__main__":
    asyncio.run(main())
