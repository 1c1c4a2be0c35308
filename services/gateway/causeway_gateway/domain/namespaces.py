"""Which namespaces and methods exist: those of the TOML file and those that apps announce, one lookup for both."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from causeway_common.contracts.errors import CausewayError, ErrorName, bad_request
from causeway_common.contracts.messages import Manifest, MethodSpec, NamespaceSpec
from causeway_common.contracts.names import namespace_of


@dataclass(frozen=True, slots=True)
class Rule:
    """What holds for a channel: its namespace's options, and the app that owns it ("": the TOML file)."""

    spec: NamespaceSpec
    app: str = ""


class Catalogue:
    """A live lookup.

    Args:
        namespaces: those of the TOML file; one named "" holds for channels without a namespace. They win over an app's.
        max_length: the longest channel name, bytes.
    """

    def __init__(self, namespaces: Iterable[NamespaceSpec], max_length: int) -> None:
        self._static = {spec.name: Rule(spec) for spec in namespaces}
        self._rules = dict(self._static)
        self._methods: dict[str, dict[str, MethodSpec]] = {}
        self._max_length = max_length
        self._told: set[str] = set()

    def update(
        self,
        manifests: Mapping[str, Manifest],
        namespaces: Mapping[str, tuple[str, NamespaceSpec]],
        clash: Callable[[str, str], None],
    ) -> None:
        """Take over what the apps announce; `clash(namespace, app)` is called once for each name that the TOML file has too."""
        self._methods = {app: {method.name: method for method in manifest.methods} for app, manifest in manifests.items()}
        self._rules = {name: Rule(spec, app) for name, (app, spec) in namespaces.items()} | self._static
        for name, (app, _) in namespaces.items():
            if name in self._static and name not in self._told:
                self._told.add(name)
                clash(name, app)

    def rule(self, channel: str) -> Rule:
        """The rule of a channel.

        Raises:
            CausewayError: 107, the name is empty, too long or not ASCII; 102, no such namespace.
        """
        if not channel:
            raise bad_request("channel is empty")
        if len(channel) > self._max_length:
            raise bad_request(f"channel has more than {self._max_length} bytes")
        rule = self._rules.get(namespace_of(channel))
        if rule is None:
            raise CausewayError(ErrorName.UNKNOWN_CHANNEL)
        if not channel.isascii():
            raise bad_request("channel holds characters beyond ASCII")
        return rule

    def method(self, app: str, name: str) -> MethodSpec:
        """A method that some app has announced.

        Raises:
            CausewayError: 104, no such app or method.
        """
        found = self._methods.get(app, {}).get(name)
        if found is None:
            raise CausewayError(ErrorName.METHOD_NOT_FOUND)
        return found
