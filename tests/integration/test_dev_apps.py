"""`causeway dev --app --reload`: your own apps on the whole stack, replaced while it runs."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from centrifuge import Client, ClientEventHandler, ReplyError

from support import waiting
from support.stack import Stack, alive, running_stack

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]

APP = '''
from causeway_logic import App, Context

app = App("{name}", version="{version}")


@app.rpc
async def word(ctx: Context) -> str:
    """A word."""
    return "{word}"


@app.rpc
async def broken(ctx: Context) -> str:
    """Fails."""
    raise RuntimeError("the cup fell")
'''


async def until(condition: Callable[[], bool]) -> None:
    """A process that starts beside others on a busy machine takes its time; the figure itself is told, not asserted."""
    await waiting.until(condition, seconds=60)


class Watching(ClientEventHandler):
    def __init__(self) -> None:
        self.lost = 0

    async def on_connecting(self, ctx: Any) -> None:
        self.lost += ctx.code != 0


def write(folder: Path, name: str, word: str, version: str = "0.1.0") -> None:
    (folder / f"{name}.py").write_text(APP.format(name=name, version=version, word=word))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """One for all tests: each says what the apps are, and counts what happens from then on."""
    folder = tmp_path_factory.mktemp("apps")
    write(folder, "tea", "green")
    write(folder, "cake", "plain")
    (folder / "shared.py").write_text("")
    async with running_stack(folder, arguments=("--app", "tea:app", "--app", "cake:app", "--reload")) as running:
        yield running


def folder_of(stack: Stack) -> Path:
    return stack.log_path.parent


def reloads(stack: Stack, name: str) -> int:
    """How often an app's process was replaced so far."""
    return stack.log().count(f"logic-{name} reloaded in")


async def says(client: Client, method: str) -> str:
    return str((await client.rpc(method, {})).data)


async def test_a_changed_app_is_replaced_within_two_seconds_while_clients_stay_and_no_call_fails(stack: Stack) -> None:
    """Developer loop: only the app whose file changed is started anew; its clients notice nothing but the new answer."""
    events = Watching()
    client = stack.client("ann", events=events)
    await client.connect()
    assert await says(client, "tea.word") == "green"
    others = {process["name"]: process["pid"] for process in stack.state()["processes"] if process["name"] != "logic-tea"}
    old = stack.pid("logic-tea")

    write(folder_of(stack), "tea", "black", version="0.2.0")
    heard: list[str] = []
    await until(lambda: reloads(stack, "tea") == 1)
    while not heard or heard[-1] != "black":
        heard.append(await says(client, "tea.word"))
    await until(lambda: not alive(old))
    assert [await says(client, "tea.word") for _ in range(20)] == ["black"] * 20

    (seconds,) = re.findall(r"logic-tea reloaded in ([\d.]+) s", stack.log())
    print(f"reloaded in {seconds} s")
    assert events.lost == 0
    assert stack.state()["ready"]
    assert {p["name"]: p["pid"] for p in stack.state()["processes"] if p["name"] != "logic-tea"} == others
    await client.disconnect()


async def test_a_version_that_cannot_be_imported_says_why_and_leaves_the_running_one(stack: Stack) -> None:
    """An app that fails to import ends with the reason and leaves the running version in place; the next good one takes over."""
    client = stack.client("ann")
    await client.connect()
    running, word, before = stack.pid("logic-tea"), await says(client, "tea.word"), reloads(stack, "tea")
    (folder_of(stack) / "tea.py").write_text("import nonsense_that_is_not_there\n")
    await until(lambda: "logic-tea: the new version ended with exit code 1, the running one stays" in stack.log())
    assert "No module named 'nonsense_that_is_not_there'" in stack.log()
    assert stack.pid("logic-tea") == running
    assert await says(client, "tea.word") == word

    write(folder_of(stack), "tea", "white", version="0.3.0")
    await until(lambda: reloads(stack, "tea") == before + 1)
    await until(lambda: not alive(running))
    assert await says(client, "tea.word") == "white"
    await client.disconnect()


async def test_an_older_version_takes_over_too(stack: Stack) -> None:
    """Who goes back in time, as by `git checkout`, is answered by what the files say now."""
    client = stack.client("ann")
    await client.connect()
    before = reloads(stack, "tea")
    write(folder_of(stack), "tea", "brown", version="0.0.1")
    await until(lambda: reloads(stack, "tea") == before + 1)
    answer = ""
    while answer != "brown":  # until the gateway has heard that the newer one has left
        answer = await says(client, "tea.word")
    assert [await says(client, "tea.word") for _ in range(20)] == ["brown"] * 20
    await client.disconnect()


async def test_a_file_that_belongs_to_no_app_replaces_all_and_a_killed_app_comes_back_as_it_is_now(stack: Stack) -> None:
    """What is shared concerns every app; the keeper of a replaced process keeps the new one."""
    before = {name: reloads(stack, name) for name in ("tea", "cake")}
    (folder_of(stack) / "shared.py").write_text("WORDS = 1\n")
    await until(lambda: all(reloads(stack, name) == count + 1 for name, count in before.items()))
    killed = stack.kill("logic-tea")
    await until(lambda: stack.pid("logic-tea") not in (0, killed))
    await stack.ready()


async def test_a_handlers_error_stands_in_the_terminal_with_the_trace_that_the_caller_got(stack: Stack) -> None:
    """Errors in the terminal with the call's trace."""
    client = stack.client("ann")
    await client.connect()
    with pytest.raises(ReplyError) as told:
        await client.rpc("tea.broken", {})
    assert told.value.code == 100
    await until(lambda: "RuntimeError: the cup fell" in stack.log())
    (line,) = [line for line in stack.log().splitlines() if "a handler failed" in line]
    assert re.search(r"trace_id=[0-9a-f]{32}", line)
    await client.disconnect()


async def test_an_app_that_cannot_be_imported_at_the_start_is_told_in_one_line(tmp_path: Path) -> None:
    """Exit code 1 and the reason, before anything is started."""
    (tmp_path / "bad.py").write_text("1 / 0\n")
    with pytest.raises(AssertionError) as failed:
        async with running_stack(tmp_path, arguments=("--app", "bad:app")):
            pass
    assert "Error: bad cannot be imported: ZeroDivisionError" in str(failed.value)
    assert "bad.py, line 1" in str(failed.value)
