"""The server API's transport: keys, bodies, statuses, a port of its own."""

from __future__ import annotations

import io

import aiohttp
import pytest

from unit.gateway.transports.harness import place


@pytest.mark.parametrize(
    ("headers", "query", "status"),
    [
        ({"X-API-Key": "secret"}, "", 200),
        ({"Authorization": "apikey secret"}, "", 200),
        ({"Authorization": "ApiKey  secret"}, "", 200),
        ({}, "?api_key=secret", 200),
        ({"X-API-Key": "wrong"}, "?api_key=secret", 401),
        ({"Authorization": "Bearer secret"}, "", 401),
        ({"X-API-Key": ""}, "", 401),
        ({}, "", 401),
    ],
)
async def test_the_key_is_the_headers_or_the_authorizations_or_the_querys(headers: dict[str, str], query: str, status: int) -> None:
    async with place() as here, aiohttp.ClientSession() as session:
        response = await session.post(f"{here.http}/api/publish{query}", data=b"{}", headers=headers)
        assert response.status == status
        assert await response.read() == (b'{"by":"ops","body":{}}' if status == 200 else b"")


async def test_errors_are_told_by_the_transport_where_that_is_asked_for() -> None:
    headers = {"X-API-Key": "secret", "X-Centrifugo-Error-Mode": "transport"}
    async with place() as here, aiohttp.ClientSession() as session:
        response = await session.post(f"{here.http}/api/publish", data=b"{}", headers=headers)
        assert response.status == 404


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "nothing", b"{}", 404),
        ("POST", "publish", b"", 400),
        ("POST", "publish", bytes(1024 * 1024 + 1), 413),
        ("GET", "publish", None, 405),
    ],
)
async def test_what_is_no_request_is_told_so(method: str, path: str, body: bytes | None, status: int) -> None:
    async with place() as here, aiohttp.ClientSession() as session:
        data = body and io.BytesIO(body)
        response = await session.request(method, f"{here.http}/api/{path}", data=data, headers={"X-API-Key": "secret"})
        assert response.status == status


async def test_the_document_needs_no_key() -> None:
    async with place() as here, aiohttp.ClientSession() as session, session.get(f"{here.http}/api/openapi.json") as response:
        assert (response.status, response.content_type) == (200, "application/json")


async def test_without_an_api_its_paths_name_the_option() -> None:
    async with place(api=False) as here, aiohttp.ClientSession() as session:
        for method, path in (("POST", "publish"), ("GET", "openapi.json")):
            async with session.request(method, f"{here.http}/api/{path}") as response:
                assert response.status == 404
                assert "http_api.key" in await response.text()


async def test_on_a_port_of_its_own_it_is_nowhere_else() -> None:
    headers = {"X-API-Key": "secret"}
    async with place(own_port=True) as here, aiohttp.ClientSession() as session:
        async with session.post(f"http://127.0.0.1:{here.api_port}/api/publish", data=b"{}", headers=headers) as response:
            assert response.status == 200
        async with session.get(f"http://127.0.0.1:{here.api_port}/connection/websocket") as response:
            assert response.status == 404
        async with session.post(f"{here.http}/api/publish", data=b"{}", headers=headers) as response:
            assert response.status == 404


async def test_the_page_tells_where_to_connect_and_repeats_no_markup() -> None:
    async with place() as here, aiohttp.ClientSession() as session:
        async with session.get(here.http, headers={"Host": "<script>x.example"}) as response:
            text = await response.text()
            assert response.status == 400 or "<script>" not in text
        async with session.get(here.http) as response:
            assert f"ws://127.0.0.1:{here.port}/connection/websocket" in await response.text()


async def test_while_leaving_connections_are_closed_after_their_answer() -> None:
    async with place() as here, aiohttp.ClientSession() as session:
        headers = {"X-API-Key": "secret"}
        async with session.post(f"{here.http}/api/publish", data=b"{}", headers=headers) as response:
            assert response.headers.get("Connection") != "close"
        await here.server.stop_accepting()
        async with session.post(f"{here.http}/api/publish", data=b"{}", headers=headers) as response:
            assert response.status == 200
            assert response.headers["Connection"] == "close"
