"""What an app asks of the gateways over the real bus, with its own NATS user: its feed, its users, and nobody else's channels."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from causeway_common.bus import Bus, BusSettings, Deadline
from causeway_common.contracts import messages as m
from causeway_common.contracts import verbs as v
from causeway_common.contracts.errors import CausewayError, ErrorName
from causeway_common.contracts.subjects import feed_subject
from support.instances import password_of
from support.people import street
from support.stack import Stack, running_stack
from support.waiting import until

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(60)]
CONFIG = """
[[channel.namespaces]]
name = "static"
allow_subscribe_for_client = true
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    async with running_stack(tmp_path_factory.mktemp("control"), config=CONFIG, gateways=2) as stack:
        yield stack


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chat(stack: Stack) -> AsyncIterator[Bus]:
    """The bus as the chat app has it: with the rights of its NATS user."""
    bus = Bus(BusSettings(stack.state()["nats_url"], "logic-chat", password_of(stack, "logic-chat"), "test"))
    await bus.start()
    yield bus
    await bus.stop()


async def control(chat: Bus, command: m.Control) -> int:
    reply = await chat.request(v.APP_CONTROLS, m.ControlRequest(command=command), Deadline.after(4), caller="chat")
    return reply.clients


async def test_an_app_publishes_into_its_own_channels_and_acts_on_users_of_every_gateway(stack: Stack, chat: Bus) -> None:
    """On both gateways at once; a control verb is done when each of them has answered."""
    async with street(stack) as place:
        ann, bob = await place.person("ann", "gateway-1"), await place.person("bob", "gateway-2")
        room = (await ann.ask(rpc={"method": "chat.create_room", "data": {"name": "r"}}))["rpc"]["data"]["room"]
        await bob.ask(rpc={"method": "chat.join", "data": {"room": room}})
        channel = f"chat_typing:{room}"
        for person in (ann, bob):
            await person.subscribe(channel)
        await ann.ask(publish={"channel": channel, "data": {"typing": True}})
        await until(lambda: all(len(person.data[channel]) == 1 for person in (ann, bob)))

        await chat.publish(feed_subject(channel, logged=False, app="chat"), m.FeedPublication(channel=channel, data=b"7"))
        await until(lambda: all(person.data[channel][1:] == [7] for person in (ann, bob)))

        other = f"chat:{room}"
        assert await control(chat, m.SubscribeUser(user="bob", channel=other)) == 1
        found = await presence_of(chat, other, ["bob"])
        assert found.total == 1
        stats = await chat.request(v.APP_PRESENCE_STATS, m.PresenceStatsRequest(channel=other), Deadline.after(4), caller="chat")
        assert stats == m.PresenceCounts(clients=1, users=1)
        assert await control(chat, m.UnsubscribeUser(user="bob", channel=other)) == 1
        await presence_of(chat, other, [])

        assert await control(chat, m.DisconnectUser(user="ann", code=4001, reason="bye")) == 1
        await until(lambda: ann.code == 4001)
        assert bob.code == 0
        await bob.leave()


async def test_another_namespace_is_out_of_an_apps_reach(chat: Bus) -> None:
    with pytest.raises(CausewayError) as raised:
        await control(chat, m.SubscribeUser(user="ann", channel="static:a"))

    assert raised.value.name is ErrorName.PERMISSION_DENIED


async def test_nats_lets_an_app_ask_and_publish_under_its_own_name_alone(stack: Stack, chat: Bus) -> None:
    """The receiver believes the subject, because of this."""
    async with street(stack) as place:
        eve = await (await place.person("eve")).subscribe("static:a")
        for subject in (
            feed_subject("static:a", logged=False),
            feed_subject("static:a", logged=False, app="other"),
            feed_subject("static:a", logged=True),
        ):
            await chat.publish(subject, m.FeedPublication(channel="static:a", data=b"1"))
        with pytest.raises(CausewayError) as raised:
            await chat.request(
                v.APP_CONTROLS, m.ControlRequest(command=m.DisconnectUser(user="eve")), Deadline.after(0.5), caller="auctions"
            )
        assert raised.value.name is ErrorName.UNAVAILABLE
        assert await control(chat, m.DisconnectUser(user="nobody")) == 0
        assert eve.data["static:a"] == []
        assert eve.code == 0
        await eve.leave()


async def presence_of(chat: Bus, channel: str, users: list[str]) -> m.PresenceReply:
    """Wait until the app sees exactly these users there."""
    async with asyncio.timeout(10):
        while True:
            request = m.PresenceRequest(channel=channel, limit=10)
            found = await chat.request(v.APP_PRESENCE, request, Deadline.after(4), caller="chat")
            if [info.user for info in found.clients] == users:
                return found
            await asyncio.sleep(0.05)
