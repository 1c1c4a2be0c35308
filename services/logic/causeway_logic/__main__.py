"""`causeway-logic run module:attribute`: one process that serves one app. `causeway-logic simulate package`: users of one."""

from __future__ import annotations

import sys
from pathlib import Path

from causeway_common.runtime import arguments, run_service
from causeway_logic.adapters.loader import LoadError, load_app
from causeway_logic.app import service


def main() -> None:
    """The console script. Ends with 1 and one line where the app cannot be loaded."""
    if sys.argv[1:2] == ["simulate"]:
        sys.exit(_simulate(sys.argv[2:]))
    parser = arguments("causeway-logic", "Runs one Causeway app.")
    parser.add_argument(
        "command", choices=["run"], help="run: serve an app (`causeway-logic simulate --help` is about simulated users)"
    )
    parser.add_argument("app", metavar="MODULE:ATTRIBUTE", help="the app, such as apps.chat:app")
    options = parser.parse_args()
    try:
        app = load_app(options.app, folder=Path.cwd())
    except LoadError as error:
        sys.exit(f"causeway-logic cannot start: {error}")
    run_service(service(app), options)


def _simulate(arguments: list[str]) -> int:
    try:
        from causeway_logic.simulation.command import main as simulate  # noqa: PLC0415 - serving an app needs no client
    except ModuleNotFoundError as error:
        sys.stderr.write(f"causeway-logic cannot simulate: {error}; install `causeway-logic[simulation]`\n")
        return 1
    return simulate(arguments)


if __name__ == "__main__":
    main()
