"""Key sets (JWKS, RFC 7517): the public keys of whoever signs tokens, by their ids."""

from __future__ import annotations

import json
from typing import Any, Final

from jwt import PyJWK
from jwt.exceptions import PyJWTError

KEYS_MAX: Final = 100
FAMILIES: Final = {"RSA": "RS", "EC": "ES", "OKP": "Ed"}


def parse(document: bytes) -> dict[str, tuple[str, Any]]:
    """Key id to family (`RS`, `ES`, `Ed`) and public key. What is for encryption, has no id or is of another kind is left out.

    Raises:
        ValueError: it is no key set, or has more than `KEYS_MAX` keys.
    """
    found = json.loads(document)
    keys = found.get("keys") if isinstance(found, dict) else None
    if not isinstance(keys, list) or len(keys) > KEYS_MAX:
        raise ValueError(f"it is no key set of at most {KEYS_MAX} keys")
    usable = {}
    for each in keys:
        if not isinstance(each, dict) or each.get("use", "sig") != "sig" or "d" in each:
            continue
        family, kid = FAMILIES.get(str(each.get("kty"))), each.get("kid")
        if family is None or not isinstance(kid, str) or not kid:
            continue  # a symmetric key in a document that is public is none
        try:
            usable[kid] = (family, PyJWK(each).key)
        except (PyJWTError, ValueError, TypeError):
            continue
    return usable
