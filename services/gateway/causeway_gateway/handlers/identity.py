"""Whose token is this? Verified here, with the keys fetched where they are missing, and checked against what was revoked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from causeway_common.bus import Deadline
from causeway_common.contracts.messages import Revocation
from causeway_common.telemetry import get_logger
from causeway_gateway.domain.revocations import Revocations
from causeway_gateway.domain.tokens import Expired, Granted, GrantedSubscription, Invalid, KeyMissing, Tokens
from causeway_gateway.handlers import metrics

log = get_logger("gateway.identity")
NeedKey = Callable[[str, Deadline], Awaitable[object]]
V = TypeVar("V", Granted | Expired | Invalid, GrantedSubscription | Expired | Invalid)
REVOKED: Final = Invalid("it was revoked")


class Identity:
    """Verifies tokens.

    Args:
        connection: verifies connection tokens.
        subscription: verifies subscription tokens.
        revocations: what is good no more.
        need_key: has the key of this id fetched, if that is possible; it returns when it was tried.
        need_channel_key: likewise, for subscription tokens.
        wall: milliseconds since the Unix epoch.
    """

    def __init__(
        self,
        *,
        connection: Tokens,
        subscription: Tokens,
        revocations: Revocations,
        need_key: NeedKey,
        need_channel_key: NeedKey,
        wall: Callable[[], int],
    ) -> None:
        self._connection, self._subscription, self._revocations = connection, subscription, revocations
        self._need_key, self._need_channel_key, self._wall = need_key, need_channel_key, wall

    def connection_now(self, token: str, client: str) -> Granted | Expired | Invalid | None:
        """The verdict on a connection token; None where a key must be fetched before."""
        verdict = self._connection.verify(token, self._wall())
        return None if isinstance(verdict, KeyMissing) else self._unrevoked(verdict, client)

    async def connection(self, token: str, client: str, deadline: Deadline) -> Granted | Expired | Invalid:
        """The verdict on a connection token.

        Raises:
            CausewayError: 100 unavailable: the keys cannot be fetched.
        """
        verdict = self._connection.verify(token, self._wall())
        if isinstance(verdict, KeyMissing):
            await self._need_key(verdict.kid, deadline)
            verdict = self._connection.verify(token, self._wall())
        return Invalid("no key has its id") if isinstance(verdict, KeyMissing) else self._unrevoked(verdict, client)

    def subscription_now(self, token: str, client: str) -> GrantedSubscription | Expired | Invalid | None:
        """As `connection_now`, of a subscription token."""
        verdict = self._subscription.verify_subscription(token, self._wall())
        return None if isinstance(verdict, KeyMissing) else self._unrevoked(verdict, client)

    async def subscription(self, token: str, client: str, deadline: Deadline) -> GrantedSubscription | Expired | Invalid:
        """As `connection`, of a subscription token."""
        verdict = self._subscription.verify_subscription(token, self._wall())
        if isinstance(verdict, KeyMissing):
            await self._need_channel_key(verdict.kid, deadline)
            verdict = self._subscription.verify_subscription(token, self._wall())
        return Invalid("no key has its id") if isinstance(verdict, KeyMissing) else self._unrevoked(verdict, client)

    def revoke(self, revocation: Revocation) -> bool:
        """Take over a revocation. Returns whether it is news: live connections may have come with what it names."""
        if not self._revocations.is_news(revocation, self._wall()):
            return False
        if not self._revocations.add(revocation):
            log.error("there are too many revocations, one more is not applied; revoke with an expire_at")
        return True

    def banned(self, user: str) -> bool:
        """Whether a user may not come in, by whichever way."""
        return bool(user) and self._revocations.banned(user, self._wall())

    @property
    def bans(self) -> list[Revocation]:
        """The bans that hold, by user."""
        now = self._wall()
        return [each for each in self._revocations.bans if not 0 < each.expire_at_ms <= now]

    def forget(self) -> None:
        """Forget the revocations that hold no more."""
        self._revocations.expire(self._wall())

    def _unrevoked(self, verdict: V, client: str) -> V | Invalid:
        if isinstance(verdict, Granted | GrantedSubscription) and self._revocations.revoked(
            verdict.user, client, verdict.jti, verdict.issued_at, self._wall()
        ):
            metrics.revoked.add()
            return REVOKED
        return verdict
