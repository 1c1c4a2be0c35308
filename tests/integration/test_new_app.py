"""`causeway new`: what it makes passes its tests, the linters and the type checker of this repository, runs, and answers a real client."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from centrifuge import PublicationContext, SubscriptionEventHandler

from support.stack import CAUSEWAY, running_stack
from support.waiting import until

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.stack, pytest.mark.timeout(120)]


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    sources = ("libs/common", "libs/testing", "services/gateway", "services/storage", "services/logic")  # of editable installations
    env = {"MYPYPATH": os.pathsep.join(str(ROOT / source) for source in sources)}
    env |= {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST", "COV"))}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


def made(folder: Path, name: str = "tearoom") -> Path:
    done = run(folder, str(CAUSEWAY), "new", name)
    assert done.returncode == 0, done.stderr
    return folder / name


class Heard(SubscriptionEventHandler):
    def __init__(self) -> None:
        self.messages: list[object] = []

    async def on_publication(self, ctx: PublicationContext) -> None:
        self.messages.append(ctx.pub.data)


def test_its_tests_pass_and_the_linters_have_nothing_against_it(tmp_path: Path) -> None:
    """`pytest` in the folder, as its README says; ruff with all rules of this repository and mypy in strict mode."""
    folder = made(tmp_path)
    for command in (
        [sys.executable, "-m", "pytest", "-q", "-W", "error"],
        [
            sys.executable,
            "-m",
            "ruff",
            "check",
            "--config",
            str(ROOT / "pyproject.toml"),
            "--config",
            "src = ['.']",
            "--ignore",
            "INP001,S101",
            ".",
        ],
        [sys.executable, "-m", "ruff", "format", "--config", str(ROOT / "pyproject.toml"), "--check", "."],
        [sys.executable, "-m", "mypy", "--strict", "--follow-imports", "silent", "tearoom", "tests"],
    ):
        done = run(folder, *command)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("inside", [True, False], ids=["from inside", "from above"])
async def test_it_runs_and_a_real_client_speaks_with_it(tmp_path: Path, inside: bool) -> None:
    """`causeway dev --app NAME:app` in the folder or beside it: the method, the channel and the task, which runs when its time has come."""
    folder = made(tmp_path)
    rules = folder / "tearoom" / "handlers.py"
    rules.write_text(rules.read_text().replace("timedelta(hours=1)", "timedelta(seconds=1)"))
    async with running_stack(folder if inside else tmp_path, arguments=("--app", "tearoom:app")) as stack:
        client, heard = stack.client("ann"), Heard()
        await client.connect()
        board = (await client.rpc("tearoom.create_board", {"title": "Tea"})).data["board"]
        subscription = client.new_subscription(f"tearoom:{board}", events=heard)
        await subscription.subscribe()
        await subscription.ready(10)
        note = (await client.rpc("tearoom.add_note", {"board": board, "text": "hello"})).data
        assert note == {"id": "1", "user": "ann", "text": "hello"}
        await until(lambda: len(heard.messages) == 2, seconds=20)
        assert heard.messages == [{"type": "added", "note": note}, {"type": "faded", "note": "1"}]
        assert (await client.rpc("tearoom.read_board", {"board": board})).data["notes"] == []
        await client.disconnect()


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("My-App", "an app's name is"),
        ("storage", "none of a service's"),
        ("json", "Python module 'json'"),
        ("apps", "Python module 'apps'"),
    ],
)
def test_a_name_that_could_not_work_is_refused(tmp_path: Path, name: str, told: str) -> None:
    done = run(tmp_path, str(CAUSEWAY), "new", name)
    assert done.returncode == 1
    assert told in done.stderr
    assert not (tmp_path / name).exists()


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "tearoom").mkdir()
    (tmp_path / "tearoom" / "mine").touch()
    done = run(tmp_path, str(CAUSEWAY), "new", "tearoom")
    assert done.returncode == 1
    assert "tearoom is there already and not empty" in done.stderr
    assert [path.name for path in (tmp_path / "tearoom").iterdir()] == ["mine"]
