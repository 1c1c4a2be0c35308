"""P1 down to the system calls: the log is synced before an append is answered."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

APPEND_ONCE = """
import asyncio, os, sys
from pathlib import Path
from causeway_common.contracts.messages import AppendItem, AppendRequest
from causeway_storage.adapters.sqlite import SqliteDatabase, SqliteLogs

async def main():
    database = SqliteDatabase(Path(sys.argv[1]), write_queue=10, write_queue_bytes=1000, read_queue=10)
    await database.start()
    logs = SqliteLogs(database, lambda: "abcdefgh", lambda appended: os.write(1, b"FED"))
    os.write(1, b"ASKED")
    await logs.append(AppendRequest(channel="demo:a", size=1, ttl_ms=1, items=[AppendItem(id="c:1", data=b"1")]), 1)
    os.write(1, b"ANSWERED")
    await database.stop()

asyncio.run(main())
"""

pytestmark = pytest.mark.skipif(
    shutil.which("strace") is None and os.environ.get("CI") != "true",
    reason="strace is not installed: that fsync precedes the answer is NOT proved by this run",
)


def test_the_log_is_synced_before_the_feed_and_the_answer(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    strace = ["strace", "-f", "-y", "-e", "trace=write,pwrite64,fsync,fdatasync", "-o", str(trace)]
    database = tmp_path / "s.sqlite3"
    ran = subprocess.run([*strace, sys.executable, "-c", APPEND_ONCE, str(database)], check=False, capture_output=True, timeout=25)
    assert ran.returncode == 0, ran.stderr.decode()
    assert ran.stdout == b"ASKEDFEDANSWERED"

    lines = trace.read_text().splitlines()
    asked, fed = (next(n for n, line in enumerate(lines) if f'"{word}"' in line) for word in ("ASKED", "FED"))
    written = [n for n in range(asked, fed) if re.search(r"pwrite64\(\d+<[^>]*s\.sqlite3-wal>", lines[n])]
    synced = [n for n in range(asked, fed) if re.search(r"f(data)?sync\(\d+<[^>]*s\.sqlite3-wal>", lines[n])]
    assert written, "the append is in the write-ahead log before it is fed"
    assert synced, "the write-ahead log is synced before it is fed"
    assert synced[-1] > written[-1], "nothing of the append is written after the last sync"
