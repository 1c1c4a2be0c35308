"""Ports on 127.0.0.1: the public one must be free, the others are found; all stay ours while the stack runs.

On Linux each port is held by a socket that is bound and never listens. Without it a port of a process that is just being started
again could go to another stack, or become the local end of anyone's outgoing connection. The sockets' options make the difference
between those who get through and those who do not, and are changed after the bind where the bind itself needs others:

- the public port's holder has SO_REUSEPORT, as the gateways have; a listener without it, another stack's probe, is refused. Its bind,
  and the probe, have SO_REUSEADDR, or the last stack's connections in TIME_WAIT would count as users of the port;
- a found port's holder has SO_REUSEADDR, as the listeners have; its bind has not, so that two stacks never find the same port.
"""

from __future__ import annotations

import random
import socket
import sys
from typing import Final

HOST: Final = "127.0.0.1"
# Below the range that the kernel takes outgoing connections' ports from (32768 on Linux, 49152 elsewhere).
FOUND_FROM, FOUND_TO = 20_000, 32_000
_HOLD: Final = sys.platform == "linux"


class PortTakenError(Exception):
    """A port cannot be had; one line says which and what to do."""


class Ports:
    """The ports of one stack. `release` gives them back."""

    def __init__(self) -> None:
        self._held: list[socket.socket] = []

    def public(self, port: int, option: str = "--port") -> int:
        """Take a public port, which `option` chooses, for processes that share it by SO_REUSEPORT.

        Raises:
            PortTakenError: somebody listens on it or holds it, or it may not be bound.
        """
        try:
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((HOST, port))
                probe.listen()
            if _HOLD:
                self._held.append(holder := socket.socket())
                holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                holder.bind((HOST, port))
                holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        except OSError as error:
            raise PortTakenError(
                f"port {port} on {HOST} cannot be used ({error.strerror}); choose another one with {option}"
            ) from error
        return port

    def find(self) -> int:
        """A free port for one listener.

        Raises:
            PortTakenError: none is free between `FOUND_FROM` and `FOUND_TO`.
        """
        start = random.randrange(FOUND_FROM, FOUND_TO)  # noqa: S311 - spreads stacks that start together, no secret
        port: int
        for port in (*range(start, FOUND_TO), *range(FOUND_FROM, start)):
            holder = socket.socket()
            try:
                holder.bind((HOST, port))
            except OSError:
                holder.close()
                continue
            if _HOLD:
                holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                self._held.append(holder)
            else:
                holder.close()
            return port
        raise PortTakenError(f"no port between {FOUND_FROM} and {FOUND_TO} is free on {HOST}")

    def release(self) -> None:
        """Give all of them back."""
        while self._held:
            self._held.pop().close()
