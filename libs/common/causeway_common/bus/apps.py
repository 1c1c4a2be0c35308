"""The apps' manifests in the KV bucket `cw_apps`: announcing one, and a live copy of all of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Final

from msgspec.structs import replace

from causeway_common.bus.buckets import RELOAD_SECONDS, LiveBucket, load
from causeway_common.bus.connection import Bus
from causeway_common.bus.deadline import Deadline
from causeway_common.bus.jetstream import put, ttl_headers
from causeway_common.bus.versions import Living, Versions
from causeway_common.contracts.codec import decode, encode
from causeway_common.contracts.errors import CausewayError, bad_request, unavailable
from causeway_common.contracts.messages import Manifest, NamespaceSpec
from causeway_common.contracts.names import IDENTIFIER_RULE, is_app_name
from causeway_common.contracts.subjects import APPS_STREAM, KV_APPS, decode_token, encode_token
from causeway_common.contracts.versions import version_order
from causeway_common.telemetry import get_logger

log = get_logger("apps")
SILENT_MS: Final = 15_000
SOONEST_SECONDS: Final = 0.1
LEAVE_SECONDS: Final = 1.0
OUTLIVED_KEPT: Final = 8
"""Versions without a living instance whose manifests stay: the last one says what exists when all are gone."""
REMOVED_SECONDS: Final = 60
"""An empty value stays so long: whoever was away for longer reads that the key is not there."""


async def announce(bus: Bus, manifest: Manifest, deadline: Deadline) -> None:
    """Put a manifest into the bucket, durably.

    Raises:
        CausewayError: 100 unavailable; 107, as `AppsDirectory.check`.
    """
    directory = AppsDirectory(bus)
    for subject, body in (await load(bus, APPS_STREAM, KV_APPS, deadline)).items():
        directory.take(subject, body)
    directory.check(manifest)
    await put(bus, _key(manifest), encode(manifest), deadline)


class Announcement:
    """One instance's word that it serves a version of its app.

    Args:
        bus: the connection.
        directory: the apps, against whose namespaces the first announcement is checked.
        manifest: of the version.
        instance: of it; never used before.
        wall: milliseconds since the Unix epoch.
    """

    def __init__(self, bus: Bus, directory: AppsDirectory, manifest: Manifest, instance: str, wall: Callable[[], int]) -> None:
        self._bus, self._directory, self._wall = bus, directory, wall
        self._manifest = replace(manifest, instance=instance)
        self._checked = False
        self._said = 0

    async def give(self, deadline: Deadline) -> None:
        """Say it, durably.

        Raises:
            CausewayError: 100 unavailable; 107, as `AppsDirectory.check`: it was not said.
        """
        if not self._checked:
            await self._directory.loaded(deadline)
            self._directory.check(self._manifest)
        await self._put(self._manifest, deadline)
        self._checked = True
        for outlived in self._directory.outlived(self._manifest.app):
            await put(self._bus, _key(outlived), b"", deadline, ttl_headers(REMOVED_SECONDS))

    async def leave(self) -> None:
        """Say that this instance serves no more. Raises CausewayError: 100 unavailable."""
        if self._checked:
            await self._put(replace(self._manifest, leaving=True), Deadline.after(LEAVE_SECONDS))

    def on_peer_left(self, callback: Callable[[], None]) -> None:
        """Call this each time another instance of the version has left: what it said stands in the bucket until somebody else speaks."""
        own = self._manifest

        def heard(manifest: Manifest) -> None:
            if (
                manifest.leaving
                and (manifest.app, manifest.version) == (own.app, own.version)
                and manifest.instance != own.instance
            ):
                callback()

        self._directory.on_word(heard)

    async def _put(self, manifest: Manifest, deadline: Deadline) -> None:
        self._said = max(self._wall(), self._said + 1)  # what is said twice with one time would be taken for read again
        await put(self._bus, _key(manifest), encode(replace(manifest, at_ms=self._said)), deadline)


class AppsDirectory:
    """A live copy of the manifests. What any living version of an app has exists, as the highest says that has it.

    Args:
        bus: the connection.
        silent_ms: an instance that was not heard for so long has died.
        clock: monotonic milliseconds.
    """

    def __init__(
        self, bus: Bus, *, silent_ms: int = SILENT_MS, clock: Callable[[], int] = lambda: int(time.monotonic() * 1000)
    ) -> None:
        self._bus, self._clock, self._silent_ms = bus, clock, silent_ms
        self._versions = Versions(silent_ms)
        self._living: Mapping[str, tuple[Living, ...]] = {}
        self._manifests: Mapping[str, Manifest] = {}
        self._namespaces: dict[str, tuple[str, NamespaceSpec]] = {}
        self._changed: list[Callable[[], None]] = []
        self._words: list[Callable[[Manifest], None]] = []
        self._bucket = LiveBucket(bus, APPS_STREAM, KV_APPS, self.take, read=self._judge, pause=self._pause)

    async def start(self) -> None:
        """Begin to follow the bucket; `ready` once it was read."""
        self._bus.on_reconnect(lambda: self._versions.interrupted(self._clock()))
        await self._bucket.start()

    async def stop(self) -> None:
        """Follow no more."""
        await self._bucket.stop()

    @property
    def ready(self) -> bool:
        """Whether the bucket was read."""
        return self._bucket.ready

    async def loaded(self, deadline: Deadline) -> None:
        """Wait until the bucket was read. Raises CausewayError: 100 unavailable, not in time."""
        try:
            async with asyncio.timeout(max(deadline.remaining(), 0)):
                await self._bucket.loaded()
        except TimeoutError as error:
            raise unavailable("the other apps are not known yet") from error

    @property
    def manifests(self) -> Mapping[str, Manifest]:
        """What exists of each app: what its living versions have; of an app that has none, what its last one had."""
        return self._manifests

    @property
    def namespaces(self) -> Mapping[str, tuple[str, NamespaceSpec]]:
        """Each app's namespaces: name to (app, options)."""
        return self._namespaces

    @property
    def living(self) -> Mapping[str, tuple[Living, ...]]:
        """Each app's living versions, the highest first."""
        return self._living

    def versions(self, app: str) -> list[Manifest]:
        """All versions of an app that were announced, living or not, the highest first."""
        found = [manifest for manifest, _ in self._versions.of(app)]
        return sorted(found, key=lambda each: version_order(each.version), reverse=True)

    def outlived(self, app: str) -> list[Manifest]:
        """Versions of an app that have no living instance, but for the newest ones."""
        alive = {each.version for each in self._living.get(app, ())}
        dead = sorted((said for said in self._versions.of(app) if said[0].version not in alive), key=lambda said: said[1])
        return [manifest for manifest, _ in dead[:-OUTLIVED_KEPT]]

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call this after each change of what there is; not for an announcement that changes nothing."""
        self._changed.append(callback)

    def on_word(self, callback: Callable[[Manifest], None]) -> None:
        """Call this with each announcement that is heard, also when it is read again; it must be quick and not raise."""
        self._words.append(callback)

    def check(self, manifest: Manifest) -> None:
        """Whether a manifest may be announced beside the others.

        Raises:
            CausewayError: 107 when the app has a service's name, a namespace belongs to another app, or another version of this app
                gives it history where this one does not (or the reverse).
        """
        if not is_app_name(manifest.app):
            raise bad_request(f"{manifest.app!r} cannot name an app: a name is {IDENTIFIER_RULE}, and none of a service's")
        for spec in manifest.namespaces:
            owner, _ = self._namespaces.get(spec.name, (manifest.app, spec))
            if owner != manifest.app:
                raise bad_request(f"the namespace {spec.name!r} belongs to the app {owner!r}, choose another name")
            for other in self.versions(manifest.app):
                theirs = next((each for each in other.namespaces if each.name == spec.name), spec)
                if other.version != manifest.version and theirs.has_history != spec.has_history:
                    raise bad_request(
                        f"whether the namespace {spec.name!r} has history never changes under one name: {other.app} {other.version} "
                        f"says {theirs.has_history}"
                    )

    def take(self, subject: str, body: bytes) -> None:
        """A key of the bucket and its value."""
        if not body:
            fields = KV_APPS.fields(subject)
            if self._versions.removed(fields["app"], decode_token(fields["version"])):
                self._put_together()
            return
        manifest = _decoded(subject, body)
        if manifest is None:
            return
        if self._versions.heard(manifest, self._clock()):
            self._put_together()
        for callback in self._words:
            callback(manifest)

    def _judge(self) -> None:
        """The bucket was read, so that all that was sent before was heard."""
        if self._versions.judge(self._clock()):
            self._put_together()

    def _pause(self) -> float:
        due = self._versions.due()
        longest = min(RELOAD_SECONDS, self._silent_ms / 1000)  # who is heard of meanwhile is due no sooner
        return longest if due is None else min(max((due - self._clock()) / 1000, SOONEST_SECONDS), longest)

    def _put_together(self) -> None:
        self._living, self._manifests = self._versions.living(), self._versions.manifests()
        found: dict[str, tuple[str, NamespaceSpec]] = {}
        for app in sorted(self._manifests):
            for spec in self._manifests[app].namespaces:
                if spec.name not in found or self._namespaces.get(spec.name, ("",))[0] == app:  # who has it keeps it
                    found[spec.name] = (app, spec)
        self._namespaces = found
        for callback in self._changed:
            callback()


def _key(manifest: Manifest) -> str:
    return KV_APPS.at(app=manifest.app, version=encode_token(manifest.version))


def _decoded(subject: str, body: bytes) -> Manifest | None:
    """The manifest of a KV message, where it says the app of its own key; NATS lets an app write only under its name."""
    try:
        manifest = decode(body, Manifest)
        if KV_APPS.fields(subject) == {"app": manifest.app, "version": encode_token(manifest.version)}:
            return manifest
        log.error("a manifest stands under another app's key and is ignored", subject=subject, app=manifest.app)
    except (CausewayError, ValueError) as error:
        log.error("a manifest cannot be read and is ignored", subject=subject, reason=str(error))  # noqa: TRY400 - one line
    return None


__all__ = ["Announcement", "AppsDirectory", "Living", "announce", "version_order"]
