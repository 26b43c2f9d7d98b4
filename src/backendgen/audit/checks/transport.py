"""Connections that do not know whom they talk to, or that wait for ever."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from backendgen.audit.checks.walk import class_of, habits, hit, is_command
from backendgen.audit.registry import Context, check
from backendgen.code.index import Use
from backendgen.code.nodes import unparse
from backendgen.code.symbols import External, Function, Module
from backendgen.findings.finding import Hit
from backendgen.rules import Confidence

OLD_PROTOCOLS = frozenset(
    f"ssl.{name}" for name in ("PROTOCOL_SSLv2", "PROTOCOL_SSLv3", "PROTOCOL_TLSv1", "PROTOCOL_TLSv1_1")
)
OLD_VERSIONS = frozenset(f"ssl.TLSVersion.{name}" for name in ("SSLv3", "TLSv1", "TLSv1_1", "MINIMUM_SUPPORTED"))
OPENSSL = frozenset(f"OpenSSL.SSL.{name}_METHOD" for name in ("SSLv2", "SSLv3", "SSLv23", "TLSv1", "TLSv1_1"))
TRUSTING = frozenset({"paramiko.AutoAddPolicy", "paramiko.WarningPolicy", "paramiko.client.AutoAddPolicy",
                      "paramiko.client.WarningPolicy"})  # fmt: skip
TLS = "use `ssl.create_default_context()`, which starts at TLS 1.2"


@check("BG213")
def old_tls(context: Context) -> Iterator[Hit]:
    """SSL and the first versions of TLS."""
    for use in context.index.calls("ssl.SSLContext", "ssl.wrap_socket", "OpenSSL.SSL.Context"):
        given = use.argument("protocol", 0) or use.argument("ssl_version") or use.argument("method")
        name = context.index.name_of(given, use.module, use.function) if given else ""
        if name in OLD_PROTOCOLS | OPENSSL - {"OpenSSL.SSL.SSLv23_METHOD"}:
            yield hit(use.module, use.call, f"{{who}} speaks `{name}`, which can be read by others", TLS)
    for node, module, function in context.index.nodes(ast.Assign):
        for target in node.targets:
            if isinstance(target, ast.Attribute) and target.attr == "minimum_version":
                name = context.index.name_of(node.value, module, function)
                if name in OLD_VERSIONS:
                    message = f"{{who}} lets the other side choose `{name}`, which can be read by others"
                    yield hit(module, node, message, "`minimum_version = ssl.TLSVersion.TLSv1_2`")


@check("BG214")
def any_ssh_host(context: Context) -> Iterator[Hit]:
    """SSH connections to whoever answers."""
    fix = "load the keys that are known: `client.load_system_host_keys()`, and leave paramiko's RejectPolicy"
    for use in context.index.methods("set_missing_host_key_policy"):
        policy = use.argument("policy", 0)
        made = policy.func if isinstance(policy, ast.Call) else policy
        name = context.index.name_of(made, use.module, use.function) if made is not None else ""
        if name in TRUSTING:
            yield hit(
                use.module, use.call, f"{{who}} trusts any SSH server (`{name}`): whoever sits between is let in", fix
            )
    for use in context.index.calls("asyncssh.connect"):
        known = use.argument("known_hosts")
        if isinstance(known, ast.Constant) and known.value is None:
            yield hit(
                use.module, use.call, "{who} trusts any SSH server (`known_hosts=None`)", "leave `known_hosts` out"
            )


METHODS = ("get", "post", "put", "patch", "delete", "head", "options", "request")
REQUESTS = tuple(f"requests.{method}" for method in METHODS)
HTTPX = tuple(f"httpx.{method}" for method in (*METHODS, "stream", "Client", "AsyncClient"))
CONNECTORS = (
    "aiohttp.TCPConnector", "urllib3.PoolManager", "urllib3.HTTPSConnectionPool", "urllib3.ProxyManager",
    "urllib3.connectionpool.HTTPSConnectionPool", "urllib3.connection_from_url", "urllib3.proxy_from_url",
)  # fmt: skip
OFF = frozenset({"verify", "ssl", "verify_ssl", "cert_reqs"})
UNVERIFIED = 'leave `verify` out; for a private authority name its certificate: `verify="/etc/ssl/company-ca.pem"`'


@check("BG203")
def not_verified(context: Context) -> Iterator[Hit]:
    """Certificates that nobody looks at."""
    for use in (*context.index.methods(*METHODS, "ws_connect", "send"), *context.index.calls(*HTTPX, *CONNECTORS)):
        off = next((one for one in use.call.keywords if one.arg in OFF and _is_off(context, one, use)), None)
        if off is not None:
            yield _unverified(use, unparse(off))
    for use in context.index.calls(*REQUESTS):
        off = next((one for one in use.call.keywords if one.arg == "verify" and _is_off(context, one, use)), None)
        if off is not None and isinstance(use.call.func, ast.Name):  # `from requests import get`
            yield _unverified(use, unparse(off))
    for use in context.index.calls("ssl._create_unverified_context"):
        yield _unverified(use, "_create_unverified_context")
    for use in context.index.calls("ssl.wrap_socket"):
        if not {one.arg for one in use.call.keywords} & {"cert_reqs", "server_side", None}:
            yield _unverified(use, "wrap_socket without cert_reqs")
    for each in context.index.assigned():
        target = each.target
        if not isinstance(target, ast.Attribute):
            continue
        is_context = target.attr == "verify_mode" and context.index.name_of(each.value, each.module) == "ssl.CERT_NONE"
        is_off = target.attr == "verify" and isinstance(each.value, ast.Constant) and each.value.value is False
        if is_context or (is_off and _is_session(context, target.value, each.module, each.function)):
            message = f"{{who}} sets `{unparse(target)}` to nothing: the connection is encrypted, but to anyone"
            yield hit(each.module, each.node, message, UNVERIFIED)


def _is_off(context: Context, keyword: ast.keyword, use: Use) -> bool:
    value = context.index.value(keyword.value, use.module, use.function)
    is_none = context.index.name_of(keyword.value, use.module, use.function) == "ssl.CERT_NONE"
    return is_none or value is False or value == 0 or value in ("CERT_NONE", "NONE")


def _unverified(use: Use, how: str) -> Hit:
    message = f"{{who}} does not verify whom it talks to (`{how}`): the connection is encrypted, but to anyone"
    return hit(use.module, use.call, message, UNVERIFIED)


def _is_session(context: Context, holder: ast.expr, module: Module, function: Function | None) -> bool:
    """Is this a session of requests?"""
    if isinstance(holder, ast.Name):
        made = getattr(context.symbols.value(holder, module, function), "value", None)
        if isinstance(made, ast.Call):
            return context.index.name_of(made.func, module, function) in ("requests.Session", "requests.session")
    owner = class_of(context, holder, function) if function is not None else None
    return isinstance(owner, External) and owner.name == "requests.Session"


@check("BG502")
def waits_for_ever(context: Context) -> Iterator[Hit]:
    """Calls of other services without a timeout."""
    yield from habits(_without_timeout(context))


def _without_timeout(context: Context) -> Iterator[Hit]:
    for use in context.index.calls(*REQUESTS):
        yield from _patient(use, lacks=True)
    for use in context.index.methods(*METHODS):
        holder = use.call.func.value  # type: ignore[attr-defined]  # a method's call is an attribute's
        if use.module.file.mentions("requests") and _is_session(context, holder, use.module, use.function):
            yield from _patient(use, lacks=True)
    for use in context.index.calls(*HTTPX):
        yield from _patient(use, lacks=False)
    for use in context.index.calls("urllib.request.urlopen"):
        yield from _patient(use, lacks=use.argument("timeout", 2) is None)


def _patient(use: Use, *, lacks: bool) -> Iterator[Hit]:
    given = use.argument("timeout")
    is_none = isinstance(given, ast.Constant) and given.value is None
    if is_none or (lacks and given is None and not use.is_open):
        yield hit(
            use.module,
            use.call,
            f"{{who}} calls `{unparse(use.call.func)}` without a timeout: when the other side never answers, "
            "this thread or connection is gone, until there are none",
            "timeout=10",
            Confidence.LOW if is_command(use.module.file) or use.module.file.mentions("pytest") else None,
        )
