"""features.toml is true: every feature has a test, the test is there, and it runs."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROWS: list[dict[str, str]] = tomllib.loads((HERE / "features.toml").read_text())["feature"]
SKIPPING = {"skip", "skipif", "xfail", "soak"}


def functions(path: Path) -> dict[str, ast.AsyncFunctionDef | ast.FunctionDef]:
    tree = ast.parse(path.read_text())
    return {node.name: node for node in tree.body if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef)}


@pytest.mark.parametrize("row", ROWS, ids=[row["name"] for row in ROWS])
def test_a_feature_has_a_test_that_runs(row: dict[str, str]) -> None:
    file, _, name = row["test"].partition("::")
    found = functions(HERE / file).get(name)

    assert found is not None, f"{row['name']}: there is no {row['test']}"
    marks = {node.attr for decorator in found.decorator_list for node in ast.walk(decorator) if isinstance(node, ast.Attribute)}
    assert not marks & SKIPPING, f"{row['name']}: {row['test']} is not run"


def test_every_row_is_whole_and_stands_once() -> None:
    assert all(row.keys() == {"name", "part", "test"} for row in ROWS)
    assert len({row["name"] for row in ROWS}) == len(ROWS)
