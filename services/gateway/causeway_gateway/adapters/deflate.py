"""permessage-deflate (RFC 7692), without context takeover either way: no window per connection, and one compression per publication."""

from __future__ import annotations

import zlib
from dataclasses import replace
from typing import Final

from causeway_gateway.adapters import rfc6455
from causeway_gateway.domain.frames.codecs import JSON_WEBSOCKET, PROTOBUF_WEBSOCKET, UNI_JSON_WEBSOCKET, Codec

ANSWER: Final = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
SMALLEST: Final = 256  # shorter payloads hardly shrink
LEVEL: Final = 1

_FLAGS: Final = frozenset(("server_no_context_takeover", "client_no_context_takeover", "client_max_window_bits"))


def acceptable(offers: str) -> bool:
    """Whether a client's Sec-WebSocket-Extensions header holds an offer that `ANSWER` answers.

    An offer that binds the server to a smaller window is passed over: frames are compressed once for everybody.
    """
    for offer in offers.split(","):
        name, *parameters = (part.strip() for part in offer.split(";"))
        if name == "permessage-deflate" and all(_understood(parameter) for parameter in parameters):
            return True
    return False


def _understood(parameter: str) -> bool:
    key, _, value = parameter.partition("=")
    if key.strip() == "server_max_window_bits":
        return value.strip(' "') == "15"
    return key.strip() in _FLAGS


def _deflating(codec: Codec, opcode: int) -> Codec:
    def framed(payload: bytes) -> bytes:
        if len(payload) < SMALLEST:
            return rfc6455.frame(opcode, payload)
        deflater = zlib.compressobj(LEVEL, wbits=-zlib.MAX_WBITS)
        small = (deflater.compress(payload) + deflater.flush(zlib.Z_SYNC_FLUSH))[:-4]
        return rfc6455.frame(opcode, small, deflated=True) if len(small) < len(payload) else rfc6455.frame(opcode, payload)

    return replace(codec, name=f"{codec.name}_deflate", frame=framed)


DEFLATING: Final = {
    codec.name: _deflating(codec, opcode)
    for codec, opcode in (
        (JSON_WEBSOCKET, rfc6455.TEXT),
        (PROTOBUF_WEBSOCKET, rfc6455.BINARY),
        (UNI_JSON_WEBSOCKET, rfc6455.TEXT),
    )
}
