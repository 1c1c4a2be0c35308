"""`causeway check`: every fault of file and environment at once, or what a valid configuration amounts to."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from causeway_cli.__main__ import main
from causeway_cli.configuration import PARTS
from causeway_cli.dev.defaults import DEFAULT_CONFIG

KEY = "k" * 32
GOOD = f"""
[client.token]
hmac_secret_key = "{KEY}"
[client]
allowed_origins = ["https://example.com"]
[http_api]
key = "{KEY}"
[[channel.namespaces]]
name = "news"
history_size = 100
history_ttl = "24h"
force_recovery = true
[[channel.namespaces]]
name = "open"
allow_subscribe_for_client = true
[[integrations.webhook.endpoints]]
app = "chat"
event = "chat.message.created"
url = "https://example.com/hook"
secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
"""


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for variable in [name for name in os.environ if name.startswith("CAUSEWAY_")]:
        monkeypatch.delenv(variable)


def check(folder: Path, text: str, env: dict[str, str | None] | None = None) -> Result:
    path = folder / "causeway.toml"
    path.write_text(text)
    return CliRunner().invoke(main, ["check", "--config", str(path)], env=env)


def test_a_valid_configuration_is_said_to_be_so_with_what_it_amounts_to(tmp_path: Path) -> None:
    result = check(tmp_path, GOOD)
    lines = result.stdout.splitlines()

    assert (result.exit_code, result.stderr) == (0, "")
    assert lines[0] == "the configuration is valid"
    assert "  namespace news: history 100 for 24h, force_recovery" in [line.replace("1d", "24h") for line in lines]
    assert "  namespace open: no history, allow_subscribe_for_client" in lines
    assert "  client.token.hmac_secret_key: present" in lines
    assert "  server API: on, 1 key" in lines
    assert "  webhook endpoints: 1" in lines
    assert next(line for line in lines if line.startswith("  transports: ")).startswith("  transports: websocket")


def test_no_secret_is_printed(tmp_path: Path) -> None:
    for text in (GOOD, GOOD + "[storage]\npat = 1\n"):
        output = check(tmp_path, text).output
        assert KEY not in output
        assert "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" not in output


def test_every_fault_of_every_service_is_told_and_nothing_else(tmp_path: Path) -> None:
    text = 'colour = 1\n[storage]\npat = 2\n[logic]\nhook_concurrency = 0\n[integrations]\nconcurrency = "x"\n'
    result = check(tmp_path, text, {"CAUSEWAY_GATEWAY_CLIENT__PING_INTERVAL": "soon", "CAUSEWAY_FAULT": "nowhere:1"})
    lines = result.stderr.splitlines()

    assert (result.exit_code, result.stdout) == (2, "")
    assert lines[0] == "the configuration is not valid, 6 faults:"
    told = ("colour", "storage.pat", "logic.hook_concurrency", "integrations.concurrency", "client.ping_interval", "CAUSEWAY_FAULT")
    assert sorted(line.split(" (")[0] for line in lines[1:]) == sorted(f"  - {key}" for key in told)


def test_without_a_file_the_environment_alone_is_checked() -> None:
    good = CliRunner().invoke(main, ["check"], env={"CAUSEWAY_GATEWAY_CLIENT__TOKEN__HMAC_SECRET_KEY": KEY})
    wrong = CliRunner().invoke(main, ["check"], env={"CAUSEWAY_STORAGE_PAT": "x"})

    assert good.exit_code == 0
    assert "client.token.hmac_secret_key: present" in good.stdout
    assert wrong.exit_code == 2
    assert "CAUSEWAY_STORAGE_PAT" in wrong.stderr


@pytest.mark.parametrize(
    ("text", "env", "told"),
    [
        ("[client]\ninsecure = true\n", {}, "client.insecure is on"),
        ('[client.token]\nhmac_secret_key = "short"\n', {}, "client.token.hmac_secret_key is short (5 bytes)"),
        ('[client]\nallowed_origins = ["*"]\n', {}, 'client.allowed_origins holds "*"'),
        ('[http_api]\nkey = "short"\n', {}, "http_api.key is short (5 bytes)"),
        ("", {}, "nobody can connect"),
        (
            '[[channel.namespaces]]\nname = "open"\nallow_publish_for_client = true\nallow_publish_for_anonymous = true\n',
            {},
            "channel.namespaces.0.allow_publish_for_anonymous is on",
        ),
        (
            '[client.subscribe_to_user_personal_channel]\nenabled = true\nnamespace = "mine"\n',
            {},
            "client.subscribe_to_user_personal_channel.namespace mine is not in the file",
        ),
        ("[http_server]\nproxy_protocol = true\n", {}, "no proxy is believed"),
        (f'[client.subscription_token]\nhmac_secret_key = "{KEY}"\n', {}, "client.subscription_token has keys and is not enabled"),
        ("", {"CAUSEWAY_GATWAY_HTTP_SERVER__PORT": "1"}, "nothing reads it: CAUSEWAY_GATEWAY_…?"),
        ("", {"CAUSEWAY_GATEWAY_TEST_ECHO": "1"}, "CAUSEWAY_GATEWAY_TEST_ECHO is set: it is for tests"),
    ],
)
def test_what_is_dangerous_is_a_warning_and_no_fault(tmp_path: Path, text: str, env: dict[str, str | None], told: str) -> None:
    result = check(tmp_path, text, env)

    assert result.exit_code == 0
    assert any(line.startswith("warning: ") and told in line for line in result.stderr.splitlines()), result.stderr


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "nobody connects"),
        ("[client]\nallow_anonymous_connect_without_token = true\n", "anonymous clients connect"),
        ("[client]\ninsecure = true\n", "anybody connects (client.insecure)"),
        ('[client]\nconnect_app = "chat"\n', "the connect hook is asked"),
    ],
)
def test_who_connects_without_a_token_is_told(tmp_path: Path, text: str, told: str) -> None:
    assert f"  without a token: {told}" in check(tmp_path, text).stdout.splitlines()


def test_a_port_of_the_server_apis_own_is_told_and_is_another_one(tmp_path: Path) -> None:
    text = f'[http_api]\nkey = "{KEY}"\nport = 9001\n'

    assert "  server API: on port 9001, 1 key" in check(tmp_path, text).stdout.splitlines()
    assert "must differ from http_server.port" in check(tmp_path, f"{text}[http_server]\nport = 9001\n").stderr


def test_the_commands_own_variables_are_known(tmp_path: Path) -> None:
    env: dict[str, str | None] = {
        "CAUSEWAY_DATA_DIR": "x",
        "CAUSEWAY_URL": "x",
        "CAUSEWAY_API_KEY": "x",
        "CAUSEWAY_TOKEN_SECRET": "x",
    }

    told = check(tmp_path, GOOD, env).stderr
    assert not any(name in told for name in env)


def test_what_dev_runs_with_by_default_is_valid_and_can_be_shown(tmp_path: Path) -> None:
    result = check(tmp_path, DEFAULT_CONFIG, {"CAUSEWAY_GATEWAY_CLIENT__TOKEN__HMAC_SECRET_KEY": KEY})

    assert (result.exit_code, result.stderr) == (0, "")
    assert "namespace demo: history 1000" in result.stdout


def test_all_four_services_are_checked() -> None:
    assert [part.service for part in PARTS] == ["gateway", "storage", "logic", "integrations"]
