"""The shell around a session: what a slow reader is given, and when."""

from __future__ import annotations

import json

from causeway_common.contracts.messages import ClientInfo
from causeway_gateway.domain.frames.codecs import JSON_HTTP_STREAM
from causeway_gateway.domain.protocol import Publication, Raw
from causeway_gateway.domain.session import Kind
from causeway_gateway.domain.subscription import Subscription
from causeway_gateway.handlers.clients import Client
from causeway_gateway.handlers.fanout import SLOW_BYTES, Fanout
from causeway_gateway.ports import Visit
from unit.gateway.fakes import Gateway


class Link:
    """A connection whose backlog is as the test says."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.backlog = 0
        self.calls_drained = False

    def send(self, frame: bytes) -> None:
        self.frames.append(frame)

    def shut(self, code: int, reason: str) -> None:
        raise AssertionError((code, reason))

    def call_drained(self) -> None:
        self.calls_drained = True

    @property
    def numbers(self) -> list[int]:
        return [int(json.loads(frame)["push"]["pub"]["data"][:4]) for frame in self.frames]


def conflating(gateway: Gateway) -> tuple[Fanout, Link, Client]:
    link, fanout = Link(), Fanout("a", conflate_tag="key")
    client = Client(gateway.around, link, JSON_HTTP_STREAM, Kind(), Visit("http_stream"))
    fanout.room.add(client, Subscription(ClientInfo(user="ann", client="c"), slow="conflate"))
    return fanout, link, client


def publication(number: int, key: str, size: int = 4) -> Publication:
    return Publication(data=Raw(b'"%04d%b"' % (number, b"x" * (size - 4))), tags={"key": key})


async def test_what_is_newer_waits_behind_the_older_ones_that_a_slow_reader_has_yet_to_get() -> None:
    async with Gateway() as gateway:
        fanout, link, client = conflating(gateway)
        link.backlog = SLOW_BYTES + 1
        fanout.deliver(publication(1, "a"))
        fanout.deliver(publication(2, "b"))
        link.backlog = SLOW_BYTES // 2  # read in part, not yet drained
        fanout.deliver(publication(3, "a"))
        assert link.numbers == []
        assert link.calls_drained

        client.drained()
        fanout.deliver(publication(4, "b"))
        assert link.numbers == [2, 3, 4]


async def test_the_newest_of_many_keys_go_as_the_reader_takes_them() -> None:
    async with Gateway() as gateway:
        fanout, link, client = conflating(gateway)
        link.backlog = SLOW_BYTES + 1
        for number in range(9):
            fanout.deliver(publication(number, str(number), SLOW_BYTES // 2))
        link.backlog = 0
        given = []
        while link.calls_drained:
            link.calls_drained, before = False, len(link.frames)
            client.drained()
            given.append(len(link.frames) - before)

        assert link.numbers == list(range(9))
        assert given == [2, 2, 2, 2, 1]
