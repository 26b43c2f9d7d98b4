"""What a service runs with: its server's options, its workers' messages, what it tells others, Flask's settings."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from backendgen.audit.checks.containers import is_for_development
from backendgen.audit.checks.images import built
from backendgen.audit.registry import Context, check
from backendgen.code.nodes import unparse
from backendgen.code.project import is_test
from backendgen.code.settings_reading import UNKNOWN
from backendgen.code.symbols import External, Module
from backendgen.findings.finding import Hit, Location
from backendgen.rules import Confidence, Severity

SERIALIZERS = re.compile(
    r"(?:task_serializer|result_serializer|accept_content|CELERY_\w*(?:SERIALIZER|ACCEPT_CONTENT))$"
)
UNSAFE_COMMANDS = (
    (re.compile(r"\b(?:manage\.py|django-admin)\s+runserver(?:_plus)?\b"), "Django's development server"),
    (re.compile(r"(?:^|[\s;&|])flask\s+(?:-\S+\s+\S+\s+)*run\b"), "Flask's development server"),
    (re.compile(r"\bfastapi\s+dev\b"), "FastAPI's development mode"),
    (re.compile(r"\b(?:gunicorn|uvicorn|hypercorn|granian)\b.*\s--reload\b"), "a server that watches its files"),
    (re.compile(r"\bgunicorn\b.*\s--limit-request-(?:line|field_size)[ =]0\b"), "gunicorn without a limit of headers"),
)
TRUSTS_ANYONE = re.compile(r"--forwarded-allow-ips[ =][\"']?\*")
GUNICORN = {
    "reload": (True, "watches its files and reloads"),
    "limit_request_line": (0, "takes request lines of any length"),
    "limit_request_field_size": (0, "takes headers of any length"),
}
FLASK_CLASS = re.compile(r"Config(?:uration)?$|^Config|^Production|^Base|^Default")
NOT_PRODUCTION = re.compile(r"dev|test|local|debug|stag", re.IGNORECASE)
FLASK_PLACES = re.compile(r"\.config\b|^class \w*(?:Config|Production|Base|Default)", re.MULTILINE)
FLASK = {
    "DEBUG": (True, "errors answer with code, and with a console that runs code"),
    "SESSION_COOKIE_SECURE": (False, "the session cookie is sent without TLS too"),
    "SESSION_COOKIE_HTTPONLY": (False, "a script that gets into a page takes the session along"),
    "REMEMBER_COOKIE_SECURE": (False, "the cookie that signs in is sent without TLS too"),
    "REMEMBER_COOKIE_HTTPONLY": (False, "a script that gets into a page takes the sign-in along"),
    "WTF_CSRF_ENABLED": (False, "any website can send forms in a user's name"),
    "WTF_CSRF_CHECK_DEFAULT": (False, "any website can send forms in a user's name"),
}


def _commands(context: Context) -> Iterator[tuple[str, int, str]]:
    """Yield (path, line, command) of everything that is started in production, as far as files say it."""
    for dockerfile in context.configuration.dockerfiles:
        for stage in built(dockerfile):
            lineage = dockerfile.lineage(stage)
            starts = [one for one in (next(iter(reversed(list(part.of(word)))), None)
                      for word in ("ENTRYPOINT", "CMD") for part in lineage) if one is not None]  # fmt: skip
            for one in starts:
                yield dockerfile.path, one.line, " ".join(one.command) if one.command else one.text
    for file in context.configuration.compose:
        for container in file.containers if not is_for_development(file) else ():
            found = container.node.get("command")
            if found is not None:
                yield file.path, found.line, found.text or " ".join(node.text for node in found.items)
    for document in context.configuration.of("commands"):
        if document.name == "Procfile":
            yield from ((document.path, number, line) for number, line in enumerate(document.lines, 1))


@check("BG440")
def unsafe_server_options(context: Context) -> Iterator[Hit]:
    """Development servers and options in what production starts."""
    for path, line, command in _commands(context):
        for pattern, what in UNSAFE_COMMANDS:
            if pattern.search(command):
                message = f"production starts {what}: `{' '.join(command.split())[:100]}`"
                yield Hit(
                    Location(path, line), message, "gunicorn project.wsgi   # or uvicorn app.main:app, without --reload"
                )
                break
        if TRUSTS_ANYONE.search(command):
            yield _trusts_anyone(Location(path, line))
    for module in context.symbols.modules.values():
        if re.search(r"(?:^|/)gunicorn[\w.]*\.py$", module.file.path):
            yield from _gunicorn(module)


def _trusts_anyone(place: Location) -> Hit:
    message = "the server believes X-Forwarded-For of every caller: addresses in logs and limits are what they like"
    return Hit(
        place, message, "--forwarded-allow-ips=<the proxy's address>", confidence=Confidence.LOW, severity=Severity.LOW
    )


def _gunicorn(module: Module) -> Iterator[Hit]:
    for node in module.file.tree.body:
        if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Constant):
            continue
        for target in node.targets:
            name, value = unparse(target), node.value.value
            place = Location(module.file.path, node.lineno)
            if name in GUNICORN and value is not None and value == GUNICORN[name][0]:
                yield Hit(place, f"gunicorn {GUNICORN[name][1]}: `{name} = {value}`", f"leave out `{name}`", name)
            elif name == "forwarded_allow_ips" and value == "*":
                yield _trusts_anyone(place)


@check("BG417")
def pickled_messages(context: Context) -> Iterator[Hit]:
    """Sessions and messages of workers that are unpickled."""
    for settings in context.configuration.django:
        one = settings.only("SESSION_SERIALIZER")
        if one is not None and isinstance(one.value, str) and "pickle" in one.value.lower():
            message = (
                "sessions are unpickled: whoever can write one (or knows SECRET_KEY, with signed cookies) runs code"
            )
            fix = 'SESSION_SERIALIZER = "django.contrib.sessions.serializers.JSONSerializer"'
            yield Hit(Location(one.path, one.line), message, fix, "SESSION_SERIALIZER")
        names = ("CELERY_ACCEPT_CONTENT", "CELERY_TASK_SERIALIZER", "CELERY_RESULT_SERIALIZER")
        found = [(name, one) for name in names for one in settings.of(name) if one.value is not UNKNOWN]
        pickled = [
            _pickled(Location(one.path, one.line), name)
            for name, one in found
            if re.search(r"(?<!signed-)pickle", str(one.value)) is not None  # a signed one is the project's own
        ]
        yield from pickled[:1]
    yield from _celery(context)


def _pickled(place: Location, name: str) -> Hit:
    message = f"{name} takes pickle: whoever can put a message into the broker runs code in the workers"
    return Hit(place, message, f'{name} = ["json"]' if "ccept" in name.lower() else f'{name} = "json"', name)


def _celery(context: Context) -> Iterator[Hit]:
    """`app.conf.task_serializer = "pickle"` and its kin, in code that speaks of Celery."""
    known = {
        one.path for settings in context.configuration.django for values in settings.values.values() for one in values
    }
    for module in context.symbols.modules.values():
        text, path = module.file.text, module.file.path
        if "pickle" not in text or "celery" not in text.lower() or path in known or is_test(path):
            continue
        pickled = [
            _pickled(Location(path, value.lineno), name.rpartition(".")[2])
            for node in ast.walk(module.file.tree)
            for name, value in _given(node)
            if SERIALIZERS.search(name)
            and "pickle" in {one.value for one in ast.walk(value) if isinstance(one, ast.Constant)}
        ]
        pickled.sort(
            key=lambda hit: ("ccept" not in hit.symbol.lower(), hit.location)
        )  # what is taken, before what is sent
        yield from pickled[:1]


def _given(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Names with what is assigned or given to them."""
    if isinstance(node, ast.Assign):
        yield from ((unparse(target), node.value) for target in node.targets)
    elif isinstance(node, ast.keyword) and node.arg:
        yield node.arg, node.value


@check("BG418")
def personal_data_sent(context: Context) -> Iterator[Hit]:
    """Sentry that is given addresses, cookies and bodies of requests."""
    for module in context.symbols.modules.values():
        if "send_default_pii" not in module.file.text or is_test(module.file.path):
            continue
        for call, function in module.calls:
            target = context.symbols.value(call.func, module, function)
            if isinstance(target, External) and target.name == "sentry_sdk.init":
                for one in call.keywords:
                    if (
                        one.arg == "send_default_pii"
                        and isinstance(one.value, ast.Constant)
                        and one.value.value is True
                    ):
                        yield Hit(
                            Location(module.file.path, one.value.lineno, one.value.col_offset + 1),
                            "Sentry is sent users' addresses, names, cookies and bodies of requests with each error",
                            "send_default_pii=False",
                        )


@check("BG419")
def flask_settings(context: Context) -> Iterator[Hit]:
    """Flask's settings that are switched to unsafe, in classes, `app.config[...]` and `update`."""
    for module in context.symbols.modules.values() if _uses_flask(context) else ():
        text = module.file.text
        if not any(name in text for name in FLASK) or not FLASK_PLACES.search(text):
            continue
        if is_test(module.file.path) or NOT_PRODUCTION.search(_name(module)):
            continue
        seen: set[int] = set()
        for name, value in _flask_values(module):
            known = FLASK.get(name)
            if name == "WTF_CSRF_CHECK_DEFAULT" and ".protect()" in text:  # checked by hand, where it belongs
                continue
            if known and isinstance(value, ast.Constant) and value.value is known[0] and value.lineno not in seen:
                seen.add(value.lineno)
                place = Location(module.file.path, value.lineno, value.col_offset + 1)
                yield Hit(place, f"{name} is {value.value}: {known[1]}", f"{name} = {not value.value}", name)


def _name(module: Module) -> str:
    return module.file.path.rpartition("/")[2]


def _uses_flask(context: Context) -> bool:
    return any(one.framework == "Flask" for one in context.service.endpoints) or any(
        "flask" in module.imports or any(dotted == "flask" for dotted, _ in module.imports.values())
        for module in context.symbols.modules.values()
    )


def _flask_values(module: Module) -> Iterator[tuple[str, ast.expr]]:
    """Settings that a module gives to Flask, those for development and tests left out."""
    for one in module.classes:
        if FLASK_CLASS.search(one.node.name) and not NOT_PRODUCTION.search(one.node.name):
            for statement in one.node.body:
                if isinstance(statement, ast.Assign):
                    yield from ((unparse(target), statement.value) for target in statement.targets)
                elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
                    yield unparse(statement.target), statement.value
    guarded = {id(inner) for node in ast.walk(module.file.tree) if isinstance(node, ast.If) for inner in ast.walk(node)}
    for node in ast.walk(module.file.tree):
        if id(node) in guarded:  # only under some condition
            continue
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Subscript) and unparse(target.value).endswith(".config"):
                    key = target.slice
                    if isinstance(key, ast.Constant) and isinstance(key.value, str):
                        yield key.value, node.value
        elif isinstance(node, ast.Call) and re.search(r"\.config\.(?:update|from_mapping)$", unparse(node.func)):
            yield from ((keyword.arg, keyword.value) for keyword in node.keywords if keyword.arg)
            for given in node.args:
                if isinstance(given, ast.Dict):
                    keys = ((key, value) for key, value in zip(given.keys, given.values, strict=True))
                    yield from ((str(key.value), value) for key, value in keys if isinstance(key, ast.Constant))
