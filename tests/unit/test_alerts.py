"""The alert rules speak of metrics that exist, by labels that they have; what the documents say to watch likewise."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy" / "observability" / "alerts.yml"
PAGE = ROOT / "docs" / "integrations.md"
SELECTOR = re.compile(r"(causeway_[a-z_]+)(?:\{([a-z_]+)(?:=|=~)\\?\"([^\"]*)\")?")
KINDS = {"counter": "_total", "gauge": "", "gauges": "", "histogram": "_seconds"}
UNITS = {"1": "", "ms": "_milliseconds", "s": "_seconds", "us": "_microseconds", "By": "_bytes"}


def _text(node: ast.expr | None, default: str) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else default


@cache
def metrics() -> dict[str, str]:
    """Every metric of the code by its name in Prometheus, with its label ("" for none)."""
    found: dict[str, str] = {}
    for path in [*ROOT.glob("libs/**/*.py"), *ROOT.glob("services/**/*.py")]:
        tree = ast.parse(path.read_text())
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
        services = {
            _text(call.args[0], "")
            for call in calls
            if isinstance(call.func, ast.Name) and call.func.id == "Counters" and call.args
        }
        for call in calls:
            if not (isinstance(call.func, ast.Attribute) and call.func.attr in KINDS and call.args and services):
                continue
            given = {each.arg: each.value for each in call.keywords}
            kind, name = call.func.attr, _text(call.args[0], "").replace(".", "_")
            default = "outcome" if kind == "counter" else ""
            unit = UNITS[_text(given.get("unit"), "1")]
            for service in services:
                found[f"causeway_{service}_{name}{unit}{KINDS[kind]}"] = _text(given.get("label"), default)
    return found


def rules() -> list[str]:
    return re.split(r"^      - alert: ", RULES.read_text(), flags=re.MULTILINE)[1:]


@pytest.mark.parametrize("path", [RULES, PAGE], ids=lambda path: path.name)
def test_every_metric_that_is_watched_exists_with_its_label(path: Path) -> None:
    services = {name.split("_")[1] for name in metrics()}
    found = SELECTOR.finditer(path.read_text())
    selectors = [match for match in found if len(parts := match[1].split("_")) > 2 and parts[1] in services]
    assert selectors
    for match in selectors:
        name, label, _ = match.groups()
        assert name in metrics(), f"{name} is no metric"
        assert label in (None, metrics()[name]), f"{name} has the label {metrics()[name]}, not {label}"


def test_each_alert_says_what_is_wrong_and_what_to_do_once() -> None:
    names = [rule.split("\n", 1)[0] for rule in rules()]
    assert len(names) == len({*names}) > 8
    for rule in rules():
        assert re.search(r"^        expr: .+", rule, re.MULTILINE)
        assert re.search(r"^        labels: \{severity: (page|ticket)\}$", rule, re.MULTILINE)
        assert len(re.findall(r"^          (summary|action): .+", rule, re.MULTILINE)) == 2
        assert all(rule.count(left) == rule.count(right) for left, right in ("()", "[]", "{}"))
