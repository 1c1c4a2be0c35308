"""The README of causeway-testing does what it says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

README = Path(__file__).parents[3] / "libs" / "testing" / "README.md"


async def test_the_example_runs() -> None:
    code = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)[0]
    names: dict[str, Any] = {}
    exec(compile(code, "README.md", "exec"), names)  # the example, as a reader would paste it

    await names["test_members_see_what_is_said"]()
    assert len([line for line in code.split("def test_")[1].splitlines()[1:] if line.strip()]) <= 10
