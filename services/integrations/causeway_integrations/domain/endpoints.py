"""Endpoints of webhooks that operators add while everything runs, kept as entities of integrations; and how they fare."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import msgspec

from causeway_common.contracts.ids import derived_id
from causeway_integrations.domain.webhook import Endpoint

KIND: Final = "webhook_endpoint"
HEALTH_KIND: Final = "webhook_health"
CONFIGURED_KIND: Final = "webhook_configured"
RATE_KIND: Final = "webhook_rate"
PREFIX: Final = "ep_"
SECRET_BYTES: Final = 24
OLDER_MAX: Final = 4
"""So many secrets before the newest may sign beside it."""
ATTEMPTS_KEPT: Final = 20
ANSWER_MAX_CHARS: Final = 200
PER_EVENT_MAX: Final = 100
"""Endpoints of one app and event type."""


class Older(msgspec.Struct, frozen=True):
    """A secret that signs until then."""

    secret: str
    until_ms: int

    def __repr__(self) -> str:
        """Without the secret."""
        return f"Older(until_ms={self.until_ms})"


class KeptEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """The state of an endpoint's entity. `enabled_ms`: when it was enabled last; `disabled`: why, "" where it is not."""

    id: str
    app: str
    event: str
    url: str
    secret: str
    created_ms: int
    older: tuple[Older, ...] = ()
    rate_limit: float = 0
    disabled: str = ""
    disabled_ms: int = 0
    enabled_ms: int = 0
    ordered: bool = False

    def __repr__(self) -> str:
        """Without the secrets."""
        return f"KeptEndpoint(id={self.id!r}, app={self.app!r}, event={self.event!r})"

    def endpoint(self, now_ms: int) -> Endpoint:
        """As deliveries use it, with the secrets that sign now."""
        older = tuple(each.secret for each in self.older if each.until_ms > now_ms)
        return Endpoint(
            self.app, self.event, self.url, self.secret, "", self.rate_limit, name=self.id, older=older, ordered=self.ordered
        )


class ConfiguredState(msgspec.Struct, frozen=True):
    """The state of what is kept of an endpoint of the configuration: why it is disabled ("": it is not), and since when it is so."""

    disabled: str = ""
    at_ms: int = 0


class SeenAttempt(msgspec.Struct, frozen=True):
    """One request to an endpoint and what came of it."""

    webhook_id: str
    at_ms: int
    duration_ms: int
    outcome: str
    status: int = 0
    answer: str = ""


class Health(msgspec.Struct, frozen=True):
    """How an endpoint fares: its last attempts, the last success, and since when there were failures alone (0: there are none)."""

    attempts: tuple[SeenAttempt, ...] = ()
    ok_ms: int = 0
    failing_since_ms: int = 0


@dataclass(frozen=True, slots=True)
class Seen:
    """What one process saw since it told last."""

    attempts: tuple[SeenAttempt, ...] = ()
    ok_ms: int = 0
    failed_ms: tuple[int, ...] = ()

    def with_attempt(self, attempt: SeenAttempt) -> Seen:
        """One more. Of the failures the first and the last are enough."""
        attempts = (*self.attempts, attempt)[-ATTEMPTS_KEPT:]
        if attempt.outcome == "done":
            return Seen(attempts, max(self.ok_ms, attempt.at_ms), self.failed_ms)
        failed = (*self.failed_ms, attempt.at_ms)
        return Seen(attempts, self.ok_ms, (min(failed), max(failed)) if len(failed) > 1 else failed)


def endpoint_id(app: str, event: str, url: str) -> str:
    """The id of an endpoint that is added: the same again for the same receiver."""
    return PREFIX + derived_id(app, event, url)


def secret_of(random: bytes) -> str:
    """A secret of Standard Webhooks."""
    return "whsec_" + base64.b64encode(random).decode()


def rotated(kept: KeptEndpoint, secret: str, until_ms: int, now_ms: int) -> KeptEndpoint:
    """With a new secret; the one until now signs beside it until then."""
    older = (Older(kept.secret, until_ms), *(each for each in kept.older if each.until_ms > now_ms))
    return msgspec.structs.replace(kept, secret=secret, older=older[:OLDER_MAX])


def merged(health: Health, seen: Seen) -> Health:
    """What is kept with what one process saw: whatever the order in which the processes tell, a success ends the failures before it."""
    attempts = sorted((*health.attempts, *seen.attempts), key=lambda each: each.at_ms)[-ATTEMPTS_KEPT:]
    ok_ms = max(health.ok_ms, seen.ok_ms)
    failures = [at for at in (health.failing_since_ms, *seen.failed_ms) if at > ok_ms]
    return Health(tuple(attempts), ok_ms, min(failures, default=0))


def check_url(url: str) -> str:
    """The URL, where a webhook may have it.

    Raises:
        ValueError: it may not; says what is allowed.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must be a URL: http:// or https:// and a host")
    if "@" in parts.netloc or parts.fragment or not url.isascii() or any(c.isspace() or not c.isprintable() for c in url):
        raise ValueError("must have no user, password, fragment, space or non-ASCII character")
    if parts.port == 0:
        raise ValueError("must have a port from 1 to 65535")
    return url
