"""What is written to the log whole: the body of a request, with all that a caller told."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from backendgen.audit.checks.secrets import KEEPS, logged, written
from backendgen.audit.checks.walk import class_of, hit, is_command, own_nodes
from backendgen.audit.queries.tables import schema_fields
from backendgen.audit.registry import Context, check
from backendgen.code.nodes import unparse
from backendgen.code.symbols import Class, Function
from backendgen.findings.finding import Hit
from backendgen.rules import Confidence

REQUESTS = frozenset({"request", "req", "self.request", "flask.request"})
PARTS = frozenset({"body", "data", "POST", "json", "form", "values"})
READERS = frozenset({"body", "json", "form", "post", "text", "read", "get_json", "get_data"})
SHOWS = KEEPS | {"vars", "json.dumps", "pformat", "pprint.pformat", "orjson.dumps"}
UNFOLDS = frozenset({"decode", "dict", "model_dump", "model_dump_json", "to_dict", "copy", "items", "format"})
TELLS = re.compile(
    r"(?:^|_)(?:passwords?|passwd|passphrase|secret|token|api_key|pin|otp|e?mail(?:_address)?|phone(?:_number)?|mobile|address|street|birth\w*"
    r"|first_name|last_name|full_name|surname|iban|card|card_number|cvv|cvc|ssn|passport|salary|diagnosis|gender)$",
    re.IGNORECASE,
)
ABOUT_PEOPLE = re.compile(
    r"sign_?(?:up|in)|log_?in|regist|accounts?|users?|profile|password|customer|patient|member|contact|orders?(?!_?by)|checkout|payment",
    re.IGNORECASE,
)
DETAIL = "debug"


@check("BG403")
def body_in_log(context: Context) -> Iterator[Hit]:
    """Requests' bodies given to a logger as they are."""
    handlers = {id(one.handler.node): one for one in context.service.endpoints}
    for module, call, function in logged(context):
        if function is None or is_command(module.file):
            continue
        endpoint = handlers.get(id(function.node))
        bodies = {one.name for one in endpoint.parameters if one.source == "body"} if endpoint else set()
        shown = next(filter(None, (_whole(one, function, bodies) for one in written(call))), None)
        if shown is None:
            continue
        told = _told(context, shown, function)
        if isinstance(shown, ast.Name) and shown.id in bodies and not told:
            continue
        name, is_detail = unparse(shown), isinstance(call.func, ast.Attribute) and call.func.attr == DETAIL
        is_personal = told or ABOUT_PEOPLE.search(endpoint.name if endpoint else function.name)
        yield hit(
            module,
            call,
            f"{{who}} writes the whole body of its requests to the log (`{name}`{f', `{told}` among it' if told else ''}): "
            "what callers tell stays there, for all who may read logs, and in every copy",
            f"log what identifies the request, not what it says: an id, its size, the names of its fields: `sorted({name})`",
            Confidence.MEDIUM if is_personal and not is_detail else None,
        )


def _told(context: Context, body: ast.expr, function: Function) -> str:
    """The first field of a body's model that is personal or secret."""
    owner = class_of(context, body, function)
    names = schema_fields(context.symbols, owner) if isinstance(owner, Class) else {}
    return next((name for name in names if TELLS.search(name)), "")


def _whole(node: ast.expr, function: Function, bodies: set[str]) -> ast.expr | None:
    """The body that a text shows as it is: a request's, a parameter that is one, or a name for it."""
    if isinstance(node, ast.Await | ast.FormattedValue):
        return _whole(node.value, function, bodies)
    if isinstance(node, ast.Name):
        return node if node.id in bodies or _stands_for_body(node.id, function) else None
    if _is_body(node):
        return node
    if isinstance(node, ast.Call):
        called = unparse(node.func)
        inner = node.args if called in SHOWS else []
        if isinstance(node.func, ast.Attribute) and node.func.attr in UNFOLDS:
            inner = [node.func.value, *(node.args if node.func.attr == "format" else ())]
        return next(filter(None, (_whole(one, function, bodies) for one in inner)), None)
    if isinstance(node, ast.JoinedStr | ast.BinOp | ast.Tuple | ast.List | ast.Dict):
        parts = (one for one in ast.iter_child_nodes(node) if isinstance(one, ast.expr))
        return next(filter(None, (_whole(one, function, bodies) for one in parts)), None)
    return None


def _is_body(node: ast.expr) -> bool:
    """Is this `request.POST`, `request.get_json()`, `await request.body()`?"""
    inner = node.value if isinstance(node, ast.Await) else node
    names = READERS if isinstance(inner, ast.Call) else PARTS
    place = inner.func if isinstance(inner, ast.Call) else inner
    return isinstance(place, ast.Attribute) and place.attr in names and unparse(place.value) in REQUESTS


def _stands_for_body(name: str, function: Function) -> bool:
    """Is a name only ever given a request's body in this function?"""
    given = [
        node.value
        for node in own_nodes(function)
        if isinstance(node, ast.Assign) and any(isinstance(one, ast.Name) and one.id == name for one in node.targets)
    ]
    return bool(given) and all(map(_is_body, given))
