"""SQL conditions and expressions of the spec: parsed by PostgreSQL's own parser, their names resolved as SQL would."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from backendgen.errors import did_you_mean
from backendgen.sql.replay import Schema
from backendgen.sql.schema import Table

PARAMETERS = ("user_id", "role")
MAX_LENGTH = 10_000
_PREFIX = "SELECT "
_AGGREGATES = frozenset({"count", "sum", "avg", "min", "max", "array_agg", "string_agg", "bool_and", "bool_or"})
_CLAUSES = frozenset({"target_list", "limit_option", "op"})


@dataclass(frozen=True, slots=True)
class Name:
    """A column of the row in question; `table` is its qualifier, empty without one."""

    column: str
    table: str = ""

    def __str__(self) -> str:
        return f"{self.table}.{self.column}" if self.table else self.column


@dataclass(frozen=True, slots=True)
class Expression:
    """A SQL expression, the columns of its row that it names (not those of tables in its subqueries), and its parameters."""

    sql: str
    names: tuple[Name, ...]
    parameters: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it names, once each."""
        return tuple(dict.fromkeys(name.column for name in self.names))

    def missing(self, table: Table) -> tuple[Name, ...]:
        """Return the names that are no columns of the table."""
        return tuple(
            name for name in self.names if name.table not in ("", table.name) or table.column(name.column) is None
        )


class ExpressionProblem(Exception):
    """The expression cannot be used; `offset` is 0-based in its text, 0 when it is about the whole."""

    def __init__(self, message: str, offset: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset


class UnknownTable(ExpressionProblem):
    """A subquery reads a table that the schema does not have."""


def read_expression(sql: str, schema: Schema) -> Expression:
    """Parse one SQL expression and resolve its names against the schema. Raises ExpressionProblem.

    A bare name belongs to the innermost query with such a column (PostgreSQL manual, 7.2.1.2); what no query in it has is
    a column of the row.
    """
    from backendgen.sql.lexer import replace_parameters
    from backendgen.sql.pg_query import SyntaxProblem, parse_tree

    if len(sql) > MAX_LENGTH:
        raise ExpressionProblem(f"longer than {MAX_LENGTH:,} characters")
    if re.search(r"--|/\*", sql):
        raise ExpressionProblem("write it without comments")
    if re.search(r"\$\d", sql):
        raise ExpressionProblem("write parameters by name: " + ", ".join(f":{name}" for name in PARAMETERS))
    if quoted := re.search(rf"':({'|'.join(PARAMETERS)})'", sql):
        name = quoted[1]
        raise ExpressionProblem(f"':{name}' in quotes is a text, not the parameter; write :{name}", quoted.start())
    parameters: dict[str, None] = {}

    def placeholder(name: str) -> str:
        parameters[name] = None
        return "$1".ljust(len(name) + 1)  # as long as the original, so that offsets stay true

    plain = replace_parameters(sql, placeholder)
    for name in parameters:
        if name not in PARAMETERS:
            known = " and ".join(f":{known}" for known in PARAMETERS)
            raise ExpressionProblem(f"unknown parameter ':{name}'; {known} are bound", max(sql.find(f":{name}"), 0))
    for opened, closed in (("(", ")"), ("", "")):  # it will stand in parentheses, but must not need them
        try:
            statements = parse_tree(f"{_PREFIX}{opened}{plain}{closed}")
        except SyntaxProblem as problem:
            offset = (problem.offset or 0) - len(_PREFIX) - len(opened)
            message = problem.message if offset < len(sql) else "syntax error at end of input"
            raise ExpressionProblem(message, min(max(offset, 0), len(sql))) from None
    names = tuple(dict.fromkeys(_Resolver(schema).names(_only_expression(statements))))
    return Expression(sql.strip(), names, tuple(parameters))


def _only_expression(statements: list[Any]) -> Any:
    """Return the one expression, so that nothing like `1 FROM x` or `a) OR (b` gets through."""
    select = statements[0].select_stmt if statements and statements[0].HasField("select_stmt") else None
    fields = {field.name for field, _ in select.ListFields()} if select is not None else set()
    if len(statements) != 1 or not fields <= _CLAUSES or select is None or len(select.target_list) != 1:
        raise ExpressionProblem("expected one SQL expression")
    target = select.target_list[0].res_target
    if target.name or target.val.HasField("row_expr"):
        raise ExpressionProblem("expected one SQL expression")
    return target.val


Columns: TypeAlias = frozenset[str] | None


@dataclass(frozen=True, slots=True)
class _Query:
    """The relations of one query by the name that they go by there; None for columns that are not known."""

    relations: dict[str, Columns]

    def has(self, column: str) -> bool:
        return any(columns is None or column in columns for columns in self.relations.values())


class _Resolver:
    """Walks an expression's tree and yields the names that are left to its row."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema

    def names(self, expression: Any) -> Iterator[Name]:
        from backendgen.sql.pg_query import children, pb

        value = getattr(expression, expression.WhichOneof("node")) if hasattr(expression, "WhichOneof") else expression
        writes = (pb.InsertStmt, pb.UpdateStmt, pb.DeleteStmt, pb.MergeStmt)

        def walk(node: Any, queries: tuple[_Query, ...], own: dict[str, Columns]) -> Iterator[Name]:
            if isinstance(node, pb.ColumnRef):
                yield from self._column(node, queries)
                return
            if isinstance(node, writes):
                raise ExpressionProblem("an expression may only read")
            if isinstance(node, pb.A_Expr) and node.name and node.name[-1].string.sval == "==":
                raise ExpressionProblem("SQL has no '=='; write =", max(node.location - len(_PREFIX), 0))
            if isinstance(node, pb.FuncCall) and not queries and node.funcname[-1].string.sval in _AGGREGATES:
                name = node.funcname[-1].string.sval
                why = (
                    f"{name}() counts rows, and here is only one; put it into a subquery: (SELECT {name}(...) FROM ...)"
                )
                raise ExpressionProblem(why, max(node.location - len(_PREFIX), 0))
            if isinstance(node, pb.SelectStmt):
                ctes = [item.common_table_expr for item in node.with_clause.ctes]
                own = own | {cte.ctename: _selected(cte.ctequery, cte.aliascolnames) for cte in ctes}
                queries = (*queries, _Query(dict(self._relations(node.from_clause, own))))
            for child in children(node):
                yield from walk(child, queries, own)

        return walk(value, (), {})

    def _relations(self, clause: Any, own: dict[str, Columns]) -> Iterator[tuple[str, Columns]]:
        for node in clause:
            kind = node.WhichOneof("node")
            item = getattr(node, kind)
            if kind == "join_expr":
                yield from self._relations((item.larg, item.rarg), own)
            elif kind == "range_var":
                columns = own[item.relname] if item.relname in own else self._columns(item)
                yield item.alias.aliasname or item.relname, None if item.alias.colnames else columns
            elif kind == "range_subselect":
                yield item.alias.aliasname, _selected(item.subquery, item.alias.colnames)
            else:
                yield getattr(item, "alias", item).aliasname, None

    def _columns(self, item: Any) -> frozenset[str]:
        from backendgen.sql.pg_query import relation

        name = relation(item)
        table = self.schema.tables.get(name)
        if table is None:
            raise UnknownTable(f"unknown table '{name}'{did_you_mean(name, self.schema.tables)}")
        return frozenset(column.name for column in table.columns)

    def _column(self, node: Any, queries: tuple[_Query, ...]) -> Iterator[Name]:
        if not node.fields[-1].HasField("string"):
            return
        *qualifiers, column = (part.string.sval for part in node.fields)
        if not qualifiers:
            if not any(query.has(column) for query in queries):
                yield Name(column)
            return
        for query in reversed(queries):
            if qualifiers[-1] in query.relations:
                columns = query.relations[qualifiers[-1]]
                if columns is not None and column not in columns:
                    known = did_you_mean(column, columns)
                    raise ExpressionProblem(f"'{qualifiers[-1]}' has no column '{column}'{known}")
                return
        yield Name(column, qualifiers[-1])


def _selected(query: Any, renamed: Any) -> Columns:
    """Return the columns that a query yields, None when they cannot be told from its text alone."""
    if renamed:
        return frozenset(name.string.sval for name in renamed)
    select = query.select_stmt
    while select.HasField("larg"):
        select = select.larg
    names = set()
    for item in select.target_list:
        target = item.res_target
        fields = target.val.column_ref.fields
        name = target.name or (fields[-1].string.sval if fields else "")
        if not name:
            return None
        names.add(name)
    return frozenset(names) or None  # VALUES has no target list
