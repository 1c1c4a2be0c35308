"""docs/integrations.md, done: the first signed webhook, webhooks in, e-mail, a payment, an API, a connector, a job that died; one stack."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.nats import free_port
from support.page import read, reader_in, steps

PAGE = Path(__file__).parents[2] / "docs" / "integrations.md"
PORTS = ("8010", "9000", "9100", "9200")
"""What the page says, and what may be taken here."""

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]


def page() -> str:
    """The page, its fixed ports replaced by free ones."""
    text = PAGE.read_text()
    for port in PORTS:
        text = text.replace(port, str(free_port()))
    return text


def test_the_page_done_from_top_to_bottom(tmp_path: Path) -> None:
    """A webhook that a stranger's library verifies, and a connector that an app uses, by nothing but what the page says."""
    read(reader_in(tmp_path, CAUSEWAY_GATEWAY_HTTP_SERVER__PORT=str(free_port())), page())


def test_the_page_has_no_block_that_is_skipped_unseen() -> None:
    """A block of another kind would be read and never be done; what is shown alone are settings for elsewhere."""
    found = steps(PAGE.read_text())
    assert PAGE.read_text().count("```") == 2 * len(found)
    assert {step.kind for step in found} == {"console", "text", "python", "toml", "jinja", "txt", "json"}
    files = [step for step in found if step.kind not in ("console", "text")]
    assert [step.kind for step in files if not step.file] == ["toml"] * 4
    assert all(step.whole or step.kind == "python" for step in files if step.file)
