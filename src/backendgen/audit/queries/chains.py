"""Methods that build or run a statement: SQLAlchemy's select and Query, Flask-SQLAlchemy's, Django's QuerySet."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from backendgen.audit.flow.values import place
from backendgen.audit.queries.arguments import Arguments, deep
from backendgen.audit.queries.model import Root, Statement, Term, Value, Write
from backendgen.audit.queries.tables import DJANGO_USER
from backendgen.code.nodes import last
from backendgen.code.symbols import Class

if TYPE_CHECKING:
    from backendgen.audit.queries.frame import Frame

WHERE = frozenset({"where", "filter", "filter_by", "having", "exclude", "complex_filter", "find"})
LIMITS = frozenset({"limit", "fetch", "slice", "paginate", "page", "top"})
EAGER = frozenset({"options", "select_related", "prefetch_related", "joinedload", "selectinload", "contains_eager"})
FEW = frozenset({"count", "exists", "aggregate", "acount", "aexists", "group_by", "in_bulk"})
PLAIN = frozenset({
    "order_by", "join", "outerjoin", "distinct", "with_for_update", "select_from", "offset", "execution_options", "using",
    "only", "defer", "returning", "unique", "subquery", "cte", "alias", "add_columns", "with_only_columns", "annotate",
    "select_for_update", "reverse", "values_list", "iterator", "as_scalar", "scalar_subquery", "label", "correlate",
    "union", "union_all", "with_entities", "populate_existing", "execution_option", "enable_assertions", "extra",
    "yield_per", "from_statement", "prefix_with", "isouter", "alias_name", "none", "dates", "datetimes",
    "autoflush", "add_entity", "on_conflict_do_nothing", "on_conflict_do_update", "order_by_raw", "skip", "sort",
})  # fmt: skip
ONE = frozenset({
    "first", "one", "one_or_none", "scalar", "scalar_one", "scalar_one_or_none", "first_or_404", "one_or_404",
    "afirst", "last", "earliest", "latest", "alast", "first_or_none", "get_or_none",
})  # fmt: skip
BY_KEY = frozenset({"get", "get_or_404", "aget"})
MANY = frozenset({"all", "scalars", "to_list", "fetchall", "fetch_all", "partitions", "all_"})
CREATES = frozenset({"create", "acreate", "get_or_create", "update_or_create", "aget_or_create", "insert"})


def chained(frame: Frame, node: ast.Call, name: str, statement: Statement, arguments: Arguments) -> Value:
    """What a method of a statement gives: a narrower statement, or rows."""
    location = place(frame.function.path, node)
    if name in WHERE:
        return Value(statement=_narrowed(frame, statement, arguments, node))
    if name in LIMITS:
        return Value(statement=replace(statement, limited=True))
    if name in EAGER:
        return Value(statement=replace(statement, eager=statement.eager | frozenset(_loaded(node))))
    if name in CREATES and statement.verb == "select":
        columns = tuple((key, each.roots) for key, each in arguments.keywords.items())
        frame.note(
            Write("insert", statement.table, statement.model, location, frame.function, columns, arguments.spread)
        )
        return Value(frozenset({Root("row", statement.table)}), statement.model)
    if name in BY_KEY:
        statement = _narrowed(frame, statement, arguments, node)
        if arguments.values and not arguments.keywords:
            key = Term("id", arguments.values[0].roots)
            terms = statement.terms if any(each.column for each in statement.terms) else ()
            statement = replace(statement, terms=(*terms, key))
        return frame.executed(statement, node, many=False)
    if name in ("delete", "adelete") and statement.verb == "select":
        return frame.executed(replace(statement, verb="delete"), node, many=True)
    if name in ("update", "aupdate") and statement.verb == "select":
        return _updated(frame, node, statement, arguments)
    if name == "values" and statement.verb in ("update", "insert"):
        columns = tuple((key, each.roots) for key, each in arguments.keywords.items())
        whole = (*arguments.spread, *arguments.values)
        frame.note(Write(statement.verb, statement.table, statement.model, location, frame.function, columns, whole))
        return Value(statement=statement)
    if name == "select_from" and not statement.table:
        owner = model_of(frame, arguments.nodes[0]) if arguments.nodes else None
        table = frame.tracer.tables.of(owner)
        if table is not None:
            return Value(statement=replace(statement, table=table.name, model=owner, opaque=False))
    return _ended(frame, node, name, statement, arguments)


def _ended(frame: Frame, node: ast.Call, name: str, statement: Statement, arguments: Arguments) -> Value:
    table = frame.tracer.tables.of(statement.model)
    is_django = table.django if table is not None else statement.table == DJANGO_USER and statement.lazy
    if name == "all" and is_django:
        return Value(statement=statement)
    if name in ONE:
        return frame.executed(statement, node, many=False)
    if name in FEW:
        if name == "group_by":
            return Value(statement=replace(statement, few=True))
        return replace(frame.executed(replace(statement, few=True), node, many=False), roots=frozenset())
    if name in MANY or name == "scalars":
        return frame.executed(statement, node, many=True)
    if name in PLAIN:
        extra = tuple(
            term
            for each in arguments.nodes
            if name in ("join", "outerjoin")
            for term in terms(frame, each)
            if term.roots
        )
        return Value(statement=replace(statement, terms=statement.terms + extra))
    unknown = tuple(Term("", each.roots) for each in arguments.all if each.roots)
    return Value(statement=replace(statement, terms=statement.terms + unknown, opaque=True))


def _narrowed(frame: Frame, statement: Statement, arguments: Arguments, node: ast.Call) -> Statement:
    found = [term for each in arguments.nodes for term in terms(frame, each)]
    found += keyword_terms(arguments.keywords)
    opaque = (
        statement.opaque or bool(arguments.spread) or any(isinstance(each, ast.Starred) for each in arguments.nodes)
    )
    for each in arguments.spread:
        found += [Term(key.partition("__")[0], held.roots) for key, held in each.holds]
        found += [Term("", each.roots)] if each.roots else []
    return replace(
        statement, terms=statement.terms + tuple(found), opaque=opaque, location=place(frame.function.path, node)
    )


def _updated(frame: Frame, node: ast.Call, statement: Statement, arguments: Arguments) -> Value:
    columns = tuple((key, each.roots) for key, each in arguments.keywords.items())
    result = frame.executed(replace(statement, verb="update"), node, many=True)
    whole = (*arguments.spread, *arguments.values)
    if columns or whole:
        location = place(frame.function.path, node)
        frame.note(Write("update", statement.table, statement.model, location, frame.function, columns, whole))
    return result


def keyword_terms(keywords: Mapping[str, Value]) -> list[Term]:
    """`filter(owner=user, pk__in=ids)`: conditions by keyword."""
    found = []
    for key, value in keywords.items():
        column, _, operator = key.partition("__")
        found.append(Term("id" if column == "pk" else column, deep(value), operator or "=="))
    return found


def terms(frame: Frame, node: ast.expr) -> Iterator[Term]:
    """The conditions of an expression: comparisons of columns, joined by `and`; anything else is one without column."""
    if isinstance(node, ast.Starred):
        yield Term("", frame.value(node.value).roots)
    elif isinstance(node, ast.Compare) and len(node.ops) == 1:
        left, right = node.left, node.comparators[0]
        column, other = (_column(left), right) if _column(left) else (_column(right), left)
        operator = {ast.Eq: "==", ast.Is: "==", ast.NotEq: "!="}.get(type(node.ops[0]), "?")
        yield Term(column, deep(frame.value(other)), operator)
    elif isinstance(node, ast.Call):
        name = last(node.func)
        if name == "and_":
            for each in node.args:
                yield from terms(frame, each)
        elif isinstance(node.func, ast.Attribute) and name in (
            "in_",
            "is_",
            "any",
            "has",
            "contains",
            "like",
            "ilike",
            "is_not",
        ):
            roots = frozenset[Root]().union(*(deep(frame.value(each)) for each in node.args), *(
                deep(frame.value(each.value)) for each in node.keywords))  # fmt: skip
            inner = [statement.terms for each in node.args if (statement := frame.value(each).statement) is not None]
            yield Term(_column(node.func.value), roots.union(*(term.roots for some in inner for term in some)), name)
        else:
            value = frame.value(node)
            yield Term("", deep(value) | _all_roots(frame, node))
    else:
        yield Term("", _all_roots(frame, node))


def _all_roots(frame: Frame, node: ast.expr) -> frozenset[Root]:
    """The roots of all parts: `or_(Item.public, Item.owner_id == user.id)`, `Q(owner=user) | Q(public=True)`."""
    found = frozenset[Root]()
    for part in ast.walk(node):
        if isinstance(part, ast.Name | ast.Attribute):
            found |= frame.value(part).roots
        elif isinstance(part, ast.Call):
            value = frame.value(part)
            found |= value.roots
            if value.statement is not None:
                found = found.union(*(term.roots for term in value.statement.terms))
    return found


def _column(node: ast.expr) -> str:
    """`Item.owner_id`, `col(Item.owner_id)`, `func.lower(Item.email)`: the column, by its attribute."""
    if isinstance(node, ast.Call) and node.args:
        return _column(node.args[0])
    if isinstance(node, ast.Attribute):
        base = node.value
        while isinstance(base, ast.Attribute):
            base = base.value
        name = (
            node.value.attr if isinstance(node.value, ast.Attribute) else base.id if isinstance(base, ast.Name) else ""
        )
        return node.attr if name[:1].isupper() or name in ("c", "model", "table", "cls") else ""
    return ""


def _loaded(node: ast.Call) -> Iterator[str]:
    """The relationships that are loaded with the rows: attributes, and words of Django's lookups."""
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute):
            yield part.attr
        elif isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield from part.value.split("__")


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
