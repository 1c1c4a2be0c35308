"""Connectors of other distributions, found by entry point and made where the configuration has a section for them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from causeway_common.contracts.names import is_identifier
from causeway_common.runtime import StartError
from causeway_integrations.ports import Connector
from causeway_integrations.ports.kit import GROUP, Factory, Kit


def installed() -> dict[str, EntryPoint]:
    """By the connector's name."""
    return {point.name: point for point in entry_points(group=GROUP)}


def split(name: str, section: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """A section without its `allow_hosts`, and these. Raises StartError: they are no list of names."""
    settings = dict(section)
    hosts = settings.pop("allow_hosts", [])
    if not isinstance(hosts, list) or not all(isinstance(host, str) for host in hosts):
        raise StartError(f"integrations.connectors.{name}: allow_hosts is a list of host names")
    return settings, hosts


def load(name: str, settings: Mapping[str, Any], kit: Kit, taken: Collection[str]) -> Connector:
    """The connector of this name.

    Args:
        name: as the configuration says.
        settings: its section.
        kit: what it is given.
        taken: names of the connectors that there are already.

    Raises:
        StartError: it is not installed, has the name of another one, cannot be imported, or its settings are wrong.
    """
    found = installed()
    if name not in found:
        there = ", ".join(sorted(found)) or "none"
        raise StartError(f"integrations.connectors.{name}: no installed distribution has this connector (there are: {there})")
    if name in taken or not is_identifier(name):
        raise StartError(f"integrations.connectors.{name}: this name is taken or no name")
    try:
        factory: Factory = found[name].load()
    except (ImportError, AttributeError) as error:
        raise StartError(f"integrations.connectors.{name}: {found[name].value} cannot be loaded: {error}") from error
    try:
        made: object = factory(settings, kit)
    except ValueError as error:
        raise StartError(f"integrations.connectors.{name}: {error}") from error
    if not isinstance(made, Connector) or made.name != name:
        raise StartError(f"integrations.connectors.{name}: {found[name].value} has made no connector of this name")
    return made
