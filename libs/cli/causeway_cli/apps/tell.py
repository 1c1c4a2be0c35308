"""`python -m causeway_cli.apps.tell module:attribute`: imports an app and tells its name, version and source as one line of JSON."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

from causeway_logic.adapters.loader import LoadError, load_app


def main() -> None:
    """Print the line last, whatever the app itself prints at its import; exit code 1 and one line where it cannot be loaded."""
    target = sys.argv[1]
    try:
        app = load_app(target, folder=Path.cwd())
    except LoadError as error:
        sys.exit(str(error))
    print()  # noqa: T201 - this process talks by its output
    print(json.dumps({"name": app.name, "version": app.version, "source": str(_source(target))}))  # noqa: T201 - likewise


def _source(target: str) -> Path:
    """The app's own code: its package's folder; of a module beside others its file alone."""
    module = importlib.import_module(target.partition(":")[0])
    file = Path(module.__file__ or Path.cwd())
    return file.parent if hasattr(module, "__path__") or module.__package__ else file


if __name__ == "__main__":
    main()
