"""`causeway-storage`: one process of the storage service; `causeway-storage restored` is a step of the restore runbook."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from causeway_common.runtime import StartError, arguments, run_service
from causeway_storage.adapters.sqlite import raise_generation
from causeway_storage.app import SERVICE


def main() -> None:
    """The console script."""
    if sys.argv[1:2] == ["restored"]:
        _restored(sys.argv[2:])
        return
    parser = arguments("causeway-storage", "Runs Causeway's storage service.")
    parser.epilog = "`causeway-storage restored --database FILE`, after a restore from a backup, gives every log a new epoch."
    run_service(SERVICE, parser.parse_args())


def _restored(words: list[str]) -> None:
    parser = argparse.ArgumentParser(
        prog="causeway-storage restored", description="Tell all clients that the database was restored."
    )
    parser.add_argument(
        "--database", type=Path, required=True, metavar="FILE", help="the restored SQLite file; storage must not run"
    )
    path: Path = parser.parse_args(words).database
    try:
        generation = raise_generation(path)
    except StartError as error:
        sys.exit(f"causeway-storage restored: {error}")
    sys.stdout.write(f"{path} is generation {generation} now: every log has a new epoch\n")


if __name__ == "__main__":
    main()
