"""Which namespaces and methods exist: those of the TOML file and those that apps announce, one lookup for both."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from causeway_common.contracts.errors import CausewayError, ErrorName, bad_request
from causeway_common.contracts.messages import HookFallbacks, Manifest, MethodSpec, NamespaceSpec
from causeway_common.contracts.names import NAMESPACE_SEPARATOR, USERS_BOUNDARY, namespace_of


@dataclass(frozen=True, slots=True)
class Rule:
    """What holds for a channel: its namespace's options, and the app that owns it ("": the TOML file)."""

    spec: NamespaceSpec
    app: str = ""
    pattern: re.Pattern[str] | None = None


def rule_of(spec: NamespaceSpec, app: str = "") -> Rule:
    """The rule of a namespace; an app's pattern that is no regular expression matches nothing."""
    try:
        return Rule(spec, app, re.compile(spec.channel_regex) if spec.channel_regex else None)
    except re.error:
        return Rule(spec, app, re.compile(r"(?!)"))


class Catalogue:
    """A live lookup.

    Args:
        namespaces: those of the TOML file; one named "" holds for channels without a namespace. They win over an app's.
        max_length: the longest channel name, bytes.
    """

    def __init__(self, namespaces: Iterable[NamespaceSpec], max_length: int) -> None:
        self._static = {spec.name: rule_of(spec) for spec in namespaces}
        self._announced: dict[str, Rule] = {}
        self._rules = dict(self._static)
        self._hooks: dict[str, Manifest] = {}
        self._methods: dict[str, dict[str, MethodSpec]] = {}
        self._max_length = max_length
        self._told: set[str] = set()

    def update(
        self,
        manifests: Mapping[str, Manifest],
        namespaces: Mapping[str, tuple[str, NamespaceSpec]],
        clash: Callable[[str, str], None],
    ) -> bool:
        """Take over what the apps announce; `clash(namespace, app)` is called once for each name that the TOML file has too.

        Returns whether a namespace is new or has another owner.
        """
        self._methods = {app: {method.name: method for method in manifest.methods} for app, manifest in manifests.items()}
        self._hooks = dict(manifests)
        self._announced = {name: rule_of(spec, app) for name, (app, spec) in namespaces.items()}
        moved = self._put_together()
        for name, (app, _) in namespaces.items():
            if name in self._static and name not in self._told:
                self._told.add(name)
                clash(name, app)
        return moved

    def replace(self, namespaces: Iterable[NamespaceSpec]) -> bool:
        """Other namespaces in the TOML file. Returns whether one is new or has another owner."""
        self._static = {spec.name: rule_of(spec) for spec in namespaces}
        return self._put_together()

    def _put_together(self) -> bool:
        former, self._rules = self._rules, self._announced | self._static
        return any(name not in former or former[name].app != rule.app for name, rule in self._rules.items())

    def has_hook(self, app: str, hook: str) -> bool:
        """Whether an app has announced a connection hook (`connect`, `refresh`)."""
        manifest = self._hooks.get(app)
        return manifest is not None and (manifest.connect_hook if hook == "connect" else manifest.refresh_hook)

    def fallbacks(self, app: str) -> HookFallbacks:
        """What an app has declared for its connection hooks where no instance answers."""
        manifest = self._hooks.get(app)
        return HookFallbacks() if manifest is None else manifest.fallbacks

    def owner(self, channel: str) -> str | None:
        """The app that owns a channel's namespace ("": the TOML file does); None where there is no such namespace."""
        rule = self._rules.get(namespace_of(channel))
        return None if rule is None else rule.app

    def rule(self, channel: str) -> Rule:
        """The rule of a channel.

        Raises:
            CausewayError: 107, the name is empty, too long, not ASCII, or none that the namespace takes; 102, no such namespace.
        """
        if not channel:
            raise bad_request("channel is empty")
        if len(channel) > self._max_length or len(channel.encode("utf-8", "surrogatepass")) > self._max_length:
            raise bad_request(f"channel has more than {self._max_length} bytes")
        rule = self._rules.get(namespace_of(channel))
        if rule is None:
            raise CausewayError(ErrorName.UNKNOWN_CHANNEL)
        if rule.pattern is None:
            if not channel.partition(USERS_BOUNDARY)[0].isascii():  # users' ids are what they are
                raise bad_request("channel holds characters beyond ASCII")
        elif not rule.pattern.search(channel.partition(NAMESPACE_SEPARATOR)[2] if rule.spec.name else channel):
            raise bad_request("channel is no name that its namespace takes (channel_regex)")
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
