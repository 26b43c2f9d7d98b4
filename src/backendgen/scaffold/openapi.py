"""Spec + Schema -> the OpenAPI 3.1 document: the features' fragments, and the resources' operations.

The service's own tests hold it against what the application serves: paths, parameters, bodies and security are equal.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from backendgen.scaffold import actions, domains, samples, statements
from backendgen.scaffold.actions import ActionView
from backendgen.scaffold.domains import Domain
from backendgen.scaffold.views import FieldView, ResourceView
from backendgen.spec.model import Spec

Node = dict[str, Any]
_CURSOR = "MDEyMzQ1Njc4OWFiY2RlZltdWyIyMDI2Il0"
_CORRELATION = "X-Request-Id"
_LIMITED = ("RateLimit", "RateLimit-Policy", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")


def document(spec: Spec, resources: Sequence[ResourceView], fragments: Sequence[str]) -> bytes:
    """Return the document as JSON, with a stable order of keys."""
    from yaml import CSafeLoader, load

    whole: Node = {
        "openapi": "3.1.0",
        "info": {"title": spec.service.title, "version": "0.1.0", "description": spec.service.description},
        "servers": [{"url": "/"}],
        "tags": [],
        "paths": {},
        "components": {},
    }
    if not spec.service.description:
        del whole["info"]["description"]
    for fragment in fragments:
        merge(whole, load(fragment, CSafeLoader) or {})
    for resource in resources:
        merge(whole, _resource(resource, spec))
    if spec.rate_limits is not None:
        _limit(whole)
    whole["tags"] = sorted(whole["tags"], key=lambda tag: str(tag["name"]))
    return (json.dumps(whole, indent=2, ensure_ascii=False) + "\n").encode()


def merge(into: Node, other: Node) -> None:
    """Merge a fragment: mappings join, lists append, and a key that both define must mean the same."""
    for key, value in other.items():
        if key not in into:
            into[key] = value
        elif isinstance(value, dict):
            merge(into[key], value)
        elif isinstance(value, list):
            into[key] = [*into[key], *value]
        elif into[key] != value:
            raise AssertionError(f"two OpenAPI fragments define '{key}' differently")


def _limit(whole: Node) -> None:
    """Every response but those of the probes may carry the limits' headers, every operation may answer 429."""
    headers = {name: {"$ref": f"#/components/headers/{name}"} for name in _LIMITED}
    for path in whole["paths"].values():
        for operation in path.values():
            if operation["tags"] != ["operations"]:
                operation["responses"].setdefault("429", _reference("responses", "TooManyRequests"))
                for response in operation["responses"].values():
                    if "$ref" not in response:
                        response.setdefault("headers", {}).update(headers)
    for response in whole["components"]["responses"].values():
        response.setdefault("headers", {}).update(headers)


def _reference(kind: str, name: str) -> Node:
    return {"$ref": f"#/components/{kind}/{name}"}


def _resource(resource: ResourceView, spec: Spec) -> Node:
    collection: Node = {}
    row: Node = {}
    for action in resource.actions:
        path = collection if action.name in ("list", "create") else row
        path[actions.METHODS[action.name]] = _operation(resource, action, spec)
    paths = {resource.path: collection, f"{resource.path}{resource.key_path}": row}
    return {
        "tags": [{"name": resource.name, "description": f"{resource.things.capitalize()}."}],
        "paths": {path: operations for path, operations in paths.items() if operations},
        "components": {"schemas": dict(_schemas(resource, spec))},
    }


def _operation(resource: ResourceView, action: ActionView, spec: Spec) -> Node:
    summary, description = _words(resource, action)
    operation: Node = {
        "operationId": actions.operation_id(resource.name, action.name),
        "tags": [resource.name],
        "summary": summary,
        "description": description,
        "parameters": list(_parameters(resource, action, spec)),
        "responses": dict(sorted(_responses(resource, action, spec).items())),
        "security": [{"bearer": []}] if action.secured else [],
    }
    if action.name in ("create", "update"):
        fields = resource.body if action.name == "create" else resource.changes
        media = {
            "schema": _reference("schemas", f"{resource.type}{action.name.capitalize()}"),
            "example": _body_example(fields, whole=action.name == "create"),
        }
        operation["requestBody"] = {"required": True, "content": {"application/json": media}}
    return operation


def _words(resource: ResourceView, action: ActionView) -> tuple[str, str]:
    """Return the summary and the description."""
    thing, a_thing = resource.thing, resource.a_thing
    match action.name:
        case "list":
            return (
                f"List {resource.things}",
                "A page at a time: `next` is the cursor of the next page, null on the last.",
            )
        case "get":
            return f"Get {a_thing}", f"One {thing} by its key."
        case "create":
            return f"Create {a_thing}", "What may be left out and is left out gets the database's default."
        case "update":
            guard = (
                " Send the ETag that you have as If-Match: 412 tells that it has changed." if resource.versioned else ""
            )
            return f"Change {a_thing}", f"Changes the fields that are sent.{guard}"
    return f"Delete {a_thing}", f"The {thing} is gone; 409 while something still refers to it."


def _parameters(resource: ResourceView, action: ActionView, spec: Spec) -> Iterable[Node]:
    if action.name == "list":
        yield from _query(resource, spec)
    elif action.name == "create":
        if action.idempotency != "off":
            name = "RequiredIdempotencyKey" if action.idempotency == "required" else "IdempotencyKey"
            yield _reference("parameters", name)
    else:
        for key in resource.keys:
            yield {
                "name": key.field,
                "in": "path",
                "required": True,
                "schema": domains.json_schema(key.values),
                "example": samples.sample(key.values, key.column),
            }
        if resource.versioned and action.name != "delete":
            yield _reference("parameters", "IfMatch" if action.name == "update" else "IfNoneMatch")


def _query(resource: ResourceView, spec: Spec) -> Iterable[Node]:
    limits = {"type": "integer", "minimum": 1, "maximum": spec.page.max, "default": spec.page.default}
    yield {"name": "limit", "in": "query", "description": "Rows on a page.", "schema": limits}
    yield {
        "name": "cursor",
        "in": "query",
        "description": "`next` of the page before, with the same sort and filters.",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]+$"},
    }
    if resource.sort_source:
        words = [sort.name for sort in resource.sql.sorts]
        schema = domains.choice_schema(words) | {"default": words[0]}
        yield {"name": "sort", "in": "query", "description": "`-` sorts descending.", "schema": schema}
    for field in resource.filters:
        column, _, operator = field.column.rstrip("]").partition("[")
        meaning = f"{column} {statements.OPERATORS.get(operator, '=')} this"
        yield {"name": field.column, "in": "query", "description": meaning, "schema": domains.json_schema(field.values)}


def _responses(resource: ResourceView, action: ActionView, spec: Spec) -> Node:
    problems = {"500": "Unexpected", "503": "Unavailable", "422": "InvalidRequest"}
    if action.secured:
        problems |= {"401": "Unauthorized"}
    if action.permitted or action.secured:
        problems |= {"403": "Forbidden"}
    match action.name:
        case "list":
            problems |= {"400": "BadRequest"}
        case "create":
            problems |= {"400": "BadRequest", "409": "Conflict", "413": "TooLarge", "415": "UnsupportedMediaType"}
        case "update":
            problems |= {"400": "BadRequest", "404": "NotFound", "409": "Conflict", "413": "TooLarge"}
            problems |= {"415": "UnsupportedMediaType"}
            if resource.versioned:
                problems |= {"412": "PreconditionFailed", "428": "PreconditionRequired"}
        case "get":
            problems |= {"404": "NotFound"}
            if resource.versioned:
                problems |= {"304": "NotModified"}
        case "delete":
            problems |= {"404": "NotFound", "409": "Conflict"}
    responses = {status: _reference("responses", name) for status, name in problems.items()}
    status, success = _success(resource, action, spec)
    return responses | {status: success}


def _success(resource: ResourceView, action: ActionView, spec: Spec) -> tuple[str, Node]:
    headers: Node = {_CORRELATION: _reference("headers", "RequestId")}
    if action.name == "delete":
        return "204", {"description": "It is gone.", "headers": headers}
    if action.name == "list":
        headers["Link"] = _reference("headers", "Link")
        example: Node = {"items": [_row_example(resource, spec)], "next": _CURSOR}
        return "200", _json("A page.", headers, f"{resource.type}Page", example)
    if resource.versioned:
        headers["ETag"] = _reference("headers", "ETag")
    if action.name == "create":
        location = {"type": "string", "format": "uri-reference"}
        headers["Location"] = {"description": "The path of the new row.", "required": True, "schema": location}
        if action.idempotency != "off":
            headers["Idempotency-Replayed"] = _reference("headers", "Idempotency-Replayed")
    status = "201" if action.name == "create" else "200"
    return status, _json(f"The {resource.thing}.", headers, resource.type, _row_example(resource, spec))


def _json(description: str, headers: Node, schema: str, example: object) -> Node:
    media = {"schema": _reference("schemas", schema), "example": example}
    return {"description": description, "headers": headers, "content": {"application/json": media}}


def _schemas(resource: ResourceView, spec: Spec) -> Iterable[tuple[str, Node]]:
    properties = {name: _response_property(values, nullable) for name, values, nullable in _row(resource, spec)}
    yield resource.type, _object(properties, required=list(properties))
    if resource.list:
        page = {
            "items": {"type": "array", "items": _reference("schemas", resource.type), "maxItems": spec.page.max},
            "next": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        }
        yield f"{resource.type}Page", _object(page, required=["items", "next"])
    if resource.create:
        required = [field.column for field in resource.body if field.required]
        yield f"{resource.type}Create", _object({f.column: _property(f) for f in resource.body}, required=required)
    if resource.update:
        changes = {field.column: _property(field) for field in resource.changes}
        yield f"{resource.type}Update", _object(changes, required=[]) | {"minProperties": 1}


def _object(properties: Node, required: list[str]) -> Node:
    made: Node = {"type": "object", "additionalProperties": False, "properties": properties}
    return made | {"required": required} if required else made


def _property(field: FieldView) -> Node:
    schema = domains.json_schema(field.values)
    return _nullable(schema) if field.nullable else schema


def _nullable(schema: Node) -> Node:
    if "anyOf" in schema:
        return {"anyOf": [*schema["anyOf"], {"type": "null"}]}
    return {"anyOf": [schema, {"type": "null"}]}


def _response_property(values: Domain, nullable: bool) -> Node:
    schema = domains.response_schema(values)
    return _nullable(schema) if nullable and schema else schema


def _row(resource: ResourceView, spec: Spec) -> Iterable[tuple[str, Domain, bool]]:
    table = resource.resource.table
    for column in statements.shown(table):
        nullable = not column.not_null and column.name not in table.primary_key
        yield column.name, domains.domain(table, column, spec.schema), nullable


def _row_example(resource: ResourceView, spec: Spec) -> Node:
    return {name: samples.sample(values, name) for name, values, _ in _row(resource, spec)}


def _body_example(fields: Sequence[FieldView], *, whole: bool) -> Node:
    chosen = [field for field in fields if field.required or not whole] or list(fields)
    return {field.column: samples.sample(field.values, field.column) for field in (chosen if whole else chosen[:1])}
