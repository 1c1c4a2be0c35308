"""The load generator finds what is wrong: figures count only because of it."""

from __future__ import annotations

import json

import pytest

from bench.frames import server_frame
from bench.load import Audience, Subscriber, WrongError
from bench.speaking import message, publication_in
from bench.table import Goal, Pair, Row

CHANNEL = "open:test"


def push(number: int, channel: str = CHANNEL) -> bytes:
    data = json.loads(message(number))
    return server_frame(json.dumps({"push": {"channel": channel, "pub": {"data": data}}}).encode())


def audience_of(members: int, sent: int, senders: int = 1) -> tuple[Audience, list[Subscriber]]:
    audience = Audience(publication_in(CHANNEL), [lambda _data: None] * senders)
    subscribers = [audience.member() for _ in range(members)]
    for number in range(sent):
        audience.send(message(number))
    return audience, subscribers


def test_messages_whole_once_and_in_order_are_right_however_they_are_cut() -> None:
    audience, (first, second, third) = audience_of(3, 2)
    stream = push(0) + push(1)

    first.data_received(stream)
    second.data_received(push(0))
    second.data_received(push(1))
    for at in range(0, len(stream), 7):
        third.data_received(stream[at : at + 7])

    audience.check()


def test_several_senders_may_interleave_but_each_keeps_its_order() -> None:
    audience, (first, second) = audience_of(2, 4, senders=2)
    for subscriber in (first, second):
        subscriber.data_received(push(1) + push(0) + push(2) + push(3))
    audience.check()


@pytest.mark.parametrize(
    "received",
    [
        pytest.param([0, 0, 1], id="doubled"),
        pytest.param([1, 0], id="out of order"),
        pytest.param([0], id="missing at the end"),
        pytest.param([1], id="missing at the beginning"),
        pytest.param([0, 1, 2], id="never sent"),
    ],
)
@pytest.mark.parametrize("known", [True, False])
def test_a_stream_that_is_wrong_is_told(received: list[int], *, known: bool) -> None:
    audience, (first, second) = audience_of(2, 2)
    if known:
        first.data_received(push(0) + push(1))
    second.data_received(b"".join(push(number) for number in received))
    if not known:
        first.data_received(push(0) + push(1))

    with pytest.raises(WrongError):
        audience.check()


def test_another_channels_message_is_wrong() -> None:
    audience, (only,) = audience_of(1, 1)
    only.data_received(push(0, "open:another"))

    with pytest.raises(WrongError):
        audience.check()


def test_a_lost_connection_and_a_close_are_wrong() -> None:
    for closing in (None, b"\x88\x02\x0b\xbb"):
        audience, (only,) = audience_of(1, 0)
        if closing:
            only.data_received(closing)
        else:
            only.connection_lost(None)
        with pytest.raises(WrongError):
            audience.check()


def test_a_goal_is_of_the_ratio_or_of_our_own_figure() -> None:
    pairs = [Pair(10.0, 12.0), Pair(10.0, 10.5), Pair(10.0, 20.0)]

    assert Row("", "µs", pairs, Goal(1.25, 1.1)).cells()[3:] == ("1.20", "≤ 1.25x", "≤ 1.1x", "reached")
    assert Row("", "KB", pairs, Goal(20, 17, absolute=True)).cells()[6] == "beyond"
    assert Row("", "/s", pairs, Goal(1.3, least=True)).cells()[6] == "missed"
