"""`causeway client`: typed clients compiled by the strictest compilers there are, and run against a real stack."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from support.node import NODE, install
from support.stack import CAUSEWAY, Stack, running_stack
from support.waiting import until

CONTRACTS = Path(__file__).parents[1] / "interop" / "contracts"
REFERENCE_APPS = [
    f"apps.{path.stem}:app" for path in sorted((CONTRACTS.parents[2] / "services/logic/apps/contracts").glob("*.json"))
]
pytestmark = [pytest.mark.stack, pytest.mark.timeout(360)]

APP = '''
"""A shop that uses every shape a client may meet."""

from __future__ import annotations

import enum
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from causeway_logic import App, Context, History, Reject, SubscribeReply

app = App("shop", version="0.1.0")


class Status(enum.StrEnum):
    OPEN = "open"
    SOLD = "sold"


class Item(BaseModel):
    """A thing with a */ in its comment and a \\"\\"\\" too."""

    name: str
    price: Annotated[int, Field(ge=0)] = 0
    parts: list[Item] = []
    note: str | None = None


class Put(BaseModel):
    item: Item
    tags: dict[str, int] = {}
    size: tuple[int, int] = (1, 1)


class Shown(BaseModel):
    model_config = {"populate_by_name": True}

    item: Item
    status: Status
    class_: Annotated[str, Field(alias="class")] = "a"


class Bought(BaseModel):
    type: Literal["bought"]
    by: str
    price: float


class Viewed(BaseModel):
    type: Literal["viewed"]
    by: str


class Note(BaseModel):
    text: Annotated[str, Field(max_length=20)]


shelf = app.namespace("shelf", history=History(size=10, ttl="1h"), allow_history_for_subscriber=True)
shelf_channel = shelf.channel("{shelf}.{row}", message=Annotated[Bought | Viewed, Field(discriminator="type")])
board = app.namespace("board", allow_subscribe_for_client=True)


@app.rpc
async def put(ctx: Context, req: Put) -> Shown:
    """Put an item on the shelf."""
    if req.item.price > 100:
        raise Reject(410, "too dear")
    return Shown(item=req.item, status=Status.OPEN)


@app.rpc
async def count(ctx: Context) -> int:
    return 3


@app.rpc
async def forget(ctx: Context, names: list[str]) -> None:
    """Forget some."""


@shelf_channel.on_subscribe
async def may_look(ctx: Context, shelf: str) -> SubscribeReply | None:
    if shelf == "locked":
        raise Reject(403, "locked away")
    return None


@shelf_channel.on_publish
async def may_post(ctx: Context, data: Viewed) -> Viewed:
    return Viewed(type="viewed", by=ctx.user)


@board.on_publish
async def may_write(ctx: Context, data: Note) -> None:
    """Anybody may."""
'''

MAIN = """
import { Centrifuge } from "centrifuge";
import { WebSocket } from "ws";
import { Shop, ShopError, type ItemInput, type ShelfMessage } from "./shop.ts";

const [url, token] = process.argv.slice(2) as [string, string];
const centrifuge = new Centrifuge(url, { token, websocket: WebSocket });
const shop = new Shop(centrifuge);
centrifuge.connect();

const item: ItemInput = { name: "kettle" };
const shown = await shop.put({ item, tags: { a: 1 }, size: [1, 2] });
const status: "open" | "sold" = shown.status;
const price: number = shown.item.price;
const counted: number = await shop.count();
const nothing: void = await shop.forget(["a"]);

let refused = "";
try {
  await shop.put({ item: { name: "crown", price: 101 } });
} catch (error) {
  if (error instanceof ShopError) refused = `${error.code} ${error.message} ${error.temporary}`;
}
const heard: string[] = [];
const row = shop.shelfChannel({ shelf: "a", row: "1" });
const first = new Promise<void>((done) => {
  row.onMessage((message: ShelfMessage, context) => {
    heard.push(message.type === "bought" ? `bought for ${message.price}` : `viewed by ${message.by} at ${context.offset}`);
    done();
  });
});
await row.subscribe();
await row.publish({ type: "viewed", by: "somebody else" });
await first;
const logged = await row.history({ limit: 5 });

let denied = "";
try {
  await shop.shelfChannel({ shelf: "locked", row: "1" }).subscribe();
} catch (error) {
  if (error instanceof ShopError) denied = `${error.code} ${error.message}`;
}
console.log(JSON.stringify({ status, price, counted, nothing: nothing === undefined, refused, heard, logged: logged.length, denied, class: shown.class }));
centrifuge.disconnect();
"""
WRONG = {
    "an input without a field": "await shop.put({ item: {} });",
    "an answer's field that is not there": "(await shop.count()).length;",
    "a channel's field that is not there": 'shop.shelfChannel({ shelf: "a" });',
    "a message of another type": 'shop.shelfChannel({ shelf: "a", row: "b" }).publish({ type: "sold" });',
    "a status that there is not": 'const s: "gone" = (await shop.put({ item: { name: "x" } })).status;',
}
TSCONFIG = {
    "compilerOptions": {
        "strict": True, "noEmit": True, "target": "es2022", "module": "nodenext", "skipLibCheck": True, "types": ["node"],
        "allowImportingTsExtensions": True, "exactOptionalPropertyTypes": True, "noUncheckedIndexedAccess": True, "noUnusedParameters": True,
        "noImplicitOverride": True, "verbatimModuleSyntax": True, "isolatedModules": True, "erasableSyntaxOnly": True, "noImplicitReturns": True,
    },
    "include": ["*.ts"],
}  # fmt: skip


def write_client(folder: Path, language: str, app: str = "shop:app", name: str = "shop") -> Path:
    path = folder / f"{name}.{language}"
    subprocess.run([CAUSEWAY, "client", language, app, "--out", path.name], cwd=folder, check=True, capture_output=True)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "shop.py").write_text(APP)
    install(CONTRACTS)
    (tmp_path / "node_modules").symlink_to(CONTRACTS / "node_modules")
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "tsconfig.json").write_text(json.dumps(TSCONFIG))
    (tmp_path / "globals.d.ts").write_text('declare module "ws" {\n  export const WebSocket: unknown;\n}\n')
    return tmp_path


def compiled(folder: Path) -> subprocess.CompletedProcess[str]:
    tsc = CONTRACTS / "node_modules" / "typescript" / "bin" / "tsc"
    return subprocess.run([str(NODE), str(tsc), "-p", "."], cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
async def stack(folder: Path) -> AsyncIterator[Stack]:
    async with running_stack(folder, arguments=("--app", "shop:app")) as running:
        yield running


async def test_the_typescript_client_compiles_in_strict_mode_and_speaks_with_a_real_stack(stack: Stack, folder: Path) -> None:
    """Methods, refusals, typed messages both ways, the log, a denied subscription."""
    write_client(folder, "ts")
    (folder / "main.ts").write_text(MAIN)
    done = compiled(folder)
    assert done.returncode == 0, done.stdout
    process = await asyncio.create_subprocess_exec(
        NODE, "main.ts", stack.url, stack.token("ann"), cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 0, err.decode()
    assert json.loads(out) == {
        "status": "open",
        "price": 0,
        "counted": 3,
        "nothing": True,
        "refused": "410 too dear false",
        "heard": ["viewed by ann at 1"],
        "logged": 1,
        "denied": "403 locked away",
        "class": "a",
    }


def test_the_typescript_client_lets_the_compiler_find_what_would_fail(folder: Path) -> None:
    """Each wrong use is an error of the compiler, not of the evening."""
    write_client(folder, "ts")
    head = (
        'import { Centrifuge } from "centrifuge";\nimport { Shop } from "./shop.ts";\nconst shop = new Shop(new Centrifuge(""));\n'
    )
    for number, line in enumerate(WRONG.values()):
        (folder / f"wrong{number}.ts").write_text(head + line + "\nexport {};\n")
    told = compiled(folder).stdout
    assert [name for number, name in enumerate(WRONG) if f"wrong{number}.ts(4," not in told] == []
    assert "shop.ts(" not in told


def loaded(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("shop_client", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def test_the_python_client_speaks_with_a_real_stack(stack: Stack, folder: Path) -> None:
    """As the one in TypeScript."""
    module = loaded(write_client(folder, "py", name="shop_client"))
    connection = stack.client("ann")
    await connection.connect()
    shop = module.Shop(connection)
    assert await shop.put({"item": {"name": "kettle"}}) == {
        "item": {"name": "kettle", "price": 0, "parts": [], "note": None},
        "status": "open",
        "class": "a",
    }
    assert await shop.count() == 3
    assert await shop.forget(["a"]) is None
    with pytest.raises(module.ShopError) as refused:
        await shop.put({"item": {"name": "crown", "price": 101}})
    assert (refused.value.code, refused.value.message, refused.value.temporary) == (410, "too dear", False)

    heard: list[Any] = []

    async def hear(message: Any, context: Any) -> None:
        heard.append((message, context.pub.offset))

    row = shop.shelf_channel("a", "1", hear)
    await row.subscribe()
    await row.publish({"type": "viewed", "by": "somebody else"})
    await until(lambda: bool(heard))
    assert heard == [({"type": "viewed", "by": "ann"}, 1)]
    assert await row.history(5) == [{"type": "viewed", "by": "ann"}]
    with pytest.raises(module.ShopError, match="locked away"):
        await shop.shelf_channel("locked", "1", hear).subscribe()
    await connection.disconnect()


def test_the_python_client_passes_strict_mypy_and_finds_what_would_fail(folder: Path) -> None:
    """The types are no decoration."""
    write_client(folder, "py", name="shop_client")
    (folder / "wrong.py").write_text(
        "from shop_client import Shop\n\n\n"
        "async def use(shop: Shop) -> None:\n"
        '    await shop.put({"item": {}})\n'
        "    (await shop.count()).upper()\n"
        '    await shop.forget("a")\n'
        '    (await shop.put({"item": {"name": "a"}}))["nothing"]\n'
    )
    (folder / "mypy.ini").write_text("[mypy]\nstrict = True\n[mypy-centrifuge.*]\nignore_missing_imports = True\n")
    command = [sys.executable, "-m", "mypy", "--config-file", "mypy.ini", "wrong.py", "shop_client.py"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if ": error:" in line]
    assert [line.split(":")[1] for line in lines] == ["5", "6", "7", "8"], done.stdout + done.stderr


@pytest.mark.parametrize("app", REFERENCE_APPS)
def test_the_clients_of_the_reference_apps_compile(folder: Path, app: str) -> None:
    """TypeScript and Python, as written today."""
    write_client(folder, "ts", app, "reference")
    path = write_client(folder, "py", app, "reference")
    done = compiled(folder)
    assert done.returncode == 0, done.stdout
    assert loaded(path).__doc__
