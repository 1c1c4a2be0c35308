"""The session state machine: the protocol's answers, one by one, and an answer to any sequence of frames."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causeway_common.contracts.codes import CloseCode, UnsubscribeCode
from causeway_common.contracts.errors import CausewayError, ErrorName, unavailable
from causeway_common.contracts.messages import ClientInfo, NamespaceSpec, RefreshUser, SubscribeUser
from causeway_gateway.domain import protocol as p
from causeway_gateway.domain.admission import SessionOptions, admit, admit_without_token, renew
from causeway_gateway.domain.asks import (
    Answered,
    Ask,
    ConnectAsk,
    Ends,
    Failed,
    Grant,
    HistoryAsk,
    Outcome,
    PresenceAsk,
    PublishAsk,
    RefreshAsk,
    RpcAsk,
    Standing,
    Stays,
    SubRefreshAsk,
    SubRefreshed,
    SubscribeAsk,
    Subscribed,
)
from causeway_gateway.domain.effects import Close, Effect, Join, Leave, Opened, Refuse, Send
from causeway_gateway.domain.frames import json as frames
from causeway_gateway.domain.session import Kind, Session
from causeway_gateway.domain.subscription import NEVER, Subscription
from causeway_gateway.domain.tokens import KeyMissing
from unit.gateway.fakes import PERSONAL, catalogue, token, tokens

WALL = 1_700_000_000_000
IN_FLIGHT_MAX = SessionOptions().in_flight_limit
TOKENS = tokens()


def session(*specs: NamespaceSpec, kind: Kind | None = None, **options: Any) -> Session:
    return Session("c1", options=SessionOptions(**options), catalogue=catalogue(*specs), kind=kind or Kind(), now=0, jitter=0.0)


def identified(question: Ask, session: Session, wall: int) -> Outcome | None:
    """What the handlers answer at once: the decision on a connect or refresh."""
    if isinstance(question, ConnectAsk):
        if not question.request.token:
            return admit_without_token(session._options)
        verdict = TOKENS.verify(question.request.token, wall)
        assert not isinstance(verdict, KeyMissing)
        return admit(verdict, session._options, wall)
    if isinstance(question, RefreshAsk) and question.token:
        verdict = TOKENS.verify(question.token, wall)
        assert not isinstance(verdict, KeyMissing)
        return renew(verdict, question.who.user, wall)
    return None


def settled(session: Session, effects: list[Effect], now: int) -> list[Effect]:
    """The effects, with what is answered at once carried on; an opening is left out."""
    found: list[Effect] = []
    for effect in effects:
        outcome = identified(effect, session, WALL + now) if isinstance(effect, ConnectAsk | RefreshAsk) else None
        if outcome is not None and isinstance(effect, ConnectAsk | RefreshAsk):
            found += settled(session, session.complete(effect, outcome, now, WALL + now), now)
        elif not isinstance(effect, Opened):
            found.append(effect)
    return found


def standing(channel: str, **options: Any) -> Standing:
    info = ClientInfo(user="ann", client="c1")
    return Standing(channel, p.SubscribeResult(), Subscription(info, **options))


def stand(question: Effect, session: Session, now: int = 0, **options: Any) -> list[Effect]:
    """Answer a subscribe question."""
    assert isinstance(question, SubscribeAsk)
    standings = tuple(standing(wish.request.channel, **options) for wish in question.wishes)
    return session.complete(question, Subscribed(standings), now, WALL + now)


def bare(effects: list[Effect]) -> list[Any]:
    """Joins and leaves as their channels' names, the rest as it is."""
    return [(type(effect).__name__, effect.channel) if isinstance(effect, Join | Leave) else effect for effect in effects]


def command(**fields: Any) -> p.Command:
    (found,) = frames.decode(json.dumps(fields).encode())
    return found


def ask(session: Session, now: int = 0, **fields: Any) -> list[Effect]:
    return settled(session, session.receive(command(**fields), now), now)


def connected(user: str = "ann", *specs: NamespaceSpec, **options: Any) -> Session:
    found = session(*specs, **options)
    (reply,) = ask(found, id=1, connect={"token": token(user)})
    assert isinstance(reply, Send)
    return found


def subscribed(*channels: str, user: str = "ann", **options: Any) -> Session:
    found = connected(user, **options)
    for number, channel in enumerate(channels, 2):
        (question,) = ask(found, id=number, subscribe={"channel": channel})
        stand(question, found)
    return found


def error_of(effects: list[Effect]) -> int:
    (refusal,) = effects
    assert isinstance(refusal, Refuse)
    return refusal.error.code


def test_the_subscribe_reply_comes_before_the_channel_is_joined() -> None:
    """No await lies between the two, so that no publication comes before the reply, and none is missed."""
    found = connected()
    (question,) = ask(found, id=2, subscribe={"channel": "open:a"})

    effects = stand(question, found)

    assert bare(effects) == [Send(p.Reply(id=2, subscribe=p.SubscribeResult())), ("Join", "open:a")]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"channel": "x" * 256}, 107),
        ({"channel": "open:a"}, 105),
        ({"channel": "nowhere:a"}, 102),
        ({"channel": "open:ä"}, 107),
        ({"channel": "open:b", "type": 1}, 108),
        ({"channel": "open:b", "tf": {"key": "a", "cmp": "ex"}}, 107),
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
    assert ask(found, id=3, publish={"channel": "news:a", "data": 1}) == []

    *_, publish = stand(question, found)

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
    assert ask(connected(), id=2, **fields) == [Close(3501, "bad request")]


def test_what_is_not_there_gets_the_protocols_own_answer() -> None:
    found = connected()

    assert error_of(ask(found, id=2, presence={"channel": "open:a"})) == 108
    assert error_of(ask(found, id=3, presence_stats={"channel": "open:a"})) == 108
    assert error_of(ask(found, id=4, sub_refresh={"channel": "open:a", "token": "x"})) == 103
    assert ask(found, send={"data": 1}) == [Close(3508, "not available")]


def test_unsubscribe_always_succeeds_and_waits_for_its_subscribe() -> None:
    found = connected()
    assert ask(found, id=2, unsubscribe={"channel": "open:a"}) == [Send(p.Reply(id=2, unsubscribe=p.Empty()))]
    (question,) = ask(found, id=3, subscribe={"channel": "open:a"})
    assert ask(found, id=4, unsubscribe={"channel": "open:a"}) == []

    effects = stand(question, found)

    assert bare(effects)[1:] == [("Join", "open:a"), ("Leave", "open:a"), Send(p.Reply(id=4, unsubscribe=p.Empty()))]


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
    assert ask(expired, id=2, connect={"token": token("ann")}) == [Close(3501, "bad request")]
    assert ask(session(), id=1, connect={"token": token("ann", key="another key of the tests, long too!")}) == [
        Close(3500, "invalid token")
    ]


def test_no_token_is_for_anonymous_or_insecure_gateways_only() -> None:
    assert ask(session(), id=1, connect={}) == [Close(3501, "bad request")]
    assert isinstance(ask(session(anonymous=True), id=1, connect={})[0], Send)
    assert isinstance(ask(session(insecure=True), id=1, connect={})[0], Send)
    assert ask(session(insecure=True), id=1, connect={"token": "bad"}) == [Close(3500, "invalid token")]
    assert ask(session(anonymous_tokens=False), id=1, connect={"token": token("")}) == [Close(3507, "permission denied")]


def test_expiry_is_told_enforced_after_its_grace_and_moved_by_refresh() -> None:
    def expiring() -> Session:
        found = session(expired_delay=25_000, ping_interval=0)
        (reply,) = ask(found, id=1, connect={"token": token("ann", exp=WALL // 1000 + 60)})
        assert isinstance(reply, Send)
        assert reply.reply.connect is not None
        assert (reply.reply.connect.expires, reply.reply.connect.ttl) == (True, 60)
        assert reply.reply.connect.time == WALL
        return found

    found = expiring()
    assert found.tick(84_999) == []
    assert found.tick(85_000) == [Close(3005, "connection expired")]

    found = expiring()
    (reply,) = ask(found, now=10_000, id=2, refresh={"token": token("ann", exp=WALL // 1000 + 300)})
    assert reply == Send(p.Reply(id=2, refresh=p.RefreshResult(expires=True, ttl=290)))
    assert found.tick(100_000) == []
    assert ask(found, id=3, refresh={"token": token("bob")}) == [Close(3500, "invalid token")]
    assert ask(expiring(), id=3, refresh={"token": token("ann", exp=WALL // 1000 - 1)}) == [Close(3005, "connection expired")]


def test_pings_go_out_on_schedule_and_want_one_answer_each() -> None:
    found = connected(ping_interval=20_000, pong_timeout=8_000)
    assert found.due_at == 10_000
    assert found.tick(9_999) == []
    assert found.tick(10_000) == [Send(p.PING)]
    assert found.receive(p.Command(), 11_000) == []
    assert found.due_at == 30_000
    assert found.tick(30_000) == [Send(p.PING)]
    assert found.tick(38_000) == [Close(3012, "no pong")]
    assert found.receive(p.Command(), 39_000) == []


def test_a_pong_nobody_asked_for_is_a_violation() -> None:
    assert connected().receive(p.Command(), 1) == [Close(3501, "bad request")]


def test_the_server_ends_a_subscription_with_a_push_once() -> None:
    found = subscribed("open:a")
    leave, push = found.unsubscribed("open:a", UnsubscribeCode.INSUFFICIENT)

    assert bare([leave]) == [("Leave", "open:a")]
    assert isinstance(push, Send)
    assert push.reply.push is not None
    assert push.reply.push.unsubscribe == p.Unsubscribe(code=2500, reason="insufficient state")
    assert found.unsubscribed("open:a", UnsubscribeCode.INSUFFICIENT) == []


def test_a_close_leaves_every_channel_first() -> None:
    effects = bare(subscribed("open:a", "open:b").close(CloseCode.SLOW))

    assert effects == [("Leave", "open:a"), ("Leave", "open:b"), Close(3008, "slow")]


def test_a_drain_waits_for_what_is_under_way_and_takes_nothing_more() -> None:
    found = connected()
    (question,) = ask(found, id=2, rpc={"method": "chat.send"})
    assert isinstance(question, RpcAsk)
    assert found.drain() == []
    assert ask(found, id=3, rpc={"method": "chat.send"}) == []

    done = Answered(p.Reply(id=2, rpc=p.RpcResult(data=p.Raw(b"1"))))
    assert found.complete(question, done, 0, WALL)[1:] == [Close(3001, "shutdown")]


# --- server-side subscriptions, expiry, what the server does ---------------------------------------------------------------


def test_commands_pipelined_behind_a_connect_wait_for_it_in_order() -> None:
    found = session()
    (question,) = found.receive(command(id=1, connect={"token": token("ann")}), 0)
    assert isinstance(question, ConnectAsk)
    assert found.receive(command(id=2, subscribe={"channel": "open:a"}), 0) == []
    assert found.receive(command(id=3, unsubscribe={"channel": "open:b"}), 0) == []

    opened, reply, subscribe, unsubscribed = found.complete(question, Grant("ann"), 0, WALL)

    assert isinstance(opened, Opened)
    assert isinstance(reply, Send)
    assert isinstance(subscribe, SubscribeAsk)
    assert unsubscribed == Send(p.Reply(id=3, unsubscribe=p.Empty()))


def test_commands_pipelined_behind_a_connect_beyond_the_bound_are_overloaded_and_not_a_violation() -> None:
    found = session(in_flight_limit=2)
    found.receive(command(id=1, connect={"token": token("ann")}), 0)
    effects = [found.receive(command(id=number, subscribe={"channel": f"open:{number}"}), 0) for number in range(2, 6)]

    assert effects[:2] == [[], []]
    assert [error_of(each) for each in effects[2:]] == [111, 111]


def test_server_side_subscriptions_of_a_token_stand_before_the_connect_reply() -> None:
    found = session()
    (question,) = ask(found, id=1, connect={"token": token("ann", channels=["open:a", "news:b"])})

    effects = stand(question, found, server_side=True)

    assert isinstance(effects[1], Send)
    assert effects[1].reply.connect is not None
    assert list(effects[1].reply.connect.subs) == ["open:a", "news:b"]
    assert bare(effects)[2:] == [("Join", "open:a"), ("Join", "news:b")]


def test_a_clients_own_wishes_of_its_connect_are_granted_where_it_may_and_left_out_otherwise() -> None:
    found = session()
    subs = {"open:a": {}, "without": {}, "nowhere:x": {}, "news:a": {"recover": True, "offset": 3, "epoch": "e1"}}
    (question,) = ask(found, id=1, connect={"token": token("ann"), "subs": subs})

    assert isinstance(question, SubscribeAsk)
    wishes = {wish.request.channel: wish for wish in question.wishes}
    assert list(wishes) == ["open:a", "news:a"]
    assert wishes["news:a"].request.offset == 3


def test_a_server_side_subscription_in_no_namespace_is_102_and_too_many_are_3505() -> None:
    assert error_of(ask(session(), id=1, connect={"token": token("ann", channels=["nowhere:a"])})) == 102
    many = token("ann", channels=["open:a", "open:b"])
    assert ask(session(channel_limit=1), id=1, connect={"token": many}) == [Close(3505, "channel limit")]


def test_a_failing_server_side_subscription_fails_the_connect() -> None:
    found = session()
    (question,) = ask(found, id=1, connect={"token": token("ann", channels=["open:a"])})
    assert isinstance(question, SubscribeAsk)

    assert error_of(found.complete(question, Failed(unavailable("away")), 0, WALL)) == 100
    assert ask(found, id=2, subscribe={"channel": "open:a"}) == [Close(3501, "bad request")]


def test_the_personal_channel_is_a_signed_in_users_own() -> None:
    found = session(PERSONAL, personal_channel=True, personal_channel_namespace="personal")
    (question,) = ask(found, id=1, connect={"token": token("17")})

    assert isinstance(question, SubscribeAsk)
    assert [wish.request.channel for wish in question.wishes] == ["personal:#17"]
    abroad = session(PERSONAL, personal_channel=True, personal_channel_namespace="personal")
    (question,) = ask(abroad, id=1, connect={"token": token("Ünal")})
    assert isinstance(question, SubscribeAsk)
    assert [wish.request.channel for wish in question.wishes] == ["personal:#Ünal"]
    anonymous = session(personal_channel=True, anonymous=True)
    assert isinstance(ask(anonymous, id=1, connect={})[0], Send)


def test_user_limited_channels_are_for_their_users() -> None:
    allowed = connected("17", PERSONAL)
    denied = connected("42", PERSONAL)

    assert isinstance(ask(allowed, id=2, subscribe={"channel": "personal:x#17,23"})[0], SubscribeAsk)
    assert error_of(ask(denied, id=2, subscribe={"channel": "personal:x#17,23"})) == 103


def test_a_subscription_that_its_client_renews_ends_with_2501_after_its_grace() -> None:
    found = connected(ping_interval=0)
    (question,) = ask(found, id=2, subscribe={"channel": "open:a", "token": "a token"})
    stand(question, found, refresher="client", expire_at=WALL + 60_000)

    assert found.due_at == 85_000
    assert found.tick(84_999) == []
    leave, push = found.tick(85_000)
    assert bare([leave]) == [("Leave", "open:a")]
    assert isinstance(push, Send)
    assert push.reply.push is not None
    assert push.reply.push.unsubscribe == p.Unsubscribe(code=2501, reason="subscription expired")
    assert found.due_at == NEVER


def test_a_renewed_subscription_stays_and_a_server_side_one_that_lapsed_closes() -> None:
    found = connected(ping_interval=0)
    (question,) = ask(found, id=2, subscribe={"channel": "open:a", "token": "a token"})
    stand(question, found, refresher="client", expire_at=WALL + 60_000)
    (renewal,) = ask(found, now=50_000, id=3, sub_refresh={"channel": "open:a", "token": "a newer one"})
    assert isinstance(renewal, SubRefreshAsk)
    (reply,) = found.complete(renewal, SubRefreshed("open:a", WALL + 120_000), 50_000, WALL + 50_000)
    assert reply == Send(p.Reply(id=3, sub_refresh=p.SubRefreshResult(expires=True, ttl=70)))
    assert found.tick(85_000) == []

    other = connected(ping_interval=0)
    (question,) = other.subscribe(SubscribeUser(user="ann", channel="open:a"), 0)
    stand(question, other, server_side=True, expire_at=WALL + 1_000)
    assert bare(other.tick(26_000))[-1] == Close(3006, "subscription expired")


def test_a_sub_refresh_without_its_channel_takes_that_of_its_token() -> None:
    """centrifuge-python 0.5.0 sends it so (reference/centrifuge-protocol.md, section 5)."""
    found = connected(ping_interval=0)
    (question,) = ask(found, id=2, subscribe={"channel": "open:a", "token": "a token"})
    stand(question, found, refresher="client", expire_at=WALL + 60_000)
    (renewal,) = ask(found, now=50_000, id=3, sub_refresh={"token": "a newer one"})
    assert isinstance(renewal, SubRefreshAsk)
    (reply,) = found.complete(renewal, SubRefreshed("open:a", WALL + 120_000), 50_000, WALL + 50_000)

    assert reply == Send(p.Reply(id=3, sub_refresh=p.SubRefreshResult(expires=True, ttl=70)))


def test_a_token_without_its_channel_renews_no_subscription_that_its_client_does_not() -> None:
    found = connected(ping_interval=0)
    (question,) = found.subscribe(SubscribeUser(user="ann", channel="open:a"), 0)
    stand(question, found, server_side=True, expire_at=WALL + 1_000)
    (renewal,) = ask(found, id=3, sub_refresh={"token": "of open:a"})
    assert isinstance(renewal, SubRefreshAsk)

    assert found.complete(renewal, SubRefreshed("open:a", WALL + 120_000), 0, WALL)[-1] == Close(3501, "bad request")


def test_what_a_hook_let_in_is_renewed_by_asking_it_again() -> None:
    found = session(ping_interval=0)
    (question,) = found.receive(command(id=1, connect={}), 0)
    assert isinstance(question, ConnectAsk)
    _, reply = found.complete(question, Grant("ann", expire_at=WALL + 10_000, refresher="hook"), 0, WALL)
    assert isinstance(reply, Send)
    assert reply.reply.connect is not None
    assert (reply.reply.connect.expires, reply.reply.connect.ttl) == (False, 0)
    (renewal,) = found.tick(10_000)
    assert isinstance(renewal, RefreshAsk)
    assert found.complete(renewal, Failed(unavailable("away")), 10_000, WALL + 10_000) == []
    (renewal,) = found.tick(11_000)
    assert isinstance(renewal, RefreshAsk)
    assert found.complete(renewal, Stays(WALL + 90_000), 11_000, WALL + 11_000) == []
    assert found.due_at == 90_000
    (renewal,) = found.tick(90_000)
    assert isinstance(renewal, RefreshAsk)
    assert found.complete(renewal, Ends(CloseCode.CONNECTION_EXPIRED), 90_000, WALL) == [Close(3005, "connection expired")]


def test_a_refresh_with_other_server_side_subscriptions_asks_the_client_to_come_again() -> None:
    assert ask(connected(), id=2, refresh={"token": token("ann", channels=["open:a"])}) == [Close(3010, "insufficient state")]


def test_the_server_begins_a_subscription_with_a_push_and_ends_it_with_2000() -> None:
    found = connected()
    (question,) = found.subscribe(SubscribeUser(user="ann", channel="open:a"), 0)
    push, join = stand(question, found, server_side=True)

    assert isinstance(push, Send)
    assert push.reply.push == p.Push(channel="open:a", subscribe=p.SubscribePush())
    assert bare([join]) == [("Join", "open:a")]
    assert found.subscribe(SubscribeUser(user="ann", channel="open:a"), 0) == []
    _, ended = found.unsubscribed("open:a", UnsubscribeCode.SERVER)
    assert isinstance(ended, Send)
    assert ended.reply.push is not None
    assert ended.reply.push.unsubscribe == p.Unsubscribe(code=2000, reason="server unsubscribe")


def test_a_server_side_subscription_that_misses_something_closes_with_3010() -> None:
    found = connected()
    (question,) = found.subscribe(SubscribeUser(user="ann", channel="open:a"), 0)
    stand(question, found, server_side=True)

    assert bare(found.unsubscribed("open:a", UnsubscribeCode.INSUFFICIENT))[-1] == Close(3010, "insufficient state")


def test_the_server_moves_a_connections_expiry_and_tells_it() -> None:
    found = connected()
    (push,) = found.renewed(RefreshUser(user="ann", expire_at_ms=WALL + 60_000), 0, WALL)

    assert isinstance(push, Send)
    assert push.reply.push == p.Push(refresh=p.RefreshResult(expires=True, ttl=60))
    assert found.renewed(RefreshUser(user="ann", expired=True), 0, WALL) == [Close(3005, "connection expired")]


def test_a_refresh_brings_what_presence_shows_of_the_client() -> None:
    found = subscribed("open:a")
    ask(found, id=3, refresh={"token": token("ann", info={"name": "Ann"})})
    assert found.subscriptions["open:a"].info.conn_info == b'{"name":"Ann"}'

    found.renewed(RefreshUser(user="ann", info=b"2"), 0, WALL)
    assert found.subscriptions["open:a"].info.conn_info == b"2"


def test_a_unidirectional_client_is_told_errors_by_closes_and_owes_no_pongs() -> None:
    def uni() -> Session:
        return session(kind=Kind(uni=True, session="s"), ping_interval=20_000)

    expired = token("ann", exp=WALL // 1000 - 1)
    assert ask(uni(), id=1, connect={"token": expired}) == [Close(3005, "connection expired")]
    found = uni()
    (reply,) = ask(found, id=1, connect={"token": token("ann")})
    assert isinstance(reply, Send)
    assert reply.reply.connect is not None
    assert (reply.reply.connect.pong, reply.reply.connect.session) == (False, "s")
    assert found.receive(p.Command(), 1) == []
    assert found.tick(10_000) == [Send(p.PING)]
    assert found.tick(30_000) == [Send(p.PING)]


def test_publishes_beyond_a_namespaces_rate_are_111_until_the_next_second() -> None:
    limited = NamespaceSpec(name="slow", allow_publish_for_client=True, publish_rate_limit=2)
    found = connected("ann", limited)
    first = [ask(found, now=5, id=n, publish={"channel": f"slow:{n}", "data": 1}) for n in (2, 3, 4)]

    assert [isinstance(effects[0], PublishAsk) for effects in first] == [True, True, False]
    assert error_of(first[2]) == 111
    assert isinstance(ask(found, now=1_005, id=5, publish={"channel": "slow:5", "data": 1})[0], PublishAsk)


def test_presence_is_asked_where_the_options_give_it() -> None:
    seen = NamespaceSpec(name="room", presence=True, allow_subscribe_for_client=True, allow_presence_for_subscriber=True)
    found = connected("ann", seen)

    assert error_of(ask(found, id=2, presence={"channel": "room:a"})) == 103
    (question,) = ask(found, id=3, subscribe={"channel": "room:a"})
    stand(question, found)
    assert isinstance(ask(found, id=4, presence={"channel": "room:a"})[0], PresenceAsk)


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
    number = question.pending.command.id
    if not good:
        return Failed(CausewayError(ErrorName.INTERNAL) if question.pending.number % 2 else unavailable("away"))
    match question:
        case SubscribeAsk(wishes=wishes):
            return Subscribed(tuple(standing(wish.request.channel) for wish in wishes))
        case PublishAsk():
            return Answered(p.Reply(id=number, publish=p.Empty()))
        case HistoryAsk():
            return Answered(p.Reply(id=number, history=p.HistoryResult(publications=[], epoch="e1", offset=0)))
        case PresenceAsk():
            return Answered(p.Reply(id=number, presence=p.PresenceResult(presence={})))
        case RpcAsk():
            return Answered(p.Reply(id=number, rpc=p.RpcResult(data=p.Raw(b"1"))))
        case SubRefreshAsk(channel=channel):
            return SubRefreshed(channel, None)
        case ConnectAsk() | RefreshAsk():
            return Ends(CloseCode.INVALID_TOKEN)


class Shell:
    """Carries out a session's effects, and keeps count."""

    def __init__(self) -> None:
        self.session = session(anonymous=True)
        self.now = 0
        self.asked: list[int] = []
        self.answered: list[int] = []
        self.open: list[Ask] = []
        self.joined: set[str] = set()
        self.closed: list[int] = []

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
                case Leave(channel, _):
                    self.joined.remove(channel)
                case Close(code):
                    self.closed.append(code)
                case Opened():
                    pass
                case _:
                    outcome = identified(effect, self.session, WALL + self.now)
                    if outcome is None:
                        self.open.append(effect)
                    else:
                        self.run(self.session.complete(effect, outcome, self.now, WALL + self.now))

    def receive(self, fields: dict[str, Any]) -> None:
        try:
            commands = frames.decode(json.dumps(fields).encode())
        except p.ProtocolError:
            self.run(self.session.violated())
            return
        for found in commands:
            if not self.closed and not self.session._draining and found.id:
                self.asked.append(found.id)
            self.run(self.session.receive(found, self.now))

    def complete(self, index: int, *, good: bool) -> None:
        if self.open:
            question = self.open.pop(index % len(self.open))
            self.run(self.session.complete(question, outcome_of(question, good=good), self.now, WALL + self.now))


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
                    shell.run(shell.session.receive(p.Command(), shell.now))
            case ("kick", _, _) if shell.joined:
                shell.run(shell.session.unsubscribed(min(shell.joined), UnsubscribeCode.INSUFFICIENT))
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
