"""Any bytes: what decodes them either understands or refuses them, by the error it names, and never anything else.

Each target is fed for `--fuzz-seconds` (10 in `make test`, 600 in `make soak`), by atheris where there is one for this machine, else
by blind mutations; the seed is printed and can be given again. As many targets run at once as there are cores.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from fuzz.mutate import Mutator
from fuzz.targets import TARGETS
from unit.gateway.fakes import LIMITED, Gateway

GUIDED = importlib.util.find_spec("atheris") is not None
API_SEEDS = {
    "publish": b'{"channel":"news:a","data":{"a":1},"tags":{"a":"b"},"idempotency_key":"k","version":3,"delta":true}',
    "broadcast": b'{"channels":["news:a","open:b"],"b64data":"eyJhIjoxfQ=="}',
    "subscribe": b'{"user":"ann","channel":"open:a","recover_since":{"offset":1,"epoch":"e"},"override":{"presence":{"value":true}}}',
    "disconnect": b'{"user":"ann","whitelist":["c"],"disconnect":{"code":4001,"reason":"x"}}',
    "history": b'{"channel":"news:a","limit":-1,"since":{"offset":1,"epoch":"e1"},"reverse":true}',
    "batch": b'{"commands":[{"publish":{"channel":"news:a","data":1}},{"info":{}}],"parallel":true}',
    "revoke": b'{"jti":"j","expire_at":5}',
    "info": b"{}",
}


def seconds_of(config: pytest.Config) -> float:
    return float(config.getoption("--fuzz-seconds"))


@pytest.fixture
def seconds(request: pytest.FixtureRequest) -> float:
    return seconds_of(request.config)


def guided(name: str, seconds: float, seed: int, directory: Path) -> str:
    """Feed a target by atheris. Returns what happened; raises AssertionError where it failed."""
    command = [sys.executable, str(Path(__file__).with_name("guided.py")), name, str(int(seconds)), str(seed), str(directory)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=seconds + 60, check=False)
    assert done.returncode == 0, f"{name}, seed {seed}:\n{done.stdout[-3000:]}\n{done.stderr[-6000:]}"
    executed = re.search(r"number_of_executed_units: (\d+)", done.stderr)
    reached = re.findall(r"ft: (\d+)", done.stderr)
    assert executed is not None, done.stderr[-2000:]
    return f"{name}: {executed[1]} inputs, {reached[-1] if reached else 0} features reached, seed {seed}"


def blind(name: str, seconds: float, seed: int, _directory: Path) -> str:
    """Feed a target mutations."""
    target, seeds = TARGETS[name]
    mutator, count, stop = Mutator(seeds, seed), 0, time.monotonic() + seconds
    while time.monotonic() < stop:
        for _ in range(100):
            data = mutator.next()
            try:
                target(data)
            except Exception as error:
                raise AssertionError(f"{name}, seed {seed}: {data!r}") from error
        count += 100
    return f"{name}: {count} inputs, blindly, seed {seed}"


@pytest.fixture(scope="module")
def runs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[str]]]:
    """Every target that was asked for, already running."""
    asked = [
        str(item.callspec.params["name"])
        for item in request.session.items
        if isinstance(item, pytest.Function) and "runs" in item.fixturenames and hasattr(item, "callspec")
    ]
    feed, seconds = guided if GUIDED else blind, seconds_of(request.config)
    with ThreadPoolExecutor(os.cpu_count() if GUIDED else 1) as pool:
        yield {
            name: pool.submit(feed, name, seconds, random.randrange(1, 2**31), tmp_path_factory.mktemp("fuzz")) for name in asked
        }


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", TARGETS)
def test_any_bytes_are_understood_or_refused(name: str, runs: dict[str, Future[str]]) -> None:
    print(runs[name].result())


@pytest.mark.timeout(900)
async def test_any_body_of_the_server_api_has_an_answer(seconds: float) -> None:
    seed = random.randrange(2**32)
    methods, count = list(API_SEEDS), 0
    async with Gateway() as gateway:
        mutators = {method: Mutator([body], seed) for method, body in API_SEEDS.items()}
        stop = time.monotonic() + seconds
        while time.monotonic() < stop:
            for method in methods:
                data = mutators[method].next()
                try:
                    answer = await gateway.api.handle(
                        method, data, LIMITED if count % 3 == 0 else gateway.caller, transport_errors=count % 2 == 0
                    )
                    assert b'"code":100' not in answer.body, "an internal error"
                    json.loads(answer.body)
                except ValueError:
                    pass  # what cannot be decoded is 400
                except Exception as error:
                    raise AssertionError(f"{method}, seed {seed}: {data!r}") from error
                count += 1
            await asyncio.sleep(0)
    print(f"the server API: {count} bodies, seed {seed}")
