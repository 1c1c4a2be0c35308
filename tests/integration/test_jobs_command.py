"""`causeway jobs` on a real stack: a job that died is listed, shown attempt by attempt, and tried again under its own key."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from support.command import command
from support.enqueued import enqueue_mail
from support.mailbox import Mailbox
from support.stack import Stack, running_stack
from support.waiting import until

pytestmark = [pytest.mark.stack, pytest.mark.timeout(90)]


async def said(stack: Stack, *arguments: str, code: int = 0) -> str:
    async with command(stack, "jobs", *arguments) as done:
        assert await done.ended() == code, done.out + done.err
        return done.out


async def listed(stack: Stack, state: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(await said(stack, "list", "--state", state, "--json"))
    return found


async def test_a_dead_job_is_listed_shown_and_tried_again(tmp_path: Path) -> None:
    async with Mailbox(answers=["550 never"]) as mail:
        config = f'[integrations.email]\nhost = "127.0.0.1"\nport = {mail.port}\ntls = "none"\nsender = "a@example.com"\n'
        async with running_stack(tmp_path, config=config) as stack:
            assert await listed(stack, "dead") == []
            await enqueue_mail(stack, "mail-1")

            async with asyncio.timeout(30):
                while not (found := await listed(stack, "dead")):
                    continue
            (job,) = found
            assert (job["app"], job["operation"], job["state"], job["tries"]) == ("chat", "email.send", "dead", 1)
            shown = json.loads(await said(stack, "show", job["id"], "--json"))
            assert shown["payload"]["to"] == ["ann@example.com"]
            assert [(entry["outcome"], entry["status"]) for entry in shown["attempts"]] == [("dead", 550)]
            assert "550 never" in await said(stack, "show", job["id"])

            async with command(stack, "events", "--since", "10m", "--type", "job_dead", "--json") as events:
                await until(lambda: bool(events.out.strip()), 20)
                told = json.loads(events.out.splitlines()[0])
            assert (told["type"], told["record"], told["app"], told["operation"]) == ("job_dead", job["id"], "chat", "email.send")
            assert "550" in told["note"]

            assert (shown["connector"], shown["op"]) == ("email", "send")
            assert json.loads(await said(stack, "list")) == [job], "all states, and an array where no terminal is"

            assert json.loads(await said(stack, "redrive", job["id"], "--json")) == [job["id"]]

            async with asyncio.timeout(30):
                while [each["id"] for each in await listed(stack, "done")] != [job["id"]]:
                    continue
            assert len(mail.received) == 1
            shown = json.loads(await said(stack, "show", job["id"], "--json"))
            assert [(entry["number"], entry["outcome"]) for entry in shown["attempts"]] == [(1, "dead"), (1, "done")]
            assert json.loads(await said(stack, "redrive", job["id"], "nobody", "--json", code=1)) == []
            await said(stack, "show", "nobody", code=1)
            assert await listed(stack, "dead") == []
            async with (
                aiohttp.ClientSession() as session,
                session.post(f"http://127.0.0.1:{stack.port}/ops/jobs.list", json={}) as response,
            ):
                assert response.status == 401, "with the server API's key alone"
