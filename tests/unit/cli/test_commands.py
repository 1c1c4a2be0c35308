"""The commands from the outside: what they print, and with which exit code they end."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import click
import jwt
import pytest
from aiohttp import web
from click.testing import CliRunner, Result

from causeway_cli.__main__ import COMMANDS, main
from causeway_cli.client import connected
from causeway_cli.dev.credentials import settle_credentials
from causeway_cli.dev.datadir import DataDirLock
from causeway_cli.dev.stackfile import StackState, write_stack
from causeway_cli.options import Where, past_time
from causeway_common.runtime import now_ms
from support.served import posts_to


def run(*arguments: str, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(main, arguments, env={"CAUSEWAY_DATA_DIR": None, **(env or {})})


GROUPS = {
    "jobs": ("list", "show", "redrive"),
    "webhooks": ("add", "list", "show", "test", "rotate", "enable", "disable", "remove", "replay"),
}


def test_every_command_has_help_and_exit_codes_are_told() -> None:
    assert "Exit codes" in run("--help").output
    for command in COMMANDS:
        result = run(command, "--help")
        assert result.exit_code == 0
        assert ("--data-dir" in result.output) == (command not in {"completion", "new", *GROUPS})
        assert f"causeway {command} " in result.output.partition("Example: ")[2].partition("\n\n")[0]


def test_every_command_of_a_group_has_help() -> None:
    for group, commands in GROUPS.items():
        for command in commands:
            result = run(group, command, "--help")
            assert result.exit_code == 0
            assert "--data-dir" in result.output
            assert "Exit codes" in result.output


def test_the_version_is_told() -> None:
    assert run("--version").output.startswith("causeway 0.")


@pytest.mark.parametrize(
    "command",
    [
        ("publish", "demo:a", "1"),
        ("call", "chat.send", "--user", "u"),
        ("tail", "demo:a"),
        ("inspect", "a", "b", "c"),
        ("audit",),
        ("nodes",),
        ("top",),
        ("tail", "demo:a", "--operator"),
        ("schema", "chat"),
        ("client", "ts", "chat"),
    ],
)
def test_without_a_stack_one_line_says_where_and_what_to_do(tmp_path: Path, command: tuple[str, ...]) -> None:
    result = run(*command, "--data-dir", str(tmp_path))
    assert result.exit_code == 1
    assert result.output == (
        f"Error: no stack runs in {tmp_path}: start one with `causeway dev`, or name one with --data-dir or --url\n"
    )


def test_what_asks_the_bus_without_a_stack_ends_with_one_line_too(tmp_path: Path) -> None:
    result = run("events", "--data-dir", str(tmp_path))
    assert result.exit_code == 1
    assert result.output == (
        f"Error: no stack runs in {tmp_path}: start one with `causeway dev`, or name one with --data-dir or --nats\n"
    )


def test_events_of_a_nats_that_is_not_there_end_with_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("causeway_cli.commands.events.CONNECT_SECONDS", 0.1)
    result = run("events", "--nats", "nats://127.0.0.1:9")
    assert result.exit_code == 1
    assert "nats://127.0.0.1:9 lets the user operator not in, or is not there" in result.output


def test_audit_of_a_nats_that_is_not_there_ends_with_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("causeway_cli.operators.SECONDS", 0.1)
    result = run("audit", "--nats", "nats://127.0.0.1:9")
    assert result.exit_code == 1
    assert "nats://127.0.0.1:9 lets the user operator not in, or is not there" in result.output


@pytest.mark.parametrize(("text", "seconds"), [("10m", 600), ("1970-01-01T00:00:00Z", None), ("5", None)])
def test_a_past_time_is_a_duration_back_or_a_moment(text: str, seconds: int | None) -> None:
    found = past_time(click.Context(click.Command("x")), click.Option(["--since"]), text)
    assert found is not None
    if seconds is None:
        assert found.timestamp() in {0.0, 5.0}
    else:
        assert abs(now_ms() / 1000 - seconds - found.timestamp()) < 60


def test_what_a_stack_that_was_killed_left_behind_counts_as_no_stack(tmp_path: Path) -> None:
    settle_credentials(tmp_path, api_key="", token_hmac_secret_key="")
    write_stack(
        tmp_path, StackState("1", ready=True, url="http://127.0.0.1:9", nats_url="", data_dir="", storage="sqlite", processes=())
    )
    assert "no stack runs" in run("publish", "demo:a", "1", "--data-dir", str(tmp_path)).output


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (("publish", "demo:a", "hi"), "is not one JSON value"),
        (("publish", "demo:a", "hi"), "single quotes"),
        (("call", "chat.send", "{text: 1}", "--user", "u"), "is not one JSON value"),
        (("publish", "demo:a", "1", "--url", "http://x"), "--api-key"),
        (("tail", "demo:a", "--url", "http://x"), "--token-secret"),
        (("publish", "demo:a", "1", "--url", "x:1", "--api-key", "k"), "http(s)://host"),
        (("publish", "demo:a", "1", "--url", "http://[", "--api-key", "k"), "http(s)://host"),
        (("token", "--user", "u", "--ttl", "long"), "a duration is a number and"),
        (("token", "--user", "u", "--ttl", "1ms"), "at least 1s"),
        (("token", "--user", "u", "--info", "{"), "is not one JSON value"),
        (("token", "--user", "u", "--expire", "soon"), "a duration is a number and"),
        (("token", "--user", "u", "--subs", "{"), "is not one JSON value"),
        (("token", "--user", "u", "--subs", '{"a": 1}'), "channels and their options"),
        (("token", "--user", "u", "--channel", "a", "--subs", "b"), "--subs is for connection tokens"),
        (("token", "--user", "u", "--client", "c"), "--client goes with --channel"),
        (("revoke",), "exactly one of --user, --client and --jti"),
        (("revoke", "--user", "u", "--jti", "j"), "exactly one of --user, --client and --jti"),
        (("revoke", "--jti", "j", "--issued-before", "now"), "--issued-before goes with --user"),
        (("revoke", "--jti", "j", "--until", "2030-01-31T12:00:00"), "a time is `now`"),
        (("revoke", "--jti", "j", "--until", "1893456000000"), "a time is `now`"),
        (("revoke", "--jti", "j", "--url", "http://x"), "--api-key"),
        (("disconnect", "--user", "u", "--code", "1000"), "--code"),
        (("disconnect", "--user", "u", "--reason", "x"), "--reason needs --code"),
        (("disconnect", "--user", "u", "--code", "4000", "--reason", "x" * 124), "at most 123 bytes"),
        (("events", "--since", "soon"), "a duration back"),
        (("events", "--since", "2030-01-31T12:00:00"), "a duration back"),
        (("events", "--type", "x"), "connected"),
        (("check", "--config", "missing.toml"), "missing.toml"),
        (("dev", "--port", "0"), "--port"),
        (("dev", "--gateways", "0"), "--gateways"),
        (("dev", "--storages", "0"), "--storages"),
        (("dev", "--storage", "postgres://h"), "neither `sqlite` nor a MongoDB URI"),
        (("dev", "--config", "missing.toml"), "missing.toml"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_what_is_right(command: tuple[str, ...], told: str) -> None:
    result = run(*command)
    assert result.exit_code == 2
    assert told in result.output


def test_several_storage_processes_on_sqlite_are_refused_with_a_way_out(tmp_path: Path) -> None:
    result = run("dev", "--storages", "2", "--data-dir", str(tmp_path))

    assert result.exit_code == 1
    assert "--storages 2 needs MongoDB: an SQLite file belongs to one process; add --storage mongodb://" in result.output


def test_token_prints_a_token_of_the_data_directory_without_a_running_stack(tmp_path: Path) -> None:
    credentials = settle_credentials(tmp_path, api_key="", token_hmac_secret_key="")
    result = run("token", "--user", "ann", "--ttl", "90s", "--info", '{"a":1}', "--data-dir", str(tmp_path))
    claims = jwt.decode(result.output.strip(), credentials.token_hmac_secret_key, algorithms=["HS256"])
    assert (claims["sub"], claims["info"], claims["exp"] - claims["iat"]) == ("ann", {"a": 1}, 90)


def test_token_takes_a_secret_of_another_system(tmp_path: Path) -> None:
    result = run("token", "--user", "ann", "--token-secret", "x" * 32)
    assert jwt.decode(result.output.strip(), "x" * 32, algorithms=["HS256"])["sub"] == "ann"


def test_token_prints_a_subscription_token_and_one_with_server_side_subscriptions() -> None:
    def claims(*arguments: str) -> dict[str, Any]:
        result = run("token", "--user", "ann", "--token-secret", "x" * 32, *arguments)
        decoded: dict[str, Any] = jwt.decode(result.output.strip(), "x" * 32, algorithms=["HS256"])
        return decoded

    subscription = claims("--channel", "$demo:secret", "--client", "c1", "--jti", "j1", "--expire", "never")
    connection = claims("--subs", "news:a", "--subs", '{"news:b": {"info": 1}}', "--ttl", "1h", "--expire", "2h")

    assert (subscription["channel"], subscription["client"], subscription["jti"]) == ("$demo:secret", "c1", "j1")
    assert subscription["expire_at"] == 0
    assert connection["subs"] == {"news:a": {}, "news:b": {"info": 1}}
    assert connection["expire_at"] - connection["exp"] == 3600
    assert not {"channel", "client", "jti", "info"} & connection.keys()
    assert set(claims()) == {"sub", "iat", "exp"}


def test_the_data_directory_may_come_from_the_environment(tmp_path: Path) -> None:
    assert str(tmp_path) in run("tail", "a", env={"CAUSEWAY_DATA_DIR": str(tmp_path)}).output


def test_dev_with_a_data_directory_in_use_is_one_line(tmp_path: Path) -> None:
    lock = DataDirLock(tmp_path)
    result = run("dev", "--data-dir", str(tmp_path))
    lock.release()
    assert result.exit_code == 1
    assert result.output.count("\n") == 1
    assert f"in use by another stack (process {os.getpid()})" in result.output


def test_dev_with_a_taken_port_is_one_line_that_names_the_option_and_starts_nothing(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = run("dev", "--data-dir", str(tmp_path / "d"), "--port", str(taken.getsockname()[1]))
    assert result.exit_code == 1
    assert result.output.count("\n") == 1
    assert "choose another one with --port" in result.output
    assert not (tmp_path / "d" / "nats.conf").exists()


def test_dev_with_a_wrong_configuration_lists_all_faults_and_starts_nothing(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text("colour = 1\n[storage]\npat = 2\n")
    result = run("dev", "--data-dir", str(tmp_path / "d"), "--config", str(tmp_path / "c.toml"))
    assert result.exit_code == 2
    assert "  - colour (" in result.output
    assert "did you mean path?" in result.output
    assert not (tmp_path / "d" / "nats.conf").exists()


def test_a_start_that_fails_leaves_no_stack_file_that_says_ready(tmp_path: Path) -> None:
    write_stack(tmp_path, StackState("1", ready=True, url="http://x", nats_url="", data_dir="", storage="sqlite", processes=()))
    (tmp_path / "c.toml").write_text("colour = 1\n")
    run("dev", "--data-dir", str(tmp_path), "--config", str(tmp_path / "c.toml"))
    assert json.loads((tmp_path / "stack.json").read_text())["ready"] is False


class StandInApi:
    """A stand-in for the server API: notes what it got, answers as told."""

    def __init__(self) -> None:
        self.got: list[tuple[str, dict[str, Any]]] = []
        self.answer: dict[str, Any] = {"result": {"offset": 7, "epoch": "e"}}
        self.methods: list[str] = []
        self.status, self.url = 200, ""

    async def handle(self, request: web.Request) -> web.Response:
        self.methods.append(request.match_info["method"])
        self.got.append((request.headers.get("X-API-Key", ""), await request.json()))
        return web.json_response(self.answer, status=self.status)


@pytest.fixture
async def api() -> AsyncIterator[StandInApi]:
    standin = StandInApi()
    async with posts_to("/api/{method}", standin.handle) as standin.url:
        yield standin


async def publish(api: StandInApi, *arguments: str) -> tuple[int, str, str]:
    """`causeway publish`, as `command`."""
    return await command(api, "publish", *arguments)


async def command(api: StandInApi, name: str, *arguments: str) -> tuple[int, str, str]:
    """A command as a process, with a proxy in its environment that leads nowhere."""
    env = {**os.environ, "HTTP_PROXY": "http://127.0.0.1:9", "NO_PROXY": "", "CAUSEWAY_API_KEY": "the-key"}
    line = [sys.executable, "-m", "causeway_cli", name, "--url", api.url, *arguments]
    process = await asyncio.create_subprocess_exec(*line, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def test_publish_sends_data_key_and_idempotency_key_and_prints_the_result(api: StandInApi) -> None:
    assert await publish(api, "demo:a", '{"text": "hi"}', "--idempotency-key", "k1") == (0, '{"offset":7,"epoch":"e"}\n', "")
    key, body = api.got[0]
    assert key == "the-key"
    assert {name: body[name] for name in ("channel", "data", "idempotency_key")} == {
        "channel": "demo:a",
        "data": {"text": "hi"},
        "idempotency_key": "k1",
    }


@pytest.mark.parametrize(
    ("status", "answer", "told"),
    [
        (200, {"error": {"code": 102, "message": "unknown channel"}}, "unknown channel (code 102)"),
        (200, {"error": {"code": 100, "message": "unavailable: x"}}, "with --idempotency-key a repeat is harmless"),
        (401, {}, "does not take this API key"),
        (404, {}, "HTTP status 404"),
        (200, {"nonsense": 1}, "cannot be understood"),
    ],
)
async def test_publish_refused_ends_with_1_and_one_line(api: StandInApi, status: int, answer: dict[str, Any], told: str) -> None:
    api.status, api.answer = status, answer
    code, out, err = await publish(api, "demo:a", "1")
    assert (code, out, err.count("\n")) == (1, "", 1), err
    assert told in err


def test_publish_to_nobody_ends_with_1_and_one_line() -> None:
    result = run("publish", "demo:a", "1", "--url", "http://127.0.0.1:9", "--api-key", "k")
    assert (result.exit_code, result.output) == (1, "Error: http://127.0.0.1:9 cannot be reached\n")


PRESENT = {
    "c2": {"client": "c2", "user": "bob"},
    "c1": {"client": "c1", "user": "ann", "conn_info": {"name": "Ann"}},
    "c3": {"client": "c3", "user": ""},
    "c4": {"client": "c4", "user": "b\x1bob"},
}


async def test_presence_prints_each_client_and_how_many_there_are(api: StandInApi) -> None:
    api.answer = {"result": {"presence": PRESENT}}
    lines = ["(anonymous)  c3", 'ann  c1  {"conn_info":{"name":"Ann"}}', "b\\u001bob  c4", "bob  c2"]
    assert await command(api, "presence", "demo:a") == (0, "\n".join(lines) + "\n", "# 4 clients, 4 users\n")
    _, out, _ = await command(api, "presence", "demo:a", "--json")
    assert [json.loads(line)["client"] for line in out.splitlines()] == ["c3", "c1", "c4", "c2"]
    api.answer = {"result": {"num_clients": 3, "num_users": 1}}
    assert await command(api, "presence", "demo:a", "--stats") == (0, "3 clients, 1 user\n", "")

    assert api.methods == ["presence", "presence", "presence_stats"]
    assert [body for _, body in api.got] == [{"channel": "demo:a"}] * 3


async def test_disconnect_names_the_user_and_the_code(api: StandInApi) -> None:
    api.answer = {"result": {}}
    told = "closed: all connections of user ann\n"
    assert await command(api, "disconnect", "--user", "ann") == (0, told, "")
    code, out, _ = await command(api, "disconnect", "--user", "ann", "--client", "c", "--code", "4001", "--reason", "bye")

    assert (code, out) == (0, "closed: client c of user ann\n")
    assert [body for _, body in api.got] == [
        {"user": "ann"},
        {"user": "ann", "client": "c", "disconnect": {"code": 4001, "reason": "bye"}},
    ]


async def test_who_is_refused_as_a_client_is_told_why() -> None:
    async def refuse(request: web.Request) -> web.WebSocketResponse:
        response = web.WebSocketResponse()
        await response.prepare(request)
        await response.close(code=3500, message=b"invalid token")
        return response

    app = web.Application()
    app.add_routes([web.get("/connection/websocket", refuse)])
    runner = web.AppRunner(app)
    await runner.setup()
    listener = socket.create_server(("127.0.0.1", 0))
    await web.SockSite(runner, listener).start()
    where = Where(Path(), url=f"http://127.0.0.1:{listener.getsockname()[1]}", token_secret=32 * "s")
    told: list[str] = []
    with pytest.raises(click.ClickException, match=r"no connection to .*: invalid token \(code 3500\)"):
        async with connected(where, "ann", tell=told.append, closed=told.append):
            pass
    await runner.cleanup()


async def test_revoke_sends_times_as_unix_seconds(api: StandInApi) -> None:
    api.answer = {"result": {}}
    arguments = ("--user", "ann", "--issued-before", "1893456000", "--until", "2030-01-01T01:00:00+01:00")
    code, out, err = await command(api, "revoke", *arguments)
    assert (code, err) == (0, "")
    assert out == "revoked: tokens of user ann issued before 2030-01-01T00:00:00Z, until 2030-01-01T00:00:00Z\n"
    assert (await command(api, "revoke", "--jti", "j1"))[1] == "revoked: the token j1\n"
    assert (await command(api, "revoke", "--client", "c1", "--until", "1h"))[0] == 0

    bodies = [body for _, body in api.got]
    assert bodies[:2] == [{"user": "ann", "issued_before": 1893456000, "expire_at": 1893456000}, {"jti": "j1"}]
    assert abs(bodies[2].pop("expire_at") - time.time() - 3600) < 600
    assert bodies[2] == {"client": "c1"}
    assert api.methods == ["revoke"] * 3


async def test_revoke_now_catches_what_was_issued_in_this_very_second(api: StandInApi) -> None:
    api.answer = {"result": {}}
    before = time.time()
    await command(api, "revoke", "--user", "", "--issued-before", "now")

    (body,) = [body for _, body in api.got]
    assert body["user"] == ""
    assert before <= body["issued_before"] < time.time() + 1


@pytest.mark.parametrize("name", [("presence", "demo:a"), ("disconnect", "--user", "u"), ("revoke", "--jti", "j")])
async def test_a_refusal_ends_every_command_of_the_server_api_with_1_and_one_line(api: StandInApi, name: tuple[str, ...]) -> None:
    api.answer = {"error": {"code": 100, "message": "unavailable: x"}}
    code, out, err = await command(api, *name)
    assert (code, out, err) == (1, "", "Error: unavailable: x (code 100): try again; a repeat is harmless\n")
    api.status = 401
    assert "does not take this API key" in (await command(api, *name))[2]


@pytest.mark.parametrize(
    ("words", "offered"), [(("ins",), ["inspect"]), (("completion", ""), ["bash", "zsh", "fish"]), (("tail", "--j"), ["--json"])]
)
def test_a_shell_is_offered_commands_choices_and_options(words: tuple[str, ...], offered: list[str]) -> None:
    env = {"_CAUSEWAY_COMPLETE": "bash_complete", "COMP_WORDS": " ".join(("causeway", *words)), "COMP_CWORD": str(len(words))}
    done = subprocess.run(
        [Path(sys.executable).with_name("causeway")], env={**os.environ, **env}, capture_output=True, text=True, check=True
    )
    assert [line.partition(",")[2] for line in done.stdout.splitlines()] == offered


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_gets_its_completion(shell: str) -> None:
    result = run("completion", shell)
    assert result.exit_code == 0
    assert f"_CAUSEWAY_COMPLETE={shell}_complete" in result.output


def test_without_a_stack_no_channel_is_offered_and_no_error_told(tmp_path: Path) -> None:
    env = {"_CAUSEWAY_COMPLETE": "bash_complete", "COMP_WORDS": "causeway tail x", "COMP_CWORD": "2"}
    done = subprocess.run(
        [Path(sys.executable).with_name("causeway")],
        env={**os.environ, **env},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout.strip(), done.stderr) == ("", "")
