"""CORS for the HTTP transports (reference/centrifuge-protocol.md, section 1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

PREFLIGHT: Final = {"Access-Control-Max-Age": "300", "Access-Control-Allow-Methods": "POST, OPTIONS"}


def cors(headers: Mapping[str, str]) -> dict[str, str]:
    """The answer's headers to a request from an allowed origin; none where it is no browser's."""
    origin = headers.get("Origin")
    if origin is None:
        return {}
    answer = {"Access-Control-Allow-Origin": origin, "Access-Control-Allow-Credentials": "true", "Vary": "Origin"}
    if asked := headers.get("Access-Control-Request-Headers"):
        answer["Access-Control-Allow-Headers"] = asked
    return answer
