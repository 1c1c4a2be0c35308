"""The real supervisor over stand-in processes: what it starts it keeps, what it keeps it ends."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from support.nats import free_port
from support.stack import alive
from support.waiting import until

STACK = Path(__file__).with_name("standin_stack.py")


class StandIns:
    """A supervisor in a process of its own."""

    def __init__(self, folder: Path, *described: str, env: dict[str, str] | None = None) -> None:
        self.folder, self.seen = folder, set[int]()
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, STACK, folder, *described], stdout=log, stderr=log, env={**os.environ, **(env or {})}
            )

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    @property
    def state(self) -> dict[str, Any]:
        try:
            state: dict[str, Any] = json.loads((self.folder / "stack.json").read_text())
        except FileNotFoundError:
            return {"ready": False, "processes": []}
        self.seen |= {entry["pid"] for entry in state["processes"]}
        return state

    def runs(self, name: str) -> bool:
        return any(entry["name"] == name for entry in self.state["processes"])

    def pid(self, name: str) -> int:
        """Raises where it does not run: 0 in its place would make os.kill a kill of our own group."""
        return next(int(entry["pid"]) for entry in self.state["processes"] if entry["name"] == name)

    def kill(self, name: str) -> int:
        pid = self.pid(name)
        os.kill(pid, signal.SIGKILL)
        return pid

    async def ready(self) -> None:
        await until(lambda: self.state["ready"] is True)

    async def ended(self) -> int:
        await until(lambda: self.process.poll() is not None)
        return int(self.process.wait())

    async def line(self, pattern: str, count: int = 1) -> None:
        await until(lambda: len(re.findall(pattern, self.log)) >= count)


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Any]:
    started: list[StandIns] = []

    def start_one(*described: str, **options: Any) -> StandIns:
        started.append(StandIns(tmp_path, *described, **options))
        return started[-1]

    yield start_one
    for stack in started:
        stack.process.kill()
        stack.process.wait()
        await until(lambda stack=stack: not any(alive(pid) for pid in stack.seen))  # type: ignore[misc]


async def test_ready_is_told_once_all_answer_and_stopping_leaves_nothing(start: Any) -> None:
    stack = start("nats:nats", "storage:storage", "gateway-1:gateway")
    await stack.ready()
    state = stack.state
    assert [entry["name"] for entry in state["processes"]] == ["nats", "storage", "gateway-1"]
    await stack.line("causeway *\\| the stand-ins are ready")

    stack.process.send_signal(signal.SIGINT)
    assert await stack.ended() == 0
    assert not any(alive(entry["pid"]) for entry in state["processes"])
    assert stack.state == {**state, "ready": False, "processes": []}
    assert stack.log.endswith("stopped\n")


async def test_processes_stop_in_order_gateways_first_and_the_bus_last(start: Any) -> None:
    stack = start("nats:nats", "storage:storage", "integrations:integrations", "logic-a:logic", "gateway-1:gateway")
    await stack.ready()
    stack.process.terminate()
    await stack.ended()
    assert re.findall(r"(\S+) +\| bye", stack.log) == ["gateway-1", "logic-a", "integrations", "storage", "nats"]


async def test_a_killed_process_is_started_again_at_once_on_its_port_with_a_line(start: Any) -> None:
    stack = start("nats:nats", "storage:storage")
    await stack.ready()
    before = stack.state
    killed = stack.kill("storage")
    await until(lambda: stack.state["ready"] and stack.pid("storage") != killed)

    ports = [[entry["internal_port"] for entry in state["processes"]] for state in (before, stack.state)]
    assert ports[0] == ports[1]
    await stack.line("storage died by SIGKILL, starting it again\n")
    await stack.line("ready again")


async def test_a_process_killed_at_the_desk_is_told_down_and_then_back_with_its_outage(start: Any) -> None:
    """The desk is in the stack file while it is there, as the supervisor's own."""
    port = free_port()
    stack = start("nats:nats", "storage:storage", env={"STANDIN_DESK": str(port)})
    await stack.ready()
    assert stack.state["processes"][-1] == {
        "service": "dev", "name": "dev", "pid": stack.process.pid, "port": port, "internal_port": 0,
    }  # fmt: skip
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", headers={"Authorization": "Bearer token"}) as http:

        async def storage() -> Any:
            async with http.get("/processes") as answer:
                return (await answer.json())["processes"][1]

        before = await storage()
        assert (before["state"], before["restarts"], before["outage_ms"]) == ("ready", 0, None)
        async with http.post("/kill", json={"service": "storage"}) as answer:
            assert (await answer.json())["killed"] == [before]
        while (after := await storage())["state"] != "ready" or after["pid"] == before["pid"]:
            await stack.ready()
        assert (after["restarts"], after["outage_ms"] > 0, after["since"] > before["since"]) == (1, True, True)
    await stack.line("storage died by SIGKILL, starting it again\n")
    stack.seen.discard(stack.process.pid)


async def test_a_dead_process_is_out_of_the_stack_file_and_the_stack_not_ready(start: Any) -> None:
    stack = start("nats:nats", "storage:storage")
    await stack.ready()
    for _ in range(2):
        killed = stack.kill("storage")
        await until(lambda killed=killed: stack.state["ready"] and stack.pid("storage") != killed)  # type: ignore[misc]
    stack.kill("storage")  # the third death within 10 s is followed by a wait
    await until(lambda: not stack.runs("storage"))
    assert stack.state["ready"] is False
    assert [entry["name"] for entry in stack.state["processes"]] == ["nats"]
    await stack.ready()


async def test_a_process_that_ends_at_once_is_tried_again_with_growing_pauses(start: Any) -> None:
    stack = start("nats:nats", "storage:storage:brief")
    await stack.line("storage ended with exit code 3, starting it again in 1 s")
    pauses = re.findall(r"exit code 3, starting it again(.*)", stack.log)
    assert pauses == ["", "", " in 0.5 s", " in 1 s"]
    stack.process.terminate()
    assert await stack.ended() == 0


async def test_the_stack_is_not_ready_while_one_process_is_not(start: Any) -> None:
    stack = start("nats:nats", "storage:storage:unready")
    await stack.line("storage *\\| env")
    assert stack.state["ready"] is False


async def test_a_stubborn_process_is_killed_with_its_whole_group_after_its_time(start: Any) -> None:
    stack = start("nats:nats", "storage:storage:stubborn,brood")
    await stack.ready()
    await stack.line(r"child \d+")
    child = int(re.findall(r"child (\d+)", stack.log)[0])
    stack.process.send_signal(signal.SIGINT)
    assert await stack.ended() == 0
    assert "storage has not stopped within 1 s, killing it" in stack.log
    await until(lambda: not alive(child))


async def test_a_second_ctrl_c_kills_at_once(start: Any) -> None:
    stack = start("nats:nats:stubborn", "storage:storage:stubborn", "gateway-1:gateway:stubborn")
    await stack.ready()
    stack.process.send_signal(signal.SIGINT)
    await stack.line("stopping")
    stack.process.send_signal(signal.SIGINT)
    assert await stack.ended() == 0
    assert "killing what is left" in stack.log
    assert "has not stopped" not in stack.log


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
async def test_no_process_outlives_a_supervisor_that_was_killed(start: Any) -> None:
    stack = start("nats:nats:stubborn", "storage:storage:stubborn")
    await stack.ready()
    stack.process.kill()
    stack.process.wait()
    await until(lambda: not any(alive(pid) for pid in stack.seen), seconds=2)
    await until(lambda: stack.state["ready"] is False)
    assert stack.state["processes"] == []


async def test_each_process_has_a_group_of_its_own_and_the_pipe_that_ends_with_us(start: Any) -> None:
    stack = start("nats:nats", "storage:storage")
    await stack.ready()
    assert len(re.findall(r"env - \d+ group True", stack.log)) == 2


async def test_a_fault_that_a_test_asked_for_strikes_once(start: Any) -> None:
    stack = start("nats:nats", "storage:storage", env={"CAUSEWAY_FAULT": "a.point:1"})
    await stack.ready()
    stack.kill("storage")
    await stack.line(r"storage +\| env", count=2)
    assert re.findall(r"storage +\| env (\S+)", stack.log) == ["a.point:1", "-"]


async def test_ctrl_c_during_the_start_leaves_nothing(start: Any) -> None:
    stack = start("nats:nats:unready", "storage:storage")
    await stack.line("nats *\\| env")
    assert not stack.runs("storage")  # NATS does not answer, so it waits
    stack.process.send_signal(signal.SIGINT)
    assert await stack.ended() == 0
    assert "storage" not in stack.log


async def test_a_process_that_prints_more_than_a_pipe_holds_is_read_to_the_end(start: Any) -> None:
    stack = start("nats:nats", "storage:storage:noisy")
    await stack.ready()
    await stack.line("storage *\\| noise", count=5000)


def twins(*described: str) -> dict[str, str]:
    return {"STANDIN_TWINS": " ".join(described)}


async def test_a_process_is_replaced_once_the_new_one_is_ready_and_the_stack_stays_ready(start: Any) -> None:
    stack = start("nats:nats", "logic-a:logic", env=twins("logic-a:logic"))
    await stack.ready()
    old, ports = stack.pid("logic-a"), []
    for round_ in (1, 2):  # and back on the first port
        await stack.line("looking for changes")
        stack.process.send_signal(signal.SIGUSR1)
        await stack.line(r"logic-a reloaded in [\d.]+ s", count=round_)
        ports += [entry["internal_port"] for entry in stack.state["processes"] if entry["name"] == "logic-a"]
        await stack.line("logic-a +\\| bye", count=round_)
    assert ports[0] != ports[1]
    assert stack.pid("logic-a") != old
    assert not alive(old)
    assert "not ready" not in stack.log
    assert "ready again" not in stack.log
    stack.kill("logic-a")  # what took the place is kept like any other
    await stack.line("logic-a died by SIGKILL, starting it again\n")
    await stack.line("ready again")


@pytest.mark.parametrize(("trait", "told"), [("brief", "ended with exit code 3"), ("unready", "is not ready within 1 s")])
async def test_a_new_process_that_fails_its_trial_is_ended_and_the_running_one_stays(start: Any, trait: str, told: str) -> None:
    stack = start("nats:nats", "logic-a:logic", env=twins(f"logic-a:logic:{trait}"))
    await stack.ready()
    old = stack.pid("logic-a")
    stack.process.send_signal(signal.SIGUSR1)
    await stack.line(f"logic-a: the new version {told}, the running one stays")
    assert stack.pid("logic-a") == old
    assert alive(old)
    assert stack.state["ready"]


async def test_a_newer_change_does_not_wait_for_a_new_process_that_does_not_get_ready(start: Any) -> None:
    stack = start("nats:nats", "logic-a:logic", env=twins("logic-a:logic:unready") | {"STANDIN_TRIAL": "600"})
    await stack.ready()
    for lives in (2, 3, 4):
        stack.process.send_signal(signal.SIGUSR1)
        await stack.line("logic-a +\\| env", count=lives)
    stack.process.terminate()  # and the end leaves none of them
    assert await stack.ended() == 0
    await stack.line("stopped")
