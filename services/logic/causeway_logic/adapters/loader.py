"""From `package.module:attribute` to the App it names, with a reason in one line where there is none."""

from __future__ import annotations

import importlib
import sys
import traceback
from pathlib import Path

from causeway_logic.domain.declare import App


class LoadError(Exception):
    """An app cannot be loaded; the message says why and what to do."""


def load_app(reference: str, *, folder: Path) -> App:
    """Import an app.

    Args:
        reference: `apps.chat:app`, a module and the App in it.
        folder: looked in first, as Python itself does with the current folder.

    Raises:
        LoadError: the reference has another form, the module cannot be imported, or holds no App there.
    """
    module_name, colon, attribute = reference.partition(":")
    if not (module_name and colon and attribute):
        raise LoadError(f"an app is named as module:attribute (apps.chat:app), got {reference!r}")
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise LoadError(f"{module_name} cannot be imported: {type(error).__name__}: {error}{_place(error)}") from error
    found = getattr(module, attribute, None)
    if not isinstance(found, App):
        what = "nothing" if found is None else f"a {type(found).__name__}"
        raise LoadError(f"{reference} is {what}, it must be an App: `{attribute} = App(name, version=...)`")
    return found


def _place(error: Exception) -> str:
    """Where in the app's own code the import failed."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "importlib" not in frame.filename]
    inner = [frame for frame in frames if frame.filename != __file__]
    return f" ({inner[-1].filename}, line {inner[-1].lineno})" if inner else ""
