"""P6 at storage's door: the subject's caller decides, the body is never believed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest
from msgspec.structs import replace

from causeway_common.bus import Call, Deadline
from causeway_common.contracts.errors import CausewayError, ErrorName
from causeway_common.contracts.messages import Manifest, NamespaceSpec, NewRecord
from causeway_storage.handlers.access import Access

CHAT = NamespaceSpec(name="chat", history_size=10, history_ttl_ms=1000)
TYPING = NamespaceSpec(name="typing")


class KnownApps:
    """Manifests as a test sets them."""

    manifests: Mapping[str, Manifest] = {name: Manifest(app=name, version="1", methods=[]) for name in ("chat", "auctions")}
    namespaces: Mapping[str, tuple[str, NamespaceSpec]] = {"chat": ("chat", CHAT), "typing": ("chat", TYPING)}


async def call(caller: str) -> Call:
    return Call({"caller": caller, "verb": "x"}, "", Deadline(asyncio.get_running_loop().time()))


async def test_a_services_verbs_are_for_that_service_alone() -> None:
    access = Access(KnownApps())

    access.service(await call("gateway"), "gateway")
    for other in ("chat", "integrations", "storage"):
        with pytest.raises(CausewayError) as caught:
            access.service(await call(other), "gateway")
        assert caught.value.name is ErrorName.PERMISSION_DENIED


async def test_entities_are_for_apps_alone() -> None:
    access = Access(KnownApps())

    assert access.app(await call("chat")) == "chat"
    for other in ("gateway", "integrations", "storage", "=2A"):
        with pytest.raises(CausewayError) as caught:
            access.app(await call(other))
        assert caught.value.name is ErrorName.PERMISSION_DENIED


async def test_records_are_run_by_integrations_and_by_apps_under_their_own_names() -> None:
    access = Access(KnownApps())

    assert (access.runner(await call("integrations")), access.runner(await call("chat"))) == ("", "chat")
    for other in ("gateway", "storage", "=2A"):
        with pytest.raises(CausewayError) as caught:
            access.runner(await call(other))
        assert caught.value.name is ErrorName.PERMISSION_DENIED


@pytest.mark.parametrize(
    ("app", "channel", "error"),
    [
        ("chat", "chat:1", None),
        ("chat", "$chat:1", None),
        ("chat", "typing:1", ErrorName.PERMISSION_DENIED),
        ("chat", "unknown:1", ErrorName.PERMISSION_DENIED),
        ("chat", "chat", ErrorName.PERMISSION_DENIED),
        ("auctions", "chat:1", ErrorName.PERMISSION_DENIED),
        ("later", "chat:1", ErrorName.UNAVAILABLE),
    ],
)
async def test_an_app_reaches_only_namespaces_that_it_declares_with_history(
    app: str, channel: str, error: ErrorName | None
) -> None:
    access = Access(KnownApps())
    found = None
    try:
        access.owns(app, channel)
        access.reaches(await call(app), channel)
    except CausewayError as caught:
        found = caught.name

    assert found is error


async def test_the_gateway_reads_every_log() -> None:
    Access(KnownApps()).reaches(await call("gateway"), "any:1")


async def test_an_app_enqueues_for_itself_alone_and_under_ids_of_its_own() -> None:
    access = Access(KnownApps())
    own = NewRecord(id="o:1", app="chat", connector="webhook", op="event", payload={})
    others = NewRecord(id="2", app="auctions", connector="webhook", op="event", payload={})

    (scoped,) = access.enqueues(await call("chat"), [own])
    assert (scoped.id, scoped.app, scoped.payload) == ("a:chat:o:1", "chat", {})
    assert access.enqueues(await call("integrations"), [own, others]) == [own, others]
    for caller in ("chat", "gateway", "storage", "operator"):
        with pytest.raises(CausewayError) as caught:
            access.enqueues(await call(caller), [own, others])
        assert caught.value.name is ErrorName.PERMISSION_DENIED


async def test_the_gateway_enqueues_calls_that_wait_for_their_app_and_nothing_else() -> None:
    access = Access(KnownApps())
    waiting = NewRecord(id="c:client:7", app="chat", connector="", op="on_queued_call", payload={"method": "send"})
    assert access.enqueues(await call("gateway"), [waiting, replace(waiting, id="q:1", app="auctions")])
    for strange in (
        replace(waiting, op="tidy"),
        replace(waiting, connector="webhook"),
        replace(waiting, id="o:1:0"),
        replace(waiting, id="a:chat:1"),
    ):
        with pytest.raises(CausewayError) as caught:
            access.enqueues(await call("gateway"), [waiting, strange])
        assert caught.value.name is ErrorName.PERMISSION_DENIED
