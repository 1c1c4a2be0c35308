"""Key sets (RFC 7517) for the gateway, which talks to nobody outside: fetched here, under the same rules as every outside request."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from causeway_common.bus import Call
from causeway_common.contracts.errors import CausewayError, ErrorName, bad_request, unavailable
from causeway_common.contracts.messages import JwksReply, JwksRequest
from causeway_common.telemetry import Counters
from causeway_integrations.domain.document import Document
from causeway_integrations.ports import Getter

DOCUMENT_MAX_BYTES: Final = 256 * 1024
AGE_LEAST_MS: Final = 60_000
AGE_MOST_MS: Final = 24 * 3600 * 1000
AGE_DEFAULT_MS: Final = 3600 * 1000
GATEWAY: Final = "gateway"

_fetched: Final = Counters("integrations").counter("jwks", "key sets asked for, by outcome: ok, failed, refused")


class Jwks:
    """Fetches key sets.

    Args:
        getter: the outside.
        urls: those that may be fetched; empty: any https URL of a public address.
    """

    def __init__(self, getter: Getter, urls: Collection[str]) -> None:
        self._getter, self._urls = getter, frozenset(urls)

    async def fetch(self, request: JwksRequest, call: Call) -> JwksReply:
        """The document.

        Raises:
            CausewayError: 103, not the gateway's, or a URL that is not allowed; 100, it could not be fetched; 107, it is too large.
        """
        if call.fields.get("caller") != GATEWAY:
            raise CausewayError(ErrorName.PERMISSION_DENIED)
        if request.url not in self._urls and (self._urls or not request.url.startswith("https://")):
            _fetched.add(1, "refused")
            raise CausewayError(ErrorName.PERMISSION_DENIED, "permission denied: this URL is not in integrations.jwks.urls")
        found = await self._getter.get(request.url, DOCUMENT_MAX_BYTES)
        if not isinstance(found, Document) or found.status != 200:
            _fetched.add(1, "failed")
            raise unavailable(f"the key set was not fetched: {found.status if isinstance(found, Document) else found.why}")
        if len(found.body) > DOCUMENT_MAX_BYTES:
            _fetched.add(1, "failed")
            raise bad_request(f"the key set has more than {DOCUMENT_MAX_BYTES} bytes")
        _fetched.add(1, "ok")
        age = found.max_age_ms(least=AGE_LEAST_MS, most=AGE_MOST_MS, default=AGE_DEFAULT_MS)
        return JwksReply(document=found.body, max_age_ms=age)
