"""Framing of streams over HTTP: a line for each message, or an event (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

from __future__ import annotations


def line(payload: bytes) -> bytes:
    """A message of a JSON HTTP-stream."""
    return payload + b"\n"


def sse_event(payload: bytes) -> bytes:
    """A message of an event stream; the payload holds no newline."""
    return b"data: " + payload + b"\n\n"
