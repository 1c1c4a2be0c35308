"""Crowds of `causeway dev --simulate`: a process for each package, once; what cannot be imported is told before anything starts."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from causeway_cli.commands.dev import dev
from causeway_cli.dev.crowds import FEW, CrowdError, check_simulations, crowd_specs
from causeway_cli.dev.plan import REFERENCE_APPS, STOP_ORDER
from causeway_cli.dev.stack import DevOptions, crowds_of

SCRIPTS = Path(sys.executable).parent


def test_each_package_is_one_process_that_is_sent_home_first() -> None:
    packages = {"apps.auctions": ("--users", "2"), "apps.chat:app": ()}
    specs = crowd_specs(packages, url="http://127.0.0.1:8000", secret="the-secret", scripts=Path("/bin"), env={"PATH": "/bin"})
    assert [spec.name for spec in specs] == ["crowd-auctions", "crowd-chat"]
    assert specs[0].command[:5] == ("/bin/causeway-logic", "simulate", "apps.auctions", "--url", "http://127.0.0.1:8000")
    assert specs[0].command[-2:] == ("--users", "2")
    assert specs[0].env == {"PATH": "/bin", "CAUSEWAY_TOKEN_SECRET": "the-secret"}
    assert all(spec.kind == STOP_ORDER[0] for spec in specs)
    assert "the-secret" not in repr(specs)


def test_a_simulation_that_cannot_be_imported_is_told_in_one_line() -> None:
    check_simulations(["apps.chat"], SCRIPTS)
    with pytest.raises(CrowdError, match=r"nowhere\.simulation cannot be imported: ModuleNotFoundError"):
        check_simulations(["apps.chat", "nowhere"], SCRIPTS)


@pytest.mark.parametrize(
    ("asked", "crowds"),
    [
        ({}, ["apps.auctions", "apps.chat"]),
        ({"simulate": ()}, []),
        ({"simulate": ("shop", "shop")}, ["shop"]),
        ({"apps": ("shop:app",)}, []),
        ({"apps": ("shop:app",), "simulate": ("shop",)}, ["shop"]),
        ({"config": Path("mine.toml")}, []),
    ],
)
def test_a_few_users_come_by_themselves_where_the_reference_apps_run_as_they_are(asked: dict[str, Any], crowds: list[str]) -> None:
    """Not for a measurement, and not where somebody says who comes, or that nobody does."""
    options = DevOptions(**{"data_dir": Path("/d"), "config": None, "port": None, "gateways": 1, **asked})
    assert list(crowds_of(options)) == crowds
    assert set(FEW) == {app.target.partition(":")[0] for app in REFERENCE_APPS}


def test_a_crowd_and_none_contradict_each_other() -> None:
    result = CliRunner().invoke(dev, ["--simulate", "apps.chat", "--no-simulate"])
    assert (result.exit_code, "contradict each other" in result.output) == (2, True)
