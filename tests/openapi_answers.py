"""Holds answers of the API against its description, more strictly than a reader should: it must have every field."""

from collections.abc import Mapping
from typing import Any

from openapi_schema_validator import OAS31Validator

from aigw_receiver.core.gateways import openapi


def violations(path: str, status: int, document: object) -> list[str]:
    """What is wrong with an answer under this path of the description, each with its place."""
    answers: Mapping[str, Any] = openapi.DOCUMENT["paths"][path]["get"]["responses"]
    if str(status) not in answers:
        return [f"status {status}"]
    schema = answers[str(status)]["content"]["application/json"]["schema"]
    whole = {**_closed(schema), "components": _closed(openapi.DOCUMENT["components"])}
    errors = OAS31Validator(whole).iter_errors(document)
    return [f"{'/'.join(map(str, error.absolute_path))}: {error.message}"[:300] for error in errors]


def _closed(schema: Any) -> Any:
    """The same, with objects that have no other fields than those that are described."""
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: _closed(value) for name, value in schema.items()}
    if schema.get("type") == "object" and "properties" in schema:
        closed.setdefault("additionalProperties", False)
    return closed
