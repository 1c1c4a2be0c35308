"""`causeway dev` with the real services, and the commands beside it."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from support.command import command
from support.stack import Stack, alive, running_stack
from support.waiting import until

pytestmark = [pytest.mark.stack, pytest.mark.timeout(120)]


async def result_of(stack: Stack, *arguments: str) -> Any:
    async with command(stack, *arguments) as running:
        assert await running.ended() == 0, running.err
        return json.loads(running.out)


async def readyz(entry: dict[str, Any]) -> int:
    path = "healthz" if entry["service"] == "nats" else "readyz"
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{entry['internal_port']}/{path}") as response:
        return response.status


async def test_the_stack_file_names_every_process_and_ctrl_c_leaves_none(tmp_path: Path) -> None:
    async with running_stack(tmp_path, gateways=2) as stack:
        state = stack.state()
        assert state["url"] == f"http://127.0.0.1:{stack.port}"
        assert state["data_dir"] == str(stack.data_dir)
        assert state["storage"] == await stack.storage() == "sqlite"
        processes = stack.processes()
        (dev,) = [entry for entry in state["processes"] if entry["service"] == "dev"]
        assert (dev["pid"], dev["port"] > 0) == (stack.supervisor.pid, True)
        (console,) = [entry for entry in state["processes"] if entry["service"] == "console"]
        assert console["pid"] == stack.pid("gateway-1")
        page = f"{stack.console}/console#key={stack.credentials['console_key']}"
        assert sorted(entry["service"] for entry in processes) == [
            "gateway", "gateway", "integrations", "logic-auctions", "logic-chat", "nats", "storage",
        ]  # fmt: skip
        for entry in processes:
            assert alive(entry["pid"])
            assert os.getpgid(entry["pid"]) == entry["pid"]
            assert await readyz(entry) == 200
        ports = {entry["name"]: entry["port"] for entry in processes}
        assert state["nats_url"] == f"nats://127.0.0.1:{ports.pop('nats')}"
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"http://127.0.0.1:{ports.pop('integrations')}/hooks/nobody") as hook,
        ):
            assert hook.status == 404
        assert ports == {
            "gateway-1": stack.port,
            "gateway-2": stack.port,
            "storage": None,
            "logic-chat": None,
            "logic-auctions": None,
        }
        assert await stack.stop() == 0
        assert not any(alive(entry["pid"]) for entry in processes)
        assert stack.state() == {**state, "ready": False, "processes": []}
        assert "Traceback" not in stack.log()
        assert page in stack.log()


async def test_the_five_minutes_of_the_readme_tail_publish_call_and_a_kill(tmp_path: Path) -> None:
    async with running_stack(tmp_path) as stack, command(stack, "tail", "demo:hello", "--json") as tail:
        await until(lambda: "# subscribed to demo:hello" in tail.err)
        assert (await result_of(stack, "publish", "demo:hello", '{"text": "one"}'))["offset"] == 1
        repeated = [await result_of(stack, "publish", "demo:hello", "2", "--idempotency-key", "k") for _ in range(2)]
        assert [answer["offset"] for answer in repeated] == [2, 2]
        await until(lambda: tail.out.count("\n") == 2)

        gateway = stack.kill("gateway")
        await until(lambda: "# connection lost" in tail.err)
        await until(lambda: stack.pid("gateway") not in (0, gateway), 20)
        await stack.ready()
        assert (await result_of(stack, "publish", "demo:hello", "3"))["offset"] == 3
        await until(lambda: tail.out.count("\n") == 3, seconds=30)
        assert [json.loads(line)["data"] for line in tail.out.splitlines()] == [{"text": "one"}, 2, 3]
        assert "nothing was missed" in tail.err

        room = (await result_of(stack, "call", "chat.create_room", '{"name": "lobby"}', "--user", "ann"))["room"]
        await result_of(stack, "call", "chat.send", json.dumps({"room": room, "text": "hi"}), "--user", "ann")
        async with command(stack, "call", "chat.history", json.dumps({"room": room}), "--user", "bob") as refused:
            assert await refused.ended() == 1
            assert "(code 403)" in refused.err
            assert refused.err.count("\n") == 1
        async with command(stack, "tail", f"chat:{room}", "--user", "bob") as denied:
            assert await denied.ended() == 1
            assert denied.err.startswith("Error: ")

        tail.process.send_signal(signal.SIGINT)
        assert await tail.ended() == 0


async def test_every_process_comes_back_on_its_ports_after_kill_9(tmp_path: Path) -> None:
    async with running_stack(tmp_path) as stack:
        before = {entry["name"]: entry for entry in stack.processes()}
        for name in before:
            stack.kill(name)
            await until(lambda name=name: not alive(before[name]["pid"]))  # type: ignore[misc]
            await until(lambda: not stack.state()["ready"])
            await stack.ready()
        after = {entry["name"]: entry for entry in stack.processes()}
        for name, entry in before.items():
            assert after[name]["pid"] != entry["pid"]
            assert {**after[name], "pid": 0} == {**entry, "pid": 0}


async def test_no_process_outlives_a_killed_supervisor_and_the_next_stack_starts_on_what_it_left(tmp_path: Path) -> None:
    async with running_stack(tmp_path) as stack:
        await result_of(stack, "publish", "demo:a", "1")
        credentials, pids = stack.credentials, stack.pids()
        stack.supervisor.kill()
        stack.supervisor.wait()
        await until(lambda: not any(alive(pid) for pid in pids), seconds=5)
        await until(lambda: stack.state()["ready"] is False)
        await stack.start()
        assert stack.credentials == credentials
        assert (await result_of(stack, "publish", "demo:a", "2"))["offset"] == 2


async def test_a_second_stack_is_told_that_the_data_directory_or_the_port_is_taken(tmp_path: Path) -> None:
    async with running_stack(tmp_path) as stack:
        async with command(stack, "dev", "--port", str(stack.port + 1)) as second:
            assert await second.ended() == 1
            assert "in use by another stack" in second.err
        other = Stack(tmp_path / "other")
        async with command(other, "dev", "--port", str(stack.port)) as third:
            assert await third.ended() == 1
            assert "choose another one with --port" in third.err
            assert third.err.count("\n") == 1
        assert stack.state()["ready"] is True


async def test_configured_credentials_are_the_ones_in_force(tmp_path: Path) -> None:
    config = """
[http_api]
key = "configured-key"
[client.token]
hmac_secret_key = "configured-secret-of-32-bytes-and-more"
[[channel.namespaces]]
name = "mine"
history_size = 10
history_ttl = "1h"
"""
    async with running_stack(tmp_path, config=config) as stack:
        assert stack.credentials.items() >= {
            "api_key": "configured-key", "token_hmac_secret_key": "configured-secret-of-32-bytes-and-more",
        }.items()  # fmt: skip
        assert (await result_of(stack, "publish", "mine:a", "1"))["offset"] == 1
        async with command(stack, "publish", "demo:a", "1") as unknown:
            assert await unknown.ended() == 1
            assert "(code 102)" in unknown.err
