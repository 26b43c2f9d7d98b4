"""Faults in what views, checks and credentials are made of.

Drawn only where they are faults: a check that a handler makes once, in a function that an endpoint reaches (of a path:
where it is opened or sent too, and not taken from a token that was made for a checked one); a list for
`subprocess` that holds more than constants, in a function; an owner's condition of a view that serves whoever is signed
in, when it is the only one of its query. Settings for tests, continuous integration and development serve nobody.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from mutation import Mutation, Text

from backendgen.audit.checks.walk import reached
from backendgen.audit.registry import Context
from backendgen.audit.service import WRITES, Endpoint
from backendgen.code.project import is_test
from backendgen.code.symbols import Function

OWNER = re.compile(
    r"owner|user|author|creator|org|tenant|account|space|team|company|household|created_by", re.IGNORECASE
)
CALLER = re.compile(r"\brequest\.(?:user|space|team|tenant|organi[sz]ation|org|account)\b")
LACKS = re.compile(
    r"\bnot\b[^()]*(?:\bis_(?:superuser|admin|staff)\b|\bhas_(?:perm|role)\w*\()|\.role\b\s*(?:!=|not in)"
)
PATHS = re.compile(r"\.is_relative_to\(|\bcommonpath\(|\bcommonprefix\(|(?:resolve|realpath|abspath)\(.*\.startswith\(")
SERVES = re.compile(r"FileResponse\(|\bopen\(|send_file|\.(?:read|write)_(?:text|bytes)\(|\.unlink\(|rmtree\(")
TARGETS = frozenset({"url_has_allowed_host_and_scheme", "is_safe_url"})
SESSIONS = re.compile(r"login_required|permission_required|user_passes_test")
STARTS = frozenset(f"subprocess.{one}" for one in ("run", "call", "check_call", "check_output", "Popen"))
UNSERVED = re.compile(r"(?:^|[/_])(?:ci|tests?|testing|dev|development|local|debug)(?:_settings)?\.py$")
KEY = '"k9fQx2ZrT7vLpW1aSd8GhJ4mNb6Yc3Ue"'


def credentials(text: Text, node: ast.AST) -> Iterator[Mutation]:
    """Weaker hashes of passwords, a key in the code, a command that a shell reads, the check of forms left out."""
    if isinstance(node, ast.Call):
        name = text.of(node.func)
        if name == "bcrypt.gensalt" and not node.args and not node.keywords:
            yield text.swapped("password hash weakened", node, "bcrypt.gensalt(4)")
        if name in ("hashlib.pbkdf2_hmac", "pbkdf2_hmac") and len(node.args) == 4:
            yield text.swapped("password hash weakened", node.args[3], "1000")  # type: ignore[arg-type]
        if name.endswith("CryptContext"):
            for one in node.keywords:
                if one.arg == "schemes":
                    yield text.swapped("password hash weakened", one.value, '["md5_crypt"]')
        listed = node.args[0] if name in STARTS and node.args else None
        if (
            isinstance(listed, ast.List)
            and node.col_offset > 0
            and text.file.symbol_at(node.lineno)
            and not any(one.arg == "shell" for one in node.keywords)
            and not all(isinstance(one, ast.Constant) for one in listed.elts)
        ):
            changed = f'" ".join({text.of(listed)}), shell=True'
            yield Mutation("shell=True", text.file.path, node.lineno, text.start(listed), text.end(listed), changed)
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and not UNSERVED.search(text.file.path):
        target = text.of(node.targets[0])
        if target == "SECRET_KEY" and not isinstance(node.value, ast.Constant):
            yield text.swapped("secret in code", node.value, KEY)
        if target == "PASSWORD_HASHERS" and isinstance(node.value, ast.List | ast.Tuple):
            yield text.swapped(
                "password hash weakened", node.value, '["django.contrib.auth.hashers.MD5PasswordHasher"]'
            )
        if target == "MIDDLEWARE" and isinstance(node.value, ast.List | ast.Tuple):
            for one in node.value.elts:
                if isinstance(one, ast.Constant) and one.value == "django.middleware.csrf.CsrfViewMiddleware":
                    yield text.without("csrf off", one)


def views(context: Context) -> Iterator[Mutation]:
    """What classes of views and single handlers say of owners, pages and forged requests."""
    seen: set[int] = set()
    for endpoint in context.service.endpoints:
        file = context.project.by_path.get(endpoint.handler.path)
        node = endpoint.handler.node
        is_function = endpoint.view is None and isinstance(node, ast.FunctionDef)
        is_session = any(SESSIONS.search(ast.unparse(one)) for one in node.decorator_list) and endpoint.method in WRITES
        if endpoint.framework == "Django" and is_function and is_session and file is not None and id(node) not in seen:
            seen.add(id(node))
            at = Text(file).start(node.decorator_list[0]) - 1
            needs = "from django.views.decorators.csrf import csrf_exempt"
            yield Mutation("csrf off", file.path, node.lineno, at, at, "@csrf_exempt\n", endpoint.name, needs)
        view = endpoint.view
        if view is None or id(view.node) in seen or is_test(view.module.file.path) or not endpoint.guards:
            continue
        seen.add(id(view.node))
        is_asked = context.facts.is_administration(endpoint) or context.facts.roles(endpoint)
        yield from of_class(Text(view.module.file), view.node, "" if is_asked else endpoint.name)


def of_class(text: Text, view: ast.AST, name: str) -> Iterator[Mutation]:
    """A view without its pages, or, when it has a name, without the owner's condition of its rows."""
    for node in view.body if isinstance(view, ast.ClassDef) else ():
        is_pages = isinstance(node, ast.Assign) and text.of(node.targets[0]) == "pagination_class"
        if isinstance(node, ast.Assign) and is_pages and not isinstance(node.value, ast.Constant):
            yield text.swapped("pagination removed", node.value, "None")
        if not (isinstance(node, ast.FunctionDef) and node.name == "get_queryset" and name):
            continue
        found = [
            (call, keyword)
            for call in ast.walk(node)
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "filter"
            for keyword in call.keywords
            if keyword.arg and OWNER.search(keyword.arg) and CALLER.search(text.of(keyword.value))
        ]
        if (
            len(found) == 1 and len(CALLER.findall(text.of_block(node))) == 1
        ):  # with two, the other one keeps to the caller's
            call, keyword = found[0]
            alone = len(call.keywords) == 1 and not call.args and isinstance(call.func, ast.Attribute)
            if alone and isinstance(call.func, ast.Attribute):
                start = text.end(call.func.value)
                yield Mutation(
                    "tenant filter removed", text.file.path, call.lineno, start, text.end(call), ".all()", name
                )
            else:
                yield text.without("tenant filter removed", keyword, name)


def checks(context: Context, endpoints: Iterable[Endpoint]) -> Iterator[Mutation]:
    """Handlers without the test of a role, and what they reach without the test of a path or of a redirect's target."""
    seen: set[int] = set()
    for endpoint in endpoints:
        file = context.project.by_path.get(endpoint.handler.path)
        if file is not None and endpoint.guards and endpoint.writes:
            yield from roles(Text(file), endpoint)
        for function in reached(context, endpoint.handler):
            file = context.project.by_path.get(function.path)
            if id(function.node) in seen or file is None or is_test(file.path):
                continue
            seen.add(id(function.node))
            yield from places(Text(file), function)


def roles(text: Text, endpoint: Endpoint) -> Iterator[Mutation]:
    """The one refusal that a handler's body makes for a role."""
    found = [
        node
        for node in endpoint.handler.node.body
        if isinstance(node, ast.If) and not node.orelse and refuses(node) and LACKS.search(text.of(node.test))
    ]
    if len(found) == 1:
        yield text.swapped("role check removed", found[0], "pass", endpoint.name)


def refuses(node: ast.If) -> bool:
    """Does its body end the handler?"""
    return isinstance(node.body[-1], ast.Raise | ast.Return)


def places(text: Text, function: Function) -> Iterator[Mutation]:
    """A path that may leave its folder, a redirect that may leave the site."""
    found = [
        node
        for node in ast.walk(function.node)
        if isinstance(node, ast.If) and not node.orelse and refuses(node) and PATHS.search(text.of(node.test))
    ]
    is_sent = "Depends(" not in ast.unparse(function.node.args)  # else a signed token, perhaps, that was checked before
    if len(found) == 1 and is_sent and SERVES.search(text.of_block(function.node)):
        yield text.swapped("path check removed", found[0], "pass", function.name)
    for node in ast.walk(function.node):
        if isinstance(node, ast.Call) and text.of(node.func).rpartition(".")[2] in TARGETS:
            yield replace(text.swapped("redirect check removed", node, "True", function.name))
