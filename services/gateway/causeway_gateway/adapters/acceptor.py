"""The listening socket: takes connections no faster than it is told; the rest waits in the kernel's queue, whole and unanswered."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable
from typing import Final

from causeway_common.telemetry import get_logger
from causeway_gateway.adapters import metrics

log = get_logger("gateway.acceptor")

BACKLOG: Final = 4096
A_TURN: Final = 32  # connections of one loop turn, so that those that are open get theirs
BREATH_SECONDS: Final = 0.5
TCP: Final = {"TCP_NODELAY": 1, "TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 4, "TCP_USER_TIMEOUT": 30_000}
_EXHAUSTED: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


def bind(address: str, port: int, *, reuse_port: bool) -> socket.socket:
    """A bound socket that does not listen yet. Raises OSError where the address is taken or not ours."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # this and what follows is inherited by what is accepted
        for name, value in TCP.items():
            if (option := getattr(socket, name, None)) is not None:
                bound.setsockopt(socket.IPPROTO_TCP, option, value)
        bound.bind((address, port))
    except OSError:
        bound.close()
        raise
    bound.setblocking(False)
    return bound


class Acceptor:
    """Accepts connections.

    Args:
        bound: the socket (`bind`).
        opened: makes the protocol object of a connection, given its peer's address.
        rate: connections taken a second; 0: as many as come, `A_TURN` each loop turn.
    """

    def __init__(self, bound: socket.socket, opened: Callable[[str], asyncio.Protocol], rate: int) -> None:
        self._bound, self._opened, self._rate = bound, opened, rate
        self._loop = asyncio.get_running_loop()
        self._burst = max(1.0, rate / 10)
        self._tokens, self._counted = self._burst, self._loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self._starting: set[asyncio.Task[None]] = set()
        self.accepting = False

    def start(self) -> int:
        """Listen; returns the port."""
        self._bound.listen(BACKLOG)
        self._loop.add_reader(self._bound.fileno(), self._readable)
        self.accepting = True
        port: int = self._bound.getsockname()[1]
        return port

    async def stop(self) -> None:
        """Take those that wait already, whom the kernel would reset, and no more."""
        if not self.accepting:
            return
        self.accepting = False
        if self._timer is not None:
            self._timer.cancel()
        self._loop.remove_reader(self._bound.fileno())
        while self._accept():
            pass
        self._bound.close()
        await asyncio.gather(*self._starting)

    def _readable(self) -> None:
        for _ in range(A_TURN):
            if self._rate and not self._token():
                self._wait((1 - self._tokens) / self._rate, "rate")
                return
            if not self._accept():
                return

    def _token(self) -> bool:
        now = self._loop.time()
        self._tokens = min(self._burst, self._tokens + (now - self._counted) * self._rate)
        self._counted = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def _wait(self, seconds: float, reason: str) -> None:
        metrics.throttled.add(1, reason)
        self._loop.remove_reader(self._bound.fileno())
        self._timer = self._loop.call_later(seconds, self._go_on)

    def _go_on(self) -> None:
        self._timer = None
        self._loop.add_reader(self._bound.fileno(), self._readable)
        self._readable()

    def _accept(self) -> bool:
        """Whether there was one."""
        try:
            accepted, address = self._bound.accept()
        except (BlockingIOError, InterruptedError):
            self._tokens += 1
            return False
        except ConnectionError:
            return True  # it left again
        except OSError as error:
            if error.errno not in _EXHAUSTED:
                raise
            log.warning("no connection can be accepted, see the limit of open files", reason=error.strerror)
            if self.accepting:
                self._wait(BREATH_SECONDS, "descriptors")
            return False
        accepted.setblocking(False)
        task = self._loop.create_task(self._begin(accepted, address[0]))
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)
        return True

    async def _begin(self, accepted: socket.socket, address: str) -> None:
        try:
            await self._loop.connect_accepted_socket(lambda: self._opened(address), accepted)
        except OSError:
            accepted.close()
