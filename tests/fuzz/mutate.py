"""Changes good inputs a little, or a lot, without looking at what that does: the same for the same seed."""

from __future__ import annotations

import random


class Mutator:
    """Changes good inputs a little, or a lot."""

    def __init__(self, seeds: list[bytes], seed: int) -> None:
        self._seeds, self.choose = seeds, random.Random(seed)

    def next(self) -> bytes:
        choose = self.choose
        data = bytearray(choose.choice(self._seeds))
        for _ in range(choose.choice((1, 1, 2, 3, 8))):
            at = choose.randrange(len(data) + 1)
            match choose.randrange(7):
                case 0 if data:
                    data[at % len(data)] ^= 1 << choose.randrange(8)
                case 1:
                    data[at:at] = choose.randbytes(choose.choice((1, 2, 4, 16)))
                case 2:
                    del data[at : at + choose.choice((1, 2, 8, 64))]
                case 3:
                    data[at:at] = choose.choice(
                        (b'"', b"{", b"[" * 200, b"\\ud800", b"\xff\xff\xff\xff\x0f", b"\n", b"-1", b"1e999", b"\x00")
                    )
                case 4:
                    other = choose.choice(self._seeds)
                    data[at:at] = other[choose.randrange(len(other) + 1) :]
                case 5 if data:
                    data[at % len(data)] = choose.randrange(256)
                case _:
                    data = data[:at] * choose.choice((1, 2, 3))
        return bytes(data[:65_536])
