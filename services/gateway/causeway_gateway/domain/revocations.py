"""Tokens that are good no more: those of a user issued before a time, of a client, or one by its id; and users who are banned. Bounded."""

from __future__ import annotations

from typing import Final

from causeway_common.contracts.messages import Revocation

REVOCATIONS_MAX: Final = 100_000


def concerns(revocation: Revocation, user: str, client: str, jti: str, issued_at: int | None) -> bool:
    """Whether a token is one of those. One that does not say when it was issued (`iat`) counts as issued before.

    Args:
        revocation: what was revoked.
        user: the token's `sub`.
        client: the client id that came with it.
        jti: the token's id, "" for none.
        issued_at: its `iat`, wall-clock ms.
    """
    if revocation.user is not None:
        before = revocation.issued_before_ms
        return revocation.user == user and (not before or issued_at is None or issued_at < before)
    if revocation.client:
        return revocation.client == client
    return bool(revocation.jti) and revocation.jti == jti


class Revocations:
    """What was revoked, by what it names."""

    def __init__(self) -> None:
        self._users: dict[str, Revocation] = {}
        self._clients: dict[str, Revocation] = {}
        self._tokens: dict[str, Revocation] = {}
        self._banned: dict[str, Revocation] = {}

    def __len__(self) -> int:
        """How many there are."""
        return sum(map(len, self._kinds))

    @property
    def bans(self) -> list[Revocation]:
        """The bans, by user; one whose time has come may still be there."""
        return [self._banned[user] for user in sorted(self._banned)]

    def banned(self, user: str, now: int) -> bool:
        """Whether a user may not come in at `now` (wall-clock ms)."""
        found = self._banned.get(user)
        return found is not None and (not found.expire_at_ms or now < found.expire_at_ms)

    def is_news(self, revocation: Revocation, now: int) -> bool:
        """Whether it holds at `now` (wall-clock ms) and is not here yet. Buckets are read again and again."""
        kind, name = self._place(revocation)
        return kind.get(name) != revocation and not 0 < revocation.expire_at_ms <= now

    def add(self, revocation: Revocation) -> bool:
        """Take one over, in the place of an older one of the same name. Returns whether there was room for it."""
        kind, name = self._place(revocation)
        if name not in kind and len(self) >= REVOCATIONS_MAX:
            return False
        kind[name] = revocation
        return True

    def remove(self, revocation: Revocation) -> None:
        """It holds no more."""
        kind, name = self._place(revocation)
        kind.pop(name, None)

    def revoked(self, user: str, client: str, jti: str, issued_at: int | None, now: int) -> bool:
        """Whether a token is good no more at `now` (wall-clock ms)."""
        return any(
            found is not None
            and (not found.expire_at_ms or now < found.expire_at_ms)
            and concerns(found, user, client, jti, issued_at)
            for found in (self._users.get(user), self._clients.get(client), self._tokens.get(jti) if jti else None)
        )

    def expire(self, now: int) -> None:
        """Forget what holds no more at `now` (wall-clock ms)."""
        for kind in self._kinds:
            for name in [name for name, found in kind.items() if 0 < found.expire_at_ms <= now]:
                del kind[name]

    @property
    def _kinds(self) -> tuple[dict[str, Revocation], ...]:
        return self._users, self._clients, self._tokens, self._banned

    def _place(self, revocation: Revocation) -> tuple[dict[str, Revocation], str]:
        if revocation.ban and revocation.user is not None:
            return self._banned, revocation.user
        if revocation.user is not None:
            return self._users, revocation.user
        return (self._clients, revocation.client) if revocation.client else (self._tokens, revocation.jti)
