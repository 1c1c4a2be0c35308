"""How an app's process starts, and why it does not: real processes over a real NATS server."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.nats import NatsServer, free_port

BROKEN = """
from collections.abc import AsyncIterator
from causeway_logic import App

class Rates: ...

app = App("broken", version="1.0.0")

@app.lifespan
async def rates() -> AsyncIterator[Rates]:
    raise OSError("no rates today")
    yield Rates()
"""
UNDECIDED = """
from causeway_logic import App

app = App("undecided", version="1.0.0")
rooms = app.namespace("room")

@rooms.on_subscribe(when_unavailable="allow")
async def one() -> None: ...

@rooms.channel("{id}").on_subscribe
async def two() -> None: ...
"""


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (BROKEN, "a service of the app failed to start: OSError: no rates today"),
        (UNDECIDED, "the subscribe hooks of room differ in when_unavailable"),
    ],
)
async def test_an_app_that_cannot_start_ends_with_the_reason_in_one_line(tmp_path: Path, source: str, reason: str) -> None:
    server = NatsServer(tmp_path / "nats")
    await server.start()
    (tmp_path / "made.py").write_text(source)
    env = {key: value for key, value in os.environ.items() if not key.startswith("CAUSEWAY_")}
    env |= {"CAUSEWAY_LOGIC_NATS__URL": server.url, "CAUSEWAY_LOGIC_INTERNAL__PORT": str(free_port())}
    command = [str(Path(sys.executable).with_name("causeway-logic")), "run", "made:app"]
    ended = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=20, check=False)
    server.kill()

    assert ended.returncode == 1
    assert f"causeway-logic cannot start: {reason}" in ended.stderr
