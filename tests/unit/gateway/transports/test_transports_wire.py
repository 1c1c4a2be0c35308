"""What is written when: a slice of the connections in each turn of the loop."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from causeway_gateway.adapters.wire import SLICE, Wire, Wires


class Socket:
    def __init__(self, log: list[int], number: int) -> None:
        self._log, self._number = log, number

    def write(self, _block: bytes) -> None:
        self._log.append(self._number)

    def get_write_buffer_size(self) -> int:
        return 0


def made(count: int) -> tuple[list[int], list[Wire]]:
    log: list[int] = []
    wires = Wires(cast("Any", SimpleNamespace(give=lambda _address: None)), 1_000_000, lambda _code: None)
    return log, [Wire(wires, cast("Any", Socket(log, number)), "127.0.0.1") for number in range(count)]


async def test_a_large_fan_out_is_written_in_slices_and_an_answer_does_not_wait_for_the_whole_of_it() -> None:
    log, wires = made(3 * SLICE)
    crowd, other = wires[:-1], wires[-1]
    for wire in crowd:
        wire.send(b"publication")
    await asyncio.sleep(0)
    assert len(log) == SLICE

    other.send(b"answer")
    await asyncio.sleep(0)

    assert len(log) == 2 * SLICE
    assert len(wires) - 1 in log
    while len(log) < len(wires):
        before = len(log)
        await asyncio.sleep(0)
        assert 0 < len(log) - before <= SLICE
    assert sorted(log) == list(range(len(wires)))


async def test_what_is_sent_in_one_turn_leaves_in_one_write() -> None:
    log, (wire, *_) = made(1)
    for _ in range(3):
        wire.send(b"x")
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert log == [0]
