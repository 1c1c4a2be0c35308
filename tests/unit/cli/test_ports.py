"""The ports of a stack stay its own."""

import socket
import sys
from collections.abc import Iterator

import pytest

from causeway_cli.dev.ports import FOUND_FROM, FOUND_TO, HOST, Ports, PortTakenError

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a bound socket keep a port for a listener")


def listen(port: int, *options: int) -> socket.socket:
    listener = socket.socket()
    try:
        for option in options:
            listener.setsockopt(socket.SOL_SOCKET, option, 1)
        listener.bind((HOST, port))
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener


@pytest.fixture
def ports() -> Iterator[Ports]:
    held = Ports()
    yield held
    held.release()


def free_port() -> int:
    with listen(0) as found:
        return int(found.getsockname()[1])


def test_a_taken_port_is_one_line_that_names_the_option(ports: Ports) -> None:
    with listen(0, socket.SO_REUSEADDR) as taken, pytest.raises(PortTakenError, match="--port") as caught:
        ports.public(taken.getsockname()[1])
    assert "\n" not in str(caught.value)


def test_another_stack_is_noticed_though_its_gateways_share_their_port(ports: Ports) -> None:
    with listen(0, socket.SO_REUSEPORT) as taken, pytest.raises(PortTakenError):
        ports.public(taken.getsockname()[1])


@linux_only
def test_another_stack_is_noticed_while_all_its_gateways_are_down(ports: Ports) -> None:
    port = free_port()
    ports.public(port)
    with pytest.raises(PortTakenError):
        Ports().public(port)


def test_gateways_share_the_public_port_again_and_again(ports: Ports) -> None:
    port = ports.public(free_port())
    for _ in range(2):
        both = (socket.SO_REUSEADDR, socket.SO_REUSEPORT)
        with listen(port, *both), listen(port, socket.SO_REUSEPORT), socket.create_connection((HOST, port)):
            pass


def test_a_found_port_is_outside_the_range_of_outgoing_connections_and_each_is_another(ports: Ports) -> None:
    found = [ports.find() for _ in range(20)]
    assert len(set(found)) == 20
    assert all(FOUND_FROM <= port < FOUND_TO for port in found)


def test_a_process_listens_on_its_found_port_again_and_again(ports: Ports) -> None:
    port = ports.find()
    for _ in range(3):
        with listen(port, socket.SO_REUSEADDR), socket.create_connection((HOST, port)):
            pass


@linux_only
def test_nobody_else_finds_a_port_that_a_stack_holds(ports: Ports) -> None:
    port = ports.find()
    with pytest.raises(OSError, match="in use"):
        listen(port)


def test_a_connection_that_lingers_does_not_make_the_port_taken(ports: Ports) -> None:
    """A stack that was stopped with clients connected starts again at once: its side of them is in TIME_WAIT."""
    with listen(0, socket.SO_REUSEADDR) as server:
        port = server.getsockname()[1]
        client = socket.create_connection((HOST, port))
        accepted, _ = server.accept()
    accepted.close()  # the server closes first
    client.recv(1)
    client.close()
    assert ports.public(port) == port
