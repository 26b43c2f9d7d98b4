"""OpenAPI documents: what callers send without a bound."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from backendgen.audit.checks.documents import Place, documents, summed
from backendgen.audit.registry import Context, check
from backendgen.code.openapi import OpenAPI, Schema
from backendgen.findings.finding import Hit

BOUNDED = frozenset({"uuid", "date", "date-time", "time", "duration", "ipv4", "ipv6"})


@check("BG607")
def open_object(context: Context) -> Iterator[Hit]:
    """Objects that take properties nobody declared."""
    for api, _ in documents(context):
        keys = ("unevaluatedProperties",) if api.version >= (3, 1) else ("additionalProperties",)
        places = []
        for schema in api.schemas:
            for key in (*keys, "additionalProperties"):
                node = schema.node.get(key)
                if node is None or node.value is False or "object" not in schema.types:
                    continue
                if node.value is True or not schema.has("maxProperties"):
                    places.append((schema.name, node.line))
        yield from summed(
            api, list(dict.fromkeys(places)),
            lambda names: f"objects that take any number of undeclared properties: {names}",
            "additionalProperties: false   # or maxProperties: a bound",
        )  # fmt: skip


def _of_type(api: OpenAPI, kind: str, is_wrong: Callable[[Schema], bool]) -> list[Place]:
    sent = {id(schema.node) for schema in api.inputs}
    found = [one for one in api.schemas if kind in one.types and is_wrong(one)]
    found.sort(key=lambda one: id(one.node) not in sent)  # what callers send first
    return [(one.name, one.line) for one in found]


@check("BG608")
def array_without_limit(context: Context) -> Iterator[Hit]:
    """Lists of any length."""
    for api, _ in documents(context):
        places = _of_type(api, "array", lambda one: not one.has("maxItems"))
        yield from summed(api, places, lambda names: f"lists of any length: {names}", "maxItems: 100")


@check("BG609")
def string_without_limit(context: Context) -> Iterator[Hit]:
    """Texts of any length or any form."""
    for api, _ in documents(context):
        places = _of_type(api, "string", lambda one: not one.has("maxLength", "enum", "const") and not _is_bounded(one))
        yield from summed(api, places, lambda names: f"texts of any length: {names}", "maxLength: 200")
        places = _of_type(api, "string", lambda one: not one.has("format", "pattern", "enum", "const"))
        yield from summed(api, places, lambda names: f"texts of any form: {names}", "pattern: ...")


def _is_bounded(schema: Schema) -> bool:
    return schema.node.word("format") in BOUNDED


@check("BG610")
def integer_without_limit(context: Context) -> Iterator[Hit]:
    """Whole numbers without bounds or format."""
    for api, _ in documents(context):
        is_open = _lacks_exact_bounds if api.version >= (3, 1) else _lacks_bounds
        places = _of_type(api, "integer", is_open)
        yield from summed(api, places, lambda names: f"numbers without bounds: {names}", "minimum: 0\nmaximum: 1000")
        places = _of_type(api, "integer", lambda one: not one.has("format"))
        yield from summed(api, places, lambda names: f"numbers of any size: {names}", "format: int32")


def _lacks_bounds(schema: Schema) -> bool:
    return not (schema.has("minimum") and schema.has("maximum"))


def _lacks_exact_bounds(schema: Schema) -> bool:
    lower, upper = ("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")
    return any(schema.has(one) == schema.has(other) for one, other in (lower, upper))
