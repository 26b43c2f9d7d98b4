"""What stands about a service: addresses of stores, a committed `.env`, headers, documentation, time limits."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from backendgen.audit.checks.containers import is_for_development
from backendgen.audit.checks.credentials import is_known_format, is_real_secret, names_secret
from backendgen.audit.checks.images import is_development
from backendgen.audit.registry import Context, check
from backendgen.code import git
from backendgen.code.project import is_test
from backendgen.code.symbols import External
from backendgen.findings.finding import Hit, Location
from backendgen.rules import Confidence

URL = re.compile(
    r"(?P<scheme>[a-z][\w+.-]*)://(?:(?P<user>[^:@/\s]*)(?::(?P<password>[^@/\s]*))?@)?(?P<host>[\w.-]+)(?P<rest>\S*)"
)
STORE = re.compile(r"(?:postgres(?:ql)?|mysql|mariadb|mongodb|redis|amqp)(?:\+\w+)?")
TLS = re.compile(
    r"sslmode=(?:require|verify)|\bssl=(?:true|1|require)|tls=true|ssl_?mode=|ssl_?ca|sslrootcert", re.IGNORECASE
)
NO_TLS = re.compile(r"sslmode=disable|ssl=false|ssl_cert_reqs=none|tlsAllowInvalid\w+=true", re.IGNORECASE)
PRIVATE = re.compile(
    r"^(?:localhost|127\.|10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|0\.0\.0\.0|[^.]+$)"
    r"|\.(?:local|internal|svc|cluster|test|example)(?:[.:]|$)|\bexample\."
)
SAMPLE = re.compile(r"example|sample|template|dist|default|defaults|tmpl|schema", re.IGNORECASE)
HEADERS = (
    "x-frame-options", "content-security-policy", "x-content-type-options", "talisman", "secure_headers", "secureheaders",
    "from secure import", "import secure\n",
)  # fmt: skip
TIMEOUTS = re.compile(
    r"statement_timeout|command_timeout|connect_timeout|pool_timeout|query_timeout|lock_timeout|max_execution_time|CONN_MAX_AGE"
)
ENGINES = frozenset(
    {
        "sqlalchemy.create_engine",
        "sqlalchemy.engine.create_engine",
        "sqlalchemy.ext.asyncio.create_async_engine",
        "sqlmodel.create_engine",
    }
)
STANDINGS: Mapping[str, tuple[str, Confidence | None]] = {
    "tracked": ("is in the repository", None),
    "outside": ("is in no .gitignore", Confidence.MEDIUM),
    "untracked": ("is not committed yet, and in no .gitignore", Confidence.LOW),
    "ignored": ("", None),
}
RENDERS = re.compile(r"\bTemplateResponse\(|\brender_template\(|\bJinja2Templates\(")


@check("BG436")
def secret_in_env_file(context: Context) -> Iterator[Hit]:
    """Secrets in a `.env` that is, or is about to be, in the repository."""
    for path, variables in context.configuration.environments:
        if SAMPLE.search(path) or is_test(path) or is_development(path):
            kept = [one for one in variables if is_known_format(one.value)]
        else:
            kept = [one for one in variables if names_secret(one.name) and is_real_secret(one.value)]
        if not kept:
            continue
        where, confidence = STANDINGS[git.standing(context.project.root / path)]
        if not where:
            continue
        for one in kept:
            message = f"`{one.name}` has a real value, and {path} {where}: whoever reads the repository has it"
            fix = f"replace the secret; then: git rm --cached {path} && echo {path} >> .gitignore"
            yield Hit(Location(path, one.line), message, fix, one.name, confidence=confidence)


def _addresses(context: Context) -> Iterator[tuple[str, int, str, str]]:
    """Yield (path, line, name, address) of the stores that production is told to use."""
    for path, variables in context.configuration.environments:
        if not SAMPLE.search(path) and not is_development(path):
            yield from ((path, one.line, one.name, one.value) for one in variables)
    for file in context.configuration.compose:
        if not is_for_development(file):
            for container in file.containers:
                yield from ((file.path, one.line, one.name, one.value or "") for one in container.environment)
    for dockerfile in context.configuration.dockerfiles:
        if not is_development(dockerfile.path):
            for one in (one for stage in dockerfile.stages for one in stage.of("ENV")):
                yield from ((dockerfile.path, one.line, name, value) for name, value in one.pairs)
    for settings in context.configuration.django:
        for name, values in settings.values.items():
            yield from ((one.path, one.line, name, one.value) for one in values if isinstance(one.value, str))


@check("BG441")
def store_without_tls(context: Context) -> Iterator[Hit]:
    """Addresses of databases, caches and queues beyond the own network, without TLS or without a password."""
    for path, line, name, address in _addresses(context):
        found = URL.match(address)
        if not found or not STORE.fullmatch(found["scheme"]):
            continue
        is_private = PRIVATE.search(found["host"]) is not None
        says_no = NO_TLS.search(found["rest"]) is not None
        scheme = found["scheme"].partition("+")[0]
        if says_no and not is_private:
            yield _store(path, line, name, "switches TLS off", "sslmode=verify-full", Confidence.HIGH)
        elif not is_private and not TLS.search(found["rest"]):
            secure = {"redis": "rediss://", "amqp": "amqps://", "mongodb": "tls=true"}.get(
                scheme, "?sslmode=verify-full"
            )
            yield _store(path, line, name, f"reaches `{found['host']}` without TLS", secure, Confidence.MEDIUM)
        if scheme in ("redis", "mongodb") and not found["password"] and not is_private:
            what = f"reaches `{found['host']}` without a password"
            yield _store(path, line, name, what, f"{scheme}://user:...@", Confidence.MEDIUM)


def _store(path: str, line: int, name: str, what: str, fix: str, confidence: Confidence) -> Hit:
    message = f"{name} {what}: who is on the way, or in the network, reads and writes the data"
    return Hit(Location(path, line), message, fix, name, confidence=confidence)


@check("BG442")
def no_database_timeouts(context: Context) -> Iterator[Hit]:
    """A database engine, and no word on how long a statement or a connection may take."""
    first: Location | None = None
    for module in context.symbols.modules.values():
        if is_test(module.file.path):
            continue
        if TIMEOUTS.search(module.file.text):
            return
        if "create_engine" in module.file.text or "create_async_engine" in module.file.text:
            for call, function in module.calls:
                target = context.symbols.value(call.func, module, function)
                if first is None and function is None and isinstance(target, External) and target.name in ENGINES:
                    first = Location(module.file.path, call.lineno, call.col_offset + 1)
    is_set = any(TIMEOUTS.search(one.text) for one in context.configuration.documents)
    if first is not None and context.service.endpoints and not is_set:
        message = "the engine has no time limit for statements or connections: one slow query holds one for ever"
        yield Hit(first, message, 'connect_args={"options": "-c statement_timeout=5000"}, pool_timeout=5')


@check("BG443")
def no_security_headers(context: Context) -> Iterator[Hit]:
    """HTML without the headers that bind browsers."""
    if context.configuration.django or not context.service.endpoints:
        return
    first: Location | None = None
    for module in context.symbols.modules.values():
        if is_test(module.file.path):
            continue
        text = module.file.text.lower()
        if any(words in text for words in HEADERS):
            return
        found = RENDERS.search(module.file.text)
        if found and first is None:
            first = Location(module.file.path, module.file.text.count("\n", 0, found.start()) + 1)
    if first is not None:
        message = "pages go out without Content-Security-Policy, X-Frame-Options and X-Content-Type-Options"
        fix = "response.headers[\"Content-Security-Policy\"] = \"default-src 'self'; frame-ancestors 'none'\""
        yield Hit(first, message, fix)


@check("BG444")
def documentation_exposed(context: Context) -> Iterator[Hit]:
    """FastAPI's pages of documentation, open in a service that asks who calls."""
    if not context.service.has_authentication:
        return
    for module in context.symbols.modules.values():
        if "FastAPI(" not in module.file.text or is_test(module.file.path):
            continue
        for call, function in module.calls:
            target = context.symbols.value(call.func, module, function)
            if not isinstance(target, External) or target.name not in (
                "fastapi.FastAPI",
                "fastapi.applications.FastAPI",
            ):
                continue
            given = {one.arg for one in call.keywords}
            if not given & {"openapi_url", "docs_url", None}:
                message = (
                    "/docs, /redoc and /openapi.json list every endpoint to anyone, in a service that asks who calls"
                )
                place = Location(module.file.path, call.lineno, call.col_offset + 1)
                yield Hit(place, message, 'FastAPI(openapi_url="/openapi.json" if settings.debug else None)')
