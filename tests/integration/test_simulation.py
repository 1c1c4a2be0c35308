"""`causeway-logic simulate` against the real stack: the crowd acts, survives the death of its gateway, and leaves when told."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import pytest
from cent import ChannelsRequest

from support.command import command
from support.stack import Stack, alive, running_stack
from support.waiting import until

SIMULATE = Path(sys.executable).with_name("causeway-logic")


async def crowd(stack: Stack, package: str, *options: str) -> Process:
    """The command, running."""
    command = [str(SIMULATE), "simulate", package, "--data-dir", str(stack.data_dir), *options]
    return await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE)


async def ended(process: Process) -> dict[str, int]:
    """What it counted, once it has ended well."""
    out, err = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 0, err.decode()
    assert not err, err.decode()
    last = out.decode().splitlines()[-1]
    assert last.startswith("done: ")
    return {what: int(count) for count, what in re.findall(r"(\d+) ([^,]+)", last)}


@pytest.mark.stack
@pytest.mark.timeout(60)
async def test_causeway_dev_brings_a_crowd_along_and_sends_it_home(tmp_path: Path) -> None:
    """`--simulate`: a supervised process; one that dies comes back, and Ctrl-C leaves none."""
    async with running_stack(tmp_path, arguments=("--simulate", "apps.auctions")) as stack, stack.api() as api:
        crowd_pid = stack.pid("crowd-auctions")
        assert crowd_pid
        await until(lambda: bool(stack.pid("crowd-auctions")), 10)

        async def channels() -> int:
            return len((await api.channels(ChannelsRequest(pattern="lot:*"))).channels)

        while not await channels():  # somebody watches a lot
            await asyncio.sleep(0.1)
        async with command(stack, "call", "auctions.lots", "{}", "--user", "ann") as asked:  # as the README says
            assert await asked.ended() == 0, asked.err
            assert json.loads(asked.out)["lots"]
        stack.kill("crowd-auctions")
        await until(lambda: stack.pid("crowd-auctions") not in (0, crowd_pid), 10)
        pids = stack.pids()
        assert await stack.stop() == 0
        assert not any(alive(pid) for pid in pids)
        assert "Traceback" not in stack.log()


async def test_a_package_without_a_simulation_ends_causeway_dev_with_one_line(tmp_path: Path) -> None:
    stack = Stack(tmp_path, arguments=("--simulate", "json"))
    with pytest.raises(AssertionError, match=r"json\.simulation cannot be imported"):
        await stack.start()
    assert stack.supervisor.returncode == 1


@pytest.mark.stack
@pytest.mark.timeout(90)
async def test_a_crowd_acts_comes_back_after_its_gateway_died_and_leaves_when_told(tmp_path: Path) -> None:
    """One stack for all three: a run with a duration, and one that a kill -9 and then Ctrl-C go through."""
    async with running_stack(tmp_path) as stack:
        counts = await ended(await crowd(stack, "apps.chat", "--users", "8", "--rate", "60", "--duration", "3s"))
        assert counts["rooms"] == 4
        assert counts["messages sent"] > 20
        assert counts["messages received"] > counts["messages sent"], "each message has several readers"
        assert "failed visits" not in counts

        counts = await ended(await crowd(stack, "apps.auctions", "--users", "8", "--rate", "60", "--duration", "3s"))
        assert counts["lots"] == 8
        assert counts["bids"] > 20
        assert counts["bid messages"] > counts["bids"]
        assert "failed visits" not in counts

        process = await crowd(stack, "apps.chat", "--users", "8", "--rate", "60", "--seed", "2")
        assert process.stdout is not None
        assert b"messages sent" in await asyncio.wait_for(process.stdout.readline(), 20), "it tells how it is every five seconds"
        stack.kill("gateway")
        await stack.ready()
        second = (await asyncio.wait_for(process.stdout.readline(), 20)).decode()
        assert "reconnects" in second
        assert "messages sent" in (await asyncio.wait_for(process.stdout.readline(), 20)).decode()
        process.send_signal(signal.SIGINT)
        counts = await ended(process)
        assert counts["reconnects"] >= 8
        assert "closed for good" not in counts
        assert "failed visits" not in counts
