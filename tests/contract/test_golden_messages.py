"""The bus's wire: committed bytes decode to the samples forever, by msgspec and by the msgpack package alike."""

from __future__ import annotations

import json
from pathlib import Path

import msgpack
import msgspec
import pytest

from causeway_common.contracts import messages as m
from causeway_common.contracts.codec import decode, decode_item, encode, encode_item
from causeway_common.contracts.errors import CausewayError
from contract.samples import SAMPLES

GOLDEN: dict[str, str] = json.loads(Path(__file__).with_name("golden.json").read_text())


@pytest.mark.parametrize("name", SAMPLES)
def test_a_message_encodes_to_its_golden_bytes(name: str) -> None:
    """Byte for byte, but for the width of the map's header: msgspec takes the wide one for types of more than 15 fields."""
    assert msgpack.packb(msgpack.unpackb(encode(SAMPLES[name]))).hex() == GOLDEN[name]


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_bytes_decode_to_the_message(name: str) -> None:
    sample = SAMPLES[name]

    assert decode(bytes.fromhex(GOLDEN[name]), type(sample)) == sample


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_bytes_are_a_plain_msgpack_map(name: str) -> None:
    plain = msgpack.unpackb(bytes.fromhex(GOLDEN[name]))

    assert isinstance(plain, dict)
    assert all(isinstance(key, str) for key in plain)


def test_every_message_type_has_a_sample() -> None:
    types = {t for t in vars(m).values() if isinstance(t, type) and issubclass(t, m.Message) and t is not m.Message}

    assert types == {type(sample) for sample in SAMPLES.values()}


@pytest.mark.parametrize("name", SAMPLES)
def test_unknown_keys_are_skipped_so_that_v1_can_grow(name: str) -> None:
    sample = SAMPLES[name]
    newer = {**msgpack.unpackb(encode(sample)), "a_field_of_tomorrow": [1]}

    assert decode(msgpack.packb(newer), type(sample)) == sample


def test_a_body_of_another_type_is_a_bad_request_that_names_the_place() -> None:
    with pytest.raises(CausewayError, match=r"not a AppendRequest.*channel") as raised:
        decode(msgpack.packb({"channel": 1, "size": 1, "ttl_ms": 1, "items": []}), m.AppendRequest)

    assert raised.value.code == 107


@pytest.mark.parametrize("body", [b"", b"\xc1", b"\x81", b"\x91" * 5000, b"\xff" * 10])
def test_bytes_that_are_no_message_are_a_bad_request(body: bytes) -> None:
    with pytest.raises(CausewayError, match="not a"):
        decode(body, m.GetRequest)


def test_outbox_items_survive_as_maps_and_unknown_kinds_stay_unknown() -> None:
    for name in ("publish_item", "job_item", "task_item", "schedule_item", "cancel_item"):
        item = SAMPLES[name]
        assert isinstance(item, m.OutboxItem)
        assert decode_item(msgpack.unpackb(msgpack.packb(encode_item(item)))) == item
    assert decode_item({"kind": "timer", "at": 5}) is None
    with pytest.raises(CausewayError, match="not an outbox item"):
        decode_item({"kind": "publish"})
    assert msgspec.to_builtins(SAMPLES["compare_heads"]) == {}
