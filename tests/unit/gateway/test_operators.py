"""What operators ask of channels, users, timers, webhooks, figures and the audit records, under /ops/, with the answers of the contract."""

from __future__ import annotations

from typing import Any

import aiohttp
import msgspec
import pytest

from causeway_common.bus import Deadline
from causeway_common.contracts import messages as m
from causeway_common.contracts.verbs import WEBHOOK_OPERATIONS, WEBHOOK_WRITES
from causeway_gateway.domain.keyring import OPERATIONS, ApiCaller
from unit.gateway.fakes import API_KEY, LIMITED_KEY, NODE, Gateway, token
from unit.gateway.test_operations import ask
from unit.gateway.test_over_websocket import wire

ENDPOINT = {
    "id": "we_1",
    "app": "chat",
    "event": "chat.message.created",
    "url": "https://example.com/hooks",
    "configured": False,
    "disabled": "",
    "disabled_ms": 0,
    "created_ms": 5,
    "rate_limit": 2.0,
    "ordered": False,
}
TRIED = {"webhook_id": "w1", "at_ms": 6, "duration_ms": 7, "outcome": "retry", "status": 503, "answer": "busy"}


async def run(gateway: Gateway, operation: str, **body: Any) -> Any:
    """The result of an operation that works."""
    status, answer = await ask(gateway, operation, body)
    assert status == 200
    assert "error" not in answer, answer
    return answer["result"]


async def refused(gateway: Gateway, operation: str, **body: Any) -> int:
    """The code of an operation that does not."""
    _, answer = await ask(gateway, operation, body)
    return int(answer["error"]["code"])


# --- channels


async def test_channels_are_listed_by_name_page_by_page_or_the_largest_first() -> None:
    async with Gateway() as gateway, wire(gateway) as ann, wire(gateway) as bob:
        await ann.connect("ann")
        await bob.connect("bob")
        for channel in ("open:a", "open:b", "news:c"):
            await ann.ask({"id": 2, "subscribe": {"channel": channel}})
        await bob.ask({"id": 3, "subscribe": {"channel": "open:b"}})
        first = await run(gateway, "channels.list", limit=2)
        second = await run(gateway, "channels.list", limit=2, after="open:a")
        globbed = await run(gateway, "channels.list", pattern="open:*")
        largest = await run(gateway, "channels.list", order="clients", limit=1)

    assert first == {"channels": [{"channel": "news:c", "clients": 1}, {"channel": "open:a", "clients": 1}], "more": True}
    assert second == {"channels": [{"channel": "open:b", "clients": 2}], "more": False}
    assert [each["channel"] for each in globbed["channels"]] == ["open:a", "open:b"]
    assert largest == {"channels": [{"channel": "open:b", "clients": 2}], "more": True}


async def test_a_channel_is_shown_with_what_holds_for_it_and_where_its_log_stands() -> None:
    async with Gateway() as gateway, wire(gateway) as ann:
        await ann.connect("ann")
        await ann.ask({"id": 2, "subscribe": {"channel": "news:a"}})
        gateway.bus.put("news:a", b"1")
        shown = await run(gateway, "channels.show", channel="news:a")
        plain = await run(gateway, "channels.show", channel="open:a")
        assert await refused(gateway, "channels.show", channel="unknown:a") == 102

    assert shown == {
        "channel": "news:a",
        "namespace": "news",
        "app": "",
        "clients": 1,
        "users": 1,
        "epoch": "e1",
        "offset": 1,
        "history_size": 1000,
        "history_ttl_ms": 60_000,
        "presence": False,
        "join_leave": False,
        "binary": False,
        "slow_reader": "close",
    }
    assert (plain["epoch"], plain["offset"], plain["history_size"]) == ("", 0, 0)


async def test_operators_see_who_is_subscribed_whatever_the_namespace_allows_its_clients() -> None:
    async with Gateway() as gateway, wire(gateway) as ann:
        await ann.connect("ann")
        await ann.ask({"id": 2, "subscribe": {"channel": "open:a"}})
        shown = await run(gateway, "channels.presence", channel="open:a")

    (client,) = shown["clients"]
    assert shown["total"] == 1
    assert (client["user"], client["conn_info"], client["chan_info"]) == ("ann", None, None)


async def test_a_log_is_read_from_either_end_and_from_a_position_and_what_is_no_json_is_told_in_base64() -> None:
    async with Gateway() as gateway:
        for data in (b"1", b'{"a":2}', b"\xff"):
            gateway.bus.put("news:a", data, m.ClientInfo(user="ann", client="c"), {"t": "x"})
        newest = await run(gateway, "channels.history", channel="news:a", limit=2)
        behind = await run(gateway, "channels.history", channel="news:a", since={"offset": 1, "epoch": "e1"}, reverse=False)
        assert await refused(gateway, "channels.history", channel="open:a") == 108
        assert await refused(gateway, "channels.history", channel="news:a", since={"offset": 1, "epoch": "other"}) == 112

    assert [each["offset"] for each in newest["publications"]] == [3, 2]
    assert (newest["epoch"], newest["offset"]) == ("e1", 3)
    second, third = behind["publications"]
    assert second == {"offset": 2, "data": {"a": 2}, "b64data": "", "user": "ann", "client": "c", "tags": {"t": "x"}}
    assert (third["data"], third["b64data"]) == (None, "/w==")


# --- users


async def test_a_users_connections_are_shown_with_where_they_come_from_and_what_they_hear() -> None:
    async with Gateway() as gateway, wire(gateway) as ann:
        await ann.ask({"id": 1, "connect": {"token": token("ann"), "name": "js", "version": "5.4.0"}})
        await ann.ask({"id": 2, "subscribe": {"channel": "open:a"}})
        shown = await run(gateway, "users.show", user="ann")
        nobody = await run(gateway, "users.show", user="bob")

    (client,) = shown["clients"]
    assert client["connected_ms"] > 0
    assert client["client"]
    assert {
        name: client[name] for name in ("node", "transport", "codec", "name", "version", "address", "channels", "num_channels")
    } == {
        "node": NODE,
        "transport": "websocket",
        "codec": "json",
        "name": "js",
        "version": "5.4.0",
        "address": "127.0.0.1",
        "channels": ["open:a"],
        "num_channels": 1,
    }
    assert nobody == {"clients": [], "total": 0, "ban": None}


async def test_a_users_connections_are_closed_with_the_code_asked_for_and_audited() -> None:
    async with Gateway() as gateway, wire(gateway) as ann, wire(gateway) as again:
        await ann.connect("ann")
        assert await run(gateway, "users.disconnect", user="ann") == {"clients": 1}
        assert await ann.next() == ("closed", 3503)
        await again.connect("ann")
        assert await run(gateway, "users.disconnect", user="ann", code=4001, reason="bye") == {"clients": 1}
        assert await again.next() == ("closed", 4001)
        assert await refused(gateway, "users.disconnect", user="ann", code=7) == 107

    assert [(each.name, each.target, each.outcome) for each in gateway.bus.audited] == [
        ("users.disconnect", "user=ann", "ok"),
        ("users.disconnect", "user=ann", "ok"),
        ("users.disconnect", "user=ann", "bad_request"),
    ]


async def test_who_is_banned_is_closed_and_comes_in_by_no_way_until_the_ban_is_lifted() -> None:
    """Neither by a token that is newer than the ban nor by the connect hook of an app."""
    async with Gateway(connect_app="chat") as gateway:
        async with wire(gateway) as ann, wire(gateway) as guest:
            await ann.connect("ann")
            await guest.ask({"id": 1, "connect": {"data": "please"}})
            assert await run(gateway, "users.ban", user="ann", reason="spam") == {}
            assert await run(gateway, "users.ban", user="guest") == {}
            assert await ann.next() == ("closed", 3507)
            assert await guest.next() == ("closed", 3507)
        async with wire(gateway) as ann, wire(gateway) as guest, wire(gateway) as bob:
            assert await ann.connect("ann") == ("closed", 3507)
            await guest.send({"id": 1, "connect": {"data": "please"}})
            assert await guest.next() == ("closed", 3507)
            assert "connect" in await bob.connect("bob")
        bans = (await run(gateway, "users.bans"))["bans"]
        shown = await run(gateway, "users.show", user="ann")
        assert await run(gateway, "users.unban", user="ann") == {}
        assert await refused(gateway, "users.unban", user="ann") == 104
        async with wire(gateway) as ann:
            assert "connect" in await ann.connect("ann")

    assert [(each["user"], each["by"], each["reason"], each["expire_at_ms"]) for each in bans] == [
        ("ann", "tests", "spam", 0),
        ("guest", "tests", "", 0),
    ]
    assert bans[0]["at_ms"] > 0
    assert shown["ban"] == bans[0]
    assert [(each.name, each.outcome) for each in gateway.bus.audited] == [
        ("users.ban", "ok"),
        ("users.ban", "ok"),
        ("users.unban", "ok"),
        ("users.unban", "method_not_found"),
    ]


async def test_a_ban_ends_at_its_time_and_one_that_would_be_over_is_refused() -> None:
    async with Gateway() as gateway:
        now = gateway.timers.wall()
        await run(gateway, "users.ban", user="ann", expire_at_ms=now + 3_600_000)
        assert await refused(gateway, "users.ban", user="bob", expire_at_ms=now - 1) == 107
        assert gateway.revocations.banned("ann", now + 3_599_999)
        assert not gateway.revocations.banned("ann", now + 3_600_000)
        for wrong in ({"user": ""}, {"user": "a", "reason": "x" * 201}, {}):
            assert (await ask(gateway, "users.ban", wrong))[0] == 400


async def test_bans_are_listed_page_by_page() -> None:
    async with Gateway() as gateway:
        for user in ("c", "a", "b"):
            await run(gateway, "users.ban", user=user)
        first = await run(gateway, "users.bans", limit=2)
        second = await run(gateway, "users.bans", limit=2, after="b")

    assert ([each["user"] for each in first["bans"]], first["more"]) == (["a", "b"], True)
    assert ([each["user"] for each in second["bans"]], second["more"]) == (["c"], False)


# --- timers, audit records, webhooks


async def test_timers_are_listed_with_what_they_call_and_the_page_behind() -> None:
    async with Gateway() as gateway:
        gateway.desk.waiting = m.TimersReply(
            timers=[
                m.WaitingTimer(
                    app="chat",
                    kind="room",
                    entity="1",
                    name="close",
                    version=3,
                    set_ms=4,
                    at_ms=5,
                    task="shut",
                    payload={"n": 1},
                    traceparent="t",
                )
            ],
            cursor="5:k",
        )
        shown = await run(gateway, "timers.list", app="chat", kind="room", id="1", after="4:j", limit=7)
        assert (await ask(gateway, "timers.list", {"limit": 201}))[0] == 400

    assert gateway.desk.asked_timers == [m.TimersRequest(app="chat", kind="room", entity="1", after="4:j", limit=7)]
    timer = {"app": "chat", "kind": "room", "id": "1", "name": "close", "task": "shut", "at_ms": 5, "set_ms": 4, "version": 3}
    assert shown == {"timers": [{**timer, "payload": {"n": 1}, "traceparent": "t"}], "next": "5:k"}


async def test_audit_records_are_listed_the_newest_first_and_reading_leaves_none() -> None:
    async with Gateway() as gateway:
        gateway.desk.audited = [
            m.AuditRecord(id="2", at_ms=2, caller="ops", name="users.ban", target="user=ann", outcome="ok", traceparent="t"),
            m.AuditRecord(id="1", at_ms=1, caller="key", name="revoke", target="user=bob", outcome="internal"),
        ]
        shown = await run(gateway, "audit.list")
        older = await run(gateway, "audit.list", before="2", limit=1)

    first = {"id": "2", "at_ms": 2, "caller": "ops", "operation": "users.ban", "target": "user=ann", "outcome": "ok"}
    assert shown["records"][0] == {**first, "traceparent": "t"}
    assert [each["id"] for each in shown["records"]] == ["2", "1"]
    assert [each["id"] for each in older["records"]] == ["1"]
    assert gateway.bus.audited == []


async def test_jobs_are_listed_of_one_app_and_one_connector() -> None:
    async with Gateway() as gateway:
        await run(gateway, "jobs.list", state="dead", app="chat", connector="task")

    assert gateway.desk.asked == [m.RecordsRequest(state="dead", app="chat", connector="task")]


@pytest.mark.parametrize(
    ("operation", "body", "asked", "answer"),
    [
        (
            "add",
            {"app": "chat", "event": "e", "url": "https://example.com"},
            {"app": "chat", "event": "e", "url": "https://example.com", "rate_limit": 0.0, "ordered": False},
            {"id": "we_1", "secret": "whsec_x"},
        ),
        ("list", {"app": "chat"}, {"app": "chat"}, {"endpoints": [ENDPOINT]}),
        (
            "show",
            {"id": "we_1"},
            {"id": "we_1"},
            {**ENDPOINT, "attempts": [TRIED], "failing_since_ms": 3, "previous_secret_until_ms": 4},
        ),
        ("test", {"id": "we_1"}, {"id": "we_1"}, TRIED),
        ("rotate", {"id": "we_1"}, {"id": "we_1", "overlap_ms": 86_400_000}, {"id": "we_1", "secret": "whsec_y"}),
        ("enable", {"id": "we_1"}, {"id": "we_1"}, {"id": "we_1"}),
        ("disable", {"id": "we_1"}, {"id": "we_1"}, {"id": "we_1"}),
        ("remove", {"id": "we_1"}, {"id": "we_1"}, {"id": "we_1"}),
        ("replay", {"id": "we_1", "since_ms": 9}, {"id": "we_1", "since_ms": 9, "until_ms": 0}, {"replay": "r1"}),
        ("replay", {"id": "we_1", "since_ms": 9, "until_ms": 10}, {"id": "we_1", "since_ms": 9, "until_ms": 10}, {"replay": "r1"}),
    ],
)
async def test_what_is_asked_of_an_endpoint_is_forwarded_and_its_answer_told(
    operation: str, body: dict[str, Any], asked: dict[str, Any], answer: dict[str, Any]
) -> None:
    async with Gateway() as gateway:
        gateway.desk.webhook_answers = {operation: answer}
        shown = await run(gateway, f"webhooks.{operation}", **body)

    assert gateway.desk.webhook_calls == [(operation, asked)]
    assert shown == answer
    assert [each.name for each in gateway.bus.audited] == ([f"webhooks.{operation}"] if operation in WEBHOOK_WRITES else [])


def test_every_operation_of_endpoints_is_tried_here() -> None:
    tried = test_what_is_asked_of_an_endpoint_is_forwarded_and_its_answer_told.pytestmark[0].args[1]
    assert {each[0] for each in tried} == set(WEBHOOK_OPERATIONS)


# --- figures


def told(frames: int, *, cpu: float = 5, **more: Any) -> m.Figures:
    """What a gateway tells."""
    return m.Figures(version="1.2.0", started_ms=1, totals={"gateway.frames.in": frames}, gauges={"process.cpu": cpu}, **more)


async def test_processes_are_listed_with_their_newest_figures_and_what_these_say() -> None:
    async with Gateway() as gateway:
        gateway.board.heard("gateway", "a", told(0))
        gateway.board.heard("logic-chat", "b", m.Figures(version="1.2.0", app_version="3.0.0", started_ms=2, totals={}, gauges={}))
        gateway.board.heard("gateway", "c", told(0, left=True))
        shown = await run(gateway, "nodes.list")
        gateways = await run(gateway, "nodes.list", service="gateway")

    assert [(each["service"], each["node"], each["state"]) for each in shown["nodes"]] == [
        ("gateway", "a", "up"),
        ("gateway", "c", "left"),
        ("logic-chat", "b", "up"),
    ]
    assert shown["nodes"][0]["figures"] == {"cpu_percent": 5.0}
    assert (shown["nodes"][2]["version"], shown["nodes"][2]["app_version"]) == ("1.2.0", "3.0.0")
    assert shown["figures"]["cpu_percent"] == {"unit": "%", "text": "processor time, of one core", "service": ""}
    assert len(gateways["nodes"]) == 2


async def test_series_are_of_one_length_on_one_grid_of_time() -> None:
    async with Gateway() as gateway:
        gateway.board.heard("gateway", "a", told(0))
        shown = await run(gateway, "nodes.series", figures=["cpu_percent"])
        assert (await ask(gateway, "nodes.series", {"after_ms": -1}))[0] == 400

    assert shown["step_ms"] == 2000
    assert shown["from_ms"] % 2000 == 0
    assert {(each["node"], each["figure"]) for each in shown["series"]} == {("a", "cpu_percent")}


async def test_methods_are_listed_with_calls_faults_refusals_and_the_share_of_a_canary() -> None:
    async with Gateway() as gateway:
        await gateway.routes.set(m.Route(app="chat", method="send", version="1.10.0", share_permille=50), Deadline.after(1))
        now = gateway.timers.wall()
        for version, calls, errors in (("1.9.0", 8, 1), ("1.10.0", 2, 0)):
            counted = m.MethodFigures(
                app="chat", method="send", version=version, calls=calls, errors=errors, rejected=1, time_ms=calls * 3
            )
            gateway.board.heard("gateway", version, m.Figures(version="1", started_ms=now, totals={}, gauges={}, methods=[counted]))
        one = await run(gateway, "apps.methods", app="chat")
        every = await run(gateway, "apps.methods")

    (send,) = one["methods"]
    assert {name: send[name] for name in ("app", "method", "calls", "errors", "rejected", "mean_ms", "route")} == {
        "app": "chat",
        "method": "send",
        "calls": 10,
        "errors": 1,
        "rejected": 2,
        "mean_ms": 3.0,
        "route": {"version": "1.10.0", "share_permille": 50},
    }
    assert [(each["version"], each["calls"]) for each in send["versions"]] == [("1.10.0", 2), ("1.9.0", 8)]
    assert (sum(send["calls_series"]), sum(send["errors_series"]), len(send["calls_series"])) == (10, 1, 60)
    assert every["methods"][0]["calls_series"] == []


# --- rights


async def test_a_key_of_one_namespace_sees_no_channel_of_another_whichever_operations_it_has() -> None:
    """P6: the namespaces of a key hold for what operators look at too."""
    async with Gateway() as gateway, wire(gateway) as ann:
        await ann.connect("ann")
        for channel in ("news:a", "open:a"):
            await ann.ask({"id": 2, "subscribe": {"channel": channel}})
        caller = ApiCaller("team", OPERATIONS, frozenset({"open"}))

        async def asked(operation: str, body: dict[str, Any]) -> Any:
            answer = await gateway.api.handle(operation, msgspec.json.encode(body), caller, transport_errors=False, operation=True)
            return msgspec.json.decode(answer.body)

        for operation in ("channels.show", "channels.presence", "channels.history"):
            assert (await asked(operation, {"channel": "news:a"}))["error"]["code"] == 103, operation
        listed = await asked("channels.list", {})
        shown = await asked("users.show", {"user": "ann"})
        refusal = await gateway.api.open("channels.tail", b'{"channel":"news:a"}', caller)

        assert [each["channel"] for each in listed["result"]["channels"]] == ["open:a"]
        assert [each["channels"] for each in shown["result"]["clients"]] == [["open:a"]]
        assert "result" in await asked("channels.show", {"channel": "open:a"})
        assert b"103" in getattr(refusal, "body", b"")


async def test_a_key_that_names_no_operation_operates_nothing() -> None:
    async with Gateway() as gateway:
        for operation, body in (
            ("channels.show", {"channel": "news:a"}),
            ("channels.presence", {"channel": "news:a"}),
            ("channels.history", {"channel": "news:a"}),
            ("channels.tail", {"channel": "news:a"}),
            ("users.ban", {"user": "ann"}),
            ("audit.list", {}),
            ("timers.list", {}),
            ("nodes.list", {}),
        ):
            _, answer = await ask(gateway, operation, body, LIMITED_KEY)
            assert answer["error"]["code"] == 103, operation


async def test_events_are_told_from_a_time_on_and_of_the_types_asked_for() -> None:
    async with Gateway() as gateway:
        gateway.desk.events = [
            msgspec.msgpack.encode(m.LifecycleEvent(id=name, type=name, time_ms=5, user="ann"))
            for name in ("connected", "disconnected")
        ]
        async with (
            aiohttp.ClientSession() as http,
            http.post(
                f"{gateway.http}/ops/events.tail", json={"since_ms": 1, "types": ["disconnected"]}, headers={"X-API-Key": API_KEY}
            ) as response,
        ):
            lines = [msgspec.json.decode(await response.content.readline()) for _ in range(2)]
        await gateway.mailboxes.end()

    assert lines[0] == {"type": "begin"}
    assert lines[1].items() >= {"type": "event", "event": "disconnected", "sequence": 1, "user": "ann", "time_ms": 5}.items()
