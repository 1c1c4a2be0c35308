"""The JSON codec: frames of newline-separated objects (reference/centrifuge-protocol.md, section 2). Payloads stay raw bytes."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from causeway_gateway.domain.protocol import COMMANDS_A_FRAME, Command, ConnectPush, ConnectRequest, ProtocolError, Push, Reply

_decoder: Final = msgspec.json.Decoder(Command)
_connect_decoder: Final = msgspec.json.Decoder(ConnectRequest | None)
_encoder: Final = msgspec.json.Encoder()

_ESCAPES: Final = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"  # a surrogate pair: fine
    rb"|(?P<lone>u[dD][89a-fA-F][0-9a-fA-F]{2})"
    rb"|.)",
    re.DOTALL,
)
_REPLACEMENT: Final = rb"\ufffd"


def replace_lone_surrogates(text: bytes) -> bytes:
    r"""JSON text with every escaped half of a surrogate pair replaced by U+FFFD.

    `JSON.stringify` writes such halves, RFC 8259 (section 8.2) calls what receivers make of them unpredictable, and msgspec refuses
    them: replaced here as a browser does when it encodes text, the value is one that everybody behind the gateway can read.
    """
    return _ESCAPES.sub(lambda found: _REPLACEMENT if found["lone"] else found[0], text)


def decode(frame: bytes) -> list[Command]:
    """The commands of a frame, in order.

    Args:
        frame: one WebSocket message; one trailing newline is tolerated.

    Raises:
        ProtocolError: not UTF-8, an empty frame or line, no JSON object, a field of the wrong type, or too many commands.
    """
    try:
        if not frame.isascii():
            frame.decode()  # msgspec does not look into raw values
        lines = frame.removesuffix(b"\n").split(b"\n")
        if len(lines) > COMMANDS_A_FRAME:
            raise ProtocolError(f"a frame may hold {COMMANDS_A_FRAME} commands")
        return [_command(line) for line in lines]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ProtocolError(f"not a frame of the JSON protocol: {error}") from error


def _command(line: bytes) -> Command:
    try:
        return _decoder.decode(line)
    except msgspec.DecodeError:
        mended = replace_lone_surrogates(line)
        if mended == line:
            raise
        return _decoder.decode(mended)


def encode(reply: Reply) -> bytes:
    """A reply, push or ping as one line without its newline.

    Raw values must hold no newline: they are checked where they enter (`json_value`).
    """
    return _encoder.encode(reply)


def decode_connect(body: bytes) -> list[Command]:
    """The connect command of a unidirectional client, whose whole message is the request; nothing and `null` are an empty one.

    Raises:
        ProtocolError: no connect request.
    """
    try:
        request = _connect_decoder.decode(body) if body.strip() else None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ProtocolError(f"not a connect request: {error}") from error
    return [Command(id=1, connect=request or ConnectRequest())]


def encode_uni(reply: Reply) -> bytes:
    """What a unidirectional client is sent: bare pushes, the answer to its connect request as one of them, pings as `{}`."""
    push = reply.push
    if (result := reply.connect) is not None:
        push = Push(connect=ConnectPush(**{name: getattr(result, name) for name in _CONNECT_FIELDS}))
    return _encoder.encode(push if push is not None else Push())


_CONNECT_FIELDS: Final = ConnectPush.__struct_fields__
