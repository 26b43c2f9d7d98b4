"""Connections that do not know whom they talk to."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from backendgen.audit.checks.walk import hit
from backendgen.audit.registry import Context, check
from backendgen.findings.finding import Hit

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
