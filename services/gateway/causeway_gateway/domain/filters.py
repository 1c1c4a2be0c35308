"""Filters of publications by their tags (reference/centrifuge-protocol.md, section 7): a client's tree, made into one function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Final

from causeway_common.contracts.errors import bad_request
from causeway_gateway.domain.protocol import FilterNode

DEPTH_MAX: Final = 10
NODES_MAX: Final = 100
VALUES_MAX: Final = 100

Tags = Mapping[str, str] | None
Filter = Callable[[Tags], bool]
_Test = Callable[[str, str], bool]

_TEXT: Final[dict[str, _Test]] = {
    "sw": str.startswith,
    "ew": str.endswith,
    "ct": str.__contains__,
}
_NUMBERS: Final[dict[str, Callable[[Decimal, Decimal], bool]]] = {
    "lt": Decimal.__lt__,
    "lte": Decimal.__le__,
    "gt": Decimal.__gt__,
    "gte": Decimal.__ge__,
}


def compile(root: FilterNode) -> Filter:  # noqa: A001 - as re.compile
    """The filter of a tree: tags (None: none) to whether the publication is wanted.

    Raises:
        CausewayError: 107, the tree is malformed or too large.
    """
    left = [NODES_MAX]
    return _node(root, 1, left)


def _node(node: FilterNode, depth: int, left: list[int]) -> Filter:
    left[0] -= 1
    if depth > DEPTH_MAX or left[0] < 0:
        raise bad_request(f"the tags filter has more than {NODES_MAX} nodes or is deeper than {DEPTH_MAX}")
    match node.op:
        case "":
            return _leaf(node)
        case "and" | "or" if node.nodes:
            parts = [_node(each, depth + 1, left) for each in node.nodes]
            if node.op == "and":
                return lambda tags: all(part(tags) for part in parts)
            return lambda tags: any(part(tags) for part in parts)
        case "not" if len(node.nodes) == 1:
            inner = _node(node.nodes[0], depth + 1, left)
            return lambda tags: not inner(tags)
        case _:
            raise bad_request("the tags filter has an op that is none of and, or, not (of one), or one without nodes")


def _leaf(node: FilterNode) -> Filter:
    key, comparison, value = node.key, node.cmp, node.val
    if not key or node.nodes:
        raise bad_request("a leaf of the tags filter needs a key, and has no nodes")
    if comparison in ("in", "nin"):
        if not node.vals or len(node.vals) > VALUES_MAX or value:
            raise bad_request(f"the tags filter's {comparison} needs vals, at most {VALUES_MAX}, and no val")
        values, wanted = frozenset(node.vals), comparison == "in"
        return lambda tags: ((tags or {}).get(key) in values) is wanted
    if node.vals:
        raise bad_request(f"the tags filter's {comparison} takes no vals")
    if comparison in ("ex", "nex"):
        if value:
            raise bad_request(f"the tags filter's {comparison} takes no val")
        there = comparison == "ex"
        return lambda tags: (key in (tags or {})) is there
    if comparison in ("eq", "neq"):
        equal = comparison == "eq"
        return lambda tags: ((tags or {}).get(key) == value) is equal
    if comparison in _TEXT:
        test = _TEXT[comparison]
        return lambda tags: (found := (tags or {}).get(key)) is not None and test(found, value)
    if comparison in _NUMBERS:
        return _numeric(key, _NUMBERS[comparison], _number(value))
    raise bad_request("the tags filter compares in a way that is none of eq, neq, in, nin, ex, nex, sw, ew, ct, lt, lte, gt, gte")


def _numeric(key: str, test: Callable[[Decimal, Decimal], bool], bound: Decimal | None) -> Filter:
    if bound is None:
        raise bad_request("the tags filter compares with a val that is no number")

    def accepts(tags: Tags) -> bool:
        found = _number((tags or {}).get(key, ""))
        return found is not None and test(found, bound)

    return accepts


def _number(text: str) -> Decimal | None:
    if len(text) > 64:
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
