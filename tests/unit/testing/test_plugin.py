"""The pytest plugin, in a pytest of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TEST = """
from causeway_testing import Faults
from unit.testing.shop import Item, app

def test_sells(app_tester):
    tester = app_tester(app, seed=5, faults=Faults(reorder=1.0))
    ann = tester.user("ann")
    tester.run(ann.call("open_item", {"id": "tea", "left": 1}))
    assert tester.entity(Item, "tea").left == 2

async def test_sells_too(app_tester):
    tester = app_tester(app)
    await tester.user("ann").call("open_item", {"id": "tea", "left": 1})
    assert tester.entity(Item, "tea").left == 1
"""


def test_a_failing_test_shows_its_seed_and_its_steps(tmp_path: Path) -> None:
    (tmp_path / "test_shop.py").write_text(TEST)
    tests = str(Path(__file__).parents[2])
    command = [sys.executable, "-m", "pytest", "-q", "-o", "asyncio_mode=auto", "-o", f"pythonpath={tests}", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert "1 failed, 1 passed" in done.stdout, done.stdout
    assert "AppTester, seed=5" in done.stdout
    assert "ann: open_item: commit item/tea" in done.stdout
