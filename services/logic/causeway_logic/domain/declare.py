"""What an app's author declares: the app. Values only; the runner brings them to life."""

from __future__ import annotations

import re
from typing import Final

from causeway_common.contracts.messages import Manifest
from causeway_common.contracts.names import IDENTIFIER_RULE, is_app_name
from causeway_logic.domain.asking import Hooks
from causeway_logic.domain.durable import Durables
from causeway_logic.domain.methods import Methods

_VERSION: Final = re.compile(r"\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?")


class App(Methods, Hooks, Durables):
    """A deployable set of handlers.

    Args:
        name: a lower-case letter, then lower-case letters, digits or _; clients call `name.method`.
        version: `1.4.0` (semantic versioning, a pre-release part allowed).

    Raises:
        ValueError: a name or version of another form.
    """

    def __init__(self, name: str, *, version: str) -> None:
        if not is_app_name(name):
            raise ValueError(f"an app's name is {IDENTIFIER_RULE}, and none of a service's, got {name!r}")
        if not _VERSION.fullmatch(version):
            raise ValueError(f"an app's version is of the form 1.4.0, got {version!r}")
        super().__init__(name, version)

    def manifest(self) -> Manifest:
        """What the runner announces."""
        return Manifest(app=self.name, version=self.version, **self._manifest())
