"""What carries records, and what is known of apps and shards. As the package says: what each call may raise, and when its answer is durable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from causeway_common.contracts.messages import (
    Manifest,
    NamespaceSpec,
)
from causeway_storage.ports.records import DueRecord


class WorkQueue(Protocol):
    """What carries records to integrations. It may lose and double deliveries; the record decides."""

    async def deliver(self, record: DueRecord) -> None:
        """Returns once the queue has it. The same delivery again within two minutes is dropped there."""
        ...

    def send(self, record: DueRecord) -> None:
        """As `deliver`, without waiting: whether the queue has it is not told."""
        ...


class Apps(Protocol):
    """The apps' manifests, as far as they are known right now."""

    @property
    def manifests(self) -> Mapping[str, Manifest]:
        """By app."""
        ...

    @property
    def namespaces(self) -> Mapping[str, tuple[str, NamespaceSpec]]:
        """Namespace to the app that owns it and its options."""
        ...


class Shards(Protocol):
    """The shards whose requests come to this process first. Every other request comes too, to whichever process is free."""

    @property
    def held(self) -> frozenset[int]:
        """Those served now."""
        ...

    async def take(self, shards: frozenset[int]) -> None:
        """Serve these too."""
        ...

    async def release(self, shards: frozenset[int]) -> None:
        """Serve these no more. What was sent here before is answered."""
        ...
