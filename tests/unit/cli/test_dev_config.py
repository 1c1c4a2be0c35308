"""The configuration of the whole stack: checked before anything starts, completed with what `causeway dev` adds."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from causeway_cli.dev.config import Configured, load_configuration, storage_variables
from causeway_cli.dev.defaults import DEFAULT_CONFIG
from causeway_common.runtime import SettingsError


def load(folder: Path, text: str, env: Mapping[str, str] | None = None) -> Configured:
    path = folder / "causeway.toml"
    path.write_text(text)
    return load_configuration(path, env or {}, Path("/data"))


def faults(folder: Path, text: str, env: Mapping[str, str] | None = None) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(folder, text, env)
    return [str(fault).replace(str(folder), "") for fault in caught.value.faults]


def test_the_default_configuration_is_valid_and_leaves_the_rest_to_us(tmp_path: Path) -> None:
    configured = load(tmp_path, DEFAULT_CONFIG)
    assert (configured.port, configured.api_key, configured.token_hmac_secret_key) == (None, "", "")
    assert configured.added == {
        "gateway": {"CAUSEWAY_GATEWAY_TELEMETRY__LOG_FORMAT": "console"},
        "storage": {
            "CAUSEWAY_STORAGE_TELEMETRY__LOG_FORMAT": "console",
            "CAUSEWAY_STORAGE_PATH": "/data/storage.sqlite3",
        },
        "logic": {"CAUSEWAY_LOGIC_TELEMETRY__LOG_FORMAT": "console"},
        "integrations": {
            "CAUSEWAY_INTEGRATIONS_TELEMETRY__LOG_FORMAT": "console",
            "CAUSEWAY_INTEGRATIONS_WEBHOOK__ALLOW_HOSTS": '["127.0.0.1", "localhost", "::1"]',
            "CAUSEWAY_INTEGRATIONS_HTTP__ALLOW_HOSTS": '["127.0.0.1", "localhost", "::1"]',
            "CAUSEWAY_INTEGRATIONS_PAYMENTS__ALLOW_HOSTS": '["127.0.0.1", "localhost", "::1"]',
            "CAUSEWAY_INTEGRATIONS_EMAIL__ALLOW_HOSTS": '["127.0.0.1", "localhost", "::1"]',
            "CAUSEWAY_INTEGRATIONS_PERMISSIONS": '{"*": ["*"]}',
            "CAUSEWAY_INTEGRATIONS_EMAIL__FOLDER": "/data/mail",
            "CAUSEWAY_INTEGRATIONS_EMAIL__SENDER": "Causeway <causeway@localhost>",
            "CAUSEWAY_INTEGRATIONS_PAYMENTS__PROVIDER": "test",
            "CAUSEWAY_INTEGRATIONS_PAYMENTS__FOLDER": "/data/payments",
        },
    }


def test_what_the_file_says_wins_and_loopback_is_added_to_the_allowed_hosts(tmp_path: Path) -> None:
    configured = load(
        tmp_path,
        """
        [http_server]
        port = 9999
        [http_api]
        key = "k"
        [client.token]
        hmac_secret_key = "s"
        [telemetry]
        log_format = "json"
        [storage]
        path = "/elsewhere/db"
        [integrations.webhook]
        allow_hosts = ["hooks.internal"]
        """,
    )
    assert (configured.port, configured.api_key, configured.token_hmac_secret_key) == (9999, "k", "s")
    assert configured.added["gateway"] == configured.added["storage"] == configured.added["logic"] == {}
    allowed = json.loads(configured.added["integrations"]["CAUSEWAY_INTEGRATIONS_WEBHOOK__ALLOW_HOSTS"])
    assert allowed == ["hooks.internal", "127.0.0.1", "localhost", "::1"]


def test_what_the_file_says_of_integrations_is_left_as_it_is(tmp_path: Path) -> None:
    configured = load(
        tmp_path,
        """
        [integrations.permissions]
        chat = ["email.send"]
        [integrations.hooks]
        port = 9009
        [integrations.email]
        host = "localhost"
        sender = "a@b.example"
        [[integrations.sources]]
        name = "stripe"
        scheme = "stripe"
        secret = "s"
        """,
    )
    assert configured.hooks_port == 9009
    assert {key for key in configured.added["integrations"] if "ALLOW_HOSTS" not in key} == {
        "CAUSEWAY_INTEGRATIONS_TELEMETRY__LOG_FORMAT"
    }


def test_the_environment_counts_as_configured(tmp_path: Path) -> None:
    env = {"CAUSEWAY_GATEWAY_HTTP_API__KEY": "k", "CAUSEWAY_STORAGE_PATH": "/elsewhere/db"}
    configured = load(tmp_path, "", env)
    assert configured.api_key == "k"
    assert "CAUSEWAY_STORAGE_PATH" not in configured.added["storage"]


@pytest.mark.parametrize(
    ("asked", "configured", "storage"),
    [
        ("", "", "sqlite"),
        ("", 'uri = "mongodb://h/c"', "mongodb"),
        ("mongodb://h/c", "", "mongodb"),
        ("sqlite", 'uri = "mongodb://h/c"', "sqlite"),
    ],
)
def test_the_command_line_decides_on_the_database_and_else_the_configuration(
    tmp_path: Path, asked: str, configured: str, storage: str
) -> None:
    found = load(tmp_path, f"[storage]\n{configured}", storage_variables(asked))

    assert found.storage == storage
    assert ("CAUSEWAY_STORAGE_MIGRATE" in found.added["storage"]) == (storage == "mongodb"), (
        "dev alone applies the schema by itself"
    )


def test_all_faults_of_all_services_come_in_one_list_each_once_with_key_place_and_what_is_allowed(tmp_path: Path) -> None:
    found = faults(
        tmp_path,
        """\
colour = 1
[client]
insecur = true
[telemetry]
log_level = "loud"
[storage]
write_queue = 0
[logic]
announce_interval = "5 sec"
[integrations.webhook]
timeout = "long"
""",
        {"CAUSEWAY_GATEWAY_CLIENT__PING_INTERVAL": "soon"},
    )
    text = "\n".join(found)
    for key, place, allowed in (
        ("colour", "causeway.toml, line 1", "unknown key"),
        ("client.insecur", "causeway.toml, line 3", "did you mean insecure?"),
        ("telemetry.log_level", "causeway.toml, line 5", "debug|info|warning|error"),
        ("storage.write_queue", "causeway.toml, line 7", "greater than or equal to 1"),
        ("logic.announce_interval", "causeway.toml, line 9", "a number and ms, s, m, h or d"),
        ("integrations.webhook.timeout", "causeway.toml, line 11", "a number and ms, s, m, h or d"),
        ("client.ping_interval", "CAUSEWAY_GATEWAY_CLIENT__PING_INTERVAL", "a number and ms, s, m, h or d"),
    ):
        lines = [line for line in found if line.startswith(f"{key} ")]
        assert len(lines) == 1, (key, text)
        assert place in lines[0]
        assert allowed in lines[0]
    assert len(found) == 7, text


def test_a_file_that_is_no_toml_is_one_fault(tmp_path: Path) -> None:
    assert len(faults(tmp_path, "= nonsense")) == 1


def test_a_fault_point_is_refused_outside_of_tests(tmp_path: Path) -> None:
    assert "CAUSEWAY_TESTING" in faults(tmp_path, "", {"CAUSEWAY_FAULT": "storage.feed.after:1"})[0]


@pytest.mark.parametrize(
    ("text", "own"),
    [
        ("", (False, False)),
        ('[client]\nconnect_app = ""', (True, False)),
        ("[client]\nallow_anonymous_connect_without_token = true", (True, False)),
        ("[client]\ninsecure = false", (True, False)),
        ('[web]\ndirectory = ""', (False, True)),
    ],
)
def test_what_the_file_says_of_sign_in_and_of_the_page_is_noticed(tmp_path: Path, text: str, own: tuple[bool, bool]) -> None:
    configured = load(tmp_path, text)
    assert (configured.own_sign_in, configured.own_web) == own
