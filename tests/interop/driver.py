"""The JavaScript SDK in a Node process of its own, as tests speak with it."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from support.node import NODE, install

HERE = Path(__file__).with_name("js")
SECONDS = 8.0


class SdkError(Exception):
    """What the SDK refused: its code."""

    def __init__(self, code: int, message: str) -> None:
        self.code = code
        super().__init__(f"{code}: {message}")


def loads(value: Any) -> Any:
    """A payload: the Protobuf SDK gives bytes, which hold JSON here."""
    if isinstance(value, dict) and set(value) == {"bytes"}:
        return json.loads(base64.b64decode(value["bytes"]))
    return value


class JsClient:
    """One client of the driver."""

    def __init__(self, driver: Driver, name: str) -> None:
        self._driver, self.name = driver, name

    async def __call__(self, op: str, **fields: Any) -> dict[str, Any]:
        """Have the SDK do something; its answer.

        Raises:
            SdkError: it was refused.
        """
        return await self._driver.ask(op, c=self.name, **fields)

    def events(self, *kinds: str, channel: str = "") -> list[dict[str, Any]]:
        """What was told so far, of these kinds."""
        return [
            each
            for each in self._driver.told
            if each["c"] == self.name and each["event"] in kinds and channel in ("", each.get("channel"))
        ]

    def datas(self, channel: str = "", kind: str = "publication") -> list[Any]:
        """The data of the publications so far."""
        return [loads(each["context"]["data"]) for each in self.events(kind, channel=channel)]

    async def told(self, kind: str, count: int = 1, channel: str = "") -> dict[str, Any]:
        """Wait for the `count`-th event of a kind; its context."""
        await self._driver.until(lambda: len(self.events(kind, channel=channel)) >= count, f"{self.name}: {count} times {kind}")
        context: dict[str, Any] = self.events(kind, channel=channel)[count - 1]["context"]
        return context

    async def seen(self, count: int, channel: str = "", kind: str = "publication") -> list[Any]:
        """Wait for so many publications; the data of all that came."""
        await self._driver.until(lambda: len(self.datas(channel, kind)) >= count, f"{self.name}: {count} publications")
        return self.datas(channel, kind)


class Driver:
    """The Node process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._changed = asyncio.Event()
        self.told: list[dict[str, Any]] = []

    def client(self, name: str) -> JsClient:
        """A client by its name; `connect` makes it."""
        return JsClient(self, name)

    async def ask(self, op: str, **fields: Any) -> dict[str, Any]:
        number = next(self._numbers)
        answered = self._waiting[number] = asyncio.get_running_loop().create_future()
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"n": number, "op": op, **fields}).encode() + b"\n")
        async with asyncio.timeout(SECONDS):
            answer = await answered
        if "error" in answer:
            raise SdkError(answer["error"]["code"], answer["error"]["message"])
        found: dict[str, Any] = answer["ok"]
        return found

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        try:
            async with asyncio.timeout(SECONDS):
                while not condition():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError as error:
            raise AssertionError(f"waited for {what}; told: {json.dumps(self.told[-12:])}") from error

    async def read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            message = json.loads(line)
            if "n" in message:
                self._waiting.pop(message["n"]).set_result(message)
            else:
                self.told.append(message | {"at": time.monotonic()})
                self._changed.set()


@asynccontextmanager
async def running_driver() -> AsyncIterator[Driver]:
    """A driver for the block."""
    await asyncio.to_thread(install, HERE)
    process = await asyncio.create_subprocess_exec(
        NODE, "driver.mjs", cwd=HERE, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=1 << 22
    )
    driver = Driver(process)
    reading = asyncio.create_task(driver.read())
    try:
        yield driver
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()
        await reading
