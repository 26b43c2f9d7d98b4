"""The spec language as a JSON Schema (draft 2020-12), for completion and checks in editors."""

from __future__ import annotations

from typing import TypeAlias

from backendgen.spec.language import SPEC
from backendgen.spec.shape import (
    DURATION,
    FREQUENCY,
    Choice,
    Duration,
    Either,
    Frequency,
    Key,
    ListOf,
    MapOf,
    Prose,
    Section,
    Shape,
    Whole,
    Word,
)

JsonSchema: TypeAlias = dict[str, object]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> JsonSchema:
    """Return the JSON Schema of a spec. It admits what the loader admits, up to what only the DDL can tell."""
    schema = _of(SPEC)
    schema["type"] = "object"
    heading = {
        "$schema": _DIALECT,
        "title": "backendgen spec",
        "description": "One backend service, for `backendgen new`.",
    }
    return {**heading, **schema}


def _of(shape: Shape) -> JsonSchema:
    match shape:
        case Section():
            return _section(shape)
        case MapOf():
            limits: JsonSchema = {"minProperties": 1} if shape.required else {}
            names = {"pattern": _whole(shape.name.pattern)}
            kind = "object" if shape.required else ["object", "null"]
            return {"type": kind, "propertyNames": names, "additionalProperties": _of(shape.value), **limits}
        case ListOf():
            least: JsonSchema = {"minItems": 1} if shape.required else {}
            many: JsonSchema = {"type": "array", "items": _of(shape.item), "uniqueItems": True, **least}
            return {"anyOf": [_of(shape.item), many]} if shape.single else many
        case Either():
            options = [_of(option) for option in shape.shapes]
            return options[0] if len(options) == 1 else {"anyOf": options}
        case _:
            return _scalar(shape)


def _section(shape: Section) -> JsonSchema:
    required = [key.name for key in shape.keys if key.required]
    return {
        "type": "object" if required else ["object", "null"],
        "properties": {key.name: _key(key) for key in shape.keys},
        "additionalProperties": False,
        **({"required": required} if required else {}),
    }


def _key(key: Key) -> JsonSchema:
    return {**_of(key.shape), "title": key.name, "description": key.doc, "examples": [key.example]}


def _scalar(shape: Shape) -> JsonSchema:
    match shape:
        case Word():
            return {"type": "string", "pattern": _whole(shape.pattern), "description": shape.what}
        case Prose():
            return {"type": ["string", "number", "boolean"] if shape.numbers else "string", "minLength": 1}
        case Whole():
            return {"type": "integer", "minimum": shape.minimum, "maximum": shape.maximum}
        case Choice():
            return {"enum": list(shape.words)}
        case Duration():
            return {"type": "string", "pattern": _whole(DURATION)}
        case Frequency():
            return {"type": "string", "pattern": _whole(FREQUENCY)}
    raise AssertionError(shape)


def _whole(pattern: str) -> str:
    return f"^(?:{pattern})$"
