"""call, history, presence, inspect and the shell's completion on a real stack: for people, and with --json for programs."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from causeway_cli.apps.finding import contract_at
from causeway_cli.apps.scaffold import make_app
from support.command import command
from support.stack import CAUSEWAY, Stack, running_stack

pytestmark = [pytest.mark.stack, pytest.mark.timeout(90)]


async def said(stack: Stack, *arguments: str, code: int = 0) -> tuple[str, str]:
    async with command(stack, *arguments) as done:
        assert await done.ended() == code, done.out + done.err
        return done.out, done.err


async def lines(stack: Stack, *arguments: str) -> list[Any]:
    out, _ = await said(stack, *arguments, "--json")
    return [json.loads(line) for line in out.splitlines()]


async def test_what_an_operator_looks_at_is_told_for_people_and_for_programs(tmp_path: Path) -> None:
    make_app(tmp_path / "tearoom")
    async with running_stack(tmp_path, arguments=("--app", "tearoom:app")) as stack:
        (made,) = await lines(stack, "call", "tearoom.create_board", '{"title": "Tea"}', "--user", "ann")
        board = made["board"]
        for number in range(5):
            await said(stack, "call", "tearoom.add_note", json.dumps({"board": board, "text": f"t{number}"}), "--user", "ann")
        channel = f"tearoom:{board}"

        # history: the newest, oldest first; from an offset on; newest first; across pages
        texts = [entry["data"]["note"]["text"] for entry in await lines(stack, "history", channel, "--limit", "3")]
        assert texts == ["t2", "t3", "t4"]
        assert [entry["offset"] for entry in await lines(stack, "history", channel, "--since", "1", "--limit", "2")] == [2, 3]
        assert [entry["offset"] for entry in await lines(stack, "history", channel, "--reverse", "--limit", "2")] == [5, 4]
        out, err = await said(stack, "history", channel)
        assert [line.split()[0] for line in out.splitlines()] == ["1", "2", "3", "4", "5"]
        assert f"# 5 publications of {channel}, which stands at offset 5 of epoch" in err

        # inspect: state, versions with their authors, the outbox
        (seen,) = await lines(stack, "inspect", "tearoom", "board", board)
        assert (seen["version"], seen["state"]["title"], seen["state"]["added"]) == (6, "Tea", 5)
        assert [(each["version"], each["by"]) for each in seen["versions"]] == [(number, "ann") for number in range(1, 7)]
        assert isinstance(seen["outbox"], list)
        out, _ = await said(stack, "inspect", "tearoom", "board", board)
        assert out.startswith(f"tearoom board {board}: version 6\n  {{\n")
        assert "outbox:" in out
        _, err = await said(stack, "inspect", "tearoom", "board", "none", code=1)
        assert err == "Error: nothing is known of tearoom board none\n"

        # the contract of an app that lives, as its code says it, and a client from it
        out, _ = await said(stack, "schema", "tearoom", "--format", "json-schema")
        assert json.loads(out)["methods"] == contract_at("tearoom:app", tmp_path).document()["methods"]
        out, _ = await said(stack, "client", "py", "tearoom")
        assert "class Tearoom:" in out
        _, err = await said(stack, "schema", "nobody", code=1)
        assert err == "Error: there is no such app or version (code 104)\n"

        # call: a refusal is JSON too
        _, err = await said(
            stack, "call", "tearoom.add_note", json.dumps({"board": board, "text": "x"}), "--user", "", "--json", code=1
        )
        refusal = json.loads(err)["error"]
        assert (refusal["code"], refusal["temporary"]) == (403, False)

        # the shell offers the channels that somebody watches, colons and all
        watching = stack.client("ann")
        await watching.connect()
        subscription = watching.new_subscription(channel)
        await subscription.subscribe()
        await subscription.ready(10)
        assert [entry["user"] for entry in await lines(stack, "presence", channel)] == ["ann"]
        assert offered(stack, "history", "tearoom:") == [channel]
        assert offered(stack, "history", "demo:") == []
        assert offered(stack, "call", "tearoom.c") == ["tearoom.create_board"]
        assert offered(stack, "inspect", "te") == ["tearoom"]
        await watching.disconnect()


def offered(stack: Stack, *words: str) -> list[str]:
    """What bash itself offers behind these words, the last of them unfinished."""
    typed = " ".join(("causeway", *words))
    script = (
        'eval "$(causeway completion bash)"\n'
        f"COMP_WORDS=({typed}) COMP_CWORD={len(words)}\n"
        '_causeway_completion causeway; printf "%s\\n" "${COMPREPLY[@]}"; [[ $COMP_WORDBREAKS != *:* ]]'
    )
    env = {**os.environ, "PATH": f"{CAUSEWAY.parent}{os.pathsep}{os.environ['PATH']}", "CAUSEWAY_DATA_DIR": str(stack.data_dir)}
    done = subprocess.run(["bash", "-c", script], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()
