"""Reading a request's body within bounds of size and time."""

from __future__ import annotations

import asyncio

from aiohttp import web

from causeway_gateway.adapters.limits import Refused


async def read_body(request: web.Request, limit: int, seconds: float) -> bytes:
    """The whole body.

    Raises:
        Refused: 413 beyond `limit` bytes, 408 beyond `seconds`, 400 where it is broken or breaks off.
    """
    if (request.content_length or 0) > limit:
        raise Refused(413, f"the body may have {limit} bytes", {"Connection": "close"})
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > limit:
                    raise Refused(413, f"the body may have {limit} bytes", {"Connection": "close"})
    except TimeoutError as error:
        raise Refused(408, "the body did not come in time", {"Connection": "close"}) from error
    except (ConnectionError, web.RequestPayloadError) as error:
        raise Refused(400, "the body is broken", {"Connection": "close"}) from error
    return bytes(body)
