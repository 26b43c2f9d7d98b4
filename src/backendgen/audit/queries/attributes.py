"""What attributes give: of a request, a body, a row, the user, or an instance."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from backendgen.audit.flow.values import place
from backendgen.audit.queries.model import EACH, NOTHING, USER, Access, Lazy, Root, Roots, Value, either
from backendgen.code.symbols import Function, Variable

if TYPE_CHECKING:
    from backendgen.audit.queries.frame import Frame

PARTS: dict[str, str] = {
    "path_params": "path", "view_args": "path", "match_info": "path", "resolver_match": "path",
    "query_params": "query", "args": "query", "GET": "query", "query": "query", "rel_url": "query", "values": "query",
    "headers": "header", "META": "header", "authorization": "header", "cookies": "cookie", "COOKIES": "cookie",
    "json": "body", "get_json": "body", "form": "body", "POST": "body", "data": "body", "get_data": "body",
    "body": "body",
    "FILES": "body", "files": "body", "stream": "body", "post": "body", "get": "body",
}  # fmt: skip
NO_PARTS = frozenset({
    "app", "url", "base_url", "method", "client", "path", "full_path", "remote_addr", "host", "scheme", "url_for",
    "url_root", "endpoint", "blueprint", "content_type", "content_length", "LANGUAGE_CODE", "htmx", "add_task",
    "build_absolute_uri", "is_secure", "get_full_path", "get_host", "accepts", "receive", "send", "scope", "is_json",
    "encoding", "environ", "version", "versioning_scheme", "receive_json", "receive_text", "send_json", "accept",
    "set_cookie", "delete_cookie", "status_code", "is_disconnected", "close",
})  # fmt: skip
EQUIPMENT = frozenset({
    "db", "database", "db_session", "pool", "redis", "limiter", "settings", "config", "engine", "client",
    "logger", "log",
    "cache", "storage", "app", "http", "http_client", "translator", "tracer", "metrics", "broker", "queue",
    "sessionmaker",
})  # fmt: skip


def attribute(frame: Frame, base: Value, node: ast.Attribute) -> Value:
    """An attribute of a value: of a request, a body, a row, the user, or an instance."""
    held = base.held(node.attr)
    if held is not None:
        return held
    if base.statement is not None:
        return base
    for root in base.roots:
        if root.kind == "request":
            return _of_request(node.attr)
    if base.kind is not None:
        member = frame.tracer.symbols.member(base.kind, node.attr)
        if isinstance(member, Function) and _is_property(member):
            return frame.tracer.call(frame, member, {member.parameters[0].arg: base} if member.parameters else {})
        if isinstance(member, Variable):
            table = frame.tracer.tables.of(base.kind)
            if table is not None:
                _loaded(frame, base, table.relations - table.eager, node)
                return Value(base.roots)
            known = frame.tracer.symbol(member)
            if known != NOTHING:
                return either(known, Value(base.roots)) if base.roots else known
            return frame.typed(Value(named(base.roots, node.attr)), member.annotation, member.module)
    if node.attr in EQUIPMENT and base.roots == {USER}:
        return NOTHING
    return Value(named(base.roots, node.attr))


def _loaded(frame: Frame, base: Value, relations: frozenset[str], node: ast.Attribute) -> None:
    """A relationship of a row in a loop over rows, that the query did not load with them."""
    statement = base.row
    if not frame.loops or statement is None or node.attr not in relations or node.attr in statement.eager:
        return
    if statement.opaque or base.held(EACH) is None:
        return
    lazy = Lazy(statement.table, node.attr, place(frame.function.path, node), frame.function, statement)
    frame.access = frame.access.plus(Access(lazy=(lazy,)))


def _of_request(name: str) -> Value:
    """An attribute of a request: a part that the caller chooses, or something that was put there about the caller."""
    kind = PARTS.get(name)
    if kind is not None:
        return Value(frozenset({Root(kind)}))  # type: ignore[arg-type]
    return NOTHING if name in NO_PARTS else Value(frozenset({USER}))


def named(roots: Roots, name: str) -> Roots:
    """The roots of an attribute or entry: a body's is that field."""
    return frozenset(
        Root(root.kind, name) if root.kind in ("body", "query", "path") and not root.name else root for root in roots
    )


def _is_property(function: Function) -> bool:
    """Is reading the attribute a call?"""
    return any(
        "property" in (each.id if isinstance(each, ast.Name) else getattr(each, "attr", ""))
        for each in function.node.decorator_list
    )
