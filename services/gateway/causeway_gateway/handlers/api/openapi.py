"""The OpenAPI document (https://spec.openapis.org/oas/v3.1.0) of the server API, made from the types that it decodes and encodes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from causeway_gateway import __version__
from causeway_gateway.domain.keyring import OPERATIONS
from causeway_gateway.handlers.api import bodies as b

TEMPLATE: Final = "#/components/schemas/{name}"


def document(methods: Mapping[str, tuple[type[b.Body], type[b.Body]]], streams: Mapping[str, type[b.Body]]) -> bytes:
    """The document of these methods: name to types of request and result; and of what goes on: name to type of request. `batch` is added."""
    types = [each for pair in methods.values() for each in pair] + [*streams.values(), b.ApiError]
    refs, schemas = msgspec.json.schema_components(types, schema_hook=_schema, ref_template=TEMPLATE)
    error = refs[-1]
    paths = {
        f"/{'ops' if name in OPERATIONS else 'api'}/{name}": _path(name, refs[2 * index], refs[2 * index + 1], error)
        for index, name in enumerate(methods)
    }
    for name, request in zip(streams, refs[2 * len(methods) :], strict=False):
        paths[f"/ops/{name}"] = _operation(
            name, "Lines of JSON that go on.", request, {"type": "object"}, kind="application/x-ndjson"
        )
    command = {"type": "object", "description": 'one method: `{"publish": {…}}`', "additionalProperties": {"type": "object"}}
    paths["/api/batch"] = _operation(
        "batch",
        "Several commands, one after the other or in parallel.",
        {
            "type": "object",
            "properties": {"commands": {"type": "array", "items": command}, "parallel": {"type": "boolean"}},
            "required": ["commands"],
        },
        {"type": "object", "properties": {"replies": {"type": "array", "items": {"type": "object"}}}},
    )
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {"title": "Causeway server API", "version": __version__},
            "security": [{"key": []}],
            "paths": paths,
            "components": {
                "schemas": schemas,
                "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X-API-Key"}},
            },
        }
    )


def _path(name: str, request: dict[str, Any], result: dict[str, Any], error: dict[str, Any]) -> dict[str, Any]:
    answer = {"type": "object", "properties": {"result": result, "error": error}, "description": "result or error"}
    return _operation(name, "", request, answer)


def _operation(
    name: str, summary: str, request: dict[str, Any], answer: dict[str, Any], *, kind: str = "application/json"
) -> dict[str, Any]:
    return {
        "post": {
            "operationId": name,
            "summary": summary or name.replace("_", " "),
            "requestBody": {"required": True, "content": {"application/json": {"schema": request}}},
            "responses": {
                "200": {"description": "the answer, errors included", "content": {kind: {"schema": answer}}},
                "400": {"description": "the body cannot be decoded"},
                "401": {"description": "no such key"},
            },
        }
    }


def _schema(kind: type) -> dict[str, Any]:
    if kind is msgspec.Raw:
        return {"description": "any JSON value"}
    raise NotImplementedError(kind)
