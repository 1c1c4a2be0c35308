"""docs/apps.md, done: each command is run and must print what the page says, each change of a file is made, on a real stack."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.nats import free_port
from support.page import read, reader_in, steps

PAGE = Path(__file__).parents[2] / "docs" / "apps.md"

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]


def test_the_page_done_from_top_to_bottom(tmp_path: Path) -> None:
    """`causeway new` to a tested, shipped, canaried feature: what the page says is what happens."""
    port = str(free_port())  # the page says 8000, which may be taken
    read(reader_in(tmp_path, CAUSEWAY_GATEWAY_HTTP_SERVER__PORT=port), PAGE.read_text())


def test_the_page_has_no_block_that_is_skipped_unseen() -> None:
    """A block of another kind, or a change without a file, would be read and never be done."""
    found = steps(PAGE.read_text())
    assert {step.kind for step in found} == {"console", "text", "python", "diff"}
    assert sum(step.kind == "python" and not step.file for step in found) == 1  # the one that shows what `causeway new` made
    assert PAGE.read_text().count("```") == 2 * len(found)
