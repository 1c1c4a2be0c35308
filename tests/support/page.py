"""A page of the documentation, done by a reader who follows it literally: commands and what they print, files and their changes."""

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

from support.stack import CAUSEWAY

BLOCK = re.compile(r"(?P<before>[^\n]*)\n+```(?P<kind>\w+)\n(?P<body>.*?)```", re.DOTALL)
NAMED = re.compile(r"(Write|Add to|In) `([^`]+)`")
SECONDS = 60.0
SHOWN = frozenset({"python", "toml"})
"""What a page may show without having it done."""
STAYS = "# leave it running"
# A program that is started where Ctrl-C is ignored, as in the background of a script, would ignore it too.
HEARS_CTRL_C = (
    "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execvp('bash', ['bash', '-c', sys.argv[1]])"
)


@dataclass
class Step:
    """One thing that the page has its reader do or see. `whole`: the block is all of the file."""

    kind: str
    body: str
    file: str = ""
    whole: bool = False


@dataclass
class Terminal:
    """A command that is left running, and what it has printed."""

    process: subprocess.Popen[bytes]
    log: Path
    command: str
    seen: int = 0

    def shows(self, expected: list[str]) -> None:
        """Wait until it has printed these lines, in their order, behind what it showed before."""
        limit = time.monotonic() + SECONDS
        while not (end := matches(expected, text := self.log.read_text()[self.seen :])):
            assert time.monotonic() < limit, f"expected:\n{chr(10).join(expected)}\ngot:\n{text[-4000:]}"
            assert self.process.poll() is None, text[-4000:]
            time.sleep(0.05)
        self.seen += end

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
                self._of(step.body).shows(step.body.splitlines())
            case _ if step.whole:
                path = self._here() / step.file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(step.body)
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
                assert step.kind in SHOWN

    def _of(self, body: str) -> Terminal:
        """Who prints this: a line of the stack begins with who says it; all else is of the program that was left running last."""
        if "| " not in body.splitlines()[0]:
            return self.terminals[-1]
        return next(each for each in reversed(self.terminals) if each.command.startswith("causeway dev"))

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
            self.terminals.append(Terminal(process, log, command))
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


def matches(expected: list[str], text: str, *, whole: bool = False) -> int:
    """Whether the lines stand in the text in their order, and where they end: `…` is any text, and in a line of its own any lines."""
    pattern = r"\n".join(
        r"(?:[^\n]*\n)*?[^\n]*" if line == "…" else r"[^\n]*".join(map(re.escape, line.split("…"))) for line in expected
    )
    found = re.fullmatch(pattern + r"\s*", text.replace("\r", "")) if whole else re.search(rf"(?:^|\n){pattern}", text)
    return max(found.end(), 1) if found else 0


def steps(text: str) -> list[Step]:
    """The steps of a page."""
    found = []
    file, whole = "", False
    for block in BLOCK.finditer(text):
        if named := NAMED.search(block["before"]):
            whole, file = named[1] == "Write", named[2]
        elif block["before"].strip("` "):
            whole, file = False, ""
        found.append(Step(block["kind"], block["body"], file, whole))
    return found


def reader_in(folder: Path, **env: str) -> Reader:
    """Who begins to read, in this folder, with nothing of this process's own settings."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("CAUSEWAY_", "PYTEST", "COV"))}
    path = f"{CAUSEWAY.parent}{os.pathsep}{kept['PATH']}"
    return Reader(folder, {**kept, "PWD": str(folder), "PATH": path, "PYTHONPATH": "", "COLUMNS": "200", **env})


def read(reader: Reader, text: str) -> None:
    """Follow the page from top to bottom; nothing of it runs on afterwards."""
    try:
        for step in steps(text):
            reader.does(step)
    finally:
        for terminal in reader.terminals:
            terminal.process.kill()
            terminal.process.wait()
