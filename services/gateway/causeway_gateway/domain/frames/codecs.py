"""The codecs: each a format of the protocol over a transport, bytes to commands and replies to whole frames of that transport."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from causeway_gateway.domain.frames import json, protobuf
from causeway_gateway.domain.frames.stream import line, sse_event
from causeway_gateway.domain.frames.websocket import binary_frame, text_frame
from causeway_gateway.domain.protocol import Command, Push, Reply


@dataclass(frozen=True, slots=True, eq=False)
class Codec:
    """One way to speak with a client.

    Attributes:
        name: for counters and logs.
        decode: a message of the client to its commands. Raises ProtocolError.
        payload: a reply without the transport's framing.
        frame: the transport's framing of a payload.
        binary: payloads may be any bytes; otherwise they are embedded as JSON.
        uni: the client says nothing after its connect request, errors become closes.
        tells_disconnect: the end is told by a push, not by the transport.
        emulated: commands come by another request, which names the session.
    """

    name: str
    decode: Callable[[bytes], list[Command]]
    payload: Callable[[Reply], bytes]
    frame: Callable[[bytes], bytes]
    binary: bool = False
    uni: bool = False
    tells_disconnect: bool = False
    emulated: bool = False

    def encode(self, reply: Reply) -> bytes:
        """A reply as one whole frame."""
        return self.frame(self.payload(reply))

    def push(self, push: Push) -> bytes:
        """A push as one whole frame."""
        return self.frame(self.payload(Reply(push=push)))


def _as_is(payload: bytes) -> bytes:
    return payload


JSON_WEBSOCKET: Final = Codec("json_websocket", json.decode, json.encode, text_frame)
PROTOBUF_WEBSOCKET: Final = Codec("protobuf_websocket", protobuf.decode, protobuf.encode, binary_frame, binary=True)
JSON_HTTP_STREAM: Final = Codec("json_http_stream", json.decode, json.encode, line, tells_disconnect=True, emulated=True)
PROTOBUF_HTTP_STREAM: Final = Codec(
    "protobuf_http_stream", protobuf.decode, protobuf.encode, _as_is, binary=True, tells_disconnect=True, emulated=True
)
JSON_SSE: Final = Codec("json_sse", json.decode, json.encode, sse_event, tells_disconnect=True, emulated=True)
UNI_JSON_WEBSOCKET: Final = Codec(
    "uni_websocket", json.decode_connect, json.encode_uni, text_frame, uni=True, tells_disconnect=True
)
UNI_JSON_HTTP_STREAM: Final = Codec("uni_http_stream", json.decode_connect, json.encode_uni, line, uni=True, tells_disconnect=True)
UNI_JSON_SSE: Final = Codec("uni_sse", json.decode_connect, json.encode_uni, sse_event, uni=True, tells_disconnect=True)
