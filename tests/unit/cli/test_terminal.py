"""The supervisor's output never stops the supervisor."""

import os

import pytest

from causeway_cli.dev import terminal as module
from causeway_cli.dev.terminal import Terminal


def read_all(descriptor: int) -> str:
    with os.fdopen(descriptor, "rb") as pipe:
        return pipe.read().decode()


def test_lines_have_names_of_one_width() -> None:
    reading, writing = os.pipe()
    terminal = Terminal(writing, colour=False)
    terminal.set_names(["nats", "integrations"])
    terminal.write("nats", "one")
    terminal.write("integrations", "two")
    terminal.say("three\nfour")
    terminal.close()
    os.close(writing)

    assert read_all(reading) == ("nats         | one\nintegrations | two\ncauseway     | three\ncauseway     | four\n")


def test_colours_are_the_names_alone_and_differ() -> None:
    reading, writing = os.pipe()
    terminal = Terminal(writing, colour=True)
    terminal.set_names(["a", "b"])
    terminal.write("a", "one")
    terminal.write("b", "two")
    terminal.close()
    os.close(writing)

    assert read_all(reading) == "\x1b[36ma        \x1b[0m| one\n\x1b[32mb        \x1b[0m| two\n"


def test_a_terminal_that_is_paused_stops_nobody_and_what_was_dropped_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "QUEUE_MAX_LINES", 100)
    reading, writing = os.pipe()
    terminal = Terminal(writing, colour=False)
    for _ in range(2000):
        terminal.write("nats", "x" * 1000)  # far more than a pipe holds; would wait for ever if writing were its own work
    descriptor = os.dup(reading)
    seen = b""
    while b"lines dropped" not in seen:
        seen += os.read(descriptor, 65536)
        terminal.write("nats", "more")
    os.close(descriptor)
    os.close(reading)
    assert b"the terminal was too slow" in seen


def test_a_reader_that_went_away_stops_nobody() -> None:
    reading, writing = os.pipe()
    terminal = Terminal(writing, colour=False)
    os.close(reading)
    for _ in range(10):
        terminal.say("hello")
    terminal.close()
