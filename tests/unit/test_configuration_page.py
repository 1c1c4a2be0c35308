"""docs/configuration.md says what the settings say."""

from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_configuration_page_is_what_the_settings_say() -> None:
    """Run `.venv/bin/python scripts/configuration.py` after a change of settings."""
    reference = runpy.run_path(str(ROOT / "scripts" / "configuration.py"))["reference"]

    assert (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8") == reference()
