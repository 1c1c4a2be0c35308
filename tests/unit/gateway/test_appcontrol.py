"""What apps may ask of gateways: any user's connections, but channels of their own namespaces alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from causeway_common.bus import Call, Deadline
from causeway_common.contracts import messages as m
from causeway_common.contracts.errors import CausewayError, ErrorName
from causeway_gateway.handlers.appcontrol import AppControl
from causeway_gateway.handlers.orders import Orders
from unit.gateway.fakes import Gateway

WATCHED = m.NamespaceSpec(name="room", presence=True)
PLAIN = m.NamespaceSpec(name="plain")
THEIRS = m.NamespaceSpec(name="lot", presence=True)


def call(app: str = "chat") -> Call:
    return Call({"caller": app, "verb": "control"}, "", Deadline.after(4))


@pytest.fixture
async def control() -> AsyncIterator[AppControl]:
    async with Gateway() as gateway:
        manifests = {app: m.Manifest(app=app, version="1", methods=[]) for app in ("chat", "auctions")}
        owned = {"room": ("chat", WATCHED), "plain": ("chat", PLAIN), "lot": ("auctions", THEIRS)}
        gateway.catalogue.update(manifests, owned, lambda *_: None)
        yield AppControl(gateway.catalogue, Orders(gateway.catalogue, gateway.cluster), gateway.cluster)


@pytest.mark.parametrize(
    ("command", "error"),
    [
        (m.SubscribeUser(user="ann", channel="lot:1"), ErrorName.PERMISSION_DENIED),
        (m.UnsubscribeUser(user="ann", channel="lot:1"), ErrorName.PERMISSION_DENIED),
        (m.SubscribeUser(user="ann", channel="open:1"), ErrorName.PERMISSION_DENIED),  # the TOML file's: no app's own
        (m.SubscribeUser(user="ann", channel="nowhere:1"), ErrorName.UNKNOWN_CHANNEL),
        (m.SubscribeUser(user="ann", channel=""), ErrorName.BAD_REQUEST),
        (m.SubscribeUser(user="ann", channel="room:1", data=b"{"), ErrorName.BAD_REQUEST),
        (m.SubscribeUser(user="ann", channel="room:1", info=b"1 2"), ErrorName.BAD_REQUEST),
        (m.RefreshUser(user="ann", info=b"x"), ErrorName.BAD_REQUEST),
        (m.DisconnectUser(user="ann", code=1000), ErrorName.BAD_REQUEST),
        (m.DisconnectUser(user="ann", reason="x" * 124), ErrorName.BAD_REQUEST),
    ],
)
async def test_what_an_app_may_not_order_is_refused(control: AppControl, command: m.Control, error: ErrorName) -> None:
    with pytest.raises(CausewayError) as raised:
        await control.control(m.ControlRequest(command=command), call())

    assert raised.value.name is error


@pytest.mark.parametrize(
    "command",
    [
        m.SubscribeUser(user="ann", channel="room:1", data=b"1"),
        m.UnsubscribeUser(user="ann", channel="plain:1"),
        m.DisconnectUser(user="ann"),
        m.RefreshUser(user="ann", expired=True),
    ],
)
async def test_its_own_channels_and_any_user_are_an_apps_to_order(control: AppControl, command: m.Control) -> None:
    assert await control.control(m.ControlRequest(command=command), call()) == m.ControlReply(clients=0)


@pytest.mark.parametrize(
    ("channel", "error"),
    [("lot:1", ErrorName.PERMISSION_DENIED), ("plain:1", ErrorName.NOT_AVAILABLE), ("nowhere:1", ErrorName.UNKNOWN_CHANNEL)],
)
async def test_presence_of_others_and_where_there_is_none_is_refused(control: AppControl, channel: str, error: ErrorName) -> None:
    asked: list[Any] = [
        control.presence(m.PresenceRequest(channel=channel, limit=10), call()),
        control.presence_stats(m.PresenceStatsRequest(channel=channel), call()),
    ]
    for question in asked:
        with pytest.raises(CausewayError) as raised:
            await question
        assert raised.value.name is error


async def test_presence_of_its_own_channel_is_answered(control: AppControl) -> None:
    assert await control.presence(m.PresenceRequest(channel="room:1", limit=10), call()) == m.PresenceReply(clients=[], total=0)
    assert await control.presence_stats(m.PresenceStatsRequest(channel="room:1"), call()) == m.PresenceCounts(clients=0, users=0)
