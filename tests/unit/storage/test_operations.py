"""`causeway-storage check` and the others as commands: what they print, where, and their exit codes."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from causeway_storage.operations import OPERATIONS, operations, progress
from causeway_storage.operations.check import VIOLATIONS_MAX
from support.stored import a_bit_of_everything, found_in, ports_on

STORAGE = Path(sys.executable).with_name("causeway-storage")
PATIENT = ("--stuck-after", "36500d")


@pytest.fixture
async def data_dir(tmp_path: Path) -> Path:
    async with ports_on(tmp_path / "storage.sqlite3") as ports:
        await a_bit_of_everything(ports)
    return tmp_path


def ran(*words: str | Path, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(operations, [str(word) for word in words], env=env)


def plant(data_dir: Path, sql: str) -> None:
    with closing(sqlite3.connect(data_dir / "storage.sqlite3")) as connection:
        connection.execute(sql)
        connection.commit()


def test_a_check_without_a_finding_ends_with_0_and_says_what_it_looked_at(data_dir: Path) -> None:
    found = ran("check", "--data-dir", data_dir, *PATIENT)
    as_json = ran("check", "--data-dir", data_dir, "--json", *PATIENT)

    assert (found.exit_code, as_json.exit_code) == (0, 0)
    assert (
        "2 logs, 5 publications, 7 ids, 1 entity, 4 records, 3 attendances, 2 holders, 2 timers, 1 operation looked at, no violations"
        in found.stdout
    )
    assert json.loads(as_json.stdout) == {"violations": []}


def test_a_check_with_findings_ends_with_1_and_lists_them(data_dir: Path) -> None:
    plant(data_dir, "DELETE FROM publications WHERE position = 4")
    found = ran("check", "--data-dir", data_dir, *PATIENT)
    as_json = ran("check", "--data-dir", data_dir, "--json", *PATIENT)

    assert (found.exit_code, as_json.exit_code) == (1, 1)
    assert "log.hole: log demo:a: offset 4 is missing" in found.stdout
    assert json.loads(as_json.stdout) == {
        "violations": [
            {"kind": "log.hole", "where": "log demo:a", "what": "offset 4 is missing, the floor is 2 and the head 6"},
        ]
    }


def test_an_outbox_that_waits_longer_than_asked_is_a_finding(data_dir: Path) -> None:
    assert "outbox.stuck" in ran("check", "--data-dir", data_dir).stdout
    assert "at least" not in ran("check", "--data-dir", data_dir).stdout
    assert ran("check", "--data-dir", data_dir, "--stuck-after", "soon").exit_code == 2


def test_a_flood_of_violations_is_cut_and_said_to_be(data_dir: Path) -> None:
    numbers = f"WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < {VIOLATIONS_MAX + 5}) "
    plant(data_dir, f"{numbers} INSERT INTO publications SELECT 9 + x, 1, 1, x'80' FROM n")
    found = ran("check", "--data-dir", data_dir, *PATIENT)

    assert f"{VIOLATIONS_MAX - 100} more at least" in found.stdout
    assert len(json.loads(ran("check", "--data-dir", data_dir, "--json").stdout)["violations"]) == VIOLATIONS_MAX


def test_what_a_client_named_cannot_move_the_cursor_of_whoever_reads_the_findings(data_dir: Path) -> None:
    plant(data_dir, "UPDATE records SET id = 'o:' || char(27) || '[2J', state = 'x' WHERE id = 'o:1'")

    assert "\x1b" not in ran("check", "--data-dir", data_dir, *PATIENT).stdout


@pytest.mark.parametrize(
    "words", [("--data-dir", "nowhere"), ("--database", "nothing"), ("--data-dir", "a", "--database", "b"), ("--json", "more")]
)
def test_wrong_usage_and_a_database_that_is_not_there_end_with_2(words: tuple[str, ...]) -> None:
    found = ran("check", *words)

    assert found.exit_code == 2
    assert found.stdout == ""
    assert found.stderr


def test_the_directory_of_a_stack_on_mongodb_is_not_taken_for_the_old_file_that_lies_there(data_dir: Path) -> None:
    (data_dir / "stack.json").write_text(json.dumps({"storage": "mongodb"}))
    found = ran("check", "--data-dir", data_dir)
    (data_dir / "stack.json").write_text(json.dumps({"storage": "sqlite"}))

    assert (found.exit_code, "--uri" in found.stderr) == (2, True)
    assert ran("check", "--data-dir", data_dir, *PATIENT).exit_code == 0


def test_without_a_name_it_is_the_configured_database(data_dir: Path) -> None:
    config = data_dir / "causeway.toml"
    config.write_text(f'[storage]\npath = "{data_dir / "storage.sqlite3"}"\n')
    by_file = ran("check", "--config", config, *PATIENT)
    by_variable = ran("check", *PATIENT, env={"CAUSEWAY_STORAGE_PATH": str(data_dir / "storage.sqlite3")})
    config.write_text("[storage]\npaht = 1\n")
    wrong = ran("check", "--config", config)

    assert (by_file.exit_code, by_variable.exit_code, wrong.exit_code) == (0, 0, 2)
    assert "did you mean path?" in wrong.stderr


def test_an_export_goes_to_a_new_file_or_to_standard_output_and_comes_back(data_dir: Path) -> None:
    to_file = ran("export", "--data-dir", data_dir, data_dir / "all.export")
    again = ran("export", "--data-dir", data_dir, data_dir / "all.export")
    piped = ran("export", "--data-dir", data_dir, "-")
    imported = ran("import", "--database", data_dir / "new.sqlite3", data_dir / "all.export")
    refused = ran("import", "--database", data_dir / "new.sqlite3", data_dir / "all.export")

    assert (to_file.exit_code, again.exit_code, piped.exit_code, imported.exit_code, refused.exit_code) == (0, 1, 0, 0, 1)
    assert (data_dir / "all.export").stat().st_mode & 0o777 == 0o600
    assert "exists already" in again.stderr
    assert piped.stdout_bytes[:18] == b"causeway-export 1\n"
    assert "every log has a new epoch" in imported.stdout
    assert "is not empty" in refused.stderr
    assert asyncio.run(found_in(data_dir / "new.sqlite3")) == ()
    from_pipe = CliRunner().invoke(
        operations, ["import", "--database", str(data_dir / "piped.sqlite3"), "-"], input=piped.stdout_bytes
    )
    assert from_pipe.exit_code == 0
    assert not list(data_dir.glob("*.part"))


async def audited(path: Path) -> list[tuple[str, str]]:
    """Which operations left an audit record, and on what."""
    async with ports_on(path) as ports:
        return [(each.name, each.target) for each in await ports.audit.page("", 10) if each.caller.startswith("causeway-storage")]


def test_import_and_restored_leave_an_audit_record(data_dir: Path) -> None:
    new = data_dir / "new.sqlite3"
    ran("export", "--data-dir", data_dir, data_dir / "all.export")
    ran("import", "--database", new, data_dir / "all.export")
    assert asyncio.run(audited(new)) == [("import", str(new))]
    ran("restored", "--database", new)

    assert asyncio.run(audited(new)) == [("restored", str(new)), ("import", str(new))]
    assert asyncio.run(found_in(new)) == ()


def test_an_import_of_something_else_says_so(data_dir: Path) -> None:
    (data_dir / "text").write_text("hello")
    for source, words in (("text", "no export"), ("missing", "No such file")):
        found = ran("import", "--database", data_dir / "new.sqlite3", data_dir / source)
        assert found.exit_code == 1
        assert words in found.stderr


def test_backup_and_restored_say_what_to_do_next(data_dir: Path) -> None:
    copied = ran("backup", "--data-dir", data_dir, data_dir / "copy.sqlite3")
    restored = ran("restored", "--database", data_dir / "copy.sqlite3")
    missing = ran("restored", "--database", data_dir / "nothing.sqlite3")

    assert "`causeway-storage restored` has to follow" in copied.stdout
    assert "every log has a new epoch" in restored.stdout
    assert (copied.exit_code, restored.exit_code, missing.exit_code) == (0, 0, 1)


def test_the_console_script_serves_as_before_and_knows_the_operations(data_dir: Path) -> None:
    config = data_dir / "causeway.toml"
    config.write_text("")
    outcomes = {
        words: subprocess.run([STORAGE, *words], capture_output=True, text=True, check=False)
        for words in (
            ("--check", "--config", str(config)),
            ("check", "--data-dir", str(data_dir), *PATIENT),
            ("--help",),
            ("chekc",),
        )
    }

    assert [each.returncode for each in outcomes.values()] == [0, 0, 0, 2]
    assert all(name in outcomes["--help",].stdout for name in OPERATIONS)


def test_what_takes_longer_than_a_moment_shows_its_progress_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "PATIENCE_S", 0.0)
    with progress.shown("checking", 10) as advance:
        advance(5)
    quiet = capsys.readouterr()
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with progress.shown("checking", 10) as advance:
        advance(5)
        for timer in [each for each in threading.enumerate() if isinstance(each, threading.Timer)]:
            timer.join(10)
    loud = capsys.readouterr()

    assert (quiet.out, quiet.err, loud.out) == ("", "", "")
    assert "checking" in loud.err
    assert "5/10" in loud.err
