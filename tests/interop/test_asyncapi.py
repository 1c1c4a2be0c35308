"""What `causeway schema` writes, judged by the official AsyncAPI schema (npm `@asyncapi/specs`) and the official parser."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from click.testing import CliRunner
from pydantic import BaseModel, Field, TypeAdapter

from causeway_cli.__main__ import main
from causeway_cli.apps.asyncapi import asyncapi, server_of
from causeway_cli.apps.contract import of_manifest
from causeway_common.contracts.messages import ChannelSpec, EventSpec, Manifest, MethodSpec, NamespaceSpec
from support.node import run

HERE = Path(__file__).with_name("contracts")

REFERENCE_APPS = [f"apps.{path.stem}:app" for path in sorted((HERE.parents[2] / "services/logic/apps/contracts").glob("*.json"))]

pytestmark = pytest.mark.timeout(360)


class Node(BaseModel):
    name: str
    pair: tuple[int, str] = (1, "a")
    children: list[Node] = []


class Bid(BaseModel):
    type: Literal["bid"]
    amount: Annotated[int, Field(ge=1)]
    by: str | None = None
    more: dict[str, Node] = {}


class Closed(BaseModel):
    type: Literal["closed"]


def schema(type_: Any, mode: Literal["validation", "serialization"]) -> str:
    return json.dumps(TypeAdapter(type_).json_schema(mode=mode))


MESSAGE = schema(Annotated[Bid | Closed, Field(discriminator="type")], "serialization")
RICH = Manifest(
    app="rich",
    version="1.2.3",
    methods=[
        MethodSpec("tree", input=schema(Node, "validation"), output=schema(Node, "serialization"), when_unavailable="queue"),
        MethodSpec("plain", input=schema(list[int], "validation"), output=schema(None, "serialization"), concurrent=True),
        MethodSpec("untold"),
    ],
    namespaces=[NamespaceSpec("lot", publish_hook=True), NamespaceSpec("free", history_size=1, history_ttl_ms=1)],
    channels=[ChannelSpec("lot:{lot_id}.{user}", MESSAGE), ChannelSpec("lot:all", MESSAGE)],
    events=[EventSpec("stripe", "payment_intent.succeeded"), EventSpec("stripe", "*"), EventSpec("crm", "contact")],
)


def judged(text: str) -> dict[str, Any]:
    done = run(HERE, "asyncapi.mjs", text=text)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_document_with_everything_is_valid_by_the_official_schema_and_parser() -> None:
    """Unions, recursion, tuples, defaults, several events of one source: the official tools have nothing against it."""
    found = judged(json.dumps(asyncapi(of_manifest(RICH), server_of("https://rt.example.com/base/"))))
    assert (found["schema"], found["parser"]) == ([], [])
    assert sorted(found["seen"]["channels"]) == sorted(
        ["rich.tree", "rich.plain", "rich.untold", "lot:{lot_id}.{user}", "lot:all", "free:{id}", "/hooks/stripe", "/hooks/crm"]
    )
    assert ["rpc.tree", "receive", True] in found["seen"]["operations"]
    assert ["lot.lot_id.user.publish", "send", False] in found["seen"]["operations"]


@pytest.mark.parametrize("app", REFERENCE_APPS)
def test_the_reference_apps_documents_are_valid(app: str) -> None:
    """`causeway schema` of each reference app, as the command writes it."""
    done = CliRunner().invoke(main, ["schema", app])
    assert done.exit_code == 0, done.output
    found = judged(done.stdout)
    assert (found["schema"], found["parser"]) == ([], [])


def test_the_official_tools_do_complain_of_a_document_that_is_wrong() -> None:
    """A judge that takes everything would prove nothing."""
    document = asyncapi(of_manifest(RICH))
    document["operations"]["rpc.tree"]["action"] = "answer"
    del document["info"]["version"]
    found = judged(json.dumps(document))
    assert found["schema"]
    assert found["parser"]
