"""pytest: the fixture `app_tester`, which makes testers that end with the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from causeway_logic import App
    from causeway_testing.tester import AppTester


@pytest.fixture
def app_tester() -> Iterator[Callable[..., AppTester]]:
    """Makes an AppTester that has begun, with the arguments of `AppTester`; it ends with the test.

    `tester = app_tester(app, seed=7)`; in an `async def` test its users are awaited, in a plain one `tester.run(...)` does it.
    """
    from causeway_testing.tester import AppTester  # noqa: PLC0415 - a plugin is loaded for every test run, the app SDK only for these

    made: list[AppTester] = []

    def make(app: App, **options: Any) -> AppTester:
        tester = AppTester(app, **options)
        tester.start()
        made.append(tester)
        return tester

    yield make
    for tester in made:
        tester.close()
