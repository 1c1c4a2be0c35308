"""What a contract holds, what breaks one, and that the reference apps keep theirs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from click.testing import CliRunner
from pydantic import BaseModel, Field

from causeway_cli.__main__ import main
from causeway_cli.apps.breaking import breaks
from causeway_cli.apps.contract import Contract, of_document
from causeway_cli.apps.finding import contract_at
from causeway_cli.apps.reading import contract_of
from causeway_logic import App, Context, History

ROOT = Path(__file__).parents[3]
CONTRACTS = ROOT / "services" / "logic" / "apps" / "contracts"


class Bid(BaseModel):
    type: Literal["bid"]
    amount: int
    by: str | None = None


class Closed(BaseModel):
    type: Literal["closed"]


def made(**changes: Any) -> Contract:
    """The contract of a small app, with some of its parts changed."""
    app = App("small", version="1.0.0")
    message = changes.get("message", Annotated[Bid | Closed, Field(discriminator="type")])
    space = app.namespace("lot", history=changes.get("history", History(size=1, ttl="1h")))
    channel = space.channel(changes.get("pattern", "{lot_id}"), message=message)
    taken = changes.get("taken", list[int])

    async def bid(ctx: Context, req: taken) -> changes.get("given", int):  # type: ignore[valid-type]
        """Bid."""
        raise NotImplementedError

    async def may_publish(ctx: Context, data: Bid) -> None:
        """Post."""

    bid.__annotations__ = {"ctx": Context, "req": taken, "return": changes.get("given", int)}
    bid.__name__ = changes.get("name", "bid")
    may_publish.__annotations__ = {"ctx": Context, "data": Bid, "return": None}
    app.rpc(bid)
    if changes.get("publishes", True):
        channel.on_publish(may_publish)
    return contract_of(app)


class Less(BaseModel):
    type: Literal["bid"]
    by: str | None = None


class More(Bid):
    more: int = 0


class Sold(BaseModel):
    type: Literal["sold"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"name": "offer"}, "the method bid is gone"),
        ({"taken": list[str]}, "bid: input"),
        ({"given": str}, "bid: output"),
        ({"pattern": "{lot_id}.{row}"}, "the channel lot:{lot_id} is gone"),
        ({"history": None}, "lot:{lot_id}: it has no history any more"),
        ({"publishes": False}, "lot:{lot_id}: clients may publish no more"),
        (
            {"message": Annotated[Less | Closed, Field(discriminator="type")]},
            "lot:{lot_id}: bid message: output.amount: it is gone",
        ),
        ({"message": Annotated[Bid | Sold, Field(discriminator="type")]}, "lot:{lot_id}: the closed message is gone"),
    ],
    ids=lambda value: next(iter(value), "") if isinstance(value, dict) else "",
)
def test_what_a_client_would_miss_is_a_break(changes: dict[str, Any], told: str) -> None:
    assert [line for line in breaks(made(), made(**changes)) if line.startswith(told)], breaks(made(), made(**changes))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"pattern": "{id}"},
        {"taken": list[int | str]},
        {"message": Annotated[More | Closed | Sold, Field(discriminator="type")]},
    ],
    ids=["nothing", "a field has another name", "an input takes more", "a message has more, and there are more of them"],
)
def test_what_only_adds_is_none(changes: dict[str, Any]) -> None:
    assert breaks(made(), made(**changes)) == []


def test_a_contract_is_the_same_after_it_was_written_and_read() -> None:
    contract = made()
    again = of_document(json.loads(json.dumps(contract.document())))
    assert again.document() == contract.document()
    assert breaks(contract, again) == []


APP = 'from causeway_logic import App, Context\napp = App("tiny", version="{version}")\n@app.rpc\nasync def {name}(ctx: Context) -> int:\n    return 1\n'


def schema(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["schema", *arguments])
    return done.exit_code, done.output


def test_the_command_checks_a_committed_contract_and_never_overwrites_one_with_a_break(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CI runs --check; who breaks a contract says so."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "tiny_before.py").write_text(APP.format(version="1.0.0", name="count"))
    (tmp_path / "tiny_after.py").write_text(APP.format(version="1.1.0", name="number"))
    write = ("--format", "json-schema", "--out", "contract.json")
    assert schema("tiny_before:app", *write)[0] == 0
    assert schema("tiny_before:app", "--check", "contract.json") == (0, "tiny 1.0.0 keeps the contract of 1.0.0\n")

    told = "broken: the method count is gone\nError: "
    assert schema("tiny_after:app", "--check", "contract.json") == (
        1,
        f"{told}tiny 1.1.0 breaks the contract of 1.0.0 in contract.json\n",
    )
    assert schema("tiny_after:app", *write) == (
        1,
        f"{told}contract.json is left as it is; --accept-breaks writes it all the same\n",
    )
    assert schema("tiny_before:app", "--check", "contract.json")[0] == 0
    assert schema("tiny_after:app", *write, "--accept-breaks")[0] == 0
    assert schema("tiny_after:app", "--check", "contract.json")[0] == 0

    (tmp_path / "contract.json").write_text("[]")
    assert "it is no contract" in schema("tiny_after:app", "--check", "contract.json")[1]


def test_every_reference_app_has_a_committed_contract() -> None:
    apps = {path.parent.name for path in (ROOT / "services" / "logic" / "apps").glob("*/__init__.py")}
    assert {path.stem for path in CONTRACTS.glob("*.json")} == apps


@pytest.mark.parametrize("path", sorted(CONTRACTS.glob("*.json")), ids=lambda path: path.stem)
def test_the_reference_apps_keep_their_committed_contracts(path: Path) -> None:
    """A change that breaks clients fails here; one that only adds is written down with `make contracts`."""
    committed, now = of_document(json.loads(path.read_text())), contract_at(f"apps.{path.stem}:app", ROOT)
    assert breaks(committed, now) == []
    assert committed.document() == now.document(), "the app promises more than is committed: run `make contracts`"
