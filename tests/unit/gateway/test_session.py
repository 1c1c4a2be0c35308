"""The session state machine: the protocol's answers, one by one, and an answer to any sequence of frames."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causeway_common.contracts.codes import CloseCode, UnsubscribeCode
from causeway_common.contracts.errors import CausewayError, ErrorName, unavailable
from causeway_gateway.domain import protocol as p
from causeway_gateway.domain.admission import SessionOptions
from causeway_gateway.domain.asks import (
    Ask,
    Called,
    Failed,
    HistoryAsk,
    HistoryRead,
    Outcome,
    PublishAsk,
    Published,
    RpcAsk,
    SubscribeAsk,
    Subscribed,
)
from causeway_gateway.domain.effects import Close, Effect, Join, Leave, Refuse, Send
from causeway_gateway.domain.frames import json as frames
from causeway_gateway.domain.session import IN_FLIGHT_MAX, Session
from causeway_gateway.domain.tokens import Tokens
from unit.gateway.fakes import KEY, catalogue, token

WALL = 1_700_000_000_000
ASKS = (SubscribeAsk, PublishAsk, HistoryAsk, RpcAsk)


def session(**options: Any) -> Session:
    return Session("c1", options=SessionOptions(**options), tokens=Tokens(KEY), catalogue=catalogue(), now=0, jitter=0.0)


def command(**fields: Any) -> p.Command:
    (found,) = frames.decode(json.dumps(fields).encode())
    return found


def ask(session: Session, now: int = 0, **fields: Any) -> list[Effect]:
    return session.receive(command(**fields), now, WALL)


def connected(user: str = "ann", **options: Any) -> Session:
    found = session(**options)
    (reply,) = ask(found, id=1, connect={"token": token(user)})
    assert isinstance(reply, Send)
    return found


def subscribed(*channels: str, user: str = "ann", **options: Any) -> Session:
    found = connected(user, **options)
    for number, channel in enumerate(channels, 2):
        (question,) = ask(found, id=number, subscribe={"channel": channel})
        assert isinstance(question, SubscribeAsk)
        found.complete(question, Subscribed(channel, p.SubscribeResult(), 1))
    return found


def error_of(effects: list[Effect]) -> int:
    (refusal,) = effects
    assert isinstance(refusal, Refuse)
    return refusal.error.code


def test_the_subscribe_reply_comes_before_the_channel_is_joined() -> None:
    """No await lies between the two, so that no publication comes before the reply, and none is missed."""
    found = connected()
    (question,) = ask(found, id=2, subscribe={"channel": "open:a"})
    assert isinstance(question, SubscribeAsk)

    effects = found.complete(question, Subscribed("open:a", p.SubscribeResult(), 7))

    assert effects == [Send(p.Reply(id=2, subscribe=p.SubscribeResult())), Join("open:a", 7)]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"channel": "x" * 256}, 107),
        ({"channel": "open:a"}, 105),
        ({"channel": "nowhere:a"}, 102),
        ({"channel": "open:ä"}, 107),
        ({"channel": "open:b", "type": 1}, 108),
        ({"channel": "open:b", "token": "x"}, 108),
        ({"channel": "open:b", "tf": {}}, 107),
        ({"channel": "without"}, 103),
        ({"channel": "$open:b"}, 103),
    ],
)
def test_a_subscribe_that_may_not_be_gets_the_protocols_error(fields: dict[str, Any], code: int) -> None:
    assert error_of(ask(subscribed("open:a"), id=9, subscribe=fields)) == code


def test_one_subscription_more_than_the_limit_is_106_also_while_the_others_are_being_made() -> None:
    found = connected(channel_limit=2)
    ask(found, id=2, subscribe={"channel": "open:1"})
    ask(found, id=3, subscribe={"channel": "open:2"})

    assert error_of(ask(found, id=4, subscribe={"channel": "open:3"})) == 106


def test_publish_and_history_follow_the_options() -> None:
    outside, inside = connected(), subscribed("news:a")

    assert error_of(ask(outside, id=9, publish={"channel": "news:a", "data": 1})) == 103
    assert error_of(ask(outside, id=9, history={"channel": "news:a"})) == 103
    assert error_of(ask(outside, id=9, history={"channel": "open:a"})) == 108
    assert error_of(ask(inside, id=9, publish={"channel": "news:a"})) == 107
    assert error_of(ask(inside, id=9, history={"channel": "news:a", "reverse": True, "since": {"epoch": "e"}})) == 107
    assert isinstance(ask(inside, id=9, publish={"channel": "news:a", "data": 1})[0], PublishAsk)


def test_publish_behind_a_subscribe_in_one_frame_counts_as_a_subscribers() -> None:
    found = connected()
    (question,) = ask(found, id=2, subscribe={"channel": "news:a"})
    assert isinstance(question, SubscribeAsk)
    assert ask(found, id=3, publish={"channel": "news:a", "data": 1}) == []

    *_, publish = found.complete(question, Subscribed("news:a", p.SubscribeResult(), 1))

    assert isinstance(publish, PublishAsk)


@pytest.mark.parametrize(
    "fields",
    [
        {"subscribe": {}},
        {"unsubscribe": {}},
        {"publish": {"data": 1}},
        {"presence": {}},
        {"presence_stats": {}},
        {"history": {}},
        {"sub_refresh": {}},
        {"subscribe": {"channel": "open:a", "delta": "unknown"}},
        {"refresh": {}},
        {"connect": {}},
        {"ping": {}},
        {},
    ],
)
def test_a_violation_closes_with_3501(fields: dict[str, Any]) -> None:
    assert ask(connected(), id=2, **fields) == [Close(CloseCode.BAD_REQUEST)]


def test_what_is_not_there_gets_the_protocols_own_answer() -> None:
    found = connected()

    assert error_of(ask(found, id=2, presence={"channel": "open:a"})) == 108
    assert error_of(ask(found, id=3, presence_stats={"channel": "open:a"})) == 108
    assert error_of(ask(found, id=4, sub_refresh={"channel": "open:a"})) == 103
    assert ask(found, send={"data": 1}) == [Close(CloseCode.NOT_AVAILABLE)]


def test_unsubscribe_always_succeeds_and_waits_for_its_subscribe() -> None:
    found = connected()
    assert ask(found, id=2, unsubscribe={"channel": "open:a"}) == [Send(p.Reply(id=2, unsubscribe=p.Empty()))]
    (question,) = ask(found, id=3, subscribe={"channel": "open:a"})
    assert isinstance(question, SubscribeAsk)
    assert ask(found, id=4, unsubscribe={"channel": "open:a"}) == []

    effects = found.complete(question, Subscribed("open:a", p.SubscribeResult(), 1))

    assert effects[1:] == [Join("open:a", 1), Leave("open:a"), Send(p.Reply(id=4, unsubscribe=p.Empty()))]


def test_more_commands_under_way_than_the_bound_are_overloaded() -> None:
    found = connected()
    for number in range(IN_FLIGHT_MAX):
        ask(found, id=number + 2, publish={"channel": "open:a", "data": 1})

    assert error_of(ask(found, id=999, publish={"channel": "open:a", "data": 1})) == 111


def test_each_command_has_an_id_of_its_own_whatever_the_client_calls_it() -> None:
    """A client that uses a command id twice must not have its second publish taken for a repeat."""
    found = connected()
    questions = [ask(found, id=5, publish={"channel": f"open:{n}", "data": 1})[0] for n in range(2)]

    numbers = [question.pending.number for question in questions if isinstance(question, PublishAsk)]
    assert len(set(numbers)) == 2


def test_expired_109_invalid_3500_and_a_new_token_after_109_needs_a_new_connection() -> None:
    expired = session()
    assert error_of(ask(expired, id=1, connect={"token": token("ann", exp=WALL // 1000 - 1)})) == 109
    assert ask(expired, id=2, connect={"token": token("ann")}) == [Close(CloseCode.BAD_REQUEST)]
    assert ask(session(), id=1, connect={"token": token("ann", key="another key of the tests, long too!")}) == [
        Close(CloseCode.INVALID_TOKEN)
    ]


def test_no_token_is_for_anonymous_or_insecure_gateways_only() -> None:
    assert ask(session(), id=1, connect={}) == [Close(CloseCode.BAD_REQUEST)]
    assert isinstance(ask(session(anonymous=True), id=1, connect={})[0], Send)
    assert isinstance(ask(session(insecure=True), id=1, connect={})[0], Send)
    assert ask(session(insecure=True), id=1, connect={"token": "bad"}) == [Close(CloseCode.INVALID_TOKEN)]
    assert ask(session(anonymous_tokens=False), id=1, connect={"token": token("")}) == [Close(CloseCode.PERMISSION_DENIED)]


def test_what_a_token_asks_for_and_is_not_done_here_is_an_error_that_names_it() -> None:
    (refusal,) = ask(session(), id=1, connect={"token": token("ann", channels=["open:a"])})

    assert isinstance(refusal, Refuse)
    assert refusal.error.code == 108
    assert "subs" in refusal.error.message


def test_expiry_is_told_enforced_after_its_grace_and_moved_by_refresh() -> None:
    def expiring() -> Session:
        found = session(expired_delay=25_000, ping_interval=0)
        (reply,) = ask(found, id=1, connect={"token": token("ann", exp=WALL // 1000 + 60)})
        assert isinstance(reply, Send)
        assert reply.reply.connect is not None
        assert (reply.reply.connect.expires, reply.reply.connect.ttl) == (True, 60)
        return found

    found = expiring()
    assert found.tick(84_999) == []
    assert found.tick(85_000) == [Close(CloseCode.CONNECTION_EXPIRED)]

    found = expiring()
    (reply,) = ask(found, now=10_000, id=2, refresh={"token": token("ann", exp=WALL // 1000 + 300)})
    assert reply == Send(p.Reply(id=2, refresh=p.RefreshResult(expires=True, ttl=300)))
    assert found.tick(100_000) == []
    assert ask(found, id=3, refresh={"token": token("bob")}) == [Close(CloseCode.INVALID_TOKEN)]
    assert ask(expiring(), id=3, refresh={"token": token("ann", exp=WALL // 1000 - 1)}) == [Close(CloseCode.CONNECTION_EXPIRED)]


def test_pings_go_out_on_schedule_and_want_one_answer_each() -> None:
    found = connected(ping_interval=20_000, pong_timeout=8_000)
    assert found.due_at == 10_000
    assert found.tick(9_999) == []
    assert found.tick(10_000) == [Send(p.PING)]
    assert found.receive(p.Command(), 11_000, WALL) == []
    assert found.due_at == 30_000
    assert found.tick(30_000) == [Send(p.PING)]
    assert found.tick(38_000) == [Close(CloseCode.NO_PONG)]
    assert found.receive(p.Command(), 39_000, WALL) == []


def test_a_pong_nobody_asked_for_is_a_violation() -> None:
    assert connected().receive(p.Command(), 1, WALL) == [Close(CloseCode.BAD_REQUEST)]


def test_the_server_ends_a_subscription_with_a_push_once() -> None:
    found = subscribed("open:a")
    (push,) = found.unsubscribed("open:a", UnsubscribeCode.INSUFFICIENT)

    assert isinstance(push, Send)
    assert push.reply.push is not None
    assert push.reply.push.unsubscribe == p.Unsubscribe(code=2500, reason="insufficient state")
    assert found.unsubscribed("open:a", UnsubscribeCode.INSUFFICIENT) == []


def test_a_close_leaves_every_channel_first() -> None:
    assert subscribed("open:a", "open:b").close(CloseCode.SLOW) == [Leave("open:a"), Leave("open:b"), Close(CloseCode.SLOW)]


def test_a_drain_waits_for_what_is_under_way_and_takes_nothing_more() -> None:
    found = connected()
    (question,) = ask(found, id=2, rpc={"method": "chat.send"})
    assert isinstance(question, RpcAsk)
    assert found.drain() == []
    assert ask(found, id=3, rpc={"method": "chat.send"}) == []

    assert found.complete(question, Called(b"1"))[1:] == [Close(CloseCode.SHUTDOWN)]


# --- any sequence of frames ----------------------------------------------------------------------------------------------

CHANNELS = st.sampled_from(["open:a", "news:a", "chat:a", "nowhere:x", "plain", "", "$open:a", "open:ä", "x" * 300])
VALUES = st.one_of(st.none(), st.booleans(), st.integers(-5, 2**70), st.text(max_size=5), st.lists(st.integers(), max_size=2))
REQUESTS = st.fixed_dictionaries(
    {},
    optional={
        "channel": CHANNELS | VALUES,
        "data": VALUES,
        "token": st.sampled_from(["", "bad", token("ann"), token("bob", exp=WALL // 1000 + 60)]),
        "method": st.sampled_from(["chat.send", "chat.slow", "chat.none", "x", "..", ""]),
        "recover": st.booleans(),
        "offset": st.integers(0, 5) | VALUES,
        "limit": VALUES,
        "since": st.fixed_dictionaries({}, optional={"offset": st.integers(0, 3), "epoch": st.just("e1")}),
        "reverse": st.booleans(),
        "delta": st.sampled_from(["", "fossil", "other"]),
    },
)
KINDS = (
    *("connect", "subscribe", "subscribe", "unsubscribe", "publish", "publish", "history", "rpc", "rpc"),
    *("presence", "presence_stats", "send", "refresh", "sub_refresh", "ping", "unknown"),
)
WILD = st.builds(
    lambda number, kind, request, extra: {**({"id": number} if number else {}), kind: request, **extra},
    st.integers(0, 12),
    st.sampled_from(KINDS),
    REQUESTS,
    st.just({}) | st.fixed_dictionaries({"subscribe": REQUESTS}),
)
SOUND = st.builds(
    lambda number, request: {"id": number, **request},
    st.integers(1, 12),
    st.sampled_from(
        [
            *(
                {kind: {"channel": channel}}
                for kind in ("subscribe", "subscribe", "unsubscribe", "history")
                for channel in ("open:a", "news:a")
            ),
            *({"publish": {"channel": channel, "data": 1}} for channel in ("open:a", "news:a")),
            *({"rpc": {"method": method}} for method in ("chat.send", "chat.send", "chat.slow", "chat.none")),
            *({"subscribe": {"channel": channel}} for channel in ("chat:a", "nowhere:x", "plain", "open:b")),
            {"presence": {"channel": "open:a"}},
            {"refresh": {"token": token("ann")}},
        ]
    ),
)
COMPLETE = st.tuples(st.just("complete"), st.integers(0, 10), st.sampled_from([True, True, True, False]))
SOUND_EVENTS = st.one_of(
    SOUND, SOUND, COMPLETE, st.tuples(st.just("tick"), st.integers(0, 9_000), st.just(True)), st.just(("kick", 0, True))
)
EVENTS = st.one_of(
    *[SOUND_EVENTS] * 12, WILD, st.tuples(st.just("tick"), st.integers(0, 60_000), st.just(False)), st.just(("drain", 0, False))
)


def outcome_of(question: Ask, *, good: bool) -> Outcome:
    if not good:
        return Failed(CausewayError(ErrorName.INTERNAL) if question.pending.number % 2 else unavailable("away"))
    match question:
        case SubscribeAsk(request=request):
            return Subscribed(request.channel, p.SubscribeResult(), 1)
        case PublishAsk():
            return Published()
        case HistoryAsk():
            return HistoryRead(p.HistoryResult(publications=[], epoch="e1", offset=0))
        case RpcAsk():
            return Called(b"1")


class Shell:
    """Carries out a session's effects, and keeps count."""

    def __init__(self) -> None:
        self.session = session(anonymous=True)
        self.now = 0
        self.asked: list[int] = []
        self.answered: list[int] = []
        self.open: list[Ask] = []
        self.joined: set[str] = set()
        self.closed: list[CloseCode] = []

    def run(self, effects: list[Effect]) -> None:
        for effect in effects:
            assert not self.closed, "nothing follows a close"
            match effect:
                case Send(reply):
                    assert frames.encode(reply).count(b"\n") == 0
                    if reply.id:
                        self.answered.append(reply.id)
                case Refuse(number, _):
                    self.answered.append(number)
                case Join(channel, _):
                    assert channel not in self.joined
                    self.joined.add(channel)
                case Leave(channel):
                    self.joined.remove(channel)
                case Close(code):
                    self.closed.append(code)
                case _:
                    self.open.append(effect)

    def receive(self, fields: dict[str, Any]) -> None:
        try:
            commands = frames.decode(json.dumps(fields).encode())
        except p.ProtocolError:
            self.run(self.session.violated())
            return
        for found in commands:
            if not self.closed and not self.session._draining and found.id:
                self.asked.append(found.id)
            self.run(self.session.receive(found, self.now, WALL + self.now))

    def complete(self, index: int, *, good: bool) -> None:
        if self.open:
            question = self.open.pop(index % len(self.open))
            self.run(self.session.complete(question, outcome_of(question, good=good)))


@settings(max_examples=300, deadline=None)
@given(st.lists(SOUND_EVENTS, max_size=60) | st.lists(EVENTS, max_size=60), st.sampled_from([True, True, True, False]))
def test_any_sequence_of_frames_has_a_reply_for_each_id_or_one_close(events: list[Any], connect: bool) -> None:  # noqa: C901 - one case per event
    shell = Shell()
    if connect:
        shell.receive({"id": 100, "connect": {"token": token("ann")}})
    for event in events:
        match event:
            case dict():
                shell.receive(event)
            case ("complete", index, good):
                shell.complete(index, good=good)
            case ("tick", step, answers):
                shell.now += step
                shell.run(shell.session.tick(shell.now))
                if answers and shell.session._awaiting_pong:
                    shell.run(shell.session.receive(p.Command(), shell.now, WALL + shell.now))
            case ("kick", _, _) if shell.joined:
                channel = min(shell.joined)
                shell.joined.remove(channel)
                shell.run(shell.session.unsubscribed(channel, UnsubscribeCode.INSUFFICIENT))
            case ("drain", _, _):
                shell.run(shell.session.drain())
            case _:
                pass  # a kick without a subscription
        lanes = [question.pending.lane for question in shell.open if question.pending.lane]
        assert shell.session.closed or len(lanes) == len(set(lanes)), "one at a time in each lane"
    while shell.open:
        shell.complete(0, good=True)

    assert len(shell.closed) == shell.session.closed
    if shell.session.closed:
        assert not shell.joined
    else:
        assert sorted(shell.answered) == sorted(shell.asked)
        assert shell.joined == set(shell.session.subscriptions)
        assert shell.session._in_flight == shell.session._subscribing == 0
