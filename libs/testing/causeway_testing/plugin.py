"""pytest: the fixture `app_tester`, which makes testers that end with the test; a test that fails shows what their seeds made of it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from causeway_logic import App
    from causeway_testing.tester import AppTester

STEPS_SHOWN: Final = 200
_made: Final = pytest.StashKey[list["AppTester"]]()


@pytest.fixture
def app_tester(request: pytest.FixtureRequest) -> Iterator[Callable[..., AppTester]]:
    """Makes an AppTester that has begun, with the arguments of `AppTester`; it ends with the test.

    `tester = app_tester(app, seed=7)`; in an `async def` test its users are awaited, in a plain one `tester.run(...)` does it.
    """
    from causeway_testing.tester import AppTester  # noqa: PLC0415 - a plugin is loaded for every test run, the app SDK only for these

    made = request.node.stash.setdefault(_made, [])

    def make(app: App, **options: Any) -> AppTester:
        tester = AppTester(app, **options)
        made.append(tester)
        tester.start()
        return tester

    yield make
    for tester in made:
        tester.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Beside a failure stand the steps of the test's testers."""
    report = yield
    if report.when == "call" and report.failed:
        for tester in item.stash.get(_made, []):
            if tester.steps:
                report.sections.append((f"AppTester, seed={tester.seed}", "\n".join(tester.steps[:STEPS_SHOWN])))
    return report
