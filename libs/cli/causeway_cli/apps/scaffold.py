"""A new app from the template: working code with tests, to be changed into what its author needs."""

from __future__ import annotations

import importlib.util
import sys
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Final

from causeway_common.contracts.names import IDENTIFIER_RULE, is_app_name

TEMPLATES: Final = {
    "README.md": "README.md.tmpl",
    ".gitignore": "gitignore.tmpl",
    "pyproject.toml": "pyproject.toml.tmpl",
    "{name}/__init__.py": "init.py.tmpl",
    "{name}/models.py": "models.py.tmpl",
    "{name}/handlers.py": "handlers.py.tmpl",
    "tests/test_{name}.py": "test.py.tmpl",
}


class ScaffoldError(Exception):
    """The app cannot be made; one line says why."""


def make_app(folder: Path) -> list[Path]:
    """Make the app whose name is the folder's own, in it.

    Returns:
        The files made, in order.

    Raises:
        ScaffoldError: the name is none of an app or belongs to another module, the folder holds something, or cannot be written.
    """
    name = folder.name
    if not is_app_name(name):
        raise ScaffoldError(f"an app's name is {IDENTIFIER_RULE}, and none of a service's, got {name!r}")
    if name in sys.stdlib_module_names or importlib.util.find_spec(name) is not None:
        raise ScaffoldError(
            f"there is a Python module {name!r} already, which would be imported in place of the app: choose another name"
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ScaffoldError(f"{folder} is there already and not empty")
    texts = {path.format(name=name): _filled(template, name) for path, template in TEMPLATES.items()}
    try:
        for path, text in texts.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise ScaffoldError(f"{folder} cannot be written: {error.strerror}") from error
    return [folder / path for path in texts]


def _filled(template: str, name: str) -> str:
    text = files("causeway_cli").joinpath("template", template).read_text(encoding="utf-8")
    return Template(text).substitute(name=name, title=name.replace("_", " ").capitalize())
