"""Secrets that stand in the database: sealed by a key of the deployment, where it has one (AES-256-GCM)."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from causeway_common.contracts.errors import unavailable
from causeway_integrations.domain.secrets import SEALED, Reveal

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
PURPOSE: Final = b"causeway: secret of a webhook endpoint"


class Vault:
    """`ports.endpoints.Sealer`, and `domain.secrets.Reveal` for what it sealed as for all other secrets.

    Args:
        reveal: secrets by reference; also the keys may be references, and are read again when they change.
        key: base64 of 32 bytes, seals and opens; "": nothing is sealed.
        previous: opens too, while the key is changed; "" none.
        random: so many random bytes.
    """

    def __init__(self, reveal: Reveal, key: str = "", previous: str = "", random: Callable[[int], bytes] = os.urandom) -> None:
        self._reveal, self._key, self._previous, self._random = reveal, key, previous, random

    @property
    def seals(self) -> bool:
        """Whether there is a key."""
        return bool(self._key)

    def check(self) -> None:
        """See that the keys can be used.

        Raises:
            CausewayError: 100, a key cannot be read.
            ValueError: one is no key.
        """
        for key in (self._key, self._previous):
            if key:
                key_of(self._reveal(key))

    def seal(self, secret: str) -> str:
        """The secret as it may be written down. Raises CausewayError 100: the key cannot be read."""
        if not self._key:
            return secret
        key, nonce = self._read(self._key), self._random(NONCE_BYTES)
        sealed = AESGCM(key).encrypt(nonce, secret.encode(), PURPOSE)
        return f"{SEALED}{_name_of(key)}:{base64.b64encode(nonce + sealed).decode()}"

    def is_current(self, text: str) -> bool:
        """Whether it is sealed as it would be now."""
        return not self._key or text.startswith(f"{SEALED}{_name_of(self._read(self._key))}:")

    def reveal(self, text: str) -> str:
        """The secret in clear.

        Raises:
            CausewayError: 100, it is sealed with a key that is not here, or was changed since; or as `SecretFiles.reveal`.
        """
        if not text.startswith(SEALED):
            return self._reveal(text)
        name, _, body = text.removeprefix(SEALED).partition(":")
        for key in [self._read(each) for each in (self._key, self._previous) if each]:
            if _name_of(key) == name:
                return _opened(key, body)
        raise unavailable(
            f"a secret is sealed with the key {name}, which is neither integrations.webhook.secrets_key nor previous_secrets_key"
        )

    def _read(self, key: str) -> bytes:
        try:
            return key_of(self._reveal(key))
        except ValueError as error:
            raise unavailable(f"integrations.webhook.secrets_key {error}") from error


def key_of(text: str) -> bytes:
    """The bytes of a key. Raises ValueError: it is none; says what one is."""
    try:
        found = base64.b64decode(text, validate=True)
    except ValueError:
        found = b""
    if len(found) != KEY_BYTES:
        raise ValueError(f"must be base64 of {KEY_BYTES} random bytes: openssl rand -base64 {KEY_BYTES}")
    return found


def _name_of(key: bytes) -> str:
    """By which a key is known without being told."""
    return hashlib.sha256(PURPOSE + key).hexdigest()[:8]


def _opened(key: bytes, body: str) -> str:
    try:
        raw = base64.b64decode(body, validate=True)
        return AESGCM(key).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], PURPOSE).decode()
    except (ValueError, InvalidTag) as error:
        raise unavailable("a sealed secret was changed in the database") from error
