"""Simulated crowds as processes of the stack: `causeway dev --simulate apps.auctions`, and a few users who come by themselves."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from causeway_cli.dev.plan import ProcessSpec

KIND: Final = "crowd"
SECRET_VARIABLE: Final = "CAUSEWAY_TOKEN_SECRET"  # noqa: S105 - a variable's name
REPORT_EVERY: Final = "30s"
CHECK_SECONDS: Final = 30.0
FEW: Final = {
    "apps.auctions": ("--users", "10", "--rate", "1.5"),
    "apps.chat": ("--users", "8", "--rate", "0.8"),
}
"""Who comes unasked, so that the first screen is alive: so few that a machine hardly notices."""


class CrowdError(Exception):
    """A package has no simulation that can be run; one line says why."""


def check_simulations(packages: Sequence[str], scripts: Path) -> None:
    """Import each simulation once, in a process of its own.

    Raises:
        CrowdError: one cannot be imported.
    """
    for package in packages:
        command = [str(scripts / "causeway-logic"), "simulate", package, "--check"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=CHECK_SECONDS)  # noqa: S603 - our own script
        if done.returncode:
            raise CrowdError(done.stderr.strip() or f"{package} cannot be simulated")


def crowd_specs(
    packages: Mapping[str, Sequence[str]], *, url: str, secret: str, scripts: Path, env: Mapping[str, str]
) -> tuple[ProcessSpec, ...]:
    """One process for each package: users of the app at that gateway. It serves nobody, so nothing is asked whether it is ready.

    Args:
        packages: with further arguments of each one's simulation.
        url: of the gateway.
        secret: signs their tokens.
        scripts: the folder of the console scripts.
        env: the environment that the processes inherit.
    """
    specs = []
    for package, arguments in packages.items():
        name = f"crowd-{package.partition(':')[0].rpartition('.')[2]}"
        command = (str(scripts / "causeway-logic"), "simulate", package, "--url", url, "--every", REPORT_EVERY, *arguments)
        specs.append(
            ProcessSpec(
                service=name,
                name=name,
                kind=KIND,
                command=command,
                env={**env, SECRET_VARIABLE: secret},
                port=None,
                internal_port=0,
                health_url="",
            )
        )
    return tuple(specs)
