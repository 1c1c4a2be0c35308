"""`POST /emulation`: the uplink of clients that can only read (reference/centrifuge-protocol.md, section 14)."""

from __future__ import annotations

from typing import Final

import msgspec
from aiohttp import web

from causeway_common.contracts.errors import CausewayError
from causeway_common.telemetry import get_logger
from causeway_gateway.adapters.bodies import read_body
from causeway_gateway.adapters.cors import PREFLIGHT, cors
from causeway_gateway.adapters.head import head_of, refusal
from causeway_gateway.adapters.limits import Refused
from causeway_gateway.adapters.settings import TransportSettings
from causeway_gateway.adapters.streams import PROTOBUF_TYPE, check_origin
from causeway_gateway.domain.frames.protobuf import decode_emulation
from causeway_gateway.domain.protocol import ProtocolError
from causeway_gateway.ports import Gate

log = get_logger("gateway.emulation")
PATH: Final = "/emulation"


class _Json(msgspec.Struct, frozen=True):
    node: str
    session: str
    data: str


_decoder: Final = msgspec.json.Decoder(_Json)


class EmulationEndpoint:
    """Takes commands to the gateway that has their connection.

    Args:
        gate: knows the way.
        settings: what holds for connections.
    """

    def __init__(self, gate: Gate, settings: TransportSettings) -> None:
        self._gate, self._settings = gate, settings

    async def handle(self, request: web.Request) -> web.Response:
        """One frame of commands; answered 204 as soon as it is on its way."""
        allowed: dict[str, str] = {}
        if request.method not in ("POST", "OPTIONS"):
            return refusal(Refused(405, "method not allowed", {"Allow": "POST, OPTIONS"}))
        try:
            check_origin(head_of(request, ""), self._settings)
            allowed = cors(request.headers)
            if request.method == "OPTIONS":
                return web.Response(status=204, headers=allowed | PREFLIGHT)
            body = await read_body(request, self._settings.message_max, self._settings.header_seconds)
        except Refused as refused:
            return refusal(refused, allowed)
        return web.Response(status=await self._carry(request, body), headers=allowed)

    async def _carry(self, request: web.Request, body: bytes) -> int:
        protobuf = request.content_type == PROTOBUF_TYPE and "Content-Type" in request.headers
        try:
            node, session, data = decode_emulation(body) if protobuf else decode_json(body)
        except (ProtocolError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return 400
        if not node or not session:
            return 400
        try:
            await self._gate.emulate(node, session, data)
        except LookupError:
            return 404
        except CausewayError as error:
            log.warning("a command could not be carried to its gateway", node=node, reason=error.message)
            return 500
        return 204


def decode_json(body: bytes) -> tuple[str, str, bytes]:
    """Node, session and frame of a JSON request. Raises MsgspecError, UnicodeDecodeError, RecursionError: it is none."""
    request = _decoder.decode(body)
    return request.node, request.session, request.data.encode()
