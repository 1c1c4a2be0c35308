"""stack.json, credentials.json and the lock."""

import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from causeway_cli.dev.credentials import Credentials, CredentialsError, read_credentials, settle_credentials
from causeway_cli.dev.datadir import DataDirError, DataDirLock, is_in_use
from causeway_cli.dev.files import write_atomic
from causeway_cli.dev.stackfile import ProcessEntry, StackFileError, StackState, read_stack, write_stack


def state(**changes: object) -> StackState:
    entry = ProcessEntry("gateway", "gateway-1", 42, 8000, 9000)
    fields = {
        "version": "1",
        "ready": True,
        "url": "http://x",
        "nats_url": "nats://x",
        "data_dir": "/d",
        "storage": "sqlite",
        "processes": (entry,),
    }
    return StackState(**{**fields, **changes})  # type: ignore[arg-type]


def test_the_stack_file_has_exactly_the_promised_keys(tmp_path: Path) -> None:
    write_stack(tmp_path, state())
    document = json.loads((tmp_path / "stack.json").read_text())

    assert list(document) == ["version", "ready", "url", "nats_url", "data_dir", "storage", "processes"]
    assert document["processes"] == [{"service": "gateway", "name": "gateway-1", "pid": 42, "port": 8000, "internal_port": 9000}]
    assert read_stack(tmp_path) == state()


def test_a_server_api_elsewhere_is_in_the_stack_file(tmp_path: Path) -> None:
    write_stack(tmp_path, state(api_url="http://api"))

    assert read_stack(tmp_path) == state(api_url="http://api")


def test_a_newer_stack_file_is_read_and_a_broken_one_refused(tmp_path: Path) -> None:
    document = {**json.loads(json.dumps({"new": 1})), "version": "2", "ready": False, "url": "", "nats_url": "", "data_dir": ""}
    (tmp_path / "stack.json").write_text(json.dumps({**document, "processes": []}))
    assert read_stack(tmp_path).version == "2"

    for broken in ("", "[]", "{}", '{"processes": [1]}'):
        (tmp_path / "stack.json").write_text(broken)
        with pytest.raises(StackFileError):
            read_stack(tmp_path)


def test_a_reader_always_sees_a_whole_stack_file(tmp_path: Path) -> None:
    """The file is replaced, never written in place: a reader in the middle of 300 writes sees one of the states."""
    many = tuple(ProcessEntry("gateway", f"gateway-{n}", n, 8000, n) for n in range(200))
    states = [state(processes=many), state(processes=(), ready=False)]
    write_stack(tmp_path, states[0])
    done = threading.Event()

    def write() -> None:
        for at in range(300):
            write_stack(tmp_path, states[at % 2])
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = []
    while not done.is_set():
        seen.append(read_stack(tmp_path) in states)
    writer.join()

    assert seen
    assert all(seen)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["stack.json"]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_atomic(tmp_path / "f", "old", mode=0o600)

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(OSError, match="space"):
        write_atomic(tmp_path / "f", "new", mode=0o600)

    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("f", "old")]


def test_credentials_are_made_once_kept_and_for_the_owner_only(tmp_path: Path) -> None:
    first = settle_credentials(tmp_path, api_key="", token_hmac_secret_key="")
    assert settle_credentials(tmp_path, api_key="", token_hmac_secret_key="") == first == read_credentials(tmp_path)
    assert (tmp_path / "credentials.json").stat().st_mode & 0o777 == 0o600
    assert min(len(first.api_key), len(first.token_hmac_secret_key), len(first.nats_operator_password)) >= 32

    (tmp_path / "credentials.json").chmod(0o644)
    settle_credentials(tmp_path, api_key="", token_hmac_secret_key="")
    assert (tmp_path / "credentials.json").stat().st_mode & 0o777 == 0o600


def test_configured_credentials_are_the_ones_in_force(tmp_path: Path) -> None:
    made = settle_credentials(tmp_path, api_key="", token_hmac_secret_key="")
    assert settle_credentials(tmp_path, api_key="mine", token_hmac_secret_key="") == replace(made, api_key="mine")
    assert read_credentials(tmp_path) == replace(made, api_key="mine")


def test_credentials_of_before_the_operator_had_one_get_its_password_and_keep_the_rest(tmp_path: Path) -> None:
    (tmp_path / "credentials.json").write_text('{"api_key": "a", "token_hmac_secret_key": "b"}')

    settled = settle_credentials(tmp_path, api_key="", token_hmac_secret_key="")

    assert (settled.api_key, settled.token_hmac_secret_key) == ("a", "b")
    assert len(settled.nats_operator_password) >= 32


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"api_key": "", "token_hmac_secret_key": "x"}', '{"api_key": 1, "token_hmac_secret_key": "x"}']
)
def test_damaged_credentials_are_told_and_never_overwritten(tmp_path: Path, text: str) -> None:
    (tmp_path / "credentials.json").write_text(text)
    with pytest.raises(CredentialsError, match="damaged"):
        settle_credentials(tmp_path, api_key="", token_hmac_secret_key="")
    assert (tmp_path / "credentials.json").read_text() == text


def test_secrets_are_in_no_repr() -> None:
    assert "hush" not in repr(Credentials("hush", "hush", "hush"))


def test_a_data_directory_has_one_stack_at_a_time(tmp_path: Path) -> None:
    lock = DataDirLock(tmp_path / "new")
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
    assert is_in_use(tmp_path / "new")
    with pytest.raises(DataDirError, match=rf"in use by another stack \(process {os.getpid()}\)"):
        DataDirLock(tmp_path / "new")
    lock.release()
    assert not is_in_use(tmp_path / "new")
    DataDirLock(tmp_path / "new").release()


def test_a_stack_that_was_killed_holds_nothing(tmp_path: Path) -> None:
    code = f"from causeway_cli.dev.datadir import *; from pathlib import Path; l = DataDirLock(Path({str(tmp_path)!r})); print(1, flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        assert is_in_use(tmp_path)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not is_in_use(tmp_path)


def test_where_no_stack_ever_ran_nothing_is_in_use(tmp_path: Path) -> None:
    assert not is_in_use(tmp_path)
    assert not is_in_use(tmp_path / "missing")


def test_a_data_directory_that_cannot_be_made_is_one_line_that_names_the_option(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataDirError, match="--data-dir"):
        DataDirLock(tmp_path / "file" / "below")
