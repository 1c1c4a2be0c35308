"""Resolves names and refuses those that lead to an address requests may not go to. The connection uses what was checked."""

from __future__ import annotations

import socket

from aiohttp.abc import AbstractResolver, ResolveResult

from causeway_integrations.domain.addresses import is_public


class AddressRefusedError(OSError):
    """A name or address leads where no request may go."""


class CheckedResolver(AbstractResolver):
    """Every address of an answer is checked; one that is not public refuses the whole name. Nothing is cached.

    Args:
        inner: asks the name servers.
        allowed: names (lower case) whose addresses are not checked.
    """

    def __init__(self, inner: AbstractResolver, allowed: frozenset[str]) -> None:
        self._inner, self._allowed = inner, allowed

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        """The addresses of a name.

        Raises:
            AddressRefusedError: one of them is not public and the name is not allowed.
            OSError: it does not resolve.
        """
        found = await self._inner.resolve(host, port, family)
        if host.lower() not in self._allowed:
            for result in found:
                if not is_public(result["host"]):
                    raise AddressRefusedError(f"{host} has the address {result['host']}, which is not public")
        return found

    async def close(self) -> None:
        """Close the inner one."""
        await self._inner.close()
