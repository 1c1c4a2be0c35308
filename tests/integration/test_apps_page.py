"""docs/apps.md, done: each command is run and must print what the page says, each change of a file is made, on a real stack."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from support.nats import free_port
from support.stack import CAUSEWAY

PAGE = Path(__file__).parents[2] / "docs" / "apps.md"
BLOCK = re.compile(r"(?P<before>[^\n]*)\n+```(?P<kind>\w+)\n(?P<body>.*?)```", re.DOTALL)
NAMED = re.compile(r"(?:Add to|In) `([^`]+)`")
SECONDS = 60.0
STAYS = "# leave it running"
# A program that is started where Ctrl-C is ignored, as in the background of a script, would ignore it too.
HEARS_CTRL_C = (
    "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execvp('bash', ['bash', '-c', sys.argv[1]])"
)

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]


@dataclass
class Step:
    """One thing that the page has its reader do or see."""

    kind: str
    body: str
    file: str = ""


@dataclass
class Terminal:
    """A command that is left running, and what it has printed."""

    process: subprocess.Popen[bytes]
    log: Path

    def shows(self, expected: list[str]) -> None:
        """Wait until it has printed these lines, in their order."""
        limit = time.monotonic() + SECONDS
        while not matches(expected, text := self.log.read_text()):
            assert time.monotonic() < limit, f"expected:\n{chr(10).join(expected)}\ngot:\n{text[-4000:]}"
            assert self.process.poll() is None, text[-4000:]
            time.sleep(0.05)

    def interrupt(self) -> None:
        """Ctrl-C, and wait for the end."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(30)


@dataclass
class Reader:
    """Who follows the page: a folder, the variables of a shell, and terminals."""

    folder: Path
    env: dict[str, str]
    terminals: list[Terminal] = field(default_factory=list)

    def does(self, step: Step) -> None:
        """Follow one step."""
        match step.kind:
            case "console":
                for command, expected in commands(step.body):
                    self._types(command, expected)
            case "text" if step.body.strip() == "^C":
                for terminal in reversed(self.terminals):
                    terminal.interrupt()
            case "text":
                next(each for each in self.terminals if self._is_of(each, step.body)).shows(step.body.splitlines())
            case "python" if step.file:
                path = self._here() / step.file
                path.write_text(f"{path.read_text()}\n\n{step.body}")
            case "diff":
                path = self._here() / step.file
                lines = step.body.splitlines()
                old, new = ("\n".join(line[1:] for line in lines if line[0] != sign) for sign in "+-")
                assert old in path.read_text()
                path.write_text(path.read_text().replace(old, new))
            case _:
                assert step.kind == "python"  # shown, not done

    def _is_of(self, terminal: Terminal, body: str) -> bool:
        """A line of the stack begins with who says it; all else is of the command that was left running last."""
        return terminal is (self.terminals[0] if "| " in body.splitlines()[0] else self.terminals[-1])

    def _here(self) -> Path:
        return Path(self.env["PWD"])

    def _types(self, command: str, expected: list[str]) -> None:
        if command.endswith(STAYS):
            log = self.folder / f"terminal{len(self.terminals)}.log"
            with log.open("wb") as out:
                script = f"exec {command.removesuffix(STAYS)}"
                process = subprocess.Popen(
                    [sys.executable, "-c", HEARS_CTRL_C, script], cwd=self._here(), env=self.env, stdout=out, stderr=out
                )
            self.terminals.append(Terminal(process, log))
            self.terminals[-1].shows(expected)
            return
        after = self.folder / "env"
        script = f"set -a\n{command}\necho -n > {after}; env -0 > {after}"
        done = subprocess.run(["bash", "-c", script], cwd=self._here(), env=self.env, capture_output=True, text=True, check=False)
        assert matches([*expected], said := done.stdout + done.stderr, whole=True), (
            f"$ {command}\nexpected:\n{expected}\ngot:\n{said}"
        )
        self.env = dict(line.split("=", 1) for line in after.read_text().split("\0") if "=" in line)


def commands(body: str) -> Iterator[tuple[str, list[str]]]:
    """The commands of a console block, each with the lines that it prints."""
    for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
        command, *expected = part.rstrip("\n").split("\n")
        yield command, expected


def matches(expected: list[str], text: str, *, whole: bool = False) -> bool:
    """Whether the lines stand in the text in their order: `…` is any text, and in a line of its own any lines."""
    pattern = r"\n".join(
        r"(?:[^\n]*\n)*?[^\n]*" if line == "…" else r"[^\n]*".join(map(re.escape, line.split("…"))) for line in expected
    )
    if whole:
        return re.fullmatch(pattern + r"\s*", text.replace("\r", "")) is not None
    return re.search(rf"(?:^|\n){pattern}", text) is not None


def steps() -> list[Step]:
    found = []
    file = ""
    for block in BLOCK.finditer(PAGE.read_text()):
        if named := NAMED.search(block["before"]):
            file = named[1]
        elif block["before"].strip("` "):
            file = ""
        found.append(Step(block["kind"], block["body"], file))
    return found


def test_the_page_done_from_top_to_bottom(tmp_path: Path) -> None:
    """`causeway new` to a tested, shipped, canaried feature: what the page says is what happens."""
    env = {key: value for key, value in os.environ.items() if not key.startswith(("CAUSEWAY_", "PYTEST", "COV"))}
    env |= {
        "PWD": str(tmp_path),
        "PATH": f"{CAUSEWAY.parent}{os.pathsep}{env['PATH']}",
        "CAUSEWAY_GATEWAY_HTTP_SERVER__PORT": str(free_port()),  # the page says 8000, which may be taken
        "PYTHONPATH": "",
        "COLUMNS": "200",
    }
    reader = Reader(tmp_path, env)
    try:
        for step in steps():
            reader.does(step)
    finally:
        for terminal in reader.terminals:
            terminal.process.kill()
            terminal.process.wait()


def test_the_page_has_no_block_that_is_skipped_unseen() -> None:
    """A block of another kind, or a change without a file, would be read and never be done."""
    kinds = {step.kind for step in steps()}
    assert kinds == {"console", "text", "python", "diff"}
    assert sum(step.kind == "python" and not step.file for step in steps()) == 1  # the one that shows what `causeway new` made
    assert PAGE.read_text().count("```") == 2 * len(steps())
