"""The embedded NATS server takes our configuration, and holds every user to the rights that the contracts give it."""

import asyncio
import json
import subprocess
import sysconfig
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import nats
import nats.errors
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import NoRespondersError

from causeway_cli.dev.natsconf import NatsUser, nats_config
from causeway_cli.dev.ports import Ports
from causeway_common.contracts.rights import Role, inbox_prefix, rights_of
from support.nats import settled
from support.waiting import until

SERVER = Path(sysconfig.get_path("scripts")) / "nats-server"
USERS = [
    NatsUser("gateway-1", 'a "quoted" \\ $secret', rights_of(Role.GATEWAY, "gateway-1")),
    NatsUser("gateway-2", "g", rights_of(Role.GATEWAY, "gateway-2")),
    NatsUser("storage", "s", rights_of(Role.STORAGE, "storage")),
    NatsUser("integrations", "i", rights_of(Role.INTEGRATIONS, "integrations")),
    NatsUser("operator", "o", rights_of(Role.OPERATOR, "operator")),
    NatsUser("logic-chat", "c", rights_of(Role.LOGIC, "logic-chat", "chat")),
]


def write_config(folder: Path, port: int, monitor_port: int) -> Path:
    path = folder / "nats.conf"
    path.write_text(
        nats_config(host="127.0.0.1", port=port, monitor_port=monitor_port, store_dir=folder / 'sto"re é', users=USERS),
        encoding="utf-8",
    )
    return path


@pytest.fixture
async def port(tmp_path: Path) -> AsyncIterator[int]:
    """The port of a real nats-server with our configuration."""
    ports = Ports()
    port = ports.find()
    process = await asyncio.create_subprocess_exec(
        SERVER, "-c", write_config(tmp_path, port, ports.find()), stderr=asyncio.subprocess.PIPE
    )
    try:
        assert process.stderr
        while b"Server is ready" not in (line := await process.stderr.readline()):
            assert line, "nats-server ended"
        yield port
    finally:
        process.kill()
        await process.communicate()
        ports.release()


@asynccontextmanager
async def connection(port: int, name: str) -> AsyncIterator[tuple[Client, list[str]]]:
    """A connection as one of `USERS`, and what the server complained of."""
    complaints: list[str] = []

    async def on_error(error: Exception) -> None:
        complaints.append(str(error).lower())

    user = next(user for user in USERS if user.name == name)
    client = await nats.connect(
        f"nats://127.0.0.1:{port}", user=name, password=user.password, inbox_prefix=inbox_prefix(name), error_cb=on_error
    )
    try:
        yield client, complaints
    finally:
        await client.close()


def test_the_servers_own_check_takes_the_configuration(tmp_path: Path) -> None:
    config = write_config(tmp_path, 4222, 8222)
    result = subprocess.run([SERVER, "-t", "-c", config], capture_output=True, text=True, check=False)
    assert "is valid" in result.stdout + result.stderr, result


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("logic-chat", "cw.v1.storage.auctions.any.commit"),
        ("logic-chat", "cw.v1.storage.gateway.any.append"),
        ("logic-chat", "cw.v1.storage.auctions.any.append"),
        ("logic-chat", "cw.v1.storage.chat.any.remove"),
        ("logic-chat", "cw.v1.feed.l.chat"),
        ("logic-chat", "$KV.cw_apps.auctions.1"),
        ("gateway-1", "cw.v1.storage.gateway.any.commit"),
        ("gateway-1", "cw.v1.storage.chat.any.append"),
        ("gateway-1", "cw.v1.feed.l.chat"),
        ("integrations", "cw.v1.app.chat.rpc.send"),
        ("storage", "cw.v1.app.chat.rpc.send"),
        ("gateway-1", "cw.v1.event.gateway.connected"),
        ("logic-chat", "cw.v1.event.gateway.connected"),
        ("integrations", "cw.v1.event.gateway.connected"),
        ("logic-chat", "cw.v1.storage.gateway.any.attend"),
        ("logic-chat", "cw.v1.storage.chat.any.attend"),
        ("logic-chat", "cw.v1.feed.m.chat"),
        ("logic-chat", "cw.v1.storage.auctions.any.claim"),
        ("logic-chat", "cw.v1.storage.integrations.any.settle"),
        ("logic-chat", "cw.v1.storage.integrations.any.enqueue"),
        ("logic-chat", "cw.v1.task.chat.report"),
        ("logic-chat", "$JS.API.CONSUMER.CREATE.CW_TASKS.auctions.cw.v1.task.chat.*"),
        ("logic-chat", "$JS.API.CONSUMER.CREATE.CW_TASKS.chat.cw.v1.task.auctions.*"),
        ("logic-chat", "$JS.API.CONSUMER.CREATE.CW_TASKS.chat"),
        ("logic-chat", "$JS.API.CONSUMER.CREATE.CW_EVENTS.chat.cw.v1.event.stripe.*"),
        ("logic-chat", "$JS.API.CONSUMER.CREATE.CW_JOBS.chat.cw.v1.job.*.*"),
        ("logic-chat", "$JS.API.CONSUMER.MSG.NEXT.CW_TASKS.auctions"),
        ("logic-chat", "$JS.API.CONSUMER.DELETE.CW_TASKS.chat"),
        ("logic-chat", "$JS.ACK.CW_TASKS.auctions.1.1.1.1.1"),
        ("operator", "cw.v1.event.gateway.connected"),
        ("operator", "$JS.API.STREAM.PURGE.CW_EVENTS"),
        ("operator", "cw.v1.storage.gateway.any.audit"),
        ("operator", "cw.v1.storage.operator.any.commit"),
        ("gateway-1", "cw.v1.storage.operator.any.audit_page"),
        ("operator", "$JS.API.CONSUMER.CREATE.CW_EVENTS.x"),
    ],
)
async def test_a_user_may_not_publish_outside_its_rights(port: int, name: str, subject: str) -> None:
    async with connection(port, name) as (client, complaints):
        await client.publish(subject, b"")
        await until(lambda: any("permissions violation for publish" in complaint for complaint in complaints))


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("logic-chat", "cw.v1.storage.chat.any.commit"),
        ("logic-chat", "cw.v1.storage.chat.any.snapshot"),
        ("logic-chat", "cw.v1.storage.chat.any.append"),
        ("logic-chat", "cw.v1.storage.chat.shard.7.append"),
        ("logic-chat", "cw.v1.storage.chat.any.enqueue"),
        ("logic-chat", "$JS.API.CONSUMER.CREATE.CW_TASKS.chat.cw.v1.task.chat.*"),
        ("logic-chat", "$JS.API.CONSUMER.MSG.NEXT.CW_TASKS.chat"),
        ("logic-chat", "$JS.ACK.CW_TASKS.chat.1.1.1.1.1"),
        ("logic-chat", "$JS.API.CONSUMER.CREATE.CW_EVENTS.chat.cw.v1.event.gateway.*"),
        ("gateway-1", "cw.v1.storage.gateway.any.append"),
        ("gateway-1", "cw.v1.app.chat.rpc.send"),
        ("gateway-1", "cw.v1.app.chat.hook.connect"),
        ("gateway-1", "cw.v1.gateway.node2.control"),
        ("gateway-1", "cw.v1.feed.m.chat"),
        ("gateway-1", "$KV.cw_revocations.user.ann"),
        ("storage", "cw.v1.feed.l.chat"),
        ("storage", "cw.v1.job.webhook.event"),
        ("storage", "cw.v1.task.chat.report"),
        ("storage", "$JS.API.STREAM.CREATE.CW_TASKS"),
        ("gateway-1", "cw.v1.storage.gateway.any.audit"),
        ("operator", "cw.v1.storage.operator.any.audit_page"),
        ("operator", "cw.v1.storage.operator.any.trail"),
        ("logic-chat", "cw.v1.storage.chat.any.claim"),
        ("logic-chat", "cw.v1.storage.chat.any.settle"),
        ("storage", "cw.v1.feed.m.chat"),
        ("storage", "cw.v1.event.gateway.connected"),
        ("storage", "$KV.cw_nodes.node1"),
        ("gateway-1", "cw.v1.storage.gateway.any.attend"),
        ("operator", "$JS.API.DIRECT.GET.CW_EVENTS"),
        ("integrations", "cw.v1.storage.integrations.any.claim"),
    ],
)
async def test_a_user_may_publish_what_its_work_needs(port: int, name: str, subject: str) -> None:
    async with connection(port, name) as (client, complaints):
        await client.publish(subject, b"")
        await client.publish("forbidden", b"")  # the server judges in order: this complaint comes after any about the first
        await until(lambda: len(complaints) > 0)
        assert len(complaints) == 1
        assert "forbidden" in complaints[0]


async def test_a_user_may_not_listen_to_the_answers_or_the_requests_of_another(port: int) -> None:
    async with connection(port, "logic-chat") as (client, complaints):
        for subject in (f"{inbox_prefix('gateway-1')}.>", "cw.v1.storage.chat.any.commit", "cw.v1.app.auctions.rpc.bid", ">"):
            await client.subscribe(subject)
        await until(lambda: sum("permissions violation for subscription" in complaint for complaint in complaints) == 4)


async def test_a_service_answers_whom_it_was_asked_by_and_may_do_so_once(port: int) -> None:
    async with connection(port, "gateway-1") as (gateway, _), connection(port, "logic-chat") as (logic, complaints):
        replies: list[str] = []

        async def answer(message: Msg) -> None:
            replies.append(message.reply)
            await message.respond(b"pong")

        await logic.subscribe("cw.v1.app.chat.rpc.send", queue="chat", cb=answer)
        await settled(logic)
        assert (await gateway.request("cw.v1.app.chat.rpc.send", b"ping", timeout=5)).data == b"pong"

        await logic.publish(replies[0], b"once more")
        await until(lambda: len(complaints) == 1)


async def test_gateways_answer_each_other(port: int) -> None:
    async with connection(port, "gateway-1") as (one, complaints), connection(port, "gateway-2") as (two, _):

        async def answer(message: Msg) -> None:
            await message.respond(b"here")

        await two.subscribe("cw.v1.gateway.node2.presence", cb=answer)
        await settled(two)
        assert (await one.request("cw.v1.gateway.node2.presence", b"", timeout=5)).data == b"here"
        assert complaints == []


async def test_an_app_serves_every_hook_of_its_own_and_of_no_other(port: int) -> None:
    async with connection(port, "logic-chat") as (logic, complaints):
        for hook in ("connect", "refresh", "subscribe", "sub_refresh", "publish"):
            await logic.subscribe(f"cw.v1.app.chat.hook.{hook}", queue="chat")
        await logic.subscribe("cw.v1.app.auctions.hook.connect", queue="chat")
        await until(lambda: len(complaints) > 0)
        assert len(complaints) == 1
        assert "auctions" in complaints[0]


async def test_an_unanswered_question_says_so_at_once(port: int) -> None:
    async with connection(port, "gateway-1") as (gateway, _):
        with pytest.raises(NoRespondersError):
            await gateway.request("cw.v1.app.chat.rpc.send", b"", timeout=5)


@pytest.mark.parametrize("who", [{}, {"user": "storage", "password": "x"}, {"user": "other", "password": "s"}])
async def test_nobody_else_connects(port: int, who: dict[str, Any]) -> None:
    client = Client()
    try:
        with pytest.raises(nats.errors.Error, match=r"(?i)authorization"):
            await client.connect(f"nats://127.0.0.1:{port}", allow_reconnect=False, **who)
    finally:
        await client.close()


def test_passwords_are_in_no_repr() -> None:
    assert "quoted" not in repr(USERS[0])


async def test_an_apps_consumer_holds_its_own_tasks_alone_whatever_it_asks_for(port: int) -> None:
    async with connection(port, "storage") as (storage, _), connection(port, "logic-chat") as (chat, _):
        stream = {"name": "CW_TASKS", "subjects": ["cw.v1.task.*.*"], "retention": "workqueue"}
        await storage.request("$JS.API.STREAM.CREATE.CW_TASKS", json.dumps(stream).encode())

        async def create(**config: Any) -> dict[str, Any]:
            wanted = {"durable_name": "chat", "ack_policy": "explicit", **config}
            body = json.dumps({"stream_name": "CW_TASKS", "config": wanted, "action": ""}).encode()
            reply = await chat.request("$JS.API.CONSUMER.CREATE.CW_TASKS.chat.cw.v1.task.chat.*", body)
            answer: dict[str, Any] = json.loads(reply.data)
            return answer

        assert "error" in await create(filter_subject="cw.v1.task.auctions.*")
        assert "error" in await create(filter_subjects=["cw.v1.task.auctions.*", "cw.v1.task.chat.*"])
        assert "error" in await create(filter_subject="cw.v1.task.chat.*", durable_name="auctions")
        assert "error" not in await create(filter_subject="cw.v1.task.chat.*")
