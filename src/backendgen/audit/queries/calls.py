"""What calls do: build statements, run them, enter functions of the project, make instances."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from backendgen.audit.flow.values import place
from backendgen.audit.queries import chains, sql
from backendgen.audit.queries.attributes import attribute
from backendgen.audit.queries.model import NOTHING, NOWHERE, USER, Access, Root, Roots, Statement, Term, Value, Write
from backendgen.audit.queries.tables import last
from backendgen.code.symbols import Class, External, Function, Symbol

if TYPE_CHECKING:
    from backendgen.audit.queries.frame import Frame

BUILDERS = {
    "select": "select", "update": "update", "delete": "delete", "insert": "insert", "query": "select",
}  # fmt: skip
BUILDING_MODULES = ("sqlalchemy.", "sqlmodel.", "sqlmodel_")
TEXTS = frozenset({"SQL", "text", "dedent", "sql", "TextClause"})
DUMPS = frozenset({"dict", "model_dump", "asdict", "vars", "jsonable_encoder", "to_dict", "model_dump_json"})
RUNS = frozenset({
    "execute", "exec", "scalar", "scalars", "stream", "stream_scalars", "fetch", "fetchrow", "fetchval", "fetch_one",
    "fetch_all", "fetch_val", "executemany", "first", "all", "one", "read_sql",
})  # fmt: skip
ONE = frozenset({"scalar", "fetchrow", "fetchval", "fetch_one", "fetch_val", "first", "one", "one_or_none"})
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


@dataclass(frozen=True, slots=True)
class Arguments:
    """A call's arguments, each evaluated once. `spread` are the values of `**mapping`."""

    nodes: tuple[ast.expr, ...]
    values: tuple[Value, ...]
    keywords: dict[str, Value]
    spread: tuple[Value, ...]

    @property
    def all(self) -> tuple[Value, ...]:
        """Every value."""
        return (*self.values, *self.keywords.values(), *self.spread)

    @property
    def roots(self) -> Roots:
        """Where all of them come from."""
        return frozenset[Root]().union(*(deep(each) for each in self.all))


def deep(value: Value, depth: int = 0) -> Roots:
    """The roots of a value and of what it holds."""
    if not value.holds or depth > 3:
        return value.roots
    return value.roots.union(*(deep(each, depth + 1) for _, each in value.holds))


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
        return _shortcut(frame, node, arguments)
    if short in BUILDERS and (name.startswith(BUILDING_MODULES) or not isinstance(found, External)):
        statement = _built(frame, node, BUILDERS[short], arguments)
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
        return _by_key(frame, node, base, arguments)
    if name in ("query", "select") and arguments.nodes:
        statement = _built(frame, node, BUILDERS[name], arguments)
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
            note(
                frame,
                node,
                Write("insert", table.name, owner, place(frame.function.path, node), frame.function, columns, (first,)),
            )
            return Value(first.roots | {Root("row", table.name)}, owner)
        return replace(first, roots=first.roots | update.roots, kind=owner, dumped=False)
    if table is not None and name in ("get", "find_one", "get_or_none", "get_or_404") and arguments.values:
        statement = Statement("select", table.name, owner, place(frame.function.path, node), _key(first))
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
        return _text_runs(frame, frame.function.node, texts[0], arguments, function.node.name)
    return frame.tracer.call(frame, function, bound(frame, function, own, arguments))


def bound(frame: Frame, function: Function, own: Value | None, arguments: Arguments) -> dict[str, Value]:
    """A function's parameters by name; what `**mapping` may give is given to all that have no value."""
    parameters = [each.arg for each in (*function.node.args.posonlyargs, *function.node.args.args)]
    result: dict[str, Value] = {}
    decorators = {last(each) for each in function.node.decorator_list}
    if function.owner is not None and "staticmethod" not in decorators and parameters:
        first, own = parameters[0], own or NOTHING
        if "classmethod" in decorators:
            owner = own.itself or own.kind or function.owner
            result[first] = Value(itself=owner)
            parameters = parameters[1:]
        elif own.itself is None:
            result[first] = own if own.kind is not None else Value(kind=function.owner)
            parameters = parameters[1:]
    for name, value in zip(parameters, arguments.values, strict=False):
        result[name] = value
    result.update(arguments.keywords)
    left = [each.arg for each in function.parameters if each.arg not in result]
    for spread in arguments.spread:
        for name in left:
            held = spread.held(name)
            result[name] = held if held is not None else Value(spread.roots) if spread.roots else NOTHING
    if function.node.args.kwarg is not None:
        names = {each.arg for each in function.parameters}
        rest = {key: each for key, each in arguments.keywords.items() if key not in names}
        whole = Value(holds=tuple(rest.items()))
        for spread in arguments.spread:
            whole = replace(spread, holds=whole.holds + spread.holds)
        result[function.node.args.kwarg.arg] = whole
    if function.node.args.vararg is not None:
        extra = arguments.values[len(parameters) :]
        roots = frozenset[Root]().union(*(each.roots for each in extra))
        statement = next((each.statement for each in extra if each.statement is not None), None)
        result[function.node.args.vararg.arg] = Value(roots, statement=statement)
    for each in function.parameters:
        if each.arg in result:
            result[each.arg] = _typed(frame, result[each.arg], each, function)
        elif each.annotation is not None:
            result[each.arg] = _typed(frame, NOTHING, each, function)
    return {key: value for key, value in result.items() if key in _all_names(function)}


def _typed(frame: Frame, value: Value, parameter: ast.arg, function: Function) -> Value:
    if value.kind is not None or value.statement is not None or value.itself is not None:
        return value
    return frame.typed(value, parameter.annotation, function.module)


def _all_names(function: Function) -> set[str]:
    arguments = function.node.args
    return {
        each.arg
        for each in [
            *function.parameters,
            *([arguments.vararg] if arguments.vararg else []),
            *([arguments.kwarg] if arguments.kwarg else []),
        ]
    }


def _made(frame: Frame, node: ast.Call, owner: Class, arguments: Arguments) -> Value:
    """An instance: of a mapped class a new row, of any other what its `__init__` sets."""
    table = frame.tracer.tables.of(owner)
    if table is not None:
        columns = tuple((key, each.roots) for key, each in arguments.keywords.items())
        location = place(frame.function.path, node)
        note(frame, node, Write("insert", table.name, owner, location, frame.function, columns, arguments.spread))
        return Value(arguments.roots | {Root("row", table.name)}, owner)
    maker = frame.tracer.symbols.member(owner, "__init__")
    if isinstance(maker, Function):
        return frame.tracer.made(frame, owner, maker, bound(frame, maker, Value(kind=owner), arguments))
    holds = tuple(arguments.keywords.items())
    roots = frozenset[Root]().union(*(each.roots for each in arguments.all)) if arguments.all else NOWHERE
    sent = next((each.sent for each in arguments.spread if each.sent is not None), None)
    return Value(roots, owner, holds, sent=sent)


def note(frame: Frame, node: ast.AST, write: Write) -> None:
    """Remember a write; a row that is only an example in a loop counts once."""
    frame.access = frame.access.plus(Access(writes=(write,)))


def _built(frame: Frame, node: ast.Call, verb: str, arguments: Arguments) -> Statement | None:
    """`select(Item.id, Item.name)`, `session.query(Item)`, `delete(Item)`: a statement without conditions."""
    for each in arguments.nodes:
        owner = model_of(frame, each)
        table = frame.tracer.tables.of(owner)
        if table is not None:
            few = isinstance(each, ast.Call) and last(each.func) in ("count", "sum", "max", "min", "avg", "exists")
            return Statement(verb, table.name, owner, place(frame.function.path, node), few=few)  # type: ignore[arg-type]
    if verb == "select" and arguments.nodes:
        first = arguments.nodes[0]
        few = isinstance(first, ast.Call) and last(first.func) in ("count", "sum", "max", "min", "avg", "exists")
        is_statement = few or arguments.values[0].statement is not None
        return (
            Statement("select", "", None, place(frame.function.path, node), few=few, opaque=not few)
            if is_statement
            else None
        )
    return None


def model_of(frame: Frame, node: ast.expr) -> Class | None:
    """The mapped class that an expression names: `Item`, `Item.id`, `col(Item.id)`, `self.model`, `aliased(Item)`."""
    if isinstance(node, ast.Call):
        for each in node.args:
            found = model_of(frame, each)
            if found is not None:
                return found
        return model_of(frame, node.func.value) if isinstance(node.func, ast.Attribute) else None
    if not isinstance(node, ast.Name | ast.Attribute):
        return None
    value = frame.value(node)
    if value.itself is not None and frame.tracer.tables.of(value.itself) is not None:
        return value.itself
    if isinstance(node, ast.Attribute):
        return model_of(frame, node.value)
    if frame.is_local(node):
        return None
    symbol = frame.tracer.symbols.value(node, frame.module, frame.function)
    return symbol if isinstance(symbol, Class) and frame.tracer.tables.of(symbol) is not None else None


def _by_key(frame: Frame, node: ast.Call, base: Value, arguments: Arguments) -> Value:
    """`session.get(Item, id)`."""
    owner = model_of(frame, arguments.nodes[0])
    table = frame.tracer.tables.of(owner)
    if table is None:
        return _unknown(frame, node, base, arguments)
    statement = Statement("select", table.name, owner, place(frame.function.path, node), _key(arguments.values[1]))
    return frame.executed(statement, node, many=False)


def _key(value: Value) -> tuple[Term, ...]:
    return (Term("id", deep(value)),)


def _shortcut(frame: Frame, node: ast.Call, arguments: Arguments) -> Value:
    """`get_object_or_404(Item, pk=pk)`, `get_object_or_404(Item.objects.filter(...), pk=pk)`."""
    base = arguments.values[0].statement
    if base is None:
        owner = model_of(frame, arguments.nodes[0])
        table = frame.tracer.tables.of(owner)
        if table is None:
            return _unknown(frame, node, NOTHING, arguments)
        base = Statement("select", table.name, owner, place(frame.function.path, node))
    terms = tuple(chains.keyword_terms(arguments.keywords)) + tuple(
        term for each in arguments.nodes[1:] for term in chains.terms(frame, each)
    )
    opaque = base.opaque or bool(arguments.spread)
    return frame.executed(replace(base, terms=base.terms + terms, opaque=opaque), node, many=False)


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
        return _text_runs(frame, node, texts[0], arguments, name)
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


def _text_runs(frame: Frame, node: ast.AST, given: Value, arguments: Arguments, name: str) -> Value:
    """A query as text, with its parameters."""
    text = sql.read(given.text or "")
    if text is None:
        return NOTHING
    others = [each for each in arguments.all if each is not given]
    table = frame.tracer.tables.named(text.table)
    terms = tuple(Term(column, _placed(key, others, arguments.keywords)) for column, key in text.conditions)
    where = place(frame.function.path, node) if isinstance(node, ast.Call) else None
    statement = Statement(
        text.verb, table.name if table else text.table, table.model if table else None, where, terms,  # type: ignore[arg-type]
        limited=text.limited, few=text.few,
    )  # fmt: skip
    at = node if isinstance(node, ast.expr) else ast.copy_location(ast.Constant(None), node)
    return frame.executed(statement, at, many="one" not in name and name not in ONE)


def _placed(key: str | int, others: list[Value], keywords: dict[str, Value]) -> Roots:
    """Where a placeholder's value comes from; from any of the parameters when that cannot be told."""
    if isinstance(key, str):
        if key in keywords:
            return deep(keywords[key])
        for each in others:
            held = each.held(key)
            if held is not None:
                return deep(held)
    elif len(others) == 1 and others[0].held(str(key)) is not None:
        return deep(others[0].held(str(key)) or NOTHING)
    elif key < len(others) and not any(each.holds for each in others):
        return deep(others[key])
    return frozenset[Root]().union(*(deep(each) for each in others)) if others else NOWHERE


def candidates(values: tuple[Value, ...]) -> Iterator[Value]:
    """Values and, of sequences, their elements."""
    for each in values:
        yield each
        yield from (held for _, held in each.holds)
