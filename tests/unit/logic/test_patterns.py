"""Typed families of channels: what makes a channel, what a hook gets of one, what may be published there."""

from __future__ import annotations

import json
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from causeway_common.contracts.errors import CausewayError, ErrorName
from causeway_common.contracts.messages import SubRefreshHookRequest
from causeway_logic import App, Channel, Context, Draft, History, RefreshReply, Reject, SubscribeReply
from unit.logic.fakes import Bench


class Bid(BaseModel):
    type: Literal["bid"] = "bid"
    amount: int


class Lot(BaseModel):
    price: int = 0


app = App("auctions", version="1.0.0")
namespace = app.namespace("lot", history=History(size=10, ttl="7d"))
lot_channel = namespace.channel("{lot_id}", message=Bid)
team = app.namespace("team")
member = team.channel("{team_id}.{user}")
log = team.channel("log-{day}-{number}")


@lot_channel.on_subscribe
async def may_watch(ctx: Context, lot_id: int, channel: Channel) -> SubscribeReply:
    return SubscribeReply(data=[lot_id, channel.name])


@lot_channel.on_publish
async def may_bid(ctx: Context, lot_id: str, data: Any) -> Bid | None:
    if lot_id == "7":
        return Bid(amount=7)
    return None


@member.on_subscribe(when_unavailable="deny")
async def may_see(user: str, team_id: str) -> None:
    if team_id != "red":
        raise Reject(403, f"{user} is not of {team_id}")


@team.on_sub_refresh
async def stay(ctx: Context, channel: Channel) -> RefreshReply:
    return RefreshReply(expire_at=None)


@app.rpc
async def bid(ctx: Context, req: Any) -> None:
    def change(draft: Draft[Lot]) -> None:
        draft.publish(lot_channel(lot_id="1"), Bid(amount=1))
        draft.publish(req["channel"], req["data"])

    await ctx.entity(Lot, "1").edit(change)


@pytest.fixture
def bench() -> Bench:
    made = Bench(app)
    made.storage.put("lot", "1", {"price": 1})
    return made


def test_a_pattern_makes_channels_and_finds_their_values_again() -> None:
    channel = lot_channel(lot_id=42)

    assert channel == Channel("lot:42", "lot", "42") == Channel.parse("lot:42")
    assert str(channel) == "lot:42"
    assert member(team_id="red", user="ann.b").name == "team:red.ann.b"
    assert member.match("red.ann.b") == {"team_id": "red", "user": "ann.b"}
    assert log(day="2025", number=3).name == "team:log-2025-3"
    assert log.match("log-2025") is None


@given(st.text(min_size=1), st.text(min_size=1))
def test_no_value_breaks_out_of_its_pattern(team_id: str, user: str) -> None:
    """What a channel was made of is what a hook gets, or the channel is not made."""
    channel = made_of(team_id, user)
    if channel is not None:
        assert member.match(channel.id) == {"team_id": team_id, "user": user}
        assert "#" not in channel.name


def made_of(team_id: str, user: str) -> Channel | None:
    try:
        return member(team_id=team_id, user=user)
    except CausewayError:
        return None


@pytest.mark.parametrize("value", ["", "a.b", "a#b", "a b", "a\n", "\x7f", "\ud800", "x" * 300])
def test_a_value_that_would_be_another_channel_is_107(value: str) -> None:
    with pytest.raises(CausewayError) as caught:
        member(team_id=value, user="ann")

    assert caught.value.code == 107


def test_a_missing_or_unknown_field_is_told() -> None:
    with pytest.raises(TypeError, match="takes team_id, user, got team_id"):
        member(team_id="red")
    with pytest.raises(TypeError, match="got lot_id, more"):
        lot_channel(lot_id=1, more=2)


@pytest.mark.parametrize("pattern", ["{a}{b}", "{a}.{a}", "{A}", "{", "a b", "{a}#x", "{a}\n"])
def test_a_pattern_that_could_be_read_in_two_ways_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"pattern|twice|between"):
        team.channel(pattern)


async def test_hooks_get_the_fields_by_name_as_their_annotations_say(bench: Bench) -> None:
    reply = await bench.subscribe("lot:42")

    assert json.loads(reply.data or b"") == [42, "lot:42"]
    await bench.subscribe("team:red.ann")
    with pytest.raises(CausewayError) as denied:
        await bench.subscribe("team:blue.ann")
    assert (denied.value.code, denied.value.message) == (403, "ann is not of blue")


@pytest.mark.parametrize("channel", ["lot:nine", "lot:1#2", "team:red", "team:", "other:1"])
async def test_a_channel_of_no_family_or_with_a_value_of_another_type_does_not_exist(bench: Bench, channel: str) -> None:
    with pytest.raises(CausewayError) as caught:
        await bench.subscribe(channel)

    assert caught.value.name is ErrorName.UNKNOWN_CHANNEL


async def test_a_family_without_a_hook_has_its_namespaces(bench: Bench) -> None:
    request = SubRefreshHookRequest(user="ann", client="c", channel="team:red.ann")

    assert not (await bench.dispatcher.sub_refresh(request, bench.question())).expired
    with pytest.raises(CausewayError) as caught:
        await bench.subscribe("team:log-1-2")
    assert caught.value.name is ErrorName.PERMISSION_DENIED


async def test_what_clients_publish_is_of_the_familys_type_or_107(bench: Bench) -> None:
    assert (await bench.publish("lot:1", b'{"type":"bid","amount":3}')).data is None
    assert (await bench.publish("lot:7", b'{"nothing":"of it"}')).data == b'{"type":"bid","amount":7}'
    with pytest.raises(CausewayError) as caught:
        await bench.publish("lot:1", b'{"type":"bid","amount":"3"}')

    assert caught.value.code == 107
    assert "amount" in caught.value.message


@pytest.mark.parametrize(
    ("channel", "data"),
    [("lot:2", {"amount": "many"}), ("lot:a#b", {"amount": 1}), ("lot:", {"amount": 1}), ("nowhere:1", 1), ("team:red.ann", 1)],
)
async def test_what_the_app_publishes_is_of_its_family_and_nothing_is_committed_otherwise(
    bench: Bench, channel: str, data: Any
) -> None:
    with pytest.raises(CausewayError) as caught:
        await bench.call("bid", {"channel": channel, "data": data})

    assert caught.value.name is ErrorName.INTERNAL
    assert not bench.storage.logs


async def test_channels_and_names_may_be_published_to(bench: Bench) -> None:
    await bench.call("bid", {"channel": "lot:2", "data": {"amount": 2}})

    assert {name: [each.data for each in log] for name, log in bench.storage.logs.items()} == {
        "lot:1": [b'{"type":"bid","amount":1}'],
        "lot:2": [b'{"type":"bid","amount":2}'],
    }


def test_the_manifest_tells_families_and_fallbacks() -> None:
    manifest = app.manifest()
    lot, teams = manifest.namespaces

    assert [each.pattern for each in manifest.channels] == ["lot:{lot_id}", "team:{team_id}.{user}", "team:log-{day}-{number}"]
    assert json.loads(manifest.channels[0].message)["properties"]["amount"] == {"title": "Amount", "type": "integer"}
    assert manifest.channels[1].message == ""
    assert (lot.subscribe_hook, lot.publish_hook, lot.fallbacks.subscribe) == (True, True, "error")
    assert (teams.subscribe_hook, teams.sub_refresh_hook, teams.fallbacks.subscribe) == (True, True, "deny")


def test_hooks_of_one_namespace_agree_on_their_fallback() -> None:
    fresh = App("fresh", version="1.0.0")
    rooms = fresh.namespace("room")

    @rooms.on_subscribe(when_unavailable="allow")
    async def one() -> None: ...

    @rooms.channel("{id}").on_subscribe(when_unavailable="deny")
    async def two() -> None: ...

    with pytest.raises(ValueError, match="subscribe hooks of room differ"):
        fresh.manifest()
    with pytest.raises(ValueError, match="when_unavailable of the publish hook is one of"):
        rooms.on_publish(when_unavailable="maybe")(two)  # type: ignore[call-overload]
