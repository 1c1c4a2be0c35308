r"""Fossil deltas (https://fossil-scm.org/home/doc/tip/www/delta_format.wiki): a target as copies of a base and what is new.

A patch is `<size of the target>\n`, then `<length>@<offset>,` (copy) or `<length>:<bytes>` (insert), then `<checksum>;`, with integers
in base 64. What JSON documents of one channel share is mostly a head, a tail and long pieces between; matches are looked for at the
borders first, then by blocks of the middle.
"""

from __future__ import annotations

import re
from typing import Final

DIGITS: Final = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~"
BLOCK: Final = 16
TARGET_MAX: Final = 256 * 1024
_SEGMENT: Final = re.compile(rb"([0-9A-Z_a-z~]+)([@:;])")
_VALUES: Final = {digit: value for value, digit in enumerate(DIGITS)}


def create(base: bytes, target: bytes) -> bytes | None:
    """A patch that makes `target` of `base`; None where it would not be shorter than `target`."""
    size = len(target)
    if size > TARGET_MAX or size <= 8 or not base:
        return None
    head = _common(base, target)
    tail = min(_common(base[::-1], target[::-1]), size - head, len(base) - head)
    parts = [_integer(size), b"\n"]
    if head >= BLOCK // 2:
        parts += [_integer(head), b"@0,"]
    else:
        head = 0
    if tail < BLOCK // 2:
        tail = 0
    _middle(base, target[head : size - tail], parts)
    if tail:
        parts += [_integer(tail), b"@", _integer(len(base) - tail), b","]
    parts += [_integer(checksum(target)), b";"]
    patch = b"".join(parts)
    return patch if len(patch) < size else None


def apply(base: bytes, patch: bytes) -> bytes:
    """The target of a patch.

    Raises:
        ValueError: the patch is malformed, reaches beyond `base`, or its checksum is another one.
    """
    size_text, newline, _ = patch.partition(b"\n")
    if not newline:
        raise ValueError("the patch has no size")
    size, at = _value(size_text), len(size_text) + 1
    parts: list[bytes] = []
    while (found := _SEGMENT.match(patch, at)) is not None:
        number, at = _value(found[1]), found.end()
        if found[2] == b";":
            target = b"".join(parts)
            if len(target) != size or at != len(patch) or checksum(target) != number:
                raise ValueError("the patch does not fit: its size or checksum is another one")
            return target
        if found[2] == b":":
            parts.append(patch[at : at + number])
            at += number
            continue
        end = patch.find(b",", at)
        offset = _value(patch[at:end]) if end >= 0 else -1
        if offset < 0 or offset + number > len(base) or number > size:
            raise ValueError("the patch copies from beyond its base")
        parts.append(base[offset : offset + number])
        at = end + 1
    raise ValueError(f"the patch is malformed at byte {at}")


def checksum(data: bytes) -> int:
    """The sum of the big-endian 32-bit words, the last one filled up with zeros, modulo 2^32."""
    padded = data + bytes(-len(data) % 4)
    return sum(memoryview(padded).cast("I")) % 2**32 if _BIG_ENDIAN else _sum_words(padded)


def _sum_words(padded: bytes) -> int:
    # Four sums of bytes at a stride of four: each runs in C.
    return (sum(padded[0::4]) * 2**24 + sum(padded[1::4]) * 2**16 + sum(padded[2::4]) * 2**8 + sum(padded[3::4])) % 2**32


_BIG_ENDIAN: Final = memoryview(b"\x00\x00\x00\x01").cast("I")[0] == 1


def _common(left: bytes, right: bytes) -> int:
    """The length of the common beginning, by halving: each comparison runs in C."""
    low, high = 0, min(len(left), len(right))
    while low < high:
        middle = (low + high + 1) // 2
        if left[low:middle] == right[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _middle(base: bytes, target: bytes, parts: list[bytes]) -> None:
    """Segments for a piece that begins and ends differently: copies of blocks of the base wherever they stand in it, else inserts."""
    blocks = {base[at : at + BLOCK]: at for at in range(len(base) - BLOCK, -1, -BLOCK)} if len(target) > BLOCK else {}
    start = at = 0
    while blocks and at + BLOCK <= len(target):
        found = blocks.get(target[at : at + BLOCK])
        if found is None:
            at += 1
            continue
        while at > start and found > 0 and target[at - 1] == base[found - 1]:
            at, found = at - 1, found - 1
        length = _common(base[found:], target[at:])
        if at > start:
            parts += [_integer(at - start), b":", target[start:at]]
        parts += [_integer(length), b"@", _integer(found), b","]
        start = at = at + length
    if start < len(target):
        parts += [_integer(len(target) - start), b":", target[start:]]


def _integer(value: int) -> bytes:
    digits = bytearray()
    while True:
        value, digit = divmod(value, 64)
        digits.append(DIGITS[digit])
        if not value:
            return bytes(reversed(digits))


def _value(text: bytes) -> int:
    value = 0
    for digit in text:
        if digit not in _VALUES:
            raise ValueError("the patch holds what is no integer")
        value = value * 64 + _VALUES[digit]
    if not text or len(text) > 8:
        raise ValueError("the patch holds what is no integer")
    return value
