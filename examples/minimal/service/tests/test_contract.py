"""app/openapi.json is valid, says what is served, and holds against made-up requests."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from jsonschema_rs import Draft202012Validator
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from app.main import create_app
from dev.postgres import Access
from tests.auth_fixtures import SignIn
from tests.conftest import load_settings

FILE = Path(__file__).parent.parent / "app" / "openapi.json"
CONTRACT: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
SCHEMA = schemathesis.openapi.from_dict(CONTRACT)
CHECKS: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
PROSE = {"title", "description", "example", "examples", "summary"}

Operation = dict[str, Any]


def resolved(node: Any, document: Operation) -> Any:
    """Return the node with every reference replaced by what it refers to."""
    if isinstance(node, list):
        return [resolved(item, document) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        target: Any = document
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        return resolved(target, document)
    return {name: resolved(value, document) for name, value in node.items()}


def bare(schema: Any) -> Any:
    """Return a schema without prose and without the null that stands for what is not sent."""
    if isinstance(schema, list):
        return [bare(item) for item in schema]
    if isinstance(schema, dict):
        kept = {name: value for name, value in schema.items() if name not in PROSE}
        if "properties" in schema:  # the names of properties are no prose
            kept["properties"] = {name: bare(value) for name, value in schema["properties"].items()}
            return {
                name: value if name == "properties" else bare(value) for name, value in kept.items()
            }
        if kept.get("default", 0) is None:
            del kept["default"]
        return {name: bare(value) for name, value in kept.items()}
    return float(schema) if isinstance(schema, int) and not isinstance(schema, bool) else schema


def without_null(schema: Operation) -> Operation:
    """Return a parameter's schema without the null: a parameter is there or it is not."""
    options = [option for option in schema.get("anyOf", []) if option != {"type": "null"}]
    if "anyOf" not in schema or len(options) == len(schema["anyOf"]):
        return schema
    rest = {name: value for name, value in schema.items() if name != "anyOf"}
    return {**(options[0] if len(options) == 1 else {"anyOf": options}), **rest}


def promises(document: Operation) -> dict[str, Operation]:
    """Return for each operation what both sides must agree on."""
    found = {}
    for path, operations in document["paths"].items():
        for method, raw in operations.items():
            if raw.get("tags") == ["operations"]:
                continue
            operation = resolved(raw, document)
            body = operation.get("requestBody", {}).get("content", {})
            found[f"{method} {path}"] = {
                "id": operation["operationId"],
                "security": operation.get("security", []),
                "body": {media: bare(content["schema"]) for media, content in body.items()},
                "parameters": {
                    (parameter["in"], parameter["name"]): (
                        parameter.get("required", False),
                        bare(without_null(parameter["schema"])),
                    )
                    for parameter in operation.get("parameters", [])
                },
            }
    return found


def test_the_contract_is_valid() -> None:
    SCHEMA.validate()


def test_the_contract_is_what_is_served(database: Access) -> None:
    served = promises(create_app(load_settings(database)).openapi())
    written = promises(CONTRACT)
    assert written.keys() == served.keys()
    for name, operation in written.items():
        assert operation == served[name], name


def examples() -> Iterator[tuple[str, Any, Any]]:
    """Yield (where, schema, example) for every body and every response."""
    for path, operations in CONTRACT["paths"].items():
        for method, raw in operations.items():
            operation = resolved(raw, CONTRACT)
            bodies = {"request": operation.get("requestBody", {}), **operation["responses"]}
            for name, body in bodies.items():
                for media, content in body.get("content", {}).items():
                    yield f"{method} {path} {name} {media}", content["schema"], content["example"]


def test_every_example_is_valid() -> None:
    found = list(examples())
    assert found
    for where, schema, example in found:
        errors = [error.message for error in Draft202012Validator(schema).iter_errors(example)]
        assert not errors, where


@SCHEMA.parametrize()
@settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
def test_made_up_requests_get_documented_answers(
    case: Case[Any],
    server: str,
    sign_in: SignIn,
    tokens: dict[str, str],
) -> None:
    operation = case.operation.label
    if operation not in tokens:
        tokens[operation] = sign_in("user").headers["Authorization"]
    case.call_and_validate(
        base_url=server, headers={"Authorization": tokens[operation]}, checks=CHECKS
    )


@pytest.fixture(scope="module")
def tokens() -> dict[str, str]:
    """A token for each operation: one of them ends its session."""
    return {}
