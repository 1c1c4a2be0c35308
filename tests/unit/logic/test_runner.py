"""The runner's own parts: loading an app, keeping it announced."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from causeway_common.contracts.errors import CausewayError, bad_request, unavailable
from causeway_logic.adapters.announcer import Announcer
from causeway_logic.adapters.loader import LoadError, load_app


class Bucket:
    """A fake `announce`: gives the answers it was told, then yes."""

    def __init__(self, *answers: CausewayError) -> None:
        self.answers: Iterator[CausewayError] = iter(answers)
        self.asked = 0
        self.changed = asyncio.Condition()

    async def announce(self) -> None:
        self.asked += 1
        async with self.changed:
            self.changed.notify_all()
        if answer := next(self.answers, None):
            raise answer

    async def wait_for(self, asked: int) -> None:
        async with asyncio.timeout(5), self.changed:
            await self.changed.wait_for(lambda: self.asked >= asked)


async def test_it_is_announced_as_soon_as_the_bucket_is_there_and_again_when_asked() -> None:
    bucket = Bucket(unavailable("no bucket"), unavailable("no bucket"))
    announcer = Announcer(bucket.announce, interval_s=3600, retry_s=0.001)
    assert not announcer.announced
    await announcer.start()
    await bucket.wait_for(3)
    await asyncio.sleep(0)
    assert announcer.announced
    announcer.again()
    await bucket.wait_for(4)
    await announcer.stop()


async def test_it_is_announced_again_and_again() -> None:
    bucket = Bucket()
    announcer = Announcer(bucket.announce, interval_s=0.001)
    await announcer.start()
    await bucket.wait_for(3)
    await announcer.stop()


async def test_a_refused_manifest_is_not_announced() -> None:
    """Another app owns the namespace: the runner stays unready and says so."""
    bucket = Bucket(*[bad_request("the namespace 'lot' belongs to another app")] * 3)
    announcer = Announcer(bucket.announce, interval_s=0.001)
    await announcer.start()
    await bucket.wait_for(3)
    assert not announcer.announced
    await bucket.wait_for(5)
    assert announcer.announced
    await announcer.stop()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("sys.path", list(__import__("sys").path))
    (tmp_path / "good_app_x1.py").write_text("from causeway_logic import App\napp = App('good', version='1.0.0')\nother = 3\n")
    (tmp_path / "bad_app_x1.py").write_text("import nothing_of_that_name\n")
    (tmp_path / "worse_app_x1.py").write_text("\n\ndef broken(:\n")
    return tmp_path


def test_an_app_is_found_in_the_folder(folder: Path) -> None:
    assert load_app("good_app_x1:app", folder=folder).name == "good"


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        ("good_app_x1", "module:attribute"),
        ("good_app_x1:", "module:attribute"),
        ("good_app_x1:missing", "is nothing"),
        ("good_app_x1:other", "is a int"),
        ("absent_app_x1:app", "No module named 'absent_app_x1'"),
        ("bad_app_x1:app", r"No module named 'nothing_of_that_name' \(.*bad_app_x1.py, line 1\)"),
        ("worse_app_x1:app", "SyntaxError"),
    ],
)
def test_an_app_that_cannot_be_loaded_says_why(folder: Path, reference: str, reason: str) -> None:
    with pytest.raises(LoadError, match=reason):
        load_app(reference, folder=folder)
