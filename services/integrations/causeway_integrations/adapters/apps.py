"""Which apps handle which events from outside, by their manifests in the bucket `cw_apps`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from causeway_common.bus import Bus, LiveBucket
from causeway_common.contracts.codec import decode
from causeway_common.contracts.errors import CausewayError
from causeway_common.contracts.messages import Manifest
from causeway_common.contracts.subjects import APPS_STREAM, KV_APPS, decode_token, encode_token
from causeway_common.telemetry import get_logger
from causeway_integrations.domain.audience import Audience

log = get_logger("integrations")


class EventsOfApps:
    """`ports.AppsOfEvents`.

    Args:
        bus: the connection.
        now_ms: the time of day.
    """

    def __init__(self, bus: Bus, now_ms: Callable[[], int]) -> None:
        self._bucket = LiveBucket(bus, APPS_STREAM, KV_APPS, self._changed)
        self._audience, self._now_ms = Audience(), now_ms

    async def start(self) -> None:
        """Begin to follow."""
        await self._bucket.start()

    async def stop(self) -> None:
        """Follow no more."""
        await self._bucket.stop()

    @property
    def ready(self) -> bool:
        """Whether the manifests were read once."""
        return self._bucket.ready

    def handling(self, source: str, type: str) -> Mapping[str, str] | None:
        """As the port says."""
        return self._audience.handling(source, type, self._now_ms()) if self._bucket.ready else None

    def _changed(self, subject: str, body: bytes) -> None:
        try:
            key = KV_APPS.fields(subject)
            if not body:
                self._audience.forget(key["app"], decode_token(key["version"]))
                return
            manifest = decode(body, Manifest)
        except (CausewayError, ValueError) as error:
            log.error("a manifest cannot be read and is ignored", subject=subject, reason=str(error))  # noqa: TRY400 - one line
            return
        if (key["app"], key["version"]) != (
            manifest.app,
            encode_token(manifest.version),
        ):  # NATS lets an app write under its own name alone
            log.error("a manifest stands under another app's key and is ignored", subject=subject, app=manifest.app)
            return
        self._audience.learn(manifest)
