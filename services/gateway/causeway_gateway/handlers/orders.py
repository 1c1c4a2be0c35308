"""Orders about users, whoever gives them: an API key or an app. Checked here, then carried out on all gateways."""

from __future__ import annotations

from typing import Final

from causeway_common.bus import Deadline
from causeway_common.contracts import messages as m
from causeway_common.contracts.codec import json_value
from causeway_common.contracts.errors import bad_request
from causeway_gateway.domain.namespaces import Catalogue
from causeway_gateway.handlers.cluster import Cluster

CODE_MIN: Final = 3000
CODE_MAX: Final = 4999
REASON_MAX_BYTES: Final = 123  # RFC 6455, section 5.5: what a close frame has room for


class Orders:
    """Carries orders out.

    Args:
        catalogue: the namespaces.
        cluster: all gateways.
    """

    def __init__(self, catalogue: Catalogue, cluster: Cluster) -> None:
        self._catalogue, self._cluster = catalogue, cluster

    async def carry_out(self, command: m.Control, deadline: Deadline) -> int:
        """Have every gateway carry out a command; returns how many connections it met. Done when every living one has answered.

        Raises:
            CausewayError: 107 for what no connection could be told; 102 or 107, the channel is none; 100, a living gateway does not answer.
        """
        self._check(command)
        return await self._cluster.control(command, deadline)

    def _check(self, command: m.Control) -> None:
        if isinstance(command, m.SubscribeUser | m.UnsubscribeUser):
            self._catalogue.rule(command.channel)
        if isinstance(command, m.SubscribeUser | m.RefreshUser) and command.info is not None:
            json_value(command.info, "info")
        if isinstance(command, m.SubscribeUser) and command.data is not None:
            json_value(command.data, "data")
        if isinstance(command, m.DisconnectUser):
            if not CODE_MIN <= command.code <= CODE_MAX:
                raise bad_request(f"disconnect.code lies in {CODE_MIN}-{CODE_MAX}")
            if len(command.reason.encode("utf-8", "surrogatepass")) > REASON_MAX_BYTES:
                raise bad_request(f"disconnect.reason has more than {REASON_MAX_BYTES} bytes")
