"""What operators ask under /ops/: routes and apps, with the server API's keys, audited; and not by the way of the API's methods."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from causeway_common.bus.versions import Living
from causeway_common.contracts import messages as m
from unit.gateway.fakes import API_KEY, LIMITED_KEY, Gateway

BID = {"app": "chat", "method": "send"}
ROUTE = {**BID, "version": "1.10.0", "share_permille": 50}


async def ask(gateway: Gateway, operation: str, body: Any, key: str = API_KEY, at: str = "ops") -> tuple[int, Any]:
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{gateway.http}/{at}/{operation}", json=body, headers={"X-API-Key": key}) as response,
    ):
        return response.status, await response.json() if response.content_type == "application/json" else None


async def test_a_route_is_set_listed_with_the_living_instances_and_removed_and_each_change_is_audited() -> None:
    async with Gateway() as gateway:
        assert await ask(gateway, "route.set", ROUTE) == (200, {"result": {}})
        shown = {**ROUTE, "instances": 2}
        assert await ask(gateway, "route.list", {}) == (200, {"result": {"routes": [shown]}})
        assert await ask(gateway, "route.list", {"app": "other"}) == (200, {"result": {"routes": []}})
        assert await ask(gateway, "route.remove", BID) == (200, {"result": {}})
        assert await ask(gateway, "route.list", {}) == (200, {"result": {"routes": []}})

    told = [(record.name, record.target, record.outcome) for record in gateway.bus.audited]
    assert told == [
        ("route.set", "app=chat method=send version=1.10.0 share_permille=50", "ok"),
        ("route.remove", "app=chat method=send", "ok"),
    ]


@pytest.mark.parametrize(
    ("operation", "body", "code"),
    [
        ("route.set", {**ROUTE, "app": "nobody"}, 104),
        ("route.set", {**ROUTE, "method": "never"}, 104),
        ("route.set", {**ROUTE, "version": "a b"}, 107),
        ("route.set", {**ROUTE, "version": ""}, 107),
        ("route.remove", BID, 104),
    ],
)
async def test_an_operation_on_what_is_not_there_is_an_error_of_the_table(operation: str, body: Any, code: int) -> None:
    async with Gateway() as gateway:
        status, answer = await ask(gateway, operation, body)

    assert (status, answer["error"]["code"]) == (200, code)


@pytest.mark.parametrize("body", [{**ROUTE, "share_permille": 1001}, {**ROUTE, "share_permille": "5%"}, BID, []])
async def test_a_body_of_another_form_is_400(body: Any) -> None:
    async with Gateway() as gateway:
        assert (await ask(gateway, "route.set", body))[0] == 400


async def test_a_route_of_an_app_needs_no_method_and_its_version_need_not_live_yet() -> None:
    async with Gateway() as gateway:
        body = {"app": "chat", "version": "2.0.0-rc.1", "share_permille": 1000}
        assert await ask(gateway, "route.set", body) == (200, {"result": {}})
        assert await ask(gateway, "route.list", {}) == (200, {"result": {"routes": [{**body, "method": "", "instances": 0}]}})


async def test_the_apps_are_listed_with_their_versions_highest_first() -> None:
    async with Gateway() as gateway:
        _, answer = await ask(gateway, "apps.list", {})

    assert answer["result"]["apps"] == [
        {
            "app": "chat",
            "ruling": "1.10.0",
            "versions": [
                {"version": "1.10.0", "instances": 2, "methods": ["send"]},
                {"version": "1.9.0", "instances": 0, "methods": []},
            ],
            "methods": ["send"],
            "namespaces": ["chat"],
            "breaks": [],
        }
    ]


async def test_what_a_living_version_breaks_of_another_one_is_told() -> None:
    async with Gateway() as gateway:
        ((high,),) = gateway.versions.living.values()
        low = m.Manifest(app="chat", version="1.9.0", methods=[m.MethodSpec(name="gone")], namespaces=high.manifest.namespaces)
        gateway.versions.living = {"chat": (high, Living("1.9.0", 1, low))}
        _, answer = await ask(gateway, "apps.list", {"app": "chat"})

    assert answer["result"]["apps"][0]["breaks"] == ["1.10.0 breaks 1.9.0: the method gone is gone"]


async def test_only_a_key_without_limits_or_one_that_names_it_may_operate() -> None:
    async with Gateway() as gateway:
        _, answer = await ask(gateway, "route.set", ROUTE, LIMITED_KEY)
        assert answer["error"]["code"] == 103
        assert (await ask(gateway, "route.set", ROUTE, "wrong"))[0] == 401
        assert gateway.routing.routes == []

    assert [record.outcome for record in gateway.bus.audited] == ["permission_denied"]


async def test_operations_and_methods_are_not_reached_by_each_others_way() -> None:
    async with Gateway() as gateway:
        assert (await ask(gateway, "route.set", ROUTE, at="api"))[0] == 404
        assert (await ask(gateway, "publish", {"channel": "open:a", "data": 1}))[0] == 404
        assert (await ask(gateway, "batch", {}))[0] == 404
        _, answer = await ask(gateway, "batch", {"commands": [{"route.set": ROUTE}]}, at="api")
        assert answer["replies"][0]["error"]["code"] == 104
        assert gateway.routing.routes == []


async def test_an_entity_is_shown_as_json_with_its_versions_and_what_waits_to_leave() -> None:
    """A publication waits as the bytes of a JSON text, and is shown as what it says."""
    async with Gateway() as gateway:
        gateway.bus.entities["chat", "room", "1"] = m.InspectReply(
            document=m.Document(version=2, state={"n": [1]}),
            versions=[m.Trace(version=2, by="ann", at_ms=5, traceparent="t")],
            outbox=[m.WaitingItems(items=[{"kind": "publish", "data": b'{"a":1}', "odd": b"\xff"}], at_ms=5, version=2)],
        )
        found = await ask(gateway, "entity.inspect", {"app": "chat", "kind": "room", "id": "1"})
        nothing = await ask(gateway, "entity.inspect", {"app": "chat", "kind": "room", "id": "2"})

    assert found[1]["result"] == {
        "version": 2,
        "state": {"n": [1]},
        "versions": [{"version": 2, "by": "ann", "at_ms": 5, "traceparent": "t"}],
        "outbox": [{"version": 2, "at_ms": 5, "traceparent": "", "items": [{"kind": "publish", "data": {"a": 1}, "odd": "ff"}]}],
    }
    assert nothing == (200, {"result": {"version": 0, "state": None, "versions": [], "outbox": []}})


async def test_the_contract_of_an_app_is_its_manifest_and_of_one_that_is_not_there_an_error() -> None:
    async with Gateway() as gateway:
        _, answer = await ask(gateway, "apps.contract", {"app": "chat"})
        _, older = await ask(gateway, "apps.contract", {"app": "chat", "version": "1.9.0"})
        _, nobody = await ask(gateway, "apps.contract", {"app": "nobody"})
        _, never = await ask(gateway, "apps.contract", {"app": "chat", "version": "9.0.0"})

    manifest = answer["result"]["manifest"]
    assert (manifest["app"], [method["name"] for method in manifest["methods"]]) == ("chat", ["send"])
    assert older["result"]["manifest"]["version"] == "1.9.0"
    assert [each["error"]["code"] for each in (nobody, never)] == [104, 104]


async def test_a_key_with_limits_looks_into_nothing() -> None:
    async with Gateway() as gateway:
        for operation, body in (
            ("entity.inspect", {"app": "a", "kind": "b", "id": "c"}),
            ("apps.contract", {"app": "chat"}),
            ("jobs.list", {}),
            ("jobs.show", {"id": "d"}),
            ("jobs.redrive", {"ids": ["d"]}),
        ):
            _, answer = await ask(gateway, operation, body, LIMITED_KEY)
            assert answer["error"]["code"] == 103


def kept(id: str, state: str, connector: str = "email", log: list[m.Attempt] | None = None) -> m.KeptRecord:
    record = m.Record(
        id=id,
        app="chat",
        connector=connector,
        op="send",
        payload={"to": ["ann@example.com"], "file": b"\xff"},
        state=state,  # type: ignore[arg-type]
        attempts=len(log or ()),
        created_ms=1,
        note="550 never",
        log=log or [],
    )
    return m.KeptRecord(record=record, ended_ms=9, tries=len(log or ()), told=bool(log))


async def test_jobs_are_listed_shown_and_tried_again() -> None:
    attempt = m.Attempt(number=1, claim=1, at_ms=2, duration_ms=3, outcome="retry", status=451, answer="busy", trace_id="f" * 32)
    async with Gateway() as gateway:
        gateway.desk.kept = {
            "d": kept("d", "dead", log=[attempt]),
            "t": kept("t", "pending", "", [attempt]),
            "u": kept("u", "pending"),
        }
        _, page = await ask(gateway, "jobs.list", {"state": "dead", "after": "c", "limit": 7})
        _, shown = await ask(gateway, "jobs.show", {"id": "d"})
        _, task = await ask(gateway, "jobs.show", {"id": "t"})
        _, under_way = await ask(gateway, "jobs.show", {"id": "u"})
        _, nothing = await ask(gateway, "jobs.show", {"id": "nobody"})
        _, again = await ask(gateway, "jobs.redrive", {"ids": ["d", "nobody"]})
        for wrong in ({"state": "odd"}, {"limit": 0}, {"limit": 201}):
            assert (await ask(gateway, "jobs.list", wrong))[0] == 400

    job = {
        "id": "d",
        "app": "chat",
        "connector": "email",
        "op": "send",
        "operation": "email.send",
        "state": "dead",
        "tries": 1,
        "created_ms": 1,
        "next_at_ms": 0,
        "ended_ms": 9,
        "note": "550 never",
        "traceparent": "",
    }
    assert page["result"] == {"jobs": [job], "more": True}
    assert gateway.desk.asked == [m.RecordsRequest(state="dead", after="c", limit=7)]
    told = {"number": 1, "claim": 1, "at_ms": 2, "duration_ms": 3, "outcome": "retry", "status": 451, "answer": "busy"}
    assert shown["result"] == {
        **job,
        "payload": {"to": ["ann@example.com"], "file": "ff"},
        "attempts": [{**told, "trace_id": "f" * 32}],
    }
    assert (task["result"]["operation"], task["result"]["state"]) == ("task.send", "retrying")
    assert under_way["result"]["state"] == "pending"
    assert nothing["error"]["code"] == 104
    assert again["result"] == {"redriven": ["d"]}
    assert [(record.name, record.target) for record in gateway.bus.audited] == [("jobs.redrive", "ids=['d', 'nobody']")]
