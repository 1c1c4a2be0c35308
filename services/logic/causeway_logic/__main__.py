"""`causeway-logic run module:attribute`: one process that serves one app."""

from __future__ import annotations

import sys
from pathlib import Path

from causeway_common.runtime import arguments, run_service
from causeway_logic.adapters.loader import LoadError, load_app
from causeway_logic.app import service


def main() -> None:
    """The console script. Ends with 1 and one line where the app cannot be loaded."""
    parser = arguments("causeway-logic", "Runs one Causeway app.")
    parser.add_argument("command", choices=["run"], help="run: serve an app")
    parser.add_argument("app", metavar="MODULE:ATTRIBUTE", help="the app, such as apps.chat:app")
    options = parser.parse_args()
    try:
        app = load_app(options.app, folder=Path.cwd())
    except LoadError as error:
        sys.exit(f"causeway-logic cannot start: {error}")
    run_service(service(app), options)


if __name__ == "__main__":
    main()
