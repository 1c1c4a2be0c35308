"""Reading a request's body within bounds of size and time."""

from __future__ import annotations

import asyncio

from aiohttp import web

from causeway_gateway.adapters import metrics
from causeway_gateway.adapters.limits import Refused


async def read_body(request: web.Request, limit: int, seconds: float) -> bytes:
    """The whole body.

    Raises:
        Refused: 413 beyond `limit` bytes, 408 beyond `seconds`, 400 where it is broken or breaks off.
    """
    if (request.content_length or 0) > limit:
        raise _refused(413, f"the body may have {limit} bytes", "body_too_large")
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > limit:
                    raise _refused(413, f"the body may have {limit} bytes", "body_too_large")
    except TimeoutError as error:
        raise _refused(408, "the body did not come in time", "body_timeout") from error
    except (ConnectionError, web.RequestPayloadError) as error:
        raise _refused(400, "the body is broken", "body_broken") from error
    return bytes(body)


def _refused(status: int, text: str, reason: str) -> Refused:
    metrics.refused.add(1, reason)
    return Refused(status, text, {"Connection": "close"})
