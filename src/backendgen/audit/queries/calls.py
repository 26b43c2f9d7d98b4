"""What calls do: build statements, run them, enter functions of the project, make instances."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING

from backendgen.audit.flow.values import place
from backendgen.audit.queries import chains, sql
from backendgen.audit.queries.arguments import Arguments, bound, deep
from backendgen.audit.queries.attributes import attribute
from backendgen.audit.queries.building import (
    BUILDERS,
    BUILDING_MODULES,
    ONE,
    built,
    by_key,
    key_of,
    shortcut,
    text_runs,
)
from backendgen.audit.queries.model import NOTHING, NOWHERE, USER, Access, Root, Statement, Value, Write
from backendgen.code.nodes import last
from backendgen.code.symbols import Class, External, Function, Symbol

if TYPE_CHECKING:
    from backendgen.audit.queries.frame import Frame

TEXTS = frozenset({"SQL", "text", "dedent", "sql", "TextClause"})
DUMPS = frozenset({"dict", "model_dump", "asdict", "vars", "jsonable_encoder", "to_dict", "model_dump_json"})
RUNS = frozenset({
    "execute", "exec", "scalar", "scalars", "stream", "stream_scalars", "fetch", "fetchrow", "fetchval", "fetch_one",
    "fetch_all", "fetch_val", "executemany", "first", "all", "one", "read_sql",
})  # fmt: skip
DECODERS = ("jwt.", "jose.", "authlib.", "joserfc.", "itsdangerous.", "firebase_admin.auth.", "jwcrypto.")
ASKS_OF_OBJECTS = frozenset({"has_object_permission", "check_object_permissions"})  # of Django REST framework
HARMLESS = frozenset({
    "add", "append", "print", "info", "debug", "warning", "error", "exception", "refresh", "delete", "format", "dict",
    "update", "add_task", "send", "send_task", "delay", "apply_async", "capture", "log", "commit", "flush", "publish",
})  # fmt: skip
ANSWERS = frozenset({
    "jsonify", "JSONResponse", "ORJSONResponse", "UJSONResponse", "Response", "JsonResponse", "HttpResponse",
    "make_response", "dumps", "list", "tuple", "sorted", "dict", "Ok", "success", "copy", "deepcopy", "strip_tags",
})  # fmt: skip
ROW_WRITES = {
    "delete": "delete",
    "adelete": "delete",
    "update": "update",
    "sqlmodel_update": "update",
    "update_from_dict": "update",
}
SHORTCUTS = frozenset({"django.shortcuts.get_object_or_404", "django.shortcuts.get_list_or_404",
                       "django.shortcuts.aget_object_or_404", "rest_framework.generics.get_object_or_404"})  # fmt: skip


def called(frame: Frame, node: ast.Call) -> Value:
    """Return what a call gives, after noting what it does."""
    arguments = Arguments(
        tuple(node.args),
        tuple(frame.value(each) for each in node.args),
        {each.arg: frame.value(each.value) for each in node.keywords if each.arg},
        tuple(frame.value(each.value) for each in node.keywords if not each.arg),
    )
    if isinstance(node.func, ast.Attribute):
        return _method(frame, node, node.func, arguments)
    if isinstance(node.func, ast.Name) and node.func.id in frame.names:
        held = frame.names[node.func.id]
        return (
            _made(frame, node, held.itself, arguments)
            if held.itself is not None
            else _unknown(frame, node, held, arguments)
        )
    found = frame.tracer.symbols.value(node.func, frame.module, frame.function)
    return _symbol(frame, node, found, arguments)


def _symbol(frame: Frame, node: ast.Call, found: Symbol | None, arguments: Arguments) -> Value:
    """A call of something by its name."""
    if isinstance(found, Function):
        return _entered(frame, found, None, arguments)
    if isinstance(found, Class):
        return _made(frame, node, found, arguments)
    name = found.name if isinstance(found, External) else last(node.func)
    short = name.rpartition(".")[2]
    if name in SHORTCUTS and arguments.nodes:
        return shortcut(frame, node, arguments) or _unknown(frame, node, NOTHING, arguments)
    if short in BUILDERS and (name.startswith(BUILDING_MODULES) or not isinstance(found, External)):
        statement = built(frame, node, BUILDERS[short], arguments)
        if statement is not None:
            return Value(statement=statement)
    if short in TEXTS and arguments.values and arguments.values[0].text is not None:
        return arguments.values[0]
    if short == "setattr" and len(arguments.values) >= 3:
        base, key, value = arguments.values[:3]
        columns = ((key.text, value.roots),) if key.text else ()
        frame.changed(base, node, "update", columns, () if key.text else (value,))
        return NOTHING
    if short == "getattr" and len(arguments.values) >= 2:
        text = arguments.values[1].text
        asked = ast.copy_location(ast.Attribute(arguments.nodes[0], text or "?", ast.Load()), node)
        return attribute(frame, arguments.values[0], asked) if text else arguments.values[0]
    if short in DUMPS and arguments.values:
        return dumped(arguments.values[0], node)
    if name.startswith(DECODERS) and ("decode" in short or "verify" in short or short in ("loads", "unsign")):
        return Value(frozenset({USER}))
    return _unknown(frame, node, frame.tracer.symbol(found), arguments)


def _method(frame: Frame, node: ast.Call, func: ast.Attribute, arguments: Arguments) -> Value:
    """A call of a method, or of a module's function by its dotted name."""
    if isinstance(func.value, ast.Call) and isinstance(func.value.func, ast.Name) and func.value.func.id == "super":
        return _super(frame, func.attr, arguments)
    if not frame.is_local(func):
        found = frame.tracer.symbols.value(func, frame.module, frame.function)
        if isinstance(found, Function):
            owner = frame.tracer.symbols.value(func.value, frame.module, frame.function)
            own = Value(itself=owner) if isinstance(owner, Class) else None
            return _entered(frame, found, own, arguments)
        if isinstance(found, Class):
            return _made(frame, node, found, arguments)
        if isinstance(found, External) and not isinstance(frame.tracer.symbol(found), type(None)):
            base = frame.value(func.value)
            if base == NOTHING:
                return _symbol(frame, node, found, arguments)
    base = frame.value(func.value)
    return _on(frame, node, func, base, arguments)


def _on(frame: Frame, node: ast.Call, func: ast.Attribute, base: Value, arguments: Arguments) -> Value:
    """A method of a value."""
    name = func.attr
    if base.statement is not None:
        return chains.chained(frame, node, name, base.statement, arguments)
    if base.itself is not None:
        return _of_class(frame, node, name, base.itself, arguments)
    if base.kind is not None:
        member = frame.tracer.symbols.member(base.kind, name)
        if isinstance(member, Function):
            return _entered(frame, member, base, arguments)
    if any(root.kind == "request" for root in base.roots):
        part = attribute(frame, base, func)
        key = arguments.values[0].text if arguments.values else None
        return Value(frozenset(Root(root.kind, key or "") for root in part.roots))
    if name in DUMPS:
        return dumped(base, node)
    if (
        name == "get"
        and arguments.values
        and arguments.values[0].text is not None
        and base.has("body", "query", "path", "user")
    ):
        return attribute(
            frame, base, ast.copy_location(ast.Attribute(func.value, arguments.values[0].text, ast.Load()), node)
        )
    if name in ("get", "get_one", "get_or_404", "one_or_404") and len(arguments.values) >= 2:
        return by_key(frame, node, arguments) or _unknown(frame, node, base, arguments)
    if name in ("query", "select") and arguments.nodes:
        statement = built(frame, node, BUILDERS[name], arguments)
        if statement is not None:
            return Value(statement=replace(statement, lazy=name == "query"))
    if name == "delete" and arguments.values and not base.has("row"):
        frame.changed(arguments.values[0], node, "delete")
    if name in ROW_WRITES and base.has("row"):
        extra = arguments.keywords.get("update", NOTHING).holds if name == "sqlmodel_update" else ()
        columns = tuple((key, each.roots) for key, each in (*arguments.keywords.items(), *extra) if key != "update")
        whole = (*arguments.spread, *(arguments.values if name != "delete" else ()))
        frame.changed(base, node, ROW_WRITES[name], columns, whole)
        return base
    if name == "format" and base.text is not None:
        return base
    return _unknown(frame, node, base, arguments)


def _of_class(frame: Frame, node: ast.Call, name: str, owner: Class, arguments: Arguments) -> Value:
    """`Item.get(session, id)`, `Item.model_validate(body, update={...})`, `cls.method()`."""
    member = frame.tracer.symbols.member(owner, name)
    if isinstance(member, Function):
        return _entered(frame, member, Value(itself=owner), arguments)
    table = frame.tracer.tables.of(owner)
    first = arguments.values[0] if arguments.values else NOTHING
    if name in ("model_validate", "parse_obj", "from_orm", "model_construct", "construct", "validate"):
        update = arguments.keywords.get("update", NOTHING)
        if table is not None and not first.has("row"):
            columns = tuple((key, each.roots) for key, each in update.holds)
            frame.note(
                Write("insert", table.name, owner, place(frame.function.path, node), frame.function, columns, (first,)),
            )
            return Value(first.roots | {Root("row", table.name)}, owner)
        return replace(first, roots=first.roots | update.roots, kind=owner, dumped=False)
    if table is not None and name in ("get", "find_one", "get_or_none", "get_or_404") and arguments.values:
        statement = Statement("select", table.name, owner, place(frame.function.path, node), key_of(first))
        return frame.executed(statement, node, many=False)
    return _unknown(frame, node, NOTHING, arguments)


def _super(frame: Frame, name: str, arguments: Arguments) -> Value:
    """The next class's method, with the same instance."""
    owner = frame.function.owner or (frame.function.outer.owner if frame.function.outer else None)
    own = frame.names.get(frame.function.parameters[0].arg) if frame.function.parameters else None
    if owner is None:
        return NOTHING
    kind = (own.kind or own.itself) if own is not None else None
    lineage = frame.tracer.symbols.lineage(kind or owner)
    position = next((at for at, one in enumerate(lineage) if one == owner), 0)
    for one in lineage[position + 1 :]:
        member = one.module.members.get(id(one.node), {}).get(name)
        if isinstance(member, Function):
            return _entered(frame, member, own, arguments)
    return NOTHING


def _entered(frame: Frame, function: Function, own: Value | None, arguments: Arguments) -> Value:
    """A function of the project, with its parameters bound; a query's text that is handed over runs here."""
    texts = [each for each in arguments.all if each.text is not None and sql.read(each.text) is not None]
    if texts:
        return text_runs(frame, frame.function.node, texts[0], arguments, function.node.name)
    return frame.tracer.call(frame, function, bound(frame, function, own, arguments))


def _made(frame: Frame, node: ast.Call, owner: Class, arguments: Arguments) -> Value:
    """An instance: of a mapped class a new row, of any other what its `__init__` sets."""
    table = frame.tracer.tables.of(owner)
    if table is not None:
        columns = tuple((key, each.roots) for key, each in arguments.keywords.items())
        location = place(frame.function.path, node)
        frame.note(Write("insert", table.name, owner, location, frame.function, columns, arguments.spread))
        return Value(arguments.roots | {Root("row", table.name)}, owner)
    maker = frame.tracer.symbols.member(owner, "__init__")
    if isinstance(maker, Function):
        return frame.tracer.made(frame, owner, maker, bound(frame, maker, Value(kind=owner), arguments))
    holds = tuple(arguments.keywords.items())
    roots = frozenset[Root]().union(*(each.roots for each in arguments.all)) if arguments.all else NOWHERE
    sent = next((each.sent for each in arguments.spread if each.sent is not None), None)
    return Value(roots, owner, holds, sent=sent)


def dumped(value: Value, node: ast.Call) -> Value:
    """A mapping of a model's fields, without those that `exclude={...}` names."""
    excluded = next((each.value for each in node.keywords if each.arg == "exclude"), None)
    names = (
        frozenset(str(each.value) for each in ast.walk(excluded) if isinstance(each, ast.Constant))
        if excluded is not None
        else frozenset[str]()
    )
    return replace(value, statement=None, text=None, dumped=True, excluded=value.excluded | names)


def _unknown(frame: Frame, node: ast.Call, base: Value, arguments: Arguments) -> Value:
    """Something outside of the project: it may compare what it is given, it runs statements, it passes values on."""
    name = last(node.func)
    texts = [each for each in arguments.all if each.text is not None and sql.read(each.text) is not None]
    if texts:
        return text_runs(frame, node, texts[0], arguments, name)
    statements = [each.statement for each in arguments.all if each.statement is not None]
    roots = deep(base) | arguments.roots
    if statements:
        statement = statements[0]
        if "pag" in name.lower():
            statement = replace(statement, limited=True)
        return frame.executed(statement, node, many=name not in ONE)
    parts = [deep(base), *(deep(each) for each in arguments.all)]
    users = any(USER in each and not any(root.kind == "row" for root in each) for each in parts)
    rows = frozenset(root.name for each in parts if USER not in each for root in each if root.kind == "row")
    if rows and ((users and name not in HARMLESS) or name in ASKS_OF_OBJECTS):
        frame.access = frame.access.plus(Access(checked=rows))
    if name in ANSWERS and arguments.all:
        given = arguments.all[0] if arguments.values else Value(roots, holds=tuple(arguments.keywords.items()))
        return replace(given, roots=roots, dumped=given.dumped)
    kind = base.kind if base.dumped or not arguments.all else None
    return replace(base, roots=roots, kind=kind, statement=None, text=None, itself=None)
