"""How every service process starts and ends: arguments, settings, telemetry, event loop, signals, lifecycle, internal listener."""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import uvloop

from causeway_common.bus import BusSettings, Identity
from causeway_common.contracts.names import NodeId
from causeway_common.runtime import faults
from causeway_common.runtime.health import Health, InternalServer
from causeway_common.runtime.ids import new_id
from causeway_common.runtime.lifecycle import Lifecycle
from causeway_common.runtime.settings import ServiceSettings, SettingsError, load_settings
from causeway_common.telemetry import get_logger, set_up_telemetry, shut_down_telemetry

S = TypeVar("S", bound=ServiceSettings)
log = get_logger("runtime")

EXIT_FAILED = 1
EXIT_CONFIGURATION = 2


@dataclass(frozen=True, slots=True)
class Service(Generic[S]):
    """A service as its `__main__` declares it.

    Attributes:
        name: the process's name in logs, traces and NATS (`logic-chat`).
        variables: the service's name in environment variables (`logic`).
        version: of its distribution.
        settings: its settings model.
        section: its section of the TOML file; "" is the top level.
        build: wires the process: adds its parts to the lifecycle. What it raises ends the start with one line.
    """

    name: str
    variables: str
    version: str
    settings: type[S]
    section: str
    build: Callable[[S, Process], None]


@dataclass(frozen=True, slots=True)
class Process:
    """What a composition root builds on."""

    name: str
    node: NodeId
    settings: ServiceSettings
    lifecycle: Lifecycle
    health: Health
    config: Path | None = None
    version: str = ""

    def bus_settings(self, suffix: str = "") -> BusSettings:
        """The settings of a NATS connection of this process; `suffix` tells several of them apart by name."""
        nats = self.settings.nats
        identity = Identity(self.name, self.version, self.node) if self.version and not suffix else None
        password = nats.password.get_secret_value()
        return BusSettings(url=nats.url, user=nats.user, password=password, name=self.name + suffix, identity=identity)


class StartError(Exception):
    """A process cannot start, for a reason that one line tells."""


def arguments(service_name: str, description: str) -> argparse.ArgumentParser:
    """The options that every service has; a service with more adds them."""
    parser = argparse.ArgumentParser(prog=service_name, description=description)
    parser.add_argument("--config", type=Path, metavar="FILE", help="the TOML configuration file")
    parser.add_argument("--check", action="store_true", help="validate the configuration and end")
    return parser


def run_service(service: Service[S], options: argparse.Namespace) -> None:
    """Run the process until SIGTERM or SIGINT; ends the interpreter with 0, 1 (failed) or 2 (configuration)."""
    try:
        settings = load_settings(
            service.settings, service=service.variables, section=service.section, path=options.config, env=os.environ
        )
        faults.arm(os.environ)
    except (SettingsError, faults.FaultError) as error:
        sys.stderr.write(f"causeway-{service.variables} cannot start, its configuration is wrong:\n")
        sys.stderr.writelines(f"  - {line}\n" for line in str(error).splitlines())
        sys.exit(EXIT_CONFIGURATION)
    if options.check:
        sys.stdout.write("the configuration is valid\n")
        return
    node = NodeId(new_id()[:16])
    set_up_telemetry(service.name, service.version, node, settings.telemetry)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.exit(runner.run(_run(service, settings, node, options.config)))


async def _run(service: Service[S], settings: S, node: NodeId, config: Path | None) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)
    _watch_parent(loop, stop)
    health, lifecycle = Health(), Lifecycle()
    internal = InternalServer(health, settings.internal.host, settings.internal.port)
    try:
        await internal.start()
        service.build(settings, Process(service.name, node, settings, lifecycle, health, config, service.version))
        if await _started_or_stopped(lifecycle.start, stop):
            health.started = True
            _settle_garbage_collector()
            log.info("started", service=service.name, version=service.version, node=node)
            await stop.wait()
        log.info("stopping", service=service.name)
        status = 0
    except StartError as error:
        sys.stderr.write(f"causeway-{service.variables} cannot start: {error}\n")
        status = EXIT_FAILED
    except OSError as error:
        log.error("cannot start", service=service.name, reason=str(error))  # noqa: TRY400 - one line is what a user needs here
        status = EXIT_FAILED
    finally:
        health.stopping = True
        await lifecycle.stop()
        await internal.stop()
        await asyncio.to_thread(shut_down_telemetry)
    return status


def _settle_garbage_collector() -> None:
    """What the start has made is for good, and is looked at no more; connections are many objects that live long.

    make bench: Python's own thresholds spent 37 % of the time on garbage while 8,000 clients connected, these 9 %.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 50, 100)


async def _started_or_stopped(start: Callable[[], Awaitable[None]], stop: asyncio.Event) -> bool:
    """Start, unless a signal comes first (a start may wait for NATS without end)."""
    starting, stopping = asyncio.ensure_future(start()), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            await starting
            return not stop.is_set()
        return False
    finally:
        for task in (starting, stopping):
            task.cancel()
        await asyncio.gather(starting, stopping, return_exceptions=True)


def _watch_parent(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """`CAUSEWAY_PARENT_FD` is a pipe that the supervisor holds open: its end means that the supervisor is gone."""
    text = os.environ.get("CAUSEWAY_PARENT_FD", "")
    if not text.isdecimal():
        return
    descriptor = int(text)

    def readable() -> None:
        try:
            ended = not os.read(descriptor, 1)
        except BlockingIOError:
            return  # the pipe is shared with other processes, one of which has made it non-blocking
        if ended:
            loop.remove_reader(descriptor)
            stop.set()

    loop.add_reader(descriptor, readable)
