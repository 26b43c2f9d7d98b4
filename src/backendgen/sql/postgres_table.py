"""CREATE TABLE, CREATE INDEX and their parts: columns, constraints, keys, with PostgreSQL's own names for the unnamed."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from backendgen.sql.lexer import Statement, quote
from backendgen.sql.names import generated_name, joined, object_name
from backendgen.sql.operation import CreateIndex, CreateTable, Like
from backendgen.sql.pg_query import (
    Node,
    column_names,
    expression_sql,
    pb,
    qualified,
    quoted,
    relation,
    strings,
    type_of,
)
from backendgen.sql.schema import Column, Constraint, ConstraintKind, Index, IndexKey, Type

IDENTITY: dict[str, Literal["", "always", "by default"]] = {"a": "always", "d": "by default"}
_MARKER = re.compile(r"(?<!\w)@(\w+)")
# What a constraint at a column says after its body; IMMEDIATE is what it would be anyway.
_DEFERRAL = {
    pb.CONSTR_ATTR_DEFERRABLE: "DEFERRABLE",
    pb.CONSTR_ATTR_DEFERRED: "DEFERRABLE INITIALLY DEFERRED",
    pb.CONSTR_ATTR_IMMEDIATE: "",
}
_ON_DELETE = {"c": "cascade", "n": "set null", "d": "set default", "r": "restrict"}
_SERIAL = {
    "serial": "integer",
    "serial4": "integer",
    "bigserial": "bigint",
    "serial8": "bigint",
    "smallserial": "smallint",
    "serial2": "smallint",
}
_KINDS: dict[int, ConstraintKind] = {
    pb.CONSTR_PRIMARY: "primary_key",
    pb.CONSTR_UNIQUE: "unique",
    pb.CONSTR_CHECK: "check",
    pb.CONSTR_FOREIGN: "foreign_key",
    pb.CONSTR_EXCLUSION: "exclude",
    pb.CONSTR_NOTNULL: "not_null",
}
_LIKE_CONSTRAINTS, _LIKE_DEFAULTS, _LIKE_GENERATED, _LIKE_IDENTITY, _LIKE_INDEXES = (1 << bit for bit in range(2, 7))


@dataclass(slots=True)
class Place:
    """Where the statement that is being translated stands; `fields` go into each of its Operations."""

    statement: Statement
    ordinal: int
    taken: set[str] = field(default_factory=set)
    fields: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.fields = {
            "sql": self.statement.text,
            "line": self.statement.line,
            "column": self.statement.column,
            "end_line": self.statement.end_line,
            "statement": self.ordinal,
        }

    def offset(self, location: int) -> int:
        """Turn the parser's location, in UTF-8 bytes, into characters."""
        text = self.statement.text
        return location if text.isascii() else len(text.encode()[:location].decode(errors="ignore"))

    def line(self, location: int) -> int:
        """Return the line of the parser's location."""
        return self.statement.line_at(self.offset(location))


def create_table(node: pb.CreateStmt, at: Place) -> CreateTable:
    """Translate CREATE TABLE."""
    table = relation(node.relation)
    columns, constraints, like = [], [], []
    for element in node.table_elts:
        if element.HasField("column_def"):
            column, inline = column_of(element.column_def, table, at)
            columns.append(column)
            constraints += inline
        elif element.HasField("constraint"):
            constraints.append(constraint_of(element.constraint, at))
        elif element.HasField("table_like_clause"):
            like.append(_like(element.table_like_clause))
    constraints = _without_repeats(constraints)
    required = {name for c in constraints if c.kind in ("primary_key", "not_null") for name in c.columns}
    markers = markers_of(node.table_elts, at)
    parents = tuple(relation(parent.range_var) for parent in node.inh_relations)
    partition = node.HasField("partbound")
    return CreateTable(
        table=table,
        columns=tuple(
            replace(
                column,
                not_null=column.not_null or column.name in required,
                markers=markers.get(column.name, frozenset()),
            )
            if column.name in required or column.name in markers
            else column
            for column in columns
        ),
        constraints=tuple(named_constraints(table, [c for c in constraints if c.kind != "not_null" or c.named], at)),
        partition_of=parents[0] if partition and parents else "",
        default_partition=node.partbound.is_default,
        partitioned=node.HasField("partspec"),
        partition_key=_partition_key(node.partspec),
        temporary=node.relation.relpersistence == "t",
        if_not_exists=node.if_not_exists,
        inherits=() if partition else parents,
        like=tuple(like),
        **at.fields,
    )


def _partition_key(node: pb.PartitionSpec) -> tuple[str, ...]:
    """Return the columns of PARTITION BY, those in its expressions too."""
    keys = [item.partition_elem for item in node.part_params]
    return tuple(name for key in keys for name in ([key.name] if key.name else column_names(key.expr)))


def column_of(node: pb.ColumnDef, table: str, at: Place) -> tuple[Column, list[Constraint]]:
    """Return a column and the constraints written at it, which have no names yet unless the text gives them."""
    column_type = type_of(node.type_name) if node.HasField("type_name") else Type("")
    constraints: list[Constraint] = []
    not_null, default, generated, stored, identity = False, None, None, False, IDENTITY.get("", "")
    if serial := _SERIAL.get(column_type.name):
        column_type = Type(serial, (), column_type.array)
        not_null = True
        schema, _, bare = table.rpartition(".")
        sequence = object_name(bare, node.colname, "seq")
        default = f"nextval('{quoted(f'{schema}.{sequence}' if schema else sequence)}'::regclass)"
    for item in node.constraints:
        constraint = item.constraint
        match constraint.contype:
            case pb.CONSTR_NOTNULL:
                not_null = True
                if constraint.conname:
                    constraints.append(constraint_of(constraint, at, node.colname))
            case pb.CONSTR_DEFAULT:
                default = expression_sql(constraint.raw_expr)
            case pb.CONSTR_GENERATED:
                generated, stored = expression_sql(constraint.raw_expr), constraint.generated_kind == "s"
            case pb.CONSTR_IDENTITY:
                identity, not_null = IDENTITY[constraint.generated_when], True
            case kind if kind in _DEFERRAL and constraints:
                constraints[-1] = replace(constraints[-1], deferral=_DEFERRAL[kind] or constraints[-1].deferral)
            case kind if kind in _KINDS:
                constraints.append(constraint_of(constraint, at, node.colname))
                not_null = not_null or kind == pb.CONSTR_PRIMARY
    line = at.line(node.location)
    return Column(node.colname, column_type, not_null, default, generated, stored, identity, line=line), constraints


def constraint_of(node: pb.Constraint, at: Place, column: str = "") -> Constraint:
    """Return a constraint; `column` is the one that it was written at. An unnamed one keeps an empty name for now."""
    kind = _KINDS[node.contype]
    columns = strings(node.fk_attrs if kind == "foreign_key" else node.keys) or ((column,) if column else ())
    expression = references = ""
    keys: list[Node] = []
    if kind == "check":
        expression, columns = expression_sql(node.raw_expr), column_names(node.raw_expr)
    elif kind == "exclude":
        keys = [pair.list.items[0].index_elem for pair in node.exclusions]
        columns = tuple(
            dict.fromkeys(name for key in keys for name in ([key.name] if key.name else column_names(key.expr)))
        )
    elif kind == "foreign_key":
        references = relation(node.pktable)
    return Constraint(
        kind=kind,
        name=node.conname,
        columns=columns,
        keys=tuple(key.name or _expression_name(key.expr) for key in keys),
        expression=expression,
        references=references,
        referenced_columns=strings(node.pk_attrs),
        on_delete=_ON_DELETE.get(node.fk_del_action, ""),
        valid=not node.skip_validation,
        using_index=node.indexname,
        include=strings(node.including),
        nulls_not_distinct=node.nulls_not_distinct,
        named=bool(node.conname),
        line=at.line(node.location),
        on_update=_ON_DELETE.get(node.fk_upd_action, ""),
        on_delete_columns=strings(node.fk_del_set_cols),
        match_full=node.fk_matchtype == "f",
        deferral=f"DEFERRABLE{' INITIALLY DEFERRED' if node.initdeferred else ''}" if node.deferrable else "",
        no_inherit=node.is_no_inherit,
    )


def named_constraints(table: str, constraints: Iterable[Constraint], at: Place) -> Iterator[Constraint]:
    """Give the unnamed constraints PostgreSQL's own names, numbered when the statement uses a name twice."""
    for constraint in constraints:
        named = constraint
        if not constraint.name:
            # PostgreSQL names an adopting constraint after its index.
            named = replace(constraint, name=constraint.using_index or generated_name(table, constraint, at.taken))
        at.taken.add(named.name)
        yield named


def _without_repeats(constraints: list[Constraint]) -> list[Constraint]:
    """Drop a UNIQUE that repeats the primary key or another UNIQUE, as transformIndexConstraints does."""
    primary = (c for c in constraints if c.kind == "primary_key")
    kept: list[Constraint] = []
    seen = {(c.columns, c.include, c.nulls_not_distinct) for c in primary}
    for constraint in constraints:
        if constraint.kind == "unique":
            key = (constraint.columns, constraint.include, constraint.nulls_not_distinct)
            if key in seen:
                continue
            seen.add(key)
        kept.append(constraint)
    return kept


def _like(node: pb.TableLikeClause) -> Like:
    options = node.options
    return Like(
        relation(node.relation),
        defaults=bool(options & _LIKE_DEFAULTS),
        generated=bool(options & _LIKE_GENERATED),
        identity=bool(options & _LIKE_IDENTITY),
        constraints=bool(options & _LIKE_CONSTRAINTS),
        indexes=bool(options & _LIKE_INDEXES),
    )


def markers_of(elements: Iterable[Node], at: Place) -> dict[str, frozenset[str]]:
    """Return each column's `@words` from the comments that trail on its lines."""
    statement = at.statement
    comments = [comment for comment in statement.comments if "@" in comment.text]
    if not comments:
        return {}
    starts, names = [], []
    for element in elements:
        if element.HasField("column_def"):
            starts.append(at.offset(element.column_def.location))
            names.append(element.column_def.colname)
        elif element.HasField("constraint"):
            starts.append(at.offset(element.constraint.location))
            names.append("")
    found: dict[str, frozenset[str]] = {}
    for comment in comments:
        line_start = statement.text.rfind("\n", 0, comment.start) + 1
        owner = bisect_right(starts, comment.start) - 1
        if owner >= 0 and names[owner] and statement.text[line_start : comment.start].strip():
            name = names[owner]
            found[name] = found.get(name, frozenset()) | _markers_in(comment.text)
    return found


def markers_after(at: Place) -> frozenset[str]:
    """Return the `@words` of the comment behind the statement's semicolon."""
    return _markers_in(at.statement.after)


def _markers_in(comment: str) -> frozenset[str]:
    return frozenset(_MARKER.findall(comment))


_NULLS = {pb.SORTBY_NULLS_FIRST: "first", pb.SORTBY_NULLS_LAST: "last"}
_WITH = re.compile(r"(?i)\bwith\s*\([^()]*\)")


def _key_options(element: pb.IndexElem) -> str:
    """Return a key's collation and operator class as SQL."""
    collation = ".".join(quote(part.string.sval) for part in element.collation)
    operators = ".".join(quote(part.string.sval) for part in element.opclass)
    if element.opclassopts:
        given = (option.def_elem for option in element.opclassopts)
        operators += f" ({', '.join(f'{each.defname} = {_parameter(each.arg)}' for each in given)})"
    return " ".join(filter(None, (f"COLLATE {collation}" if collation else "", operators)))


def _parameter(node: Node) -> str:
    match node.WhichOneof("node"):
        case "integer":
            return str(node.integer.ival)
        case "float":
            return str(node.float.fval)
        case "string":
            return f"'{node.string.sval}'"
        case _:
            return expression_sql(node)


def _storage(node: pb.IndexStmt, text: str) -> str:
    """Return what WITH and TABLESPACE say, in the user's words."""
    parameters = _WITH.search(text) if node.options else None
    place = f"TABLESPACE {quote(node.table_space)}" if node.table_space else ""
    return " ".join(filter(None, (parameters[0] if parameters else "", place)))


def create_index(node: pb.IndexStmt, at: Place) -> CreateIndex:
    """Translate CREATE INDEX."""
    table = relation(node.relation)
    schema, _, bare = table.rpartition(".")
    elements = [item.index_elem for item in node.index_params]
    include = tuple(item.index_elem.name for item in node.index_including_params)
    name = node.idxname or object_name(
        bare, joined([*(element.name or _expression_name(element.expr) for element in elements), *include]), "idx"
    )
    expressions = [element.expr for element in elements if not element.name]
    where = node.HasField("where_clause")
    index = Index(
        name=qualified((schema, name)),
        table=table,
        keys=tuple(
            IndexKey(
                element.name,
                "" if element.name else expression_sql(element.expr),
                element.ordering == pb.SORTBY_DESC,
                _key_options(element),
                _NULLS.get(element.nulls_ordering, ""),
            )
            for element in elements
        ),
        unique=node.unique,
        method=node.access_method or "btree",
        where=expression_sql(node.where_clause) if where else "",
        include=include,
        expression_columns=column_names(*expressions, *([node.where_clause] if where else [])),
        line=at.statement.line,
        nulls_not_distinct=node.nulls_not_distinct,
        storage=_storage(node, at.statement.text),
    )
    return CreateIndex(
        table=table,
        index=index,
        concurrently=node.concurrent,
        if_not_exists=node.if_not_exists,
        only=not node.relation.inh,
        named=bool(node.idxname),
        **at.fields,
    )


def _expression_name(node: Node) -> str:
    """Return what PostgreSQL calls an expression key in an index's name (FigureIndexColname)."""
    return _figured_name(node)[0] or "expr"


def _figured_name(node: Node) -> tuple[str, bool]:
    """Return the name and whether it is a strong one: a cast's type is only taken where nothing better is found."""
    match node.WhichOneof("node"):
        case "column_ref":
            return next((f.string.sval for f in reversed(node.column_ref.fields) if f.HasField("string")), ""), True
        case "func_call":
            return node.func_call.funcname[-1].string.sval, True
        case "type_cast":
            name, strong = _figured_name(node.type_cast.arg)
            return (name, True) if strong else (node.type_cast.type_name.names[-1].string.sval, False)
        case "collate_clause":
            return _figured_name(node.collate_clause.arg)
        case "a_indirection":
            fields = [part.string.sval for part in node.a_indirection.indirection if part.HasField("string")]
            return (fields[-1], True) if fields else _figured_name(node.a_indirection.arg)
        case "coalesce_expr":
            return "coalesce", True
        case "min_max_expr":
            return ("greatest" if node.min_max_expr.op == pb.IS_GREATEST else "least"), True
        case "case_expr":
            name, strong = _figured_name(node.case_expr.defresult)
            return (name, True) if strong else ("case", False)
        case "a_expr" if node.a_expr.kind == pb.AEXPR_NULLIF:
            return "nullif", True
        case "a_array_expr":
            return "array", True
        case "row_expr":
            return "row", True
        case _:
            return "", False
