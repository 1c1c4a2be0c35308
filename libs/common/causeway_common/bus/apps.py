"""The apps' manifests in the KV bucket `cw_apps`: announcing one, and a live copy of all of them.

A KV put is a publish on `$KV.<bucket>.<key>` (NATS ADR-8), so a plain subscription hears it; what was put before, or while the
connection was away, is read by JetStream's direct get. There is no server-side watcher that could be lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from causeway_common.bus.connection import Bus, Listener
from causeway_common.bus.deadline import Deadline
from causeway_common.bus.jetstream import API, api, put
from causeway_common.contracts.codec import decode, encode
from causeway_common.contracts.errors import CausewayError, bad_request, unavailable
from causeway_common.contracts.messages import Manifest, NamespaceSpec
from causeway_common.contracts.names import IDENTIFIER_RULE, is_app_name
from causeway_common.contracts.subjects import APPS_STREAM, KV_APPS, encode_token
from causeway_common.telemetry import get_logger

log = get_logger("apps")
RELOAD_SECONDS: Final = 30.0
RETRY_SECONDS: Final = 0.25


def _key(manifest: Manifest) -> str:
    return KV_APPS.at(app=manifest.app, version=encode_token(manifest.version))


def version_order(version: str) -> tuple[tuple[int, int, str], ...]:
    """A sort key of versions: numbers by value, numbers above words, so that 1.10 is above 1.9 and 1.0 above 1.0-rc."""
    parts = version.replace("-", ".").replace("+", ".").split(".")
    return (*((1, int(part), "") if part.isdecimal() else (-1, 0, part) for part in parts), (0, 0, ""))


async def announce(bus: Bus, manifest: Manifest, deadline: Deadline) -> None:
    """Put a manifest into the bucket, durably.

    Raises:
        CausewayError: 100 unavailable; 107 when the app has a service's name, a namespace belongs to another app, or another version of this app gives it history
            where this one does not (or the reverse).
    """
    if not is_app_name(manifest.app):
        raise bad_request(f"{manifest.app!r} cannot name an app: a name is {IDENTIFIER_RULE}, and none of a service's")
    for other in await _load(bus, deadline):
        theirs = {spec.name: spec for spec in other.namespaces}
        for spec in manifest.namespaces:
            if spec.name not in theirs:
                continue
            if other.app != manifest.app:
                raise bad_request(f"the namespace {spec.name!r} belongs to the app {other.app!r}, choose another name")
            if other.version != manifest.version and theirs[spec.name].has_history != spec.has_history:
                raise bad_request(
                    f"whether the namespace {spec.name!r} has history never changes under one name: {other.app} {other.version} "
                    f"says {theirs[spec.name].has_history}"
                )
    await put(bus, _key(manifest), encode(manifest), deadline)


async def _load(bus: Bus, deadline: Deadline) -> list[Manifest]:
    request = {"subjects_filter": KV_APPS.wildcard()}
    answer = await api(bus, f"STREAM.INFO.{APPS_STREAM}", request, deadline)
    if "error" in answer:
        raise unavailable("the bucket of the apps is not there yet")
    found: list[Manifest] = []
    for subject in answer.get("state", {}).get("subjects") or {}:
        try:
            reply = await bus.ask(f"{API}.DIRECT.GET.{APPS_STREAM}.{subject}", b"", deadline)
        except TimeoutError as error:
            raise unavailable("JetStream did not answer a direct get in time") from error
        if reply.headers.get("", "").startswith("404") or "KV-Operation" in reply.headers:
            continue
        if "" in reply.headers:
            raise unavailable("JetStream is not there")
        if manifest := _decoded(subject, reply.body):
            found.append(manifest)
    return found


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


class AppsDirectory:
    """A live copy of the manifests. Where several versions of an app are there, the highest rules."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._found: dict[tuple[str, str], Manifest] = {}
        self._rulers: dict[str, Manifest] = {}
        self._namespaces: dict[str, tuple[str, NamespaceSpec]] = {}
        self._changed: list[Callable[[], None]] = []
        self._wake = asyncio.Event()
        self._listener: Listener | None = None
        self._task: asyncio.Task[None] | None = None
        self.ready = False

    async def start(self) -> None:
        """Begin to follow the bucket; `ready` once it was read."""
        self._listener = await self._bus.listen(KV_APPS.wildcard(), self._put)
        self._bus.on_reconnect(self._wake.set)
        self._task = asyncio.get_running_loop().create_task(self._follow())

    async def stop(self) -> None:
        """Follow no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._listener is not None:
            await self._listener.close()

    @property
    def manifests(self) -> Mapping[str, Manifest]:
        """The ruling manifest of each app."""
        return self._rulers

    @property
    def namespaces(self) -> Mapping[str, tuple[str, NamespaceSpec]]:
        """Each app's namespaces: name to (app, options)."""
        return self._namespaces

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call this after each change."""
        self._changed.append(callback)

    async def _follow(self) -> None:
        while True:
            self._wake.clear()
            wait = RELOAD_SECONDS
            try:
                for manifest in await _load(self._bus, Deadline.after(2)):
                    self._take(manifest)
                self.ready = True
            except CausewayError as error:
                log.debug("the manifests cannot be read yet", reason=error.message)
                wait = RETRY_SECONDS
            try:
                async with asyncio.timeout(wait):
                    await self._wake.wait()
            except TimeoutError:
                continue

    def _put(self, subject: str, body: bytes) -> None:
        if body and (manifest := _decoded(subject, body)):
            self._take(manifest)

    def _take(self, manifest: Manifest) -> None:
        key = (manifest.app, manifest.version)
        if self._found.get(key) == manifest:
            return
        self._found[key] = manifest
        self._rulers = {}
        for found in sorted(self._found.values(), key=lambda each: version_order(each.version)):
            self._rulers[found.app] = found
        self._namespaces = {}
        for found in self._rulers.values():
            for spec in found.namespaces:
                self._namespaces.setdefault(spec.name, (found.app, spec))
        for callback in self._changed:
            callback()


__all__ = ["AppsDirectory", "announce", "version_order"]
