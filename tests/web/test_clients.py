"""The web application and its hooks as they lie in the folder: their own tests, their types, what was built of them."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.node import NODE, WHEEL, install

ROOT = Path(__file__).parents[2]
CLIENTS = ROOT / "clients"
PAGES = {
    "the application": CLIENTS / "web" / "dist" / "index.html",
    "the console": CLIENTS / "web" / "dist-console" / "console.html",
}
SCRIPT_MAX = 200 * 1024


def run(*command: str) -> None:
    install(CLIENTS)
    env = {**os.environ, "PATH": os.pathsep.join([str(WHEEL / "bin"), os.environ["PATH"]])}
    done = subprocess.run([str(NODE), *command], cwd=CLIENTS, env=env, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.timeout(120)
def test_the_tests_of_hooks_and_state_pass() -> None:
    """No tests at all are a failure, too."""
    run("node_modules/vitest/vitest.mjs", "run")


@pytest.mark.timeout(120)
@pytest.mark.parametrize("project", ["react", "web", "web/tsconfig.console.json"])
def test_the_types_hold_strictly(project: str) -> None:
    run("node_modules/typescript/bin/tsc", "-p", project)


@pytest.mark.parametrize("app", ["chat", "auctions"])
def test_the_typed_clients_are_those_of_the_apps(app: str, tmp_path: Path) -> None:
    """Write them anew with `causeway client ts apps.APP:app --out clients/web/src/api/APP.ts`."""
    written = tmp_path / f"{app}.ts"
    causeway = Path(sys.executable).with_name("causeway")
    subprocess.run([causeway, "client", "ts", f"apps.{app}:app", "--out", written], check=True, capture_output=True, timeout=25)
    assert (CLIENTS / "web" / "src" / "api" / written.name).read_text() == written.read_text()


@pytest.mark.parametrize(("folder", "ours"), [(CLIENTS, {"react", "web"}), (ROOT / "tests" / "bench" / "page", set())])
def test_a_lock_file_names_no_host(folder: Path, ours: set[str]) -> None:
    packages = json.loads((folder / "package-lock.json").read_text())["packages"]
    assert {each["resolved"] for each in packages.values() if "resolved" in each} == ours


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_the_first_load_is_at_most_200_kb_of_compressed_script(page: Path) -> None:
    scripts = [path.read_bytes() for path in page.parent.rglob("*.js")]
    assert 0 < sum(len(gzip.compress(each)) for each in scripts) <= SCRIPT_MAX


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_the_page_has_no_inline_script_or_style_and_every_file_has_a_compressed_form(page: Path) -> None:
    assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon\w+=", page.read_text()) == []
    for path in [*page.parent.rglob("*.js"), *page.parent.rglob("*.css"), page]:
        assert gzip.decompress(path.with_name(path.name + ".gz").read_bytes()) == path.read_bytes()
        assert path.with_name(path.name + ".br").stat().st_size < path.stat().st_size


def test_the_public_page_has_nothing_of_the_console() -> None:
    """Each is built into a folder of its own, and the public port serves the application's alone."""
    files = [path for path in PAGES["the application"].parent.rglob("*") if path.suffix in {".html", ".js", ".css"}]
    assert files
    assert [path.name for path in files if "Operator's key" in path.read_text() or "console" in path.name] == []
