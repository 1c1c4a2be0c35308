"""`causeway-logic simulate PACKAGE`: a crowd of simulated users of one app, over the real client protocol."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import jwt

from causeway_common.runtime import parse_duration
from causeway_common.telemetry.logs import set_up_logs
from causeway_logic.simulation.crowd import Crowd, Visit
from causeway_logic.simulation.visitor import Visitor

REPORT_MS: Final = 5000
TOKEN_SECONDS: Final = 30 * 24 * 3600
NAMES: Final = ("Ada", "Björn", "Chidi", "Dalia", "Emre", "Freya", "Goran", "Hana", "Ines", "Jonas", "Kaya", "Lucía")
"""Of those who come first, each with `-bot` behind it, so that nobody takes them for people."""
SECRET_VARIABLE: Final = "CAUSEWAY_TOKEN_SECRET"  # noqa: S105 - a variable's name


class SimulationError(Exception):
    """The simulation cannot begin; one line says why."""


def main(arguments: Sequence[str]) -> int:
    """Run the simulation until its time is over, SIGINT or SIGTERM. Returns the exit code: 0, or 1 with one line on why."""
    options = _parser().parse_args(arguments)
    set_up_logs("simulation", "", "console", "warning")
    try:
        visit = load_visit(options.package)
        if options.check:
            return 0
        url, secret = _where(options)
        crowd = Crowd(rate=options.rate, seconds=options.duration / 1000, seed=options.seed)
        visitors = [Visitor(name, url, _token(secret, name), crowd.count) for name in _names(options.users)]
        asyncio.run(_simulate(crowd, visitors, visit, every=0 if options.quiet else options.every / 1000))
    except SimulationError as error:
        sys.stderr.write(f"causeway-logic cannot simulate: {error}\n")
        return 1
    except ExceptionGroup as group:
        sys.stderr.write(f"causeway-logic simulate: {group.message}: {group.exceptions[0]}\n")
        return 1
    return 0


def load_visit(package: str) -> Visit:
    """The `visit` of an app's `simulation` module.

    Args:
        package: the app's (`apps.auctions`); an attribute behind a colon is passed over, the folder at hand is looked in first.

    Raises:
        SimulationError: there is no such module, or it has no `visit`.
    """
    name = f"{package.partition(':')[0]}.simulation"
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        module = importlib.import_module(name)
    except Exception as error:
        raise SimulationError(f"{name} cannot be imported: {type(error).__name__}: {error}") from error
    visit: Visit | None = getattr(module, "visit", None)
    if visit is None:
        raise SimulationError(f"{name} has no `async def visit(crowd, me)`")
    return visit


async def _simulate(crowd: Crowd, visitors: list[Visitor], visit: Visit, *, every: float) -> None:
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, crowd.go_home)
    reporting = asyncio.ensure_future(_report(crowd, every))
    try:
        await crowd.run(visitors, visit)
    finally:
        reporting.cancel()
        await asyncio.gather(reporting, return_exceptions=True)
        _tell(crowd, "done")


async def _report(crowd: Crowd, every: float) -> None:
    while every:
        await asyncio.sleep(every)
        _tell(crowd, time.strftime("%H:%M:%S"))


def _tell(crowd: Crowd, when: str) -> None:
    told = ", ".join(f"{count} {what}" for what, count in sorted(crowd.counts.items())) or "nothing happened yet"
    sys.stdout.write(f"{when}: {told}\n")
    sys.stdout.flush()


def _names(count: int) -> list[str]:
    return [f"{NAMES[at % len(NAMES)]}-bot{at // len(NAMES) + 1 if at >= len(NAMES) else ''}" for at in range(count)]


def _token(secret: str, user: str) -> str:
    return jwt.encode({"sub": user, "exp": int(time.time()) + TOKEN_SECONDS}, secret, "HS256")


def _where(options: argparse.Namespace) -> tuple[str, str]:
    """The WebSocket's URL and the secret for tokens: as given, else those of the stack that runs in the data directory."""
    url = options.url or _told_by(options.data_dir, "stack.json", "url")
    secret = os.environ.get(SECRET_VARIABLE) or _told_by(options.data_dir, "credentials.json", "token_hmac_secret_key")
    parts = urlsplit(url)
    scheme = {"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme)
    if scheme not in {"ws", "wss"} or not parts.netloc:
        raise SimulationError(f"{url!r} is no URL of a gateway, such as http://127.0.0.1:8000")
    path = parts.path.rstrip("/") or "/connection/websocket"
    return parts._replace(scheme=scheme, path=path).geturl(), secret


def _told_by(data_dir: Path, file: str, key: str) -> str:
    """What a running `causeway dev` says in its data directory."""
    try:
        document: Any = json.loads((data_dir / file).read_text(encoding="utf-8"))
        found = document[key]
    except (OSError, ValueError, KeyError, TypeError) as error:
        hint = f"start `causeway dev`, or give --url and {SECRET_VARIABLE}"
        raise SimulationError(f"no running stack is told of in {data_dir / file}; {hint}") from error
    return str(found)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="causeway-logic simulate",
        description="A crowd of simulated users of one app, over the real client protocol. Ctrl-C sends everybody home.",
        epilog=f"Tokens are signed with {SECRET_VARIABLE}, else with the secret of the stack in --data-dir.",
    )
    parser.add_argument(
        "package", metavar="PACKAGE", help="the app's package, such as apps.auctions, which has a module `simulation`"
    )
    parser.add_argument("--users", type=_whole, default=30, metavar="N", help="how many come (30)")
    parser.add_argument("--rate", type=_positive, default=10.0, metavar="N", help="turns in a second, of all together (10)")
    parser.add_argument(
        "--duration", type=_duration, default=0, metavar="TIME", help="how long, such as 60s; until Ctrl-C if left out"
    )
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="what they draw follows from it (1)")
    parser.add_argument("--url", default="", metavar="URL", help="of the gateway; that of the stack in --data-dir if left out")
    data_dir = Path(os.environ.get("CAUSEWAY_DATA_DIR", ".causeway"))
    parser.add_argument("--data-dir", type=Path, default=data_dir, metavar="DIR", help="of a running `causeway dev` (.causeway)")
    parser.add_argument("--every", type=_duration, default=REPORT_MS, metavar="TIME", help="a line on how it goes so often (5s)")
    parser.add_argument("--quiet", action="store_true", help="no such lines, only the last one")
    parser.add_argument("--check", action="store_true", help="import the simulation and end")
    return parser


def _whole(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 10_000:
        raise argparse.ArgumentTypeError("1 to 10000")
    return int(text)


def _positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError("a number above 0") from error
    if not 0 < number <= 100_000:
        raise argparse.ArgumentTypeError("a number above 0")
    return number


def _duration(text: str) -> int:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
