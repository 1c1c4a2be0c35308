"""A wrong configuration ends the start with all its faults in one list: key, place, and what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, SecretStr

from causeway_common.runtime import (
    Duration,
    ServiceSettings,
    Settings,
    SettingsError,
    format_duration,
    load_settings,
    parse_duration,
)


class Endpoint(Settings):
    url: str
    secret: SecretStr = SecretStr("")


class Token(Settings):
    hmac_secret_key: SecretStr = SecretStr("")


class Client(Settings):
    token: Token = Token()
    ping_interval: Duration = 25_000
    insecure: bool = False


class Gateway(ServiceSettings):
    client: Client = Client()
    port: int = Field(8000, ge=1)


class Integrations(ServiceSettings):
    endpoints: list[Endpoint] = []
    hosts: list[str] = []


def gateway(tmp_path: Path, text: str = "", env: dict[str, str] | None = None) -> Gateway:
    path = tmp_path / "causeway.toml"
    path.write_text(text)
    return load_settings(Gateway, service="gateway", section="", path=path, env=env or {})


def faults_of(tmp_path: Path, text: str = "", env: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(SettingsError) as raised:
        gateway(tmp_path, text, env)
    return [str(fault) for fault in raised.value.faults]


def test_the_file_and_the_variables_over_it_make_the_settings(tmp_path: Path) -> None:
    text = '[client]\nping_interval = "10s"\n[client.token]\nhmac_secret_key = "a"\n[storage]\nanything = 1\n[telemetry]\nlog_level = "debug"\n'
    settings = gateway(
        tmp_path,
        text,
        {"CAUSEWAY_GATEWAY_CLIENT__TOKEN__HMAC_SECRET_KEY": "b", "CAUSEWAY_GATEWAY_PORT": "9", "CAUSEWAY_STORAGE_PATH": "x"},
    )

    assert settings.client.ping_interval == 10_000
    assert settings.client.token.hmac_secret_key.get_secret_value() == "b"
    assert (settings.port, settings.telemetry.log_level) == (9, "debug")


def test_all_faults_are_reported_together_with_their_places(tmp_path: Path) -> None:
    text = 'prot = 5\n[client]\nping_interval = 25\n[client.token]\nhmac_secret = "x"\n'

    faults = faults_of(tmp_path, text, {"CAUSEWAY_GATEWAY_PORT": "0", "CAUSEWAY_GATEWAY_CLIENT__INSECUR": "1"})

    assert len(faults) == 5
    by_key = {fault.split(" ")[0]: fault for fault in faults}
    assert "causeway.toml, line 3): a duration is a number and ms, s, m, h or d" in by_key["client.ping_interval"]
    assert "line 5): unknown key, did you mean hmac_secret_key?" in by_key["client.token.hmac_secret"]
    assert "line 1): unknown key, did you mean port?" in by_key["prot"]
    assert "(CAUSEWAY_GATEWAY_PORT): Input should be greater than or equal to 1, got '0'" in by_key["port"]
    assert "(CAUSEWAY_GATEWAY_CLIENT__INSECUR): unknown key, did you mean client.insecure?" in by_key["client.insecur"]


def test_a_mistyped_section_is_an_unknown_key_that_names_the_section(tmp_path: Path) -> None:
    assert "did you mean storage?" in faults_of(tmp_path, "[storge]\n")[0]


def test_a_key_of_another_level_is_named_with_its_path(tmp_path: Path) -> None:
    assert "did you mean client.insecure?" in faults_of(tmp_path, "insecure = true\n")[0]


def test_a_secret_never_stands_in_a_fault_or_a_repr(tmp_path: Path) -> None:
    (fault,) = faults_of(tmp_path, '[client.token]\nhmac_secret_key = ["hunter2"]\n')

    assert "hunter2" not in fault
    settings = gateway(tmp_path, '[client.token]\nhmac_secret_key = "hunter2"\n', {"CAUSEWAY_GATEWAY_NATS__PASSWORD": "hunter2"})
    assert "hunter2" not in repr(settings)


def test_a_value_is_read_from_a_file_with_the_suffix(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s3cret\n")

    settings = gateway(tmp_path, "", {"CAUSEWAY_GATEWAY_CLIENT__TOKEN__HMAC_SECRET_KEY_FILE": str(tmp_path / "secret")})

    assert settings.client.token.hmac_secret_key.get_secret_value() == "s3cret"
    assert "cannot be read" in faults_of(tmp_path, "", {"CAUSEWAY_GATEWAY_CLIENT__TOKEN__HMAC_SECRET_KEY_FILE": "/nowhere"})[0]


def test_a_service_reads_its_own_section_and_the_shared_ones(tmp_path: Path) -> None:
    path = tmp_path / "causeway.toml"
    path.write_text('port = "nonsense"\n[[integrations.endpoints]]\nurl = "http://x"\n[nats]\nurl = "nats://n:1"\n')
    env = {"CAUSEWAY_INTEGRATIONS_HOSTS": '["127.0.0.1"]'}

    settings = load_settings(Integrations, service="integrations", section="integrations", path=path, env=env)

    assert settings.endpoints[0].url == "http://x"
    assert (settings.nats.url, settings.hosts) == ("nats://n:1", ["127.0.0.1"])


def test_a_fault_in_a_list_names_its_element(tmp_path: Path) -> None:
    path = tmp_path / "causeway.toml"
    path.write_text('[[integrations.endpoints]]\nurl = "http://x"\n[[integrations.endpoints]]\nurll = "http://x"\n')

    with pytest.raises(SettingsError) as raised:
        load_settings(Integrations, service="integrations", section="integrations", path=path, env={})

    assert sorted(fault.key for fault in raised.value.faults) == ["integrations.endpoints.1.url", "integrations.endpoints.1.urll"]
    assert any("line 4" in fault.place for fault in raised.value.faults)


def test_a_file_that_is_no_toml_or_is_missing_is_one_clear_fault(tmp_path: Path) -> None:
    assert "cannot be read" in faults_of(tmp_path, "a = ")[0]
    with pytest.raises(SettingsError, match="No such file"):
        load_settings(Gateway, service="gateway", section="", path=tmp_path / "none.toml", env={})


def test_the_internal_listener_is_set_by_variables_only(tmp_path: Path) -> None:
    assert "environment variables only" in faults_of(tmp_path, "[internal]\nport = 1\n")[0]


def test_a_switch_for_tests_is_no_setting_and_no_file_can_set_it(tmp_path: Path) -> None:
    assert gateway(tmp_path, "", {"CAUSEWAY_GATEWAY_TEST_ECHO": "1"}) == gateway(tmp_path)
    assert "unknown key" in faults_of(tmp_path, "test_echo = 1\n")[0]


@pytest.mark.parametrize(
    ("text", "milliseconds"), [("300ms", 300), ("5s", 5000), ("2m", 120_000), ("1h", 3_600_000), ("7d", 604_800_000), ("0.5s", 500)]
)
def test_a_duration_is_a_number_and_a_unit(text: str, milliseconds: int) -> None:
    assert parse_duration(text) == milliseconds


@pytest.mark.parametrize("text", ["", "5", "5 s", "-5s", "s", "0.5ms", "1w", "9" * 400 + "s", 5, None])
def test_anything_else_is_no_duration(text: object) -> None:
    with pytest.raises(ValueError, match="a duration is"):
        parse_duration(text)


@given(st.integers(min_value=0, max_value=10**12))
def test_a_formatted_duration_reads_back(milliseconds: int) -> None:
    assert parse_duration(format_duration(milliseconds)) == milliseconds
