"""What a stack consists of."""

import itertools
import json
from dataclasses import replace
from pathlib import Path

from apps.chat.demo import SWITCH
from causeway_cli.dev.config import Configured
from causeway_cli.dev.credentials import Credentials
from causeway_cli.dev.desk import DeskAt
from causeway_cli.dev.plan import DEMO_SWITCH, STOP_ORDER, AppSpec, StackOptions, StackPlan, plan_stack
from causeway_common.contracts.rights import Role, rights_of

OPTIONS = StackOptions(
    data_dir=Path("/data"), config=Path("/data/c.toml"), host="127.0.0.1", port=8000, gateways=2, scripts=Path("/venv/bin")
)
CONFIGURED = Configured("sqlite", None, 0, "", "", {"storage": {"CAUSEWAY_STORAGE_PATH": "/data/storage.sqlite3"}})


def plan(options: StackOptions = OPTIONS, configured: Configured = CONFIGURED) -> StackPlan:
    ports, passwords = itertools.count(20000), itertools.count()
    return plan_stack(
        options,
        configured,
        Credentials("the-key", "the-secret", "the-operator's"),
        env={"PATH": "/bin", "CAUSEWAY_GATEWAY_HTTP_SERVER__PORT": "1"},
        new_port=lambda: next(ports),
        new_password=lambda: f"pass{next(passwords)}",
    )


def test_every_service_is_a_process_and_every_gateway_too() -> None:
    made = plan()
    assert [spec.name for spec in made.services] == [
        "storage",
        "logic-chat",
        "logic-auctions",
        "integrations",
        "gateway-1",
        "gateway-2",
    ]
    assert [spec.service for spec in made.services] == [
        "storage",
        "logic-chat",
        "logic-auctions",
        "integrations",
        "gateway",
        "gateway",
    ]
    assert made.url == "http://127.0.0.1:8000"
    assert made.nats_url == f"nats://127.0.0.1:{made.nats.port}"
    assert {spec.kind for spec in (made.nats, *made.services)} == set(STOP_ORDER) - {"crowd"}


def test_the_server_api_is_where_the_configuration_puts_it() -> None:
    assert plan().api_url == "http://127.0.0.1:8000"
    assert plan(configured=replace(CONFIGURED, api_port=9001)).api_url == "http://127.0.0.1:9001"


def test_the_demos_rates_are_the_stacks_own_unless_the_configuration_names_outside_apis() -> None:
    desk = DeskAt("127.0.0.1", 8100, "the-token", ())
    name = "CAUSEWAY_INTEGRATIONS_APIS"

    def of_integrations(configured: Configured) -> dict[str, str]:
        made = plan(replace(OPTIONS, desk=desk), configured)
        return dict(next(spec.env for spec in made.services if spec.name == "integrations"))

    told = json.loads(of_integrations(CONFIGURED)[name])
    assert told == [{"name": "rates", "base_url": "http://127.0.0.1:8100/rates", "cache": "1m"}]
    assert name not in of_integrations(replace(CONFIGURED, own_apis=True))


def test_only_gateways_integrations_and_nats_serve_others_and_no_internal_port_is_shared() -> None:
    made = plan()
    hooks = made.services[3].port
    assert [spec.port for spec in made.services] == [None, None, None, hooks, 8000, 8000]
    assert made.services[3].env["CAUSEWAY_INTEGRATIONS_HOOKS__PORT"] == str(hooks)
    assert plan(configured=replace(CONFIGURED, hooks_port=9009)).services[3].port == 9009
    internal = [made.nats.internal_port, made.nats.port, hooks, *(spec.internal_port for spec in made.services)]
    assert len(set(internal)) == len(internal)


def test_each_process_is_a_user_of_its_own_with_the_rights_of_its_role() -> None:
    made = plan()
    assert {user.name: user.rights for user in made.nats_users} == {
        "storage": rights_of(Role.STORAGE, "storage"),
        "logic-chat": rights_of(Role.LOGIC, "logic-chat", "chat"),
        "logic-auctions": rights_of(Role.LOGIC, "logic-auctions", "auctions"),
        "integrations": rights_of(Role.INTEGRATIONS, "integrations"),
        "gateway-1": rights_of(Role.GATEWAY, "gateway-1"),
        "gateway-2": rights_of(Role.GATEWAY, "gateway-2"),
        "operator": rights_of(Role.OPERATOR, "operator"),
    }
    assert len({user.password for user in made.nats_users}) == 7
    assert made.nats_users[-1].password == "the-operator's"
    for spec, user in zip(made.services, made.nats_users[:-1], strict=True):
        own = {key.split("_", 2)[2]: value for key, value in spec.env.items() if key.startswith("CAUSEWAY_") and "NATS__" in key}
        assert own == {"NATS__URL": made.nats_url, "NATS__USER": user.name, "NATS__PASSWORD": user.password}


def test_only_gateways_get_the_secrets_and_the_stacks_port_wins_over_the_environment() -> None:
    made = plan()
    for spec in made.services:
        assert ("the-secret" in spec.env.values()) == ("the-key" in spec.env.values()) == (spec.service == "gateway")
    assert made.services[-1].env["CAUSEWAY_GATEWAY_HTTP_SERVER__PORT"] == "8000"
    assert "the-secret" not in repr(made)


def test_added_variables_go_to_their_service_alone() -> None:
    assert [spec.name for spec in plan().services if "CAUSEWAY_STORAGE_PATH" in spec.env] == ["storage"]


def test_several_storage_processes_are_numbered_and_each_is_a_user_of_its_own() -> None:
    made = plan(replace(OPTIONS, storages=2, storage="mongodb"))
    storages = [spec for spec in made.services if spec.service == "storage"]

    assert [spec.name for spec in storages] == ["storage-1", "storage-2"]
    assert [user.name for user in made.nats_users][:2] == ["storage-1", "storage-2"]
    assert made.storage == "mongodb"


def test_logic_runs_once_per_app() -> None:
    apps = (AppSpec("chat", "apps.chat:app"), AppSpec("auctions", "apps.auctions:app"))
    made = plan(StackOptions(Path("/d"), Path("/c"), "127.0.0.1", 1, 1, Path("/bin"), apps))
    logic = [spec for spec in made.services if spec.kind == "logic"]
    assert [spec.service for spec in logic] == ["logic-chat", "logic-auctions"]
    assert logic[1].command == ("/bin/causeway-logic", "run", "apps.auctions:app", "--config", "/c")


def test_the_switch_for_the_echo_endpoint_reaches_the_gateways() -> None:
    ports = itertools.count(20000)
    made = plan_stack(
        OPTIONS,
        CONFIGURED,
        Credentials("k", "s"),
        env={"CAUSEWAY_GATEWAY_TEST_ECHO": "1"},
        new_port=lambda: next(ports),
        new_password=lambda: "p",
    )
    assert [spec.env["CAUSEWAY_GATEWAY_TEST_ECHO"] for spec in made.services if spec.service == "gateway"] == ["1", "1"]


def test_the_web_application_is_served_and_demo_users_let_in_unless_the_configuration_says_otherwise() -> None:
    """In dev alone; nobody but the chat app is told to let them in."""
    served = plan(replace(OPTIONS, web=Path("/w")))
    gateway = served.services[-1].env
    own = plan(replace(OPTIONS, web=Path("/w")), replace(CONFIGURED, own_web=True, own_sign_in=True)).services[-1].env
    other = plan(replace(OPTIONS, apps=(AppSpec("shop", "shop:app"),)))

    assert gateway["CAUSEWAY_GATEWAY_WEB__DIRECTORY"] == "/w"
    assert gateway["CAUSEWAY_GATEWAY_CLIENT__CONNECT_APP"] == "chat"
    assert [spec.name for spec in served.services if spec.env.get(DEMO_SWITCH) == "1"] == ["logic-chat"]
    assert not {"CAUSEWAY_GATEWAY_WEB__DIRECTORY", "CAUSEWAY_GATEWAY_CLIENT__CONNECT_APP"} & own.keys()
    assert "CAUSEWAY_GATEWAY_WEB__DIRECTORY" not in plan().services[-1].env
    assert not any(DEMO_SWITCH in spec.env or "CAUSEWAY_GATEWAY_CLIENT__CONNECT_APP" in spec.env for spec in other.services)


def test_the_page_alone_is_told_where_processes_can_be_killed() -> None:
    """By the gateways that serve it; another page of the configuration's is not."""
    desk = DeskAt("127.0.0.1", 20001, "the-desks-token", ())
    served = plan(replace(OPTIONS, web=Path("/w"), desk=desk))
    assert [spec.service for spec in served.services if "the-desks-token" in spec.env.values()] == ["gateway", "gateway"]
    assert served.services[-1].env["CAUSEWAY_GATEWAY_WEB__PLAYGROUND_URL"] == "http://127.0.0.1:20001"
    for made in (
        plan(replace(OPTIONS, desk=desk)),
        plan(replace(OPTIONS, web=Path("/w"), desk=desk), replace(CONFIGURED, own_web=True)),
    ):
        assert not any("the-desks-token" in spec.env.values() for spec in made.services)


def test_the_switch_is_the_one_that_chat_looks_at() -> None:
    assert DEMO_SWITCH == SWITCH
