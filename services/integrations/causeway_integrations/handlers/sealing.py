"""Secrets of endpoints that were written down in clear, or under the key before, are sealed with the key as it is now."""

from __future__ import annotations

from functools import partial
from typing import Final

from msgspec.structs import replace

from causeway_common.contracts.errors import CausewayError
from causeway_common.telemetry import get_logger
from causeway_integrations.domain.endpoints import KeptEndpoint
from causeway_integrations.ports.endpoints import EndpointBook, Sealer

AGAIN_S: Final = 3600.0
log = get_logger("integrations")


class Sealing:
    """Seals what is not sealed yet.

    Args:
        book: the endpoints.
        sealer: has the key.
    """

    def __init__(self, book: EndpointBook, sealer: Sealer) -> None:
        self._book, self._sealer = book, sealer

    async def step(self) -> float:
        """Once over all endpoints. Raises CausewayError: storage is away, or the key cannot be read."""
        changed = failed = 0
        for kept in await self._book.all():
            if all(map(self._sealer.is_current, _secrets(kept))):
                continue
            try:
                change = partial(resealed, sealer=self._sealer)
                change(kept)  # an endpoint whose secret cannot be opened holds up no other
            except CausewayError as error:
                failed += 1
                log.warning("an endpoint's secret cannot be opened", id=kept.id, reason=error.message)
                continue
            await self._book.change(kept.id, change)
            changed += 1
        if changed or failed:
            log.info("secrets of endpoints are sealed with the key as it is now", endpoints=changed, failed=failed)
        return AGAIN_S


def resealed(kept: KeptEndpoint, *, sealer: Sealer) -> KeptEndpoint:
    """The endpoint with each of its secrets sealed by the key as it is now. Raises CausewayError: one cannot be opened."""

    def seal(text: str) -> str:
        return text if sealer.is_current(text) else sealer.seal(sealer.reveal(text))

    return replace(kept, secret=seal(kept.secret), older=tuple(replace(each, secret=seal(each.secret)) for each in kept.older))


def _secrets(kept: KeptEndpoint) -> list[str]:
    return [kept.secret, *(each.secret for each in kept.older)]
