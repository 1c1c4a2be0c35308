"""The Protobuf codec: frames of messages, each behind its length as a varint (reference/centrifuge-protocol.md, section 2).

An empty message is a pong (in) or a ping (out). Payloads are bytes as they are; one of no bytes counts as absent.
"""

from __future__ import annotations

from typing import Any, Final

from google.protobuf.message import DecodeError, Message
from msgspec import UNSET

from causeway_gateway.domain import protocol as p
from causeway_gateway.domain.frames import causeway_client_pb2 as pb

_PING: Final = b"\x00"
_PONG: Final = p.Command()
_VARINT_MAX_BYTES: Final = 5
_REQUESTS: Final = (
    *("connect", "subscribe", "unsubscribe", "publish", "presence", "presence_stats"),
    *("history", "rpc", "send", "refresh", "sub_refresh"),
)


def decode(frame: bytes) -> list[p.Command]:
    """The commands of a frame, in order.

    Raises:
        ProtocolError: an empty frame, a length that is none or reaches beyond it, a message that is no command, or too many of them.
    """
    if not frame:
        raise p.ProtocolError("an empty frame")
    commands: list[p.Command] = []
    at = 0
    while at < len(frame):
        size, at = _varint(frame, at)
        end = at + size
        if end > len(frame):
            raise p.ProtocolError("a message is longer than its frame")
        commands.append(_command(frame[at:end]) if size else _PONG)
        at = end
        if len(commands) > p.COMMANDS_A_FRAME:
            raise p.ProtocolError(f"a frame may hold {p.COMMANDS_A_FRAME} commands")
    return commands


def decode_emulation(body: bytes) -> tuple[str, str, bytes]:
    """An emulation request: node, session and the frame.

    Raises:
        ProtocolError: it is none.
    """
    request = pb.EmulationRequest()
    _parse(request, body)
    return request.node, request.session, request.data


def encode(reply: p.Reply) -> bytes:
    """A reply, push or ping behind its length."""
    push = reply.push
    if push is not None and push.pub is not None:
        body = pb.Reply(push=pb.Push(channel=push.channel, pub=_publication(push.pub))).SerializeToString()
    else:
        message = pb.Reply(id=reply.id)
        _fill(message, reply)
        body = message.SerializeToString()
    return _length(len(body)) + body if body else _PING


def _varint(frame: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(_VARINT_MAX_BYTES):
        if at >= len(frame):
            break
        byte = frame[at]
        at += 1
        value |= (byte & 0x7F) << (7 * shift)
        if byte < 0x80:
            return value, at
    raise p.ProtocolError("a message without its length")


def _length(value: int) -> bytes:
    if value < 0x80:
        return bytes((value,))
    digits = bytearray()
    while value > 0x7F:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    digits.append(value)
    return bytes(digits)


def _parse(message: Message, body: bytes) -> None:
    try:
        message.ParseFromString(body)
    except (DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise p.ProtocolError(f"not a message of the Protobuf protocol: {error}") from error


def _command(body: bytes) -> p.Command:
    message = pb.Command()
    _parse(message, body)
    requests = {name: _READ[name](getattr(message, name)) for name in _REQUESTS if message.HasField(name)}
    return p.Command(id=message.id, **requests)


def _data(data: bytes) -> p.Payload:
    return p.Raw(data) if data else UNSET


def _subscribe_request(m: pb.SubscribeRequest) -> p.SubscribeRequest:
    return p.SubscribeRequest(
        channel=m.channel,
        token=m.token,
        recover=m.recover,
        epoch=m.epoch,
        offset=min(m.offset, 2**63 - 1),
        data=_data(m.data),
        positioned=m.positioned,
        recoverable=m.recoverable,
        join_leave=m.join_leave,
        delta=m.delta,
        tf=_filter(m.tf) if m.HasField("tf") else None,
        flag=m.flag,
        type=m.type,
    )


def _filter(m: pb.FilterNode) -> p.FilterNode:
    return p.FilterNode(op=m.op, key=m.key, cmp=m.cmp, val=m.val, vals=list(m.vals), nodes=[_filter(each) for each in m.nodes])


def _connect_request(m: pb.ConnectRequest) -> p.ConnectRequest:
    return p.ConnectRequest(
        token=m.token,
        data=_data(m.data),
        subs={channel: _subscribe_request(request) for channel, request in m.subs.items()},
        name=m.name,
        version=m.version,
        headers=dict(m.headers),
        flag=m.flag,
    )


def _history_request(m: pb.HistoryRequest) -> p.HistoryRequest:
    since = p.StreamPosition(offset=min(m.since.offset, 2**63 - 1), epoch=m.since.epoch) if m.HasField("since") else None
    return p.HistoryRequest(channel=m.channel, limit=m.limit, since=since, reverse=m.reverse)


def _channel_request(m: Any) -> p.ChannelRequest:
    return p.ChannelRequest(channel=m.channel)


_READ: Final[dict[str, Any]] = {
    "connect": _connect_request,
    "subscribe": _subscribe_request,
    "unsubscribe": _channel_request,
    "publish": lambda m: p.PublishRequest(channel=m.channel, data=_data(m.data), type=m.type),
    "presence": _channel_request,
    "presence_stats": _channel_request,
    "history": _history_request,
    "rpc": lambda m: p.RpcRequest(data=_data(m.data), method=m.method),
    "send": lambda m: p.SendRequest(data=_data(m.data)),
    "refresh": lambda m: p.RefreshRequest(token=m.token),
    "sub_refresh": lambda m: p.SubRefreshRequest(channel=m.channel, token=m.token),
}


def _info(info: p.ClientInfo) -> pb.ClientInfo:
    return pb.ClientInfo(
        user=info.user,
        client=info.client,
        conn_info=p.payload_bytes(info.conn_info) or b"",
        chan_info=p.payload_bytes(info.chan_info) or b"",
    )


def _publication(publication: p.Publication) -> pb.Publication:
    return pb.Publication(
        data=bytes(publication.data),
        info=None if publication.info is None else _info(publication.info),
        offset=publication.offset,
        tags=publication.tags,
        delta=publication.delta,
    )


def _fill(message: Message, value: p.Value) -> None:
    """Every field of a value into the message of the same shape: names are the same, by the protocol."""
    for name in value.__struct_fields__:
        found = getattr(value, name)
        if found is None or found is UNSET or (found == "" and isinstance(found, str)) or name == "id":
            continue
        match found:
            case p.Publication():
                getattr(message, name).CopyFrom(_publication(found))
            case p.Value():
                part = getattr(message, name)
                part.SetInParent()
                _fill(part, found)
            case p.Raw():
                setattr(message, name, bytes(found))
            case list():
                getattr(message, name).extend(map(_publication, found))
            case dict():
                for key, each in found.items():
                    part = getattr(message, name)[key]
                    if isinstance(each, p.Value):
                        _fill(part, each)
            case _:
                setattr(message, name, found)
