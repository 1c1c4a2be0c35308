"""Message ids. The prefix says who made the id, and so how a repeat of it is recognised.

`o:` an outbox item (commit id and index), `t:` a timer that fired (its key and version), `c:` a client's command (connection and command id), `k:` a caller's idempotency
key (its promise lasts five minutes).
"""

from __future__ import annotations

import hashlib
from typing import Final

IDEMPOTENCY_KEY_MAX_CHARS: Final = 64
KEY_LIFETIME_MS: Final = 5 * 60 * 1000
ID_LIFETIME_MS: Final = 15 * 60 * 1000
ID_MAX_CHARS: Final = 256


def outbox_id(commit_id: str, index: int) -> str:
    """The id of one item of a commit's outbox."""
    return f"o:{commit_id}:{index}"


def timer_id(key: str, version: int) -> str:
    """The id of what one setting of a timer comes to, however often it fires."""
    return f"t:{derived_id(key, str(version))}"


def command_id(client: str, command: int) -> str:
    """The id of one command of one connection."""
    return f"c:{client}:{command}"


def key_id(key: str) -> str:
    """The id that stands for a caller's idempotency key."""
    return f"k:{key}"


def derived_id(*parts: str, size: int = 16) -> str:
    """A short id that depends on nothing but its parts: the same parts give the same id on any machine.

    Args:
        parts: any strings; their borders count (`("a", "bc")` differs from `("ab", "c")`).
        size: bytes of the BLAKE2b digest (RFC 7693), half the length of the answer.
    """
    encoded = [part.encode() for part in parts]
    whole = b"".join([piece for part in encoded for piece in (len(part).to_bytes(4, "big"), part)])
    return hashlib.blake2b(whole, digest_size=size).hexdigest()


def user_digest(user: str) -> bytes:
    """Eight bytes that stand for a user where only different users are counted."""
    return hashlib.blake2b(user.encode("utf-8", "surrogatepass"), digest_size=8).digest()
