"""The WebSocket transport: our own protocol object on the socket. HTTP ends with the handshake and leaves nothing behind."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
from collections.abc import Sequence
from typing import Final

from causeway_common.contracts.codes import CLOSE_REASONS, CloseCode
from causeway_common.telemetry import get_logger
from causeway_gateway.adapters import metrics, rfc6455
from causeway_gateway.adapters.deflate import ANSWER, DEFLATING, acceptable
from causeway_gateway.adapters.head import Head
from causeway_gateway.adapters.limits import Refused
from causeway_gateway.adapters.origins import origin_allowed
from causeway_gateway.adapters.pings import NativePings
from causeway_gateway.adapters.settings import TransportSettings
from causeway_gateway.adapters.wire import CONNECTION_CLOSED, ENDED, OPEN, Wire, Wires, write_end
from causeway_gateway.domain.frames.codecs import JSON_WEBSOCKET, PROTOBUF_WEBSOCKET, UNI_JSON_WEBSOCKET, Codec
from causeway_gateway.ports import Gate, Visit

log = get_logger("gateway.websocket")

WEBSOCKET: Final = "/connection/websocket"
UNI_WEBSOCKET: Final = "/connection/uni_websocket"
ECHO: Final = "/echo"
ECHO_MAX: Final = 16 * 1024 * 1024
PROTOBUF: Final = "centrifuge-protobuf"
SUBPROTOCOLS: Final = ("centrifuge-json", PROTOBUF)
FRAMES_A_TURN: Final = 32
FAILED: Final = 3  # the standard was broken: what still comes is thrown away until the client hangs up

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class WebSocketWire(Wire):
    """A WebSocket connection.

    Args:
        wires: where it is registered.
        transport: the socket's, the handshake answered.
        address: of the client.
        reader: reads its frames.
    """

    __slots__ = ("_reader", "_throttled", "awaiting_pong")

    def __init__(self, wires: Wires, transport: asyncio.Transport, address: str, reader: rfc6455.FrameReader) -> None:
        super().__init__(wires, transport, address)
        self._reader: rfc6455.FrameReader | None = reader
        self._throttled = self.awaiting_pong = False

    def data_received(self, data: bytes) -> None:
        """Bytes of the client."""
        reader = self._reader
        if reader is None:
            return
        if self._state == OPEN and not self.peer.busy and (message := reader.single(data)) is not None:
            self.message(*message)
            return
        reader.feed(data)
        if not self._throttled:
            self._read()

    def _read(self) -> None:
        """Take the frames that have come, but not more than the others' turn allows."""
        more = self._some_frames()
        if more:
            asyncio.get_running_loop().call_soon(self._read)
        if more is not self._throttled:
            self._throttled = more
            if more:
                self._transport.pause_reading()
            elif self._state != ENDED:
                self._transport.resume_reading()

    def _some_frames(self) -> bool:
        """Whether there may be more."""
        try:
            for _ in range(FRAMES_A_TURN):
                reader = self._reader
                if self.peer.busy:
                    break
                if reader is None or (frame := reader.next()) is None:
                    return False
                self._take(*frame)
                if reader.empty and not self.peer.busy:
                    return False
        except rfc6455.Violation as violation:
            self._fail(violation)
            return False
        return True

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode in (rfc6455.TEXT, rfc6455.BINARY):
            if self._state == OPEN:
                self.message(opcode, payload)
        elif opcode == rfc6455.PING:
            self.send(rfc6455.frame(rfc6455.PONG, payload))
        elif opcode == rfc6455.PONG:
            self.awaiting_pong = False
        elif opcode == rfc6455.CLOSE:
            self._closed(rfc6455.close_code(payload))

    def message(self, _opcode: int, payload: bytes) -> None:
        """A whole message. Which of the two kinds it is does not matter to the client protocol."""
        self.deliver(payload)

    def _closed(self, code: int) -> None:
        """The client's close frame: answered with its own code, or the answer to ours (RFC 6455, section 7.1)."""
        if self._state == OPEN:
            self.flush()
            self._transport.write(rfc6455.close_frame(code, ""))
        self._reader = None
        self.end()

    def _fail(self, violation: rfc6455.Violation) -> None:
        """Section 7.1.7. The client gets the time to read the code: a socket closed with unread bytes would reset it away."""
        log.debug("a client broke RFC 6455", reason=violation.reason)
        if self._state == OPEN:
            self.flush()
        if self._state == OPEN:
            self._wires.closing(self)
            self._transport.write(rfc6455.close_frame(violation.code, violation.reason))
            write_end(self._transport)
        self._wires.broken(violation.code)
        self._reader, self._state = None, FAILED
        self._leave()

    def say_goodbye(self, code: int, reason: str) -> None:
        """Begin the closing handshake."""
        if code == CONNECTION_CLOSED:
            self._transport.close()
        else:
            self._transport.write(rfc6455.close_frame(code, reason))

    def ping(self) -> None:
        """Send a native ping."""
        self.awaiting_pong = True
        self.send(rfc6455.frame(rfc6455.PING, b""))

    def no_pong(self) -> None:
        """The answer did not come."""
        self._wires.broken(CloseCode.NO_PONG)
        self.shut(CloseCode.NO_PONG, CLOSE_REASONS[CloseCode.NO_PONG])
        self._leave()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is over."""
        self._reader = None
        super().connection_lost(exc)


class UniWebSocketWire(WebSocketWire):
    """A unidirectional connection: the client's first message is its connect request, what comes later is not looked at."""

    __slots__ = ("heard",)

    def __init__(self, wires: Wires, transport: asyncio.Transport, address: str, reader: rfc6455.FrameReader) -> None:
        super().__init__(wires, transport, address, reader)
        self.heard = False

    def message(self, _opcode: int, payload: bytes) -> None:
        """The connect request, or nothing."""
        if not self.heard:
            self.heard = True
            self.deliver(payload)


class EchoWire(WebSocketWire):
    """Sends every message back, and reads no faster than its client does."""

    __slots__ = ()

    def message(self, opcode: int, payload: bytes) -> None:
        """Back it goes, as what it came."""
        self.send(rfc6455.frame(opcode, payload))

    @property
    def queue_max(self) -> int:
        """A few of the longest messages."""
        return 8 * ECHO_MAX

    def pause_writing(self) -> None:
        """Do not read."""
        super().pause_writing()
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Read on."""
        super().resume_writing()
        if not self._throttled and self._state != ENDED:
            self._transport.resume_reading()


class WebSocketEndpoint:
    """`/connection/websocket`, `/connection/uni_websocket` and `/echo`.

    Args:
        gate: where clients are brought.
        wires: where connections are registered.
        settings: what holds for them.
    """

    def __init__(self, gate: Gate, wires: Wires, settings: TransportSettings) -> None:
        self._gate, self._wires, self._settings = gate, wires, settings
        self._pings = NativePings(settings.ping_interval, settings.pong_timeout)
        on = settings.endpoints
        self.paths: Sequence[str] = [
            path for path, enabled in ((WEBSOCKET, on.websocket), (UNI_WEBSOCKET, on.uni_websocket), (ECHO, on.echo)) if enabled
        ]

    def accept(self, head: Head, transport: asyncio.Transport) -> WebSocketWire:
        """Take a connection over.

        Args:
            head: of the upgrade request, for one of `paths`.
            transport: the connection's; from now on it feeds the returned object.

        Raises:
            Refused: nothing was written, nothing was taken over.
        """
        if not origin_allowed(head.headers.get("Origin"), head.host, self._settings.origins):
            metrics.refused.add(1, "origin")
            raise Refused(403, "this origin is not allowed, see client.allowed_origins")
        accept = _accept_key(head)
        subprotocol = _subprotocol(head) if head.path != ECHO else ""
        deflate = self._settings.compression and acceptable(head.headers.get("Sec-WebSocket-Extensions", ""))
        self._wires.limits.take(head.address)
        answer = [
            "HTTP/1.1 101 Switching Protocols",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Accept: {accept}",
        ]
        if subprotocol:
            answer.append(f"Sec-WebSocket-Protocol: {subprotocol}")
        if deflate:
            answer.append(f"Sec-WebSocket-Extensions: {ANSWER}")
        transport.write("\r\n".join([*answer, "", ""]).encode())
        wire = self._wire(head, transport, deflate=deflate)
        transport.set_protocol(wire)
        if head.path != ECHO:
            self._open(head, wire, subprotocol, deflate=deflate)
        return wire

    def _wire(self, head: Head, transport: asyncio.Transport, *, deflate: bool) -> WebSocketWire:
        reader = rfc6455.FrameReader(ECHO_MAX if head.path == ECHO else self._settings.message_max, deflate=deflate)
        kind = {WEBSOCKET: WebSocketWire, UNI_WEBSOCKET: UniWebSocketWire, ECHO: EchoWire}[head.path]
        return kind(self._wires, transport, head.address, reader)

    def _open(self, head: Head, wire: WebSocketWire, subprotocol: str, *, deflate: bool) -> None:
        uni = isinstance(wire, UniWebSocketWire)
        native = not uni and head.query.get("cf_ws_frame_ping_pong") == "true"
        codec = _codec(head, subprotocol, uni=uni)
        visit = Visit("uni_websocket" if uni else "websocket", head.address, native)
        wire.introduce(self._gate, DEFLATING[codec.name] if deflate else codec, visit)
        if native or uni:
            self._pings.add(wire)
        if isinstance(wire, UniWebSocketWire) and (request := head.query.get("cf_connect")) is not None:
            wire.heard = True
            wire.deliver(request.encode("utf-8", "surrogateescape"))


def _accept_key(head: Head) -> str:
    """The answer to the client's key (RFC 6455, section 4.2)."""
    headers = head.headers
    tokens = [token.strip().lower() for token in headers.get("Connection", "").split(",")]
    if headers.get("Upgrade", "").strip().lower() != "websocket" or "upgrade" not in tokens:
        raise Refused(426, "this is a WebSocket endpoint", {"Upgrade": "websocket"})
    if headers.get("Sec-WebSocket-Version") != "13":
        raise Refused(426, "the WebSocket version must be 13", {"Sec-WebSocket-Version": "13"})
    key = headers.get("Sec-WebSocket-Key", "").strip()
    try:
        if len(base64.b64decode(key, validate=True)) != 16:
            raise Refused(400, "Sec-WebSocket-Key must be 16 bytes in base64")
    except (binascii.Error, ValueError) as error:
        raise Refused(400, "Sec-WebSocket-Key must be 16 bytes in base64") from error
    return base64.b64encode(hashlib.sha1(key.encode() + _GUID, usedforsecurity=False).digest()).decode()


def _subprotocol(head: Head) -> str:
    """The first that the client offers and we know; "" for none."""
    offered = [name.strip() for name in ",".join(head.headers.getall("Sec-WebSocket-Protocol", [])).split(",")]
    return next((name for name in offered if name in SUBPROTOCOLS), "")


def _codec(head: Head, subprotocol: str, *, uni: bool) -> Codec:
    if uni:
        return UNI_JSON_WEBSOCKET
    asked = subprotocol == PROTOBUF or "protobuf" in (head.query.get("format"), head.query.get("cf_protocol"))
    return PROTOBUF_WEBSOCKET if asked else JSON_WEBSOCKET
