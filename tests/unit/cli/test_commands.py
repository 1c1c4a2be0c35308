"""The commands from the outside: what they print, and with which exit code they end."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from aiohttp import web
from click.testing import CliRunner, Result

from causeway_cli.__main__ import main
from causeway_cli.dev.credentials import settle_credentials
from causeway_cli.dev.datadir import DataDirLock
from causeway_cli.dev.stackfile import StackState, write_stack


def run(*arguments: str, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(main, arguments, env={"CAUSEWAY_DATA_DIR": None, **(env or {})})


def test_every_command_has_help_and_exit_codes_are_told() -> None:
    assert "Exit codes" in run("--help").output
    for command in ("dev", "token", "publish", "call", "tail"):
        result = run(command, "--help")
        assert result.exit_code == 0
        assert "--data-dir" in result.output


def test_the_version_is_told() -> None:
    assert run("--version").output.startswith("causeway 0.")


@pytest.mark.parametrize("command", [("publish", "demo:a", "1"), ("call", "chat.send", "--user", "u"), ("tail", "demo:a")])
def test_without_a_stack_one_line_says_where_and_what_to_do(tmp_path: Path, command: tuple[str, ...]) -> None:
    result = run(*command, "--data-dir", str(tmp_path))
    assert result.exit_code == 1
    assert result.output == (
        f"Error: no stack runs in {tmp_path}: start one with `causeway dev`, or name one with --data-dir or --url\n"
    )


def test_what_a_stack_that_was_killed_left_behind_counts_as_no_stack(tmp_path: Path) -> None:
    settle_credentials(tmp_path, api_key="", token_hmac_secret_key="")
    write_stack(tmp_path, StackState("1", ready=True, url="http://127.0.0.1:9", nats_url="", data_dir="", processes=()))
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
        (("dev", "--port", "0"), "--port"),
        (("dev", "--gateways", "0"), "--gateways"),
        (("dev", "--config", "missing.toml"), "missing.toml"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_what_is_right(command: tuple[str, ...], told: str) -> None:
    result = run(*command)
    assert result.exit_code == 2
    assert told in result.output


def test_token_prints_a_token_of_the_data_directory_without_a_running_stack(tmp_path: Path) -> None:
    credentials = settle_credentials(tmp_path, api_key="", token_hmac_secret_key="")
    result = run("token", "--user", "ann", "--ttl", "90s", "--info", '{"a":1}', "--data-dir", str(tmp_path))
    claims = jwt.decode(result.output.strip(), credentials.token_hmac_secret_key, algorithms=["HS256"])
    assert (claims["sub"], claims["info"], claims["exp"] - claims["iat"]) == ("ann", {"a": 1}, 90)


def test_token_takes_a_secret_of_another_system(tmp_path: Path) -> None:
    result = run("token", "--user", "ann", "--token-secret", "x" * 32)
    assert jwt.decode(result.output.strip(), "x" * 32, algorithms=["HS256"])["sub"] == "ann"


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
    write_stack(tmp_path, StackState("1", ready=True, url="http://x", nats_url="", data_dir="", processes=()))
    (tmp_path / "c.toml").write_text("colour = 1\n")
    run("dev", "--data-dir", str(tmp_path), "--config", str(tmp_path / "c.toml"))
    assert json.loads((tmp_path / "stack.json").read_text())["ready"] is False


class StandInApi:
    """A stand-in for the server API: notes what it got, answers as told."""

    def __init__(self) -> None:
        self.got: list[tuple[str, dict[str, Any]]] = []
        self.answer: dict[str, Any] = {"result": {"offset": 7, "epoch": "e"}}
        self.status, self.url = 200, ""

    async def publish(self, request: web.Request) -> web.Response:
        self.got.append((request.headers.get("X-API-Key", ""), await request.json()))
        return web.json_response(self.answer, status=self.status)


@pytest.fixture
async def api() -> AsyncIterator[StandInApi]:
    standin = StandInApi()
    app = web.Application()
    app.add_routes([web.post("/api/publish", standin.publish)])
    runner = web.AppRunner(app)
    await runner.setup()
    listener = socket.create_server(("127.0.0.1", 0))
    await web.SockSite(runner, listener).start()
    standin.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    yield standin
    await runner.cleanup()


async def publish(api: StandInApi, *arguments: str) -> tuple[int, str, str]:
    """`causeway publish` as a process, with a proxy in its environment that leads nowhere."""
    env = {**os.environ, "HTTP_PROXY": "http://127.0.0.1:9", "NO_PROXY": "", "CAUSEWAY_API_KEY": "the-key"}
    command = [sys.executable, "-m", "causeway_cli", "publish", "--url", api.url, *arguments]
    process = await asyncio.create_subprocess_exec(*command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
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
