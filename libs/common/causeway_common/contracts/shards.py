"""Shards: every channel and every entity belongs to one of 256, and the living storage processes share these among themselves.

Who owns a shard is only locality: nothing may depend on it but speed. Both functions give the same answer in every process.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Collection
from typing import Final

SHARDS: Final = 256


def channel_shard(channel: str) -> int:
    """The shard of a channel's log."""
    # CRC-32 is stable, costs 0.2 µs, and its low byte spreads names that differ in a digit evenly (test_shards.py).
    return zlib.crc32(channel.encode("utf-8", "surrogatepass")) % SHARDS


def entity_shard(app: str, kind: str, id: str) -> int:
    """The shard of an entity. App and kind are identifiers, so that the separator is in neither."""
    return channel_shard(f"{app}/{kind}/{id}")


def owner_of(shard: int, nodes: Collection[str]) -> str:
    """The owner among `nodes`, by rendezvous hashing: a node that joins or leaves moves only its own share. "" where there is none."""
    return max(nodes, key=lambda node: (_weight(shard, node), node), default="")


def shards_of(node: str, nodes: Collection[str]) -> frozenset[int]:
    """The shards that `node` owns among `nodes`."""
    return frozenset(shard for shard in range(SHARDS) if owner_of(shard, nodes) == node)


def _weight(shard: int, node: str) -> bytes:
    return hashlib.blake2b(f"{shard}/{node}".encode(), digest_size=8).digest()
