"""The connection of a page, in the hands of a test: cut, silent, or with answers that are lost, late or wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from playwright.async_api import Page, WebSocketRoute

Answer = Callable[[str, dict[str, Any]], dict[str, Any] | None]
"""What the page hears of an answer: the method and the reply as it came; None: nothing."""


class Wire:
    """Between a page and its gateway, for connections that are opened after `through`. `answer` says what the page hears."""

    def __init__(self, answer: Answer | None = None) -> None:
        self.asked: list[tuple[str, Any]] = []
        """Every call of the page: method and input."""
        self.answer = answer
        self.is_cut = False
        self.is_silent = False
        self._open: list[WebSocketRoute] = []

    async def through(self, page: Page) -> None:
        """Lead the connections of a page through this wire."""
        await page.route_web_socket(re.compile("/connection/websocket"), self._connected)

    async def cut(self) -> None:
        """End what is open; nothing is let through until `mend`."""
        self.is_cut = True
        for each in self._open:
            await each.close(code=1001, reason="cut")
        self._open.clear()

    def mend(self) -> None:
        """Let everything through again."""
        self.is_cut = self.is_silent = False

    def calls(self, method: str) -> list[Any]:
        """The inputs of the calls of one method."""
        return [data for asked, data in self.asked if asked == method]

    async def _connected(self, socket: WebSocketRoute) -> None:
        if self.is_cut:
            await socket.close(code=1001, reason="cut")
            return
        server = socket.connect_to_server()
        self._open.append(socket)
        methods: dict[int, str] = {}

        def up(message: str | bytes) -> None:
            self._note(str(message), methods)
            if not self.is_silent:
                server.send(message)

        def down(message: str | bytes) -> None:
            for line in [] if self.is_silent else str(message).splitlines():
                reply = self._answered(json.loads(line), methods)
                if reply is not None:
                    socket.send(json.dumps(reply))

        async def ended(code: int | None, reason: str | None) -> None:
            if not self.is_silent:
                await socket.close(code=code, reason=reason)

        socket.on_message(up)
        server.on_message(down)
        server.on_close(ended)

    def _note(self, message: str, methods: dict[int, str]) -> None:
        """Remember the calls of a frame, by their ids."""
        for command in map(json.loads, message.splitlines()):
            if "rpc" in command:
                methods[command["id"]] = command["rpc"]["method"]
                self.asked.append((command["rpc"]["method"], command["rpc"].get("data")))

    def _answered(self, reply: dict[str, Any], methods: dict[int, str]) -> dict[str, Any] | None:
        if self.answer is None or reply.get("id") not in methods:
            return reply
        return self.answer(methods[reply["id"]], reply)
