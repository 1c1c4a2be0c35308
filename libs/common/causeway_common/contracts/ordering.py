"""By what events from outside come in order: a value in their data, and the line that those with one value stand in."""

from __future__ import annotations

import json
from typing import Any, Final

from causeway_common.contracts.ids import derived_id

PLACE_MAX_DIGITS: Final = 9


def line_of_event(app: str, source: str, data: Any, order_by: str) -> str:
    """The line of an event of a source for an app; "": it waits for none.

    Args:
        app: who gets it.
        source: where it came in.
        data: its data.
        order_by: the path in them at which the key stands; "": there is none.
    """
    key = value_at(data, order_by) if order_by else None
    return "" if key is None else "i:" + derived_id(app, source, key)


def value_at(data: Any, path: str) -> str | None:
    """The text, whole number or truth value at a path of names and places (`customer.id`, `lines.0.sku`); None where there is none."""
    for name in path.split("."):
        if isinstance(data, dict):
            data = data.get(name)
        elif isinstance(data, list) and name.isascii() and name.isdigit() and len(name) <= PLACE_MAX_DIGITS:
            data = data[int(name)] if int(name) < len(data) else None
        else:
            return None
    return json.dumps(data) if isinstance(data, str | int) else None
