"""Reads an application's queries for MySQL, MariaDB and SQLite by way of sqlglot, which takes 100 ms to import."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

import sqlglot
from sqlglot import exp

from backendgen.sql.dialect_text import HOLE_NAME, plain
from backendgen.sql.pg_query import SyntaxProblem
from backendgen.sql.query import UNKNOWN, ColumnUse, Insert, Query, Scope

_log = logging.getLogger("sqlglot")
_log.addHandler(logging.NullHandler())
_log.propagate = False  # what it only half understands it tells stderr; the caller is told by SyntaxProblem

_ROW_NAMES = frozenset({"rowid", "oid", "_rowid_"})


def read_query(sql: str, dialect: str) -> Query:
    """Read what the statements of a text use, columns in lower case; drivers' placeholders are values.

    Offsets are those of the text. Raises SyntaxProblem.
    """
    language = "sqlite" if dialect == "sqlite" else "mysql"
    prepared = plain(sql, dialect)
    reader = _Reader(prepared, language)
    try:
        statements = [each for each in sqlglot.parse(prepared, dialect=language) if isinstance(each, exp.Expression)]
        for statement in statements:
            reader.statement(statement)
    except Exception as error:  # a parser of many dialects, on any text: it has raised more than its own errors
        raise SyntaxProblem(type(error).__name__) from error
    if statements:
        reader.query.verb = "SELECT" if isinstance(statements[0], exp.Query) else statements[0].key.upper()
    return reader.query


class _Reader:
    """The same as for PostgreSQL, on sqlglot's tree."""

    def __init__(self, sql: str, language: str) -> None:
        self.query, self.language, self._sql, self._ascii = Query(), language, sql, sql.isascii()

    def statement(self, node: exp.Expression) -> None:
        if isinstance(node, exp.Command):
            raise SyntaxProblem(f"{node.name} is not understood")
        if isinstance(node, exp.Query | exp.Insert | exp.Update | exp.Delete):
            self.query.stars += self._level(node, None)

    def _level(self, node: Any, above: Scope | None) -> tuple[str, ...]:
        """Read one query level; return the tables whose `*` is in what it returns."""
        scope = Scope(above)
        for cte in _parts(node, "with_"):
            for common in cte.expressions:
                scope.ctes[common.alias] = ()  # it may name itself
                scope.ctes[common.alias] = self._level(common.this, scope)
        if isinstance(node, exp.Insert | exp.Update | exp.Delete):
            (self._insert if isinstance(node, exp.Insert) else self._change)(node, scope)
            return self._stars([each for part in _parts(node, "returning") for each in part.expressions], scope)
        if isinstance(node, exp.Subquery | exp.SetOperation):
            stars = tuple(name for each in _parts(node, "this", "expression") for name in self._level(each, scope))
            # It orders by the names of what it returns.
            self._rest(node, Scope(), "this", "expression", "with_", "alias", "order")
            return stars
        for source in _parts(node, "from_", "joins", "laterals"):
            self._source(source, scope)
        scope.outputs = frozenset(each.alias.lower() for each in node.expressions if isinstance(each, exp.Alias))
        later = ("order", "group", "having")
        self._rest(node, scope, "with_", "from_", "joins", "laterals", *later)
        self._walk(_parts(node, *later), scope, scope.outputs)
        return self._stars(node.expressions, scope)

    def _change(self, node: exp.Expression, scope: Scope) -> None:
        for source in _parts(node, "this", "from_", "using"):
            self._source(source, scope)
        self._targets(node.expressions, scope)
        self._rest(node, scope, "this", "from_", "using", "with_", "tables", "expressions")

    def _insert(self, node: exp.Expression, scope: Scope) -> None:
        filled = _parts(node.this, "expressions")  # empty unless it is a Schema
        target = node.this.this if isinstance(node.this, exp.Schema) else node.this
        table = self._relation(target, scope)
        self._name(filled, (table,), written=True)
        named = tuple(each.name.lower() for each in filled)
        source = node.expression
        rows = source.expressions if isinstance(source, exp.Values) else []
        pairs = [pair for row in rows for pair in zip(named, row.expressions, strict=False)]
        nulls = frozenset(column for column, value in pairs if isinstance(value, exp.Null))
        empty = node.args.get("default") or any(not row.expressions for row in rows)  # DEFAULT VALUES, VALUES ()
        if not node.args.get("ignore"):  # MySQL's IGNORE writes '' or 0, where a column is left out
            self.query.inserts.append(Insert(table, named or (() if empty else None), nulls, self._offset(target.this)))
        if isinstance(source, exp.Values):
            scope.relations.update(dict.fromkeys(filter(None, [source.alias]), table))  # VALUES ... AS new
            self._walk([source], Scope(None, ctes=scope.ctes))
        elif isinstance(source, exp.Expression):
            self._level(source, Scope(None, ctes=scope.ctes))
        scope.relations["excluded"] = table
        for part in _parts(node, "conflict", "returning"):
            self._targets(part.expressions, scope)
            self._rest(part, scope, "expressions")

    def _targets(self, changes: list[Any], scope: Scope) -> None:
        """Read `a = value, ...` of an UPDATE or of what an INSERT does on a conflict."""
        first = next(iter(scope.relations.values()), UNKNOWN)
        several = self.language == "mysql" and "excluded" not in scope.relations  # UPDATE a JOIN b SET ...
        for change in changes:
            if not isinstance(change, exp.EQ):
                self._walk([change], scope)
                continue
            for column in change.this.find_all(exp.Column):
                bare = scope.every() if several else (first,)
                self._name([column.this], (scope.find(column.table),) if column.table else bare, written=True)
            self._walk([change.expression], scope)
            for call in change.expression.find_all(exp.Anonymous):
                if call.name.upper() == "VALUES":  # the value that the INSERT had for a column
                    self._name([each for each in call.expressions if isinstance(each, exp.Identifier)], (first,))

    def _rest(self, node: exp.Expression, scope: Scope, *skipped: str) -> None:
        self._walk(_parts(node, *(key for key in node.args if key not in skipped)), scope)

    def _relation(self, table: exp.Expression, scope: Scope) -> str:
        schema = "" if self.language == "sqlite" and table.text("db").lower() == "main" else table.text("db")
        alias = table.alias.replace(HOLE_NAME, "") or table.name  # what is put in there is a clause
        stars = None if schema else scope.cte(table.name)
        if stars is not None:
            scope.relations[alias], scope.stars[alias] = UNKNOWN, stars
            return UNKNOWN
        name = f"{schema}.{table.name}" if schema else table.name
        scope.relations[alias] = name
        self.query.aliases.add(alias.lower())
        self.query.tables.append((name, self._offset(table.this)))
        return name

    def _source(self, node: exp.Expression, scope: Scope) -> None:
        """Take a FROM item into the scope, with what is joined to it."""
        if isinstance(node, exp.From | exp.Join):
            self._source(node.this, scope)
            self._name(_parts(node, "using"), scope.every())
            self._walk(_parts(node, "on"), scope)
        elif isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier):
            self._relation(node, scope)
        elif isinstance(node, exp.Subquery) and isinstance(node.this, exp.Table | exp.Subquery) and not node.alias:
            self._source(node.this, scope)  # (a JOIN b)
        elif isinstance(node, exp.Subquery):
            scope.relations[node.alias] = UNKNOWN
            scope.stars[node.alias] = self._level(node.this, Scope(scope.above, ctes=scope.ctes))
        else:  # a function, or VALUES
            scope.relations[node.alias or node.key] = UNKNOWN
            self._rest(node, scope, "alias", "joins")
        for join in _parts(node, "joins"):
            self._source(join, scope)

    def _walk(self, roots: list[Any], scope: Scope, outputs: frozenset[str] = frozenset()) -> None:
        stack: list[Any] = roots[::-1]
        while stack:
            node = stack.pop()
            if isinstance(node, exp.Column):
                self._column(node, scope, outputs)
            elif isinstance(node, exp.Query):
                self._level(node, scope)
            else:
                stack += reversed(list(node.iter_expressions()))

    def _column(self, node: exp.Column, scope: Scope, outputs: frozenset[str]) -> None:
        name = node.name.lower()
        if isinstance(node.this, exp.Star) or (not node.table and name in outputs):
            return
        owners = (scope.find(node.table),) if node.table else scope.every() or (UNKNOWN,)
        if self.language == "sqlite" and (name in _ROW_NAMES or (node.this.args.get("quoted") and not node.table)):
            self.query.aliases.add(name)
        self._name([node.this], owners)

    def _stars(self, targets: list[Any], scope: Scope) -> tuple[str, ...]:
        found: dict[str, None] = {}
        for target in targets:
            if isinstance(target, exp.Star):
                aliases: tuple[str, ...] = tuple(each for each in scope.relations if each != "excluded")
            else:
                aliases = (target.table,) if isinstance(target, exp.Column) and target.is_star else ()
            found.update(dict.fromkeys(name for alias in aliases for name in scope.returned(alias)))
        return tuple(found)

    def _name(self, columns: Iterable[Any], candidates: tuple[str, ...], *, written: bool = False) -> None:
        self.query.columns += [ColumnUse(one.name.lower(), candidates, self._offset(one), written) for one in columns]

    def _offset(self, name: Any) -> int:
        start = name.meta.get("start", -1) if isinstance(name, exp.Expression) else -1
        return start if self._ascii or start < 0 else len(self._sql[:start].encode())


def _parts(node: exp.Expression, *keys: str) -> list[Any]:
    """Return the expressions under some keys of a node, whether it holds one or a list of them."""
    found = [node.args.get(key) for key in keys]
    flat = [each for value in found for each in (value if isinstance(value, list) else [value])]
    return [each for each in flat if isinstance(each, exp.Expression)]
