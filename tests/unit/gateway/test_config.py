"""The settings: Centrifugo's names, every fault at once, each with its place; and the lookup made of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from causeway_common.contracts.errors import CausewayError
from causeway_common.contracts.messages import Manifest, MethodSpec, NamespaceSpec
from causeway_common.runtime import SettingsError, load_settings
from causeway_gateway.app.options import session_options
from causeway_gateway.config import GatewaySettings
from causeway_gateway.domain.namespaces import Catalogue


def load(text: str, tmp_path: Path, **env: str) -> GatewaySettings:
    path = tmp_path / "causeway.toml"
    path.write_text(text)
    return load_settings(GatewaySettings, service="gateway", section="", path=path, env=env)


def test_a_configuration_as_centrifugo_knows_it_is_read(tmp_path: Path) -> None:
    settings = load(
        """
        [client]
        insecure = true
        ping_interval = "20s"
        [client.token]
        hmac_secret_key = "hush-hush"
        [channel.without_namespace]
        allow_subscribe_for_client = true
        [[channel.namespaces]]
        name = "news"
        history_size = 10
        history_ttl = "5m"
        force_recovery = true
        [http_api]
        key = "k"
        [storage]
        anything = 1
        """,
        tmp_path,
        CAUSEWAY_GATEWAY_HTTP_SERVER__PORT="9000",
    )

    plain, news = settings.channel.specs()
    assert (plain.name, plain.allow_subscribe_for_client, plain.has_history) == ("", True, False)
    assert (news.name, news.history_size, news.history_ttl_ms, news.force_recovery) == ("news", 10, 300_000, True)
    assert (settings.http_server.port, settings.client.token.hmac_secret_key.get_secret_value()) == (9000, "hush-hush")
    assert "hush-hush" not in repr(settings)
    options = session_options(settings)
    assert (options.insecure, options.ping_interval) == (True, 20_000)


def test_all_faults_come_in_one_list_with_their_places(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as error:
        load(
            """
            [client]
            insecur = true
            stale_close_delay = 5
            [channel.without_namespace]
            history_size = 10
            [[channel.namespaces]]
            name = "no spaces"
            [rpc]
            default_app = "No"
            """,
            tmp_path,
        )

    text = str(error.value)
    for part in (
        "did you mean insecure",
        "client.stale_close_delay",
        "history_ttl",
        "channel.namespaces.0.name",
        "rpc.default_app",
        "line ",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[client]\nping_interval = "5s"\npong_timeout = "5s"', "shorter than ping_interval"),
        ('[channel.without_namespace]\nhistory_ttl = "5s"', "both history_size and history_ttl"),
        ("[channel.without_namespace]\nforce_recovery = true", "need history"),
        ('[[channel.namespaces]]\nname = "news"\n[[channel.namespaces]]\nname = "news"', "each name may stand once"),
        ("[channel]\nmax_length = 300", "255"),
        ("[http_server]\nport = 70000", "65535"),
        ('[http_server]\ntrusted_proxies = ["10.0.0.0/33"]', "10.0.0.0/33"),
        ('[channel.without_namespace]\nconflate_tag = "k"', "conflate_tag needs slow_reader"),
        ('[channel.without_namespace]\nforce_recovery_mode = "cache"', "cache needs history"),
        ('[client]\nconnect_app = "My App"', "an app's name is"),
        ('[[http_api.keys]]\nname = "a"\nkey = "k"\nmethods = ["publsh"]', "no such method: publsh"),
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused(text: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=told):
        load(text, tmp_path)


HOOKS = {"subscribe_hook", "sub_refresh_hook", "publish_hook", "fallbacks"}


def test_every_option_of_a_namespace_reaches_its_spec() -> None:
    fields = set(NamespaceSpec.__struct_fields__) - {"name", "history_ttl_ms", "history_meta_ttl_ms"} - HOOKS
    options = set(GatewaySettings().channel.without_namespace.model_dump()) - {"history_ttl", "history_meta_ttl"}

    assert fields == options


def test_the_configurations_namespace_wins_and_the_clash_is_told_once() -> None:
    mine, theirs = NamespaceSpec(name="news", history_size=1, history_ttl_ms=1), NamespaceSpec(name="news")
    catalogue = Catalogue([NamespaceSpec(name=""), mine], 255)
    told: list[tuple[str, str]] = []

    for _ in range(2):
        catalogue.update(
            {"app": Manifest(app="app", version="1", methods=[MethodSpec(name="go")], namespaces=[theirs])},
            {"news": ("app", theirs), "own": ("app", NamespaceSpec(name="own"))},
            lambda name, app: told.append((name, app)),
        )

    assert catalogue.rule("news:a").spec is mine
    assert catalogue.rule("own:a").app == "app"
    assert catalogue.rule("anything").spec.name == ""
    assert catalogue.method("app", "go").name == "go"
    assert told == [("news", "app")]
    for app, method in (("app", "stop"), ("other", "go")):
        with pytest.raises(CausewayError, match="104"):
            catalogue.method(app, method)
