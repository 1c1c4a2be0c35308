"""`stack.json` of the data directory: what runs, for other programs. True at all times, replaced as a whole."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from causeway_cli.dev.files import write_atomic

STACK_FILE: Final = "stack.json"


class StackFileError(Exception):
    """The file cannot be read; one line says why."""


@dataclass(frozen=True, slots=True)
class ProcessEntry:
    """One process that runs: `port` is what it serves to others or None, `internal_port` health and metrics."""

    service: str
    name: str
    pid: int
    port: int | None
    internal_port: int


@dataclass(frozen=True, slots=True)
class StackState:
    """The file. `ready`: every process of the stack runs and answers that it is ready; one that is down is not in `processes`.

    `storage`: `sqlite` or `mongodb`. `url` is where clients connect; `api_url` where the server API is, if that is elsewhere.
    """

    version: str
    ready: bool
    url: str
    nats_url: str
    data_dir: str
    storage: str
    processes: tuple[ProcessEntry, ...]
    api_url: str = ""


def write_stack(data_dir: Path, state: StackState) -> None:
    """Replace the file. Raises OSError."""
    document = asdict(state)
    if state.api_url in ("", state.url):
        del document["api_url"]
    write_atomic(data_dir / STACK_FILE, json.dumps(document, indent=2) + "\n", mode=0o644)


def read_stack(data_dir: Path) -> StackState:
    """The file as it stands; keys that this version does not know are skipped.

    Raises:
        StackFileError: there is none, or it is none of ours.
    """
    path = data_dir / STACK_FILE
    try:
        document: Any = json.loads(path.read_text(encoding="utf-8"))
        processes = tuple(
            ProcessEntry(**{key: entry[key] for key in ProcessEntry.__dataclass_fields__}) for entry in document["processes"]
        )
        document.setdefault("storage", "sqlite")  # what wrote the file was older than the choice
        fields = {key: document[key] for key in StackState.__dataclass_fields__ if key not in ("processes", "api_url")}
        api_url = document.get("api_url", "")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StackFileError(f"{path} cannot be read: {type(error).__name__}") from error
    return StackState(**fields, processes=processes, api_url=api_url)
