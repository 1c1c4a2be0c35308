"""Makes constraints.txt: a hashed lock of all dependencies for Python 3.11 to 3.13, naming no host (ADR 0007)."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

HEADER = """\
# The lock: every dependency of every distribution, with hashes, for Python 3.11 to 3.13 (docs/adr/0007-lock.md).
# Made by `make lock`; never edited by hand.
"""


def main() -> None:
    """Read the dependency lists of the pyprojects given, and requirements-dev.in; write constraints.txt."""
    wanted = {line for line in Path("requirements-dev.in").read_text().splitlines() if line and not line.startswith("#")}
    for path in sys.argv[1:]:
        wanted.update(tomllib.loads(Path(path).read_text())["project"]["dependencies"])
    wanted = {line for line in wanted if not line.startswith("causeway-")}
    command = [
        *(sys.executable, "-m", "uv", "pip", "compile", "-", "--quiet", "--universal", "--generate-hashes", "--no-header"),
        *("--no-emit-index-url", "--no-emit-find-links", "--python-version", "3.11"),
    ]
    done = subprocess.run(command, input="\n".join(sorted(wanted)), capture_output=True, text=True, check=False)  # noqa: S603 - our own command
    if done.returncode:
        sys.exit(done.stderr)
    Path("constraints.txt").write_text(HEADER + done.stdout)


if __name__ == "__main__":
    main()
