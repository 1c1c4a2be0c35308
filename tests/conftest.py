"""Options of the suite, and what tests report of what they measured.

`--soak-runs=N` gives the long forms their seeds; without it they are not collected. `record_property("reported", text)` of a test
prints its text below the summary.
"""

from __future__ import annotations

import signal

import pytest
from hypothesis import HealthCheck, settings

# A busy machine is no fault of the code: no test of the suite asserts how fast something was.
settings.register_profile("causeway", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("causeway")


def pytest_configure() -> None:
    """A shell that starts the suite in its background ignores Ctrl-C for it, and so would each command that a test interrupts."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak-runs", type=int, default=0, help="how many seeds the long forms of tests run (0: none)")
    parser.addoption("--fuzz-seconds", type=float, default=10, help="how long each target of tests/fuzz is fed")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "soak_seed" in metafunc.fixturenames:
        metafunc.parametrize("soak_seed", range(1, metafunc.config.getoption("--soak-runs") + 1))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The long forms are left out of `make test`, not skipped: their short forms stand there."""
    if config.getoption("--soak-runs") == 0:
        long_forms = [item for item in items if item.get_closest_marker("soak")]
        config.hook.pytest_deselected(items=long_forms)
        items[:] = [item for item in items if item not in long_forms]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What tests measured, told whether they passed or not."""
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.getreports(kind)]
    told = [text for report in reports for name, text in report.user_properties if name == "reported"]
    if told:
        terminalreporter.section("measured")
        for text in told:
            terminalreporter.line(text)
