"""`causeway-storage check` and its siblings as an operator runs them: processes of their own, beside the stack or without it."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

STORAGE = Path(sys.executable).with_name("causeway-storage")


async def operation(*words: str | Path) -> tuple[int, str, str]:
    """Run it; its exit code and what it printed on standard output and standard error."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(STORAGE, *map(str, words), stdout=pipe, stderr=pipe)
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(errors="replace"), err.decode()


async def done(*words: str | Path) -> str:
    """Run it; what it printed. Any exit code but 0 is an AssertionError."""
    code, out, err = await operation(*words)
    assert code == 0, f"causeway-storage {words}: {code}\n{out}\n{err}"
    return out


async def violations_in(*named: str | Path) -> list[dict[str, Any]]:
    """What a check of the database finds that these options name."""
    code, out, err = await operation("check", "--json", *named)
    assert code in (0, 1), err
    found: list[dict[str, Any]] = json.loads(out)["violations"]
    return found
