"""Where transports bring their clients, and where commands of emulated ones are carried to the gateway that has their stream."""

from __future__ import annotations

from collections.abc import Callable

from causeway_common.bus import Deadline
from causeway_common.contracts.verbs import CLIENT_COMMAND_SECONDS
from causeway_gateway.domain.frames.codecs import Codec
from causeway_gateway.domain.session import Kind
from causeway_gateway.handlers import metrics
from causeway_gateway.handlers.clients import Client, Surroundings
from causeway_gateway.ports import Emulation, Link, Visit


class Gate:
    """Lets clients in (`ports.Gate`).

    Args:
        around: what every connection shares.
        node: this gateway's id.
        new_session: makes secret session ids.
        emulation: carries frames between gateways.
    """

    def __init__(self, around: Surroundings, node: str, new_session: Callable[[], str], emulation: Emulation) -> None:
        self._around, self._node, self._new_session, self._emulation = around, node, new_session, emulation

    def open(self, link: Link, codec: Codec, visit: Visit) -> Client:
        """A new connection."""
        kind = Kind(
            binary=codec.binary,
            uni=codec.uni,
            pings=not visit.native_pings,
            session=self._new_session() if codec.emulated or codec.uni else "",
            node=self._node if codec.emulated else "",
            transport=visit.transport,
        )
        client = Client(self._around, link, codec, kind, visit)
        metrics.opened.add(1, visit.transport)
        self._around.registry.arrived(client)
        return client

    async def emulate(self, node: str, session: str, data: bytes) -> None:
        """A frame for the connection with this session, on whichever gateway it is.

        Raises:
            LookupError: no such gateway.
            CausewayError: 100 unavailable.
        """
        await self._emulation.emulate(node, session, data, Deadline.after(CLIENT_COMMAND_SECONDS))
