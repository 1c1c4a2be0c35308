"""The configuration file is followed while a process runs: real files, swapped in every way that people and Kubernetes swap them."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from causeway_common.contracts.messages import NamespaceSpec
from causeway_common.runtime import (
    ConfigWatch,
    HistoryNames,
    ServiceSettings,
    Settings,
    SettingsError,
    SettingsFault,
    changed_keys,
    load_settings,
)
from support.waiting import until


class Inner(Settings):
    secret: SecretStr = SecretStr("")
    names: list[str] = []


class Gateway(ServiceSettings):
    port: int = 8000
    inner: Inner = Inner()


class Follower:
    """Follows a file fast; `ports` are those that were taken over."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.ports: list[int] = []
        self.refuse: SettingsError | None = None
        self.watch = ConfigWatch(path, self.load, self.apply, interval_s=0.005, settle_s=0.005)

    def load(self) -> Gateway:
        return load_settings(Gateway, service="gateway", section="", path=self.path, env={})

    def apply(self, settings: Gateway) -> None:
        if self.refuse is not None:
            raise self.refuse
        self.ports.append(settings.port)

    async def taken(self, *ports: int) -> None:
        await until(lambda: self.ports == list(ports))


@asynccontextmanager
async def following(path: Path) -> AsyncIterator[Follower]:
    follower = Follower(path)
    await follower.watch.start()
    try:
        yield follower
    finally:
        await follower.watch.stop()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "causeway.toml"
    path.write_text("port = 1\n")
    return path


async def test_a_file_written_in_place_and_one_renamed_over_it_are_taken_over(path: Path) -> None:
    async with following(path) as follower:
        path.write_text("port = 2\n")
        await follower.taken(2)
        beside = path.with_suffix(".new")
        beside.write_text("port = 3\n")
        beside.replace(path)
        await follower.taken(2, 3)
        path.unlink()
        path.write_text("port = 4\n")
        await follower.taken(2, 3, 4)


async def test_a_config_map_is_seen_when_its_data_directory_is_swapped(tmp_path: Path) -> None:
    """As the kubelet does it: file -> ..data/file, ..data -> ..<time>, and a new ..data renamed over the old one."""
    for number in (1, 2):
        (tmp_path / f"..{number}").mkdir()
        (tmp_path / f"..{number}" / "causeway.toml").write_text(f"port = {number}\n")
        os.utime(tmp_path / f"..{number}" / "causeway.toml", (1, 1))
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "causeway.toml").symlink_to("..data/causeway.toml")

    async with following(tmp_path / "causeway.toml") as follower:
        (tmp_path / "..data_tmp").symlink_to("..2")
        (tmp_path / "..data_tmp").replace(tmp_path / "..data")
        await follower.taken(2)


async def test_a_change_of_neither_size_nor_time_is_seen(path: Path) -> None:
    os.utime(path, (1, 1))
    async with following(path) as follower:
        path.write_text("port = 2\n")
        os.utime(path, (1, 1))
        await follower.taken(2)


async def test_a_faulty_file_is_refused_with_every_fault_once_and_the_next_good_one_taken(path: Path) -> None:
    with capture_logs() as logs:
        async with following(path) as follower:
            path.write_text('port = "many"\nprot = 1\n')
            await until(lambda: len([line for line in logs if line["log_level"] == "error"]) == 2)
            path.write_text("port = ")
            await until(lambda: len([line for line in logs if line["log_level"] == "error"]) == 3)
            path.unlink()
            await until(lambda: len([line for line in logs if line["log_level"] == "error"]) == 4)
            assert follower.ports == []
            path.write_text("port = 5\n")
            await follower.taken(5)
    told = [line["fault"] for line in logs if line["log_level"] == "error"]

    assert len(told) == 4
    assert {fault.split(" ")[0] for fault in told[:2]} == {"port", "prot"}
    assert "line 1" in next(fault for fault in told if fault.startswith("port "))
    assert "cannot be read" in told[2]
    assert "No such file" in told[3]


async def test_what_the_process_refuses_is_told_like_a_fault(path: Path) -> None:
    with capture_logs() as logs:
        async with following(path) as follower:
            follower.refuse = SettingsError([SettingsFault("channel", "here", "no")])
            path.write_text("port = 2\n")
            await until(lambda: [line.get("fault") for line in logs] == ["channel (here): no"])
            follower.refuse = None
            follower.watch.reload()
            await follower.taken(2)


async def test_sighup_reads_the_file_again_also_where_it_is_as_it_was(path: Path) -> None:
    async with following(path) as follower:
        os.kill(os.getpid(), signal.SIGHUP)
        await follower.taken(1)
        os.kill(os.getpid(), signal.SIGHUP)
        await follower.taken(1, 1)


def steps(follower: Follower) -> Callable[[], Awaitable[float]]:
    return follower.watch._look


async def test_a_half_written_file_is_not_read(path: Path) -> None:
    """An empty file is a valid configuration: it must not be taken for the one that is being written."""
    follower = Follower(path)
    look = steps(follower)
    for part in ("", "port = 2\n", 'port = 2\n[inner]\nnames = ["a"]\n'):
        path.write_text(part)
        assert await look() == 0.005
        assert follower.ports == []
    await look()

    assert follower.ports == [2]
    await look()
    assert follower.ports == [2]


async def test_a_change_that_is_taken_back_before_it_is_read_is_none(path: Path) -> None:
    follower = Follower(path)
    look = steps(follower)
    path.write_text("port = 2\n")
    await look()
    path.write_text("port = 1\n")
    await look()
    path.write_text("port = 2\n")
    await look()

    assert follower.ports == []
    await look()
    assert follower.ports == [2]


async def test_a_change_before_the_start_is_seen_after_it(path: Path) -> None:
    """A process may wait long for the bus before its parts start."""
    follower = Follower(path)
    path.write_text("port = 2\n")
    await follower.watch.start()
    await follower.taken(2)
    await follower.watch.stop()


async def test_without_a_file_nothing_is_followed() -> None:
    watch = ConfigWatch(None, lambda: 1, lambda _: None)
    await watch.start()
    await watch.stop()


def test_changed_keys_are_named_without_their_values_and_without_the_live_ones() -> None:
    old, new = Gateway(), Gateway(port=1, inner=Inner(secret=SecretStr("hunter2"), names=["a"]))

    assert changed_keys(old, new) == ["port", "inner.secret", "inner.names"]
    assert changed_keys(old, new, live=["inner.names"]) == ["port", "inner.secret"]
    assert changed_keys(old, new, live=["inner", "po"]) == ["port"]
    assert changed_keys(new, new) == []


LOGGED = NamespaceSpec(name="a", history_size=1, history_ttl_ms=1)


def test_a_name_keeps_or_lacks_its_history_for_the_life_of_the_process() -> None:
    names = HistoryNames([NamespaceSpec(name=""), LOGGED, NamespaceSpec(name="b")])
    with pytest.raises(SettingsError) as caught:
        names.take(
            [NamespaceSpec(name="", history_size=1, history_ttl_ms=1), NamespaceSpec(name="a"), NamespaceSpec(name="c")], "f"
        )
    names.take([NamespaceSpec(name="c", history_size=1, history_ttl_ms=1)], "f")
    names.take([NamespaceSpec(name="a", history_size=9, history_ttl_ms=9)], "f")
    with pytest.raises(SettingsError, match="has history"):
        names.take([NamespaceSpec(name="c")], "f")

    faults = [str(fault) for fault in caught.value.faults]
    assert faults[0].startswith("channel.without_namespace (f): has no history, which never changes under one name")
    assert faults[1].startswith("channel.namespaces.a (f): has history, which never changes under one name")
    assert len(faults) == 2
