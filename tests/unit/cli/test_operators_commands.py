"""The commands of operators against a stand-in for their calls: what they ask, what they print, and their streams."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from click.testing import CliRunner

import causeway_cli
from causeway_cli.__main__ import main
from causeway_cli.figures import columns_of, figure_text, node_line, title_of
from causeway_common.contracts.verbs import WEBHOOK_OPERATIONS
from causeway_common.telemetry import FIGURES
from causeway_gateway.domain.keyring import OPERATIONS
from support.served import posts_to

NODE = {
    "node": "n1",
    "service": "gateway",
    "version": "1.2.0",
    "app_version": "",
    "started_ms": 1,
    "heard_ms": 2,
    "state": "up",
    "figures": {"connections": 12500.0, "cpu_percent": 3.25, "rss_bytes": 83_100_000.0, "feed_lag_ms": 0.4},
}
NODES = {
    "nodes": [NODE, {**NODE, "node": "n2", "service": "logic-chat", "app_version": "3.0.0", "state": "silent", "figures": {}}],
    "figures": {name: {"unit": each.unit, "text": each.text, "service": each.service} for name, each in FIGURES.items()},
    "now_ms": 3,
}
BAN = {"user": "mallory", "at_ms": 1_700_000_000_000, "expire_at_ms": 0, "by": "ops", "reason": "spam"}
CLIENT = {
    "client": "c1",
    "node": "n1",
    "transport": "websocket",
    "codec": "json",
    "name": "js",
    "version": "5.4.0",
    "address": "192.0.2.1",
    "connected_ms": 1_700_000_000_000,
    "channels": ["chat:1"],
    "num_channels": 1,
}
TIMER = {
    "app": "auctions",
    "kind": "lot",
    "id": "1",
    "name": "close",
    "task": "shut",
    "at_ms": 1_700_000_000_000,
    "set_ms": 1,
    "version": 3,
    "payload": {},
    "traceparent": "",
}
METHOD = {
    "app": "chat",
    "method": "send",
    "calls": 10,
    "errors": 1,
    "rejected": 2,
    "mean_ms": 3.5,
    "route": {"version": "1.1.0", "share_permille": 55},
    "versions": [
        {"version": "1.0.0", "calls": 9, "errors": 1, "rejected": 2, "mean_ms": 3.0},
        {"version": "1.1.0", "calls": 1, "errors": 0, "rejected": 0, "mean_ms": 8.0},
    ],
    "calls_series": [],
    "errors_series": [],
}
AUDITED = {
    "id": "2",
    "at_ms": 1_700_000_000_000,
    "caller": "ops",
    "operation": "users.ban",
    "target": "user=ann",
    "outcome": "ok",
    "traceparent": "",
}
PUBLICATION = {
    "type": "publication",
    "offset": 8,
    "data": {"n": 1},
    "b64data": "",
    "user": "ann",
    "client": "c",
    "tags": {},
    "time_ms": 5,
    "bytes": 7,
}


class Operators:
    """Notes what it got, answers as told; a list of pages is answered one after the other, lines are a stream."""

    def __init__(self) -> None:
        self.got: list[tuple[str, Any]] = []
        self.pages: dict[str, list[Any]] = {}
        self.lines: list[Any] = []
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["operation"]
        if request.headers.get("X-API-Key") != "the-key":
            return web.Response(status=401)
        self.got.append((name, await request.json()))
        if name.endswith(".tail"):
            body = "".join(json.dumps(line) + "\n" for line in self.lines)
            return web.Response(text=body, content_type="application/x-ndjson")
        pages = self.pages.get(name, [{}])
        return web.json_response({"result": pages.pop(0) if len(pages) > 1 else pages[0]})


@pytest.fixture
async def operators() -> AsyncIterator[Operators]:
    standin = Operators()
    async with posts_to("/ops/{operation}", standin.handle) as standin.url:
        yield standin


async def run(operators: Operators, *arguments: str, key: str = "the-key") -> tuple[int, list[str], str]:
    """A command against the stand-in: its exit code, its lines, and what it says beside."""
    env = {"CAUSEWAY_API_KEY": key, "CAUSEWAY_URL": operators.url, "COLUMNS": "200"}
    result = await asyncio.to_thread(CliRunner().invoke, main, arguments, env=env)
    return result.exit_code, result.stdout.splitlines(), result.stderr


async def test_processes_are_printed_with_their_figures_in_units_for_the_eye(operators: Operators) -> None:
    operators.pages["nodes.list"] = [NODES]
    code, lines, beside = await run(operators, "nodes")
    _, as_json, _ = await run(operators, "nodes", "gateway", "--json")

    assert code == 0
    assert lines[0].startswith("gateway          n1 1.2.0  connections 12.5k  feed lag 0.4ms  cpu 3.25%  rss 83.1MB")
    assert lines[1] == "logic-chat       n2 3.0.0  SILENT"
    assert beside == "# 1 of 2 up\n"
    assert json.loads(as_json[0]) == NODE
    assert [each[1] for each in operators.got] == [{"service": ""}, {"service": "gateway"}]


async def test_a_figure_over_time_is_a_line_for_each_process(operators: Operators) -> None:
    line = {"service": "storage", "node": "n1", "figure": "write_ms", "values": [None, 1.5, 2.0]}
    operators.pages["nodes.series"] = [{"step_ms": 2000, "from_ms": 4000, "series": [line]}]
    _, lines, _ = await run(operators, "nodes", "storage", "--over-time", "write_ms")
    _, as_json, _ = await run(operators, "nodes", "storage", "--over-time", "write_ms", "--json")

    assert lines == ["storage n1 write_ms  - 1.5 2"]
    assert json.loads(as_json[0]) == {**line, "from_ms": 4000, "step_ms": 2000}
    assert operators.got[0] == ("nodes.series", {"figures": ["write_ms"], "service": "storage"})


ELSEWHERE = {
    "console.info": "what the page's key may do; a command is told by the refusal",
    "channels.show": "causeway channels, causeway presence --stats, causeway history --limit 1",
    "channels.presence": "causeway presence, by the server API",
    "channels.history": "causeway history, by the server API",
    "users.disconnect": "causeway disconnect, by the server API",
}
"""Calls without a command of their own, and what shows or does the same."""


def test_every_operation_has_a_command_or_stands_in_the_table_of_what_shows_the_same() -> None:
    """Everything that the console shows the command line shows too: a new call without a command fails here."""
    sources = "".join(path.read_text() for path in Path(causeway_cli.__file__).parent.rglob("*.py"))
    called = {each for each in OPERATIONS if f'"{each}"' in sources}
    called |= {f"webhooks.{each}" for each in WEBHOOK_OPERATIONS if f'"{each}"' in sources}

    assert called | ELSEWHERE.keys() == OPERATIONS
    assert not called & ELSEWHERE.keys()


async def test_top_prints_a_table_for_each_service_once_where_the_output_is_no_terminal(operators: Operators) -> None:
    operators.pages["nodes.list"] = [NODES]
    code, lines, _ = await run(operators, "top")
    _, as_json, _ = await run(operators, "top", "--once", "--json")

    assert code == 0
    assert lines[0].strip() == "gateway"
    assert {"node", "version", "conns", "cpu"} <= set(lines[1].split())
    assert any("n2 silent" in line for line in lines)
    assert json.loads(as_json[0]) == NODES


async def test_channels_are_read_page_by_page_up_to_the_limit_or_the_largest_at_once(operators: Operators) -> None:
    first = {"channels": [{"channel": "chat:1", "clients": 3}], "more": True}
    operators.pages["channels.list"] = [first, {"channels": [{"channel": "chat:2", "clients": 10}], "more": False}]
    code, lines, beside = await run(operators, "channels", "chat:*", "--limit", "5")
    operators.pages["channels.list"] = [first]
    _, largest, more = await run(operators, "channels", "--largest", "--limit", "1", "--json")

    assert (code, lines, beside) == (0, ["       3  chat:1", "      10  chat:2"], "# 2 channels\n")
    assert (largest, more) == (['{"channel":"chat:1","clients":3}'], "# 1 channel, there are more\n")
    assert [each[1] for each in operators.got] == [
        {"pattern": "chat:*", "after": "", "limit": 5, "order": "name"},
        {"pattern": "chat:*", "after": "chat:1", "limit": 4, "order": "name"},
        {"pattern": "", "after": "", "limit": 1, "order": "clients"},
    ]


async def test_a_users_connections_and_ban_are_told(operators: Operators) -> None:
    operators.pages["users.show"] = [{"clients": [CLIENT], "total": 1, "ban": BAN}]
    code, (line,), beside = await run(operators, "clients", "mallory")

    assert code == 0
    assert line == "2023-11-14T22:13:20.000Z  c1  websocket/json  192.0.2.1  js 5.4.0  at n1  1 channels"
    assert beside == ("# 1 connection of mallory\n# banned: since 2023-11-14T22:13:20.000Z  until it is lifted  by ops  spam\n")


async def test_a_user_is_banned_until_a_time_listed_and_let_in_again(operators: Operators) -> None:
    operators.pages["users.bans"] = [{"bans": [BAN], "more": False}]
    assert await run(operators, "ban", "mallory", "--until", "2030-01-31T12:00:00Z", "--reason", "spam") == (
        0,
        ["banned: user mallory"],
        "",
    )
    assert (await run(operators, "ban", "mallory", "--json"))[1] == ['{"user":"mallory","expire_at_ms":0,"reason":""}']
    assert (await run(operators, "bans", "--json"))[1] == [json.dumps(BAN, separators=(",", ":"))]
    assert await run(operators, "unban", "mallory") == (0, ["may come in again: user mallory"], "")
    assert operators.got[0] == ("users.ban", {"user": "mallory", "expire_at_ms": 1_896_091_200_000, "reason": "spam"})
    assert operators.got[-1] == ("users.unban", {"user": "mallory"})


async def test_timers_are_read_until_there_are_no_more_also_past_an_empty_page(operators: Operators) -> None:
    operators.pages["timers.list"] = [{"timers": [], "next": "5:k"}, {"timers": [TIMER], "next": ""}]
    code, lines, beside = await run(operators, "timers", "auctions", "lot")

    assert (code, beside) == (0, "# 1 timer\n")
    assert lines == ["2023-11-14T22:13:20.000Z  auctions lot 1  close: shut  version 3"]
    asked = {"app": "auctions", "kind": "lot", "id": "", "limit": 100}
    assert [each[1] for each in operators.got] == [{**asked, "after": ""}, {**asked, "after": "5:k"}]


async def test_the_calls_of_methods_are_told_by_version_with_the_share_of_a_canary(operators: Operators) -> None:
    operators.pages |= {"apps.list": [{"apps": [{"app": "chat"}]}], "apps.methods": [{"methods": [METHOD]}]}
    _, lines, _ = await run(operators, "apps", "chat", "--calls")

    assert lines == [
        "chat.send  calls 10  errors 1  rejected 2  mean 3.5 ms  5.5% to 1.1.0",
        "    1.0.0  calls 9  errors 1  rejected 2  mean 3 ms",
        "    1.1.0  calls 1  errors 0  rejected 0  mean 8 ms",
    ]


async def test_audit_records_are_asked_of_a_gateway_by_its_key(operators: Operators) -> None:
    operators.pages["audit.list"] = [{"records": [AUDITED]}, {"records": []}]
    operators.pages["entity.inspect"] = [{"versions": [{"version": 1, "by": "ann", "at_ms": 0, "traceparent": ""}]}]
    _, (line,), _ = await run(operators, "audit")
    _, (trail,), _ = await run(operators, "audit", "--entity", "chat", "room", "1")

    assert line == "2023-11-14T22:13:20.000Z  ops  users.ban  user=ann  ok"
    assert trail == "1970-01-01T00:00:00.000Z  version 1  ann"
    assert [each[1] for each in operators.got[:2]] == [{"before": "", "limit": 50}, {"before": "2", "limit": 49}]


async def test_an_operators_tail_prints_publications_and_tells_what_is_missing(operators: Operators) -> None:
    operators.lines = [
        {"type": "begin", "epoch": "e", "offset": 7},
        PUBLICATION,
        {"type": "alive"},
        {"type": "skipped", "count": 3},
        {"type": "join", "user": "bob", "client": "c2"},
        {"type": "end", "reason": "the gateway leaves"},
    ]
    code, lines, beside = await run(operators, "tail", "chat:1", "--operator")
    _, as_json, _ = await run(operators, "tail", "chat:1", "--operator", "--json")

    assert code == 1, "who pipes it knows that it ended"
    assert lines == ['     8  ann  {"n":1}']
    assert json.loads(as_json[0]) == {"offset": 8, "data": {"n": 1}, "user": "ann", "client": "c"}
    assert beside.splitlines() == [
        "# subscribed to chat:1 at offset 7",
        "# 3 publications are missing here: they came faster than they were read",
        "# join: bob c2",
        "# the gateway leaves",
        "Error: the gateway ended it",
    ]


async def test_events_are_asked_of_a_gateway_where_its_url_is_given(operators: Operators) -> None:
    event = {"type": "event", "event": "connected", "sequence": 1, "id": "i", "time_ms": 5, "user": "ann"}
    operators.lines = [{"type": "begin"}, event]
    _, (line,), _ = await run(operators, "events", "--type", "connected", "--since", "1700000000", "--json")

    assert json.loads(line) == {"id": "i", "type": "connected", "time_ms": 5, "user": "ann"}
    assert operators.got == [("events.tail", {"types": ["connected"], "since_ms": 1_700_000_000_000})]


async def test_an_error_and_a_wrong_key_end_a_stream_with_one_line(operators: Operators) -> None:
    operators.lines = [{"error": {"code": 102, "message": "unknown channel", "temporary": False}}]
    code, _, beside = await run(operators, "tail", "no:1", "--operator")
    assert (code, beside) == (1, "Error: unknown channel (code 102)\n")
    code, _, beside = await run(operators, "tail", "no:1", "--operator", key="wrong")
    assert (code, beside) == (1, f"Error: {operators.url} does not take this API key\n")


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0, "1", "0"),
        (999, "1/s", "999/s"),
        (12_500, "1/s", "12.5k/s"),
        (83_100_000, "By", "83.1MB"),
        (0.4321, "ms", "0.432ms"),
        (123456, "ms", "123456ms"),
        (3.25, "%", "3.25%"),
        (5, "of tomorrow", "5 of tomorrow"),
    ],
)
def test_a_figure_is_short_and_has_its_unit(value: float, unit: str, text: str) -> None:
    assert figure_text(value, unit) == text


def test_the_columns_of_every_service_are_figures_that_exist() -> None:
    for service in ("gateway", "storage", "integrations", "logic-chat"):
        assert set(columns_of(service)) <= FIGURES.keys()
    assert title_of("messages_in_per_s") == "messages in"
    assert "n1 1.2.0" in node_line(NODE, {})
