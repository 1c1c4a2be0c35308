"""The server API: keys and their rights, bodies, errors, every method."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from causeway_common.contracts.messages import NamespaceSpec
from causeway_gateway.domain.keyring import METHODS, OPERATIONS
from support.waiting import until
from unit.gateway.fakes import API_KEY, LIMITED_KEY, NEWS, OPEN, Gateway, token


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[Gateway, aiohttp.ClientSession]]:
    async with Gateway() as gateway, aiohttp.ClientSession(gateway.http) as http:
        yield gateway, http


async def post(http: aiohttp.ClientSession, method: str, body: Any, **headers: str) -> tuple[int, str, Any]:
    data = io.BytesIO(body) if isinstance(body, bytes) else None
    async with http.post(
        f"/api/{method}", data=data, json=None if data is not None else body, headers=headers or {"X-API-Key": API_KEY}
    ) as response:
        text = await response.text()
        return response.status, text, await response.json() if response.content_type == "application/json" else None


@pytest.mark.parametrize("headers", [{"X-API-Key": API_KEY}, {"Authorization": f"apikey {API_KEY}"}])
async def test_both_headers_carry_the_key(headers: dict[str, str]) -> None:
    async with serving() as (_, http):
        status, _, answer = await post(http, "publish", {"channel": "news:a", "data": {"a": 1}}, **headers)

    assert (status, answer) == (200, {"result": {"offset": 1, "epoch": "e1"}})


@pytest.mark.parametrize(
    "headers",
    [
        {"X-API-Key": "wrong"},
        {"X-API-Key": ""},
        {"X-API-Key": "", "Authorization": f"apikey {API_KEY}"},
        {"Authorization": "apikey"},
        {"X": "y"},
    ],
)
async def test_a_wrong_key_is_401_with_an_empty_body(headers: dict[str, str]) -> None:
    async with serving() as (_, http):
        status, text, _ = await post(http, "publish", {"channel": "news:a", "data": 1}, **headers)

    assert (status, text) == (401, "")


@pytest.mark.parametrize("body", [b"", b"no json", b'{"channel":1}', b"[]", b'{"channel":"news:a","data":"\xff"}', b"[" * 100_000])
async def test_what_cannot_be_decoded_is_400(body: bytes) -> None:
    async with serving() as (_, http):
        status, _, _ = await post(http, "publish", body)

    assert status == 400


@pytest.mark.parametrize(
    ("method", "body", "code"),
    [
        ("publish", {"data": 1}, 107),
        ("publish", {"channel": "news:a"}, 107),
        ("publish", {"channel": "nowhere:a", "data": 1}, 102),
        ("publish", {"channel": "news:a", "data": 1, "idempotency_key": "x" * 65}, 107),
        ("publish", {"channel": "news:a", "b64data": "eA=="}, 107),
        ("publish", {"channel": "news:a", "b64data": "?"}, 107),
        ("publish", {"channel": "news:a", "b64data": "\u00e4"}, 107),
        ("publish", {"channel": "news:a", "data": 1, "skip_history": True, "version": 1}, 107),
        ("broadcast", {"data": 1}, 107),
        ("subscribe", {"channel": "open:a"}, 107),
        ("subscribe", {"user": "ann", "channel": "nowhere:a"}, 102),
        ("disconnect", {"user": "ann", "disconnect": {"code": 1000, "reason": "x"}}, 107),
        ("presence", {"channel": "open:a"}, 108),
        ("presence_stats", {"channel": "nowhere:a"}, 102),
        ("history_remove", {"channel": "open:a"}, 108),
        ("revoke", {}, 107),
        ("revoke", {"user": "ann", "jti": "j"}, 107),
        ("rpc", {"method": "nowhere.method"}, 104),
        ("history", {"channel": "open:a"}, 108),
        ("history", {"channel": "news:a", "limit": 1, "since": {"offset": 1, "epoch": "e0"}}, 112),
        ("history", {"channel": "news:a", "reverse": True, "since": {"offset": 0, "epoch": "e1"}}, 107),
    ],
)
async def test_errors_are_200_with_code_message_and_temporary(method: str, body: dict[str, Any], code: int) -> None:
    async with serving() as (gateway, http):
        gateway.bus.put("news:a", b"1")
        status, _, answer = await post(http, method, body)

    assert status == 200
    assert answer["error"]["code"] == code
    assert answer["error"]["temporary"] is False
    assert answer["error"]["message"]


async def test_while_storage_is_away_the_error_is_temporary_and_the_same_key_is_published_once() -> None:
    async with serving() as (gateway, http):
        body = {"channel": "news:a", "data": 1, "idempotency_key": "k"}
        gateway.bus.away = True
        _, _, away = await post(http, "publish", body)
        gateway.bus.away = False
        answers = [(await post(http, "publish", body))[2] for _ in range(2)]

    assert (away["error"]["code"], away["error"]["temporary"]) == (100, True)
    assert answers == [{"result": {"offset": 1, "epoch": "e1"}}] * 2
    assert len(gateway.bus.logs["news:a"].publications) == 1


async def test_history_goes_both_ways_by_position_and_over_pages() -> None:
    async with serving() as (gateway, http):
        for n in range(250):
            gateway.bus.put("news:a", b"%d" % n, tags={"n": str(n)})
        empty = (await post(http, "history", {"channel": "news:a"}))[2]["result"]
        everything = (await post(http, "history", {"channel": "news:a", "limit": -1}))[2]["result"]
        back = (await post(http, "history", {"channel": "news:a", "limit": 2, "reverse": True}))[2]["result"]
        since = (await post(http, "history", {"channel": "news:a", "limit": 2, "since": {"offset": 7, "epoch": "e1"}}))[2]["result"]

    assert empty == {"publications": [], "epoch": "e1", "offset": 250}
    assert [each["offset"] for each in everything["publications"]] == list(range(1, 251))
    assert [each["offset"] for each in back["publications"]] == [250, 249]
    assert since["publications"] == [{"data": 7, "offset": 8, "tags": {"n": "7"}}, {"data": 8, "offset": 9, "tags": {"n": "8"}}]


async def test_a_channel_without_history_has_no_position() -> None:
    async with serving() as (_, http):
        _, _, answer = await post(http, "publish", {"channel": "open:a", "data": [1]})

    assert answer == {"result": {}}


async def test_an_unknown_method_is_404_and_a_body_beyond_the_limit_413() -> None:
    async with serving() as (_, http):
        assert (await post(http, "presence_of_mind", {}))[0] == 404
        assert (await post(http, "publish", b"x" * (1024 * 1024 + 1)))[0] == 413


async def test_the_page_says_what_runs_and_trusts_no_header() -> None:
    async with serving() as (_, http), http.get("/", headers={"Host": "<script>"}) as response:
        text = await response.text()

    assert "Causeway" in text
    assert "/connection/websocket" in text
    assert "<script>" not in text


ROOM = NamespaceSpec(name="room", presence=True, join_leave=True, allow_subscribe_for_client=True)


@asynccontextmanager
async def watched(*channels: str, user: str = "ann") -> AsyncIterator[tuple[Gateway, aiohttp.ClientSession, Any]]:
    """A gateway, its API, and one client's socket, subscribed."""
    async with (
        Gateway(specs=(OPEN, NEWS, ROOM)) as gateway,
        aiohttp.ClientSession(gateway.http) as http,
        aiohttp.ClientSession() as session,
        session.ws_connect(gateway.url) as ws,
    ):
        await ws.send_json({"id": 1, "connect": {"token": token(user)}})
        await ws.receive_json()
        for channel in channels:
            await ws.send_json({"id": 2, "subscribe": {"channel": channel}})
            await ws.receive_json()
        yield gateway, http, ws


async def test_a_broadcast_answers_for_each_channel_in_order() -> None:
    async with serving() as (_, http):
        body = {"channels": ["news:a", "nowhere:a", "open:a"], "data": 1}
        _, _, answer = await post(http, "broadcast", body)

    ok, unknown, unlogged = answer["result"]["responses"]
    assert ok == {"result": {"offset": 1, "epoch": "e1"}}
    assert unknown["error"]["code"] == 102
    assert unlogged == {"result": {}}


async def test_a_batch_answers_each_command_and_names_the_failing_ones() -> None:
    commands = [
        {"publish": {"channel": "news:a", "data": 1}},
        {"publish": {"channel": "nowhere:a", "data": 1}},
        {"nothing": {}},
        {"publish": {"channel": 5}},
        {"history": {"channel": "news:a", "limit": 1}},
    ]
    async with serving() as (_, http):
        for parallel in (False, True):
            _, _, answer = await post(http, "batch", {"commands": commands, "parallel": parallel})
            published, unknown, nothing, malformed, history = answer["replies"]
            assert published["publish"]["epoch"] == "e1"
            assert [each["error"]["code"] for each in (unknown, nothing, malformed)] == [102, 104, 107]
            assert "publications" in history["history"]


async def test_packed_data_is_published_as_it_is() -> None:
    async with serving() as (gateway, http):
        await post(http, "publish", {"channel": "news:a", "b64data": base64.b64encode(b'{"a": 1}').decode()})

        assert gateway.bus.logs["news:a"].publications[0].data == b'{"a": 1}'


async def test_an_idempotency_key_holds_in_channels_without_history_too() -> None:
    async with watched("open:a") as (_, http, ws):
        body = {"channel": "open:a", "data": 1, "idempotency_key": "k"}
        answers = [(await post(http, "publish", body))[2] for _ in range(2)]
        await post(http, "publish", {"channel": "open:a", "data": 2})
        pushes = [await ws.receive_json() for _ in range(2)]

    assert answers == [{"result": {}}] * 2
    assert [push["push"]["pub"]["data"] for push in pushes] == [1, 2]


@pytest.mark.parametrize("refused", [{"b64data": "eA=="}, {"data": "x" * 1_000_000}], ids=["no JSON", "too large"])
async def test_an_idempotency_key_is_not_spent_on_what_is_refused(refused: dict[str, Any]) -> None:
    async with watched("open:a") as (_, http, ws):
        for _ in range(2):
            answer = (await post(http, "publish", {"channel": "open:a", "idempotency_key": "k", **refused}))[2]
            assert answer["error"]["code"] == 107
        await post(http, "publish", {"channel": "open:a", "idempotency_key": "k", "data": "mended"})

        assert (await ws.receive_json())["push"]["pub"]["data"] == "mended"


async def test_errors_can_be_http_statuses() -> None:
    async with serving() as (_, http):
        headers = {"X-API-Key": API_KEY, "X-Centrifugo-Error-Mode": "transport"}
        status, _, answer = await post(http, "publish", {"channel": "nowhere:a", "data": 1}, **headers)

    assert (status, answer["code"]) == (404, 102)


async def test_a_key_may_do_what_it_was_given_and_no_more() -> None:
    async with serving() as (_, http):
        headers = {"X-API-Key": LIMITED_KEY}
        allowed = (await post(http, "publish", {"channel": "open:a", "data": 1}, **headers))[2]
        denied = [
            (await post(http, method, body, **headers))[2]
            for method, body in (
                ("publish", {"channel": "news:a", "data": 1}),
                ("history", {"channel": "open:a"}),
                ("info", {}),
            )
        ]

    assert allowed == {"result": {}}
    assert [answer["error"]["code"] for answer in denied] == [103] * 3


async def test_presence_channels_and_info_tell_who_is_there() -> None:
    async with watched("room:a") as (_gateway, http, _):
        presence = (await post(http, "presence", {"channel": "room:a"}))[2]["result"]["presence"]
        empty = (await post(http, "presence", {"channel": "room:b"}))[2]
        stats = (await post(http, "presence_stats", {"channel": "room:a"}))[2]["result"]
        channels = (await post(http, "channels", {"pattern": "room:*"}))[2]["result"]
        none = (await post(http, "channels", {"pattern": "x*"}))[2]
        info = (await post(http, "info", {}))[2]["result"]

    ((client, info_of),) = presence.items()
    assert info_of == {"user": "ann", "client": client}
    assert empty == {"result": {"presence": {}}}
    assert stats == {"num_clients": 1, "num_users": 1}
    assert channels == {"channels": {"room:a": {"num_clients": 1}}}
    assert none == {"result": {"channels": {}}}
    assert [node["uid"] for node in info["nodes"]] == ["n1"]
    assert info["storage"] == "sqlite"


async def test_the_server_subscribes_unsubscribes_and_disconnects_a_user() -> None:
    async with watched() as (_gateway, http, ws):
        assert (await post(http, "subscribe", {"user": "ann", "channel": "open:a", "data": {"hi": 1}}))[2] == {"result": {}}
        assert (await ws.receive_json())["push"] == {"channel": "open:a", "subscribe": {"data": {"hi": 1}}}
        await post(http, "publish", {"channel": "open:a", "data": 1})
        assert (await ws.receive_json())["push"]["pub"]["data"] == 1
        await post(http, "unsubscribe", {"user": "ann", "channel": "open:a"})
        assert (await ws.receive_json())["push"]["unsubscribe"] == {"code": 2000, "reason": "server unsubscribe"}
        await post(http, "refresh", {"user": "ann", "expire_at": 4_000_000_000})
        assert (await ws.receive_json())["push"]["refresh"]["expires"] is True
        await post(http, "disconnect", {"user": "bob"})
        await post(http, "disconnect", {"user": "ann", "disconnect": {"code": 4001, "reason": "enough"}})
        closed = await ws.receive()

    assert (closed.data, closed.extra) == (4001, "enough")


async def test_a_subscription_by_the_server_recovers_what_was_missed() -> None:
    async with watched() as (gateway, http, ws):
        for number in range(3):
            gateway.bus.put("news:a", b"%d" % number)
        await post(http, "subscribe", {"user": "ann", "channel": "news:a", "recover_since": {"offset": 1, "epoch": "e1"}})
        pushes = [(await ws.receive_json())["push"] for _ in range(3)]

    assert pushes[0]["subscribe"]["positioned"] is True
    assert [push["pub"]["offset"] for push in pushes[1:]] == [2, 3]


async def test_a_revoked_users_connections_close_with_3500_and_its_tokens_open_no_others() -> None:
    async with watched() as (gateway, http, ws):
        assert (await post(http, "revoke", {"user": "ann"}))[2] == {"result": {}}
        assert (await ws.receive()).data == 3500
        async with aiohttp.ClientSession() as session, session.ws_connect(gateway.url) as again:
            await again.send_json({"id": 1, "connect": {"token": token("ann")}})
            assert (await again.receive()).data == 3500
        async with aiohttp.ClientSession() as session, session.ws_connect(gateway.url) as other:
            await other.send_json({"id": 1, "connect": {"token": token("bob")}})
            assert "connect" in await other.receive_json()


async def test_removed_history_is_gone_and_its_position_stays() -> None:
    async with serving() as (gateway, http):
        gateway.bus.put("news:a", b"1")
        assert (await post(http, "history_remove", {"channel": "news:a"}))[2] == {"result": {}}
        after = (await post(http, "history", {"channel": "news:a", "limit": -1}))[2]["result"]

    assert after == {"publications": [], "epoch": "e1", "offset": 1}


async def test_an_app_is_called_in_nobodys_name() -> None:
    async with serving() as (gateway, http):

        async def send(request: Any) -> bytes:
            return json.dumps([request.user, json.loads(request.data)]).encode()

        gateway.apps.methods["chat.send"] = send
        _, _, answer = await post(http, "rpc", {"method": "chat.send", "params": {"a": 1}})

    assert answer == {"result": {"data": ["", {"a": 1}]}}


async def test_the_openapi_document_lists_every_method() -> None:
    async with serving() as (_, http), http.get("/api/openapi.json") as response:
        document = await response.json()

    assert document["openapi"] == "3.1.0"
    methods = {path.removeprefix("/api/") for path in document["paths"] if path.startswith("/api/")}
    assert methods == METHODS
    assert {path.removeprefix("/ops/") for path in document["paths"] if path.startswith("/ops/")} == OPERATIONS
    assert document["components"]["schemas"]["PublishRequest"]["properties"]["channel"] == {"type": "string", "default": ""}


async def test_a_member_that_leaves_is_gone_from_presence_at_once() -> None:
    async with watched("room:a") as (gateway, http, ws):
        assert len((await post(http, "presence", {"channel": "room:a"}))[2]["result"]["presence"]) == 1
        await ws.close()
        await until(lambda: gateway.registry.num_clients == 0)
        assert (await post(http, "presence", {"channel": "room:a"}))[2]["result"]["presence"] == {}


async def test_what_changes_something_leaves_an_audit_record_and_what_reads_or_publishes_does_not() -> None:
    bodies: dict[str, dict[str, Any]] = {
        "subscribe": {"user": "ann", "channel": "news:a"},
        "unsubscribe": {"user": "ann", "channel": "news:a"},
        "disconnect": {"user": "ann", "client": "c1"},
        "refresh": {"user": "ann", "session": "s"},
        "revoke": {"jti": "j"},
        "history_remove": {"channel": "news:a"},
    }
    async with serving() as (gateway, http):
        for method, body in bodies.items():
            assert (await post(http, method, body))[2] == {"result": {}}
        for method, body in (("publish", {"channel": "news:a", "data": 1}), ("history", {"channel": "news:a"}), ("info", {})):
            await post(http, method, body)
        await post(http, "batch", {"commands": [{"disconnect": {"user": "bob"}}]})
        audited = gateway.bus.audited

    assert [(each.name, each.target) for each in audited] == [
        ("subscribe", "user=ann channel=news:a"),
        ("unsubscribe", "user=ann channel=news:a"),
        ("disconnect", "user=ann client=c1"),
        ("refresh", "user=ann session=s"),
        ("revoke", "jti=j"),
        ("history_remove", "channel=news:a"),
        ("disconnect", "user=bob"),
    ]
    assert {(each.caller, each.outcome) for each in audited} == {("tests", "ok")}
    assert len({each.id for each in audited}) == 7
    assert all(each.id.startswith(f"{each.at_ms:016d}-") for each in audited)


async def test_an_operation_that_is_refused_or_fails_leaves_its_outcome() -> None:
    async with serving() as (gateway, http):
        await post(http, "disconnect", {"user": "ann"}, **{"X-API-Key": LIMITED_KEY})
        await post(http, "revoke", {})
        await post(http, "history_remove", {"channel": "unknown:a"})
        audited = gateway.bus.audited

    assert [(each.caller, each.name, each.outcome) for each in audited] == [
        ("limited", "disconnect", "permission_denied"),
        ("tests", "revoke", "bad_request"),
        ("tests", "history_remove", "unknown_channel"),
    ]


async def test_an_operation_is_done_and_answered_while_storage_is_away_and_the_log_has_its_record(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with serving() as (gateway, http):
        gateway.bus.away = True
        answer = await post(http, "disconnect", {"user": "ann"})

    assert answer[2] == {"result": {}}
    assert "stands here alone" in (told := capsys.readouterr().out)
    assert "user=ann" in told
