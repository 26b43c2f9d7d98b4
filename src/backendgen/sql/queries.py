"""What a query of an application names: tables, columns by way of their aliases, what an INSERT fills, what `*` returns."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from google.protobuf.message import Message

from backendgen.sql.pg_query import SyntaxProblem, children, parse_tree, pb, relation, strings
from backendgen.sql.query import UNKNOWN, ColumnUse, Insert, Query, Scope

_WRAPPERS = (pb.ExplainStmt, pb.PrepareStmt, pb.DeclareCursorStmt)
_CHANGES = (pb.InsertStmt, pb.UpdateStmt, pb.DeleteStmt, pb.MergeStmt)
Change: TypeAlias = pb.InsertStmt | pb.UpdateStmt | pb.DeleteStmt | pb.MergeStmt


def read_query(sql: str) -> Query:
    """Read what the statements of a text use; those that change the schema use nothing. Raises SyntaxProblem."""
    reader = _Reader(Query())
    for number, statement in enumerate(parse_tree(sql)):
        kind = statement.WhichOneof("node") or ""
        if not number:
            reader.query.verb = kind.partition("_")[0].upper()
        reader.statement(getattr(statement, kind, None))
    return reader.query


@dataclass(slots=True)
class _Reader:
    query: Query

    def statement(self, message: Any) -> None:
        if isinstance(message, _WRAPPERS):
            self.statement(getattr(message.query, message.query.WhichOneof("node") or "", None))
        elif isinstance(message, pb.CopyStmt):
            self._copy(message)
        elif isinstance(message, pb.SelectStmt | pb.InsertStmt | pb.UpdateStmt | pb.DeleteStmt | pb.MergeStmt):
            self.query.stars += self._level(message, None)

    def _copy(self, copy: pb.CopyStmt) -> None:
        if copy.HasField("query"):
            self.statement(getattr(copy.query, copy.query.WhichOneof("node") or "", None))
            return
        table, offset = relation(copy.relation), copy.relation.location
        self.query.tables.append((table, offset))
        named = strings(copy.attlist)
        self.query.columns += [ColumnUse(each, (table,), offset, copy.is_from) for each in named]
        if copy.is_from:
            self.query.inserts.append(Insert(table, named or None, offset=offset))

    def _level(self, message: Any, above: Scope | None) -> tuple[str, ...]:
        """Read one query level; return the tables whose `*` is in what it returns."""
        scope = Scope(above)
        for cte in message.with_clause.ctes if message.HasField("with_clause") else ():
            common = cte.common_table_expr
            scope.ctes[common.ctename] = ()  # it may name itself
            scope.ctes[common.ctename] = self._inner(common.ctequery, scope)
        if isinstance(message, _CHANGES):
            return self._change(message, scope)
        if message.op > 1:  # UNION, INTERSECT, EXCEPT: 0 is undefined, 1 none
            stars = (*self._level(message.larg, scope), *self._level(message.rarg, scope))
            for part in (*message.sort_clause, message.limit_count, message.limit_offset):
                self._walk(part, Scope(scope))
            return stars
        for source in message.from_clause:
            self._source(source, scope)
        scope.outputs = frozenset(each.res_target.name for each in message.target_list if each.res_target.name)
        self._rest(message, scope, skipped=("with_clause", "from_clause", "sort_clause", "group_clause"))
        for part in (*message.sort_clause, *message.group_clause):
            self._walk(part, scope, outputs=scope.outputs)
        return self._stars(message.target_list, scope)

    def _inner(self, node: Any, scope: Scope) -> tuple[str, ...]:
        inner = getattr(node, node.WhichOneof("node") or "", None)
        if isinstance(inner, pb.SelectStmt | pb.InsertStmt | pb.UpdateStmt | pb.DeleteStmt | pb.MergeStmt):
            return self._level(inner, scope)
        return ()

    def _change(self, message: Change, scope: Scope) -> tuple[str, ...]:
        table = self._relation(message.relation, scope)
        if isinstance(message, pb.InsertStmt):
            scope.relations["excluded"] = table
            self._insert(message, table, scope)
        elif isinstance(message, pb.UpdateStmt):
            self._targets(message.target_list, table)
            for source in message.from_clause:
                self._source(source, scope)
        elif isinstance(message, pb.DeleteStmt):
            for source in message.using_clause:
                self._source(source, scope)
        else:
            self._source(message.source_relation, scope)
            self._merge(message, table)
        self._rest(
            message,
            scope,
            skipped=(
                "relation",
                "with_clause",
                "from_clause",
                "using_clause",
                "source_relation",
                "select_stmt",
                "cols",
            ),
        )
        return self._stars(message.returning_clause.exprs, scope)

    def _insert(self, message: pb.InsertStmt, table: str, scope: Scope) -> None:
        offset = message.relation.location
        named = tuple(each.res_target.name for each in message.cols)
        self.query.columns += [
            ColumnUse(each.res_target.name, (table,), each.res_target.location, written=True) for each in message.cols
        ]
        nulls = frozenset(_nulls(named, message.select_stmt.select_stmt))
        if message.HasField("select_stmt"):
            self.query.inserts.append(Insert(table, named or None, nulls, offset))
            self._level(message.select_stmt.select_stmt, Scope(None, ctes=scope.ctes))
        elif table:  # DEFAULT VALUES
            self.query.inserts.append(Insert(table, (), nulls, offset))
        for element in message.on_conflict_clause.infer.index_elems:
            if element.index_elem.name:
                self.query.columns.append(ColumnUse(element.index_elem.name, (table,), offset))
        self._targets(message.on_conflict_clause.target_list, table)

    def _merge(self, message: pb.MergeStmt, table: str) -> None:
        for when in message.merge_when_clauses:
            clause = when.merge_when_clause
            if clause.command_type == pb.CMD_INSERT:
                named = tuple(each.res_target.name for each in clause.target_list)
                self.query.inserts.append(Insert(table, named or None, offset=message.relation.location))
            self._targets(clause.target_list, table)

    def _targets(self, targets: Any, table: str) -> None:
        for target in targets:
            if name := target.res_target.name:
                self.query.columns.append(ColumnUse(name, (table,), target.res_target.location, written=True))

    def _rest(self, message: Message, scope: Scope, skipped: tuple[str, ...]) -> None:
        for descriptor, value in message.ListFields():
            if descriptor.name in skipped or descriptor.message_type is None:
                continue
            for item in (value,) if isinstance(value, Message) else value:
                self._walk(item, scope)

    def _relation(self, node: pb.RangeVar, scope: Scope) -> str:
        name = relation(node)
        alias = node.alias.aliasname if node.HasField("alias") else node.relname
        stars = None if node.schemaname else scope.cte(node.relname)
        if stars is not None:
            scope.relations[alias], scope.stars[alias] = UNKNOWN, stars
            return UNKNOWN
        scope.relations[alias] = name
        self.query.aliases.add(alias)
        self.query.tables.append((name, node.location))
        return name

    def _source(self, node: Any, scope: Scope) -> None:
        """Take a FROM item into the scope."""
        kind = node.WhichOneof("node") or ""
        item = getattr(node, kind, None)
        if isinstance(item, pb.RangeVar):
            self._relation(item, scope)
        elif isinstance(item, pb.JoinExpr):
            self._source(item.larg, scope)
            self._source(item.rarg, scope)
            both = scope.every()
            self.query.columns += [ColumnUse(each, both) for each in strings(item.using_clause)]
            self._walk(item.quals, scope)
        elif isinstance(item, pb.RangeSubselect):
            alias = item.alias.aliasname
            scope.stars[alias] = self._inner(
                item.subquery, Scope(scope if item.lateral else scope.above, ctes=scope.ctes)
            )
            scope.relations[alias] = UNKNOWN
        elif item is not None:
            alias = getattr(item, "alias", None)
            scope.relations[alias.aliasname if alias is not None else kind] = UNKNOWN
            self._walk(item, scope)

    def _walk(self, message: Any, scope: Scope, outputs: frozenset[str] = frozenset()) -> None:
        stack: list[Message] = [message]
        while stack:
            current = stack.pop()
            if isinstance(current, pb.ColumnRef):
                self._column(current, scope, outputs)
            elif isinstance(current, pb.SelectStmt | pb.InsertStmt | pb.UpdateStmt | pb.DeleteStmt | pb.MergeStmt):
                self._level(current, scope)
            else:
                stack.extend(children(current))

    def _column(self, node: pb.ColumnRef, scope: Scope, outputs: frozenset[str]) -> None:
        parts = strings(node.fields)
        if not parts or not parts[-1]:  # a star
            return
        if len(parts) == 1:
            if parts[0] not in outputs:
                self.query.columns.append(ColumnUse(parts[0], scope.every() or (UNKNOWN,), node.location))
            return
        owner = scope.find(parts[-2])
        self.query.columns.append(ColumnUse(parts[-1], (owner,), node.location))

    def _stars(self, targets: Any, scope: Scope) -> tuple[str, ...]:
        found: dict[str, None] = {}
        for target in targets:
            fields = target.res_target.val.column_ref.fields
            if not fields or not fields[-1].HasField("a_star"):
                continue
            alias = fields[-2].string.sval if len(fields) > 1 else ""
            for name in (alias,) if alias else scope.relations:
                if name != "excluded":
                    found.update(dict.fromkeys(scope.returned(name)))
        return tuple(found)


def _nulls(named: tuple[str, ...], select: pb.SelectStmt) -> Iterator[str]:
    """Yield the columns that VALUES fills with NULL."""
    for row in select.values_lists:
        for column, value in zip(named, row.list.items, strict=False):
            if value.a_const.isnull:
                yield column


_PLACEHOLDER = re.compile(
    r"""'[^']*+'|"[^"]*+"|--[^\n]*+|/\*.*?(?:\*/|\Z)|::|(?P<mark>%\(\w+\)s|%[sdb]|(?<![\w:\])]):[A-Za-z_]\w*|(?<=[\s(,=<>])\?\d*"""
    r"""|(?<![\w@])@[A-Za-z_]\w*|(?<=[\s(,=])\{\w*\})""",
    re.DOTALL,
)
_AFTER_TABLE_WORD = re.compile(r'(?i)\b(?:from|join|into|update|only)\s+((?:"?[\w$]+"?\.)?"?[A-Za-z_][\w$]*"?)')
_WORD = re.compile(r"[A-Za-z_]\w*")
_LONGEST = 20_000  # characters: the scanner of PostgreSQL takes seconds for some longer texts


@dataclass(frozen=True, slots=True)
class Embedded:
    """A query of code and the `sql` that it was read as. Not `exact`: all of its words may be columns of its tables."""

    query: Query
    sql: str
    exact: bool = True


def read_embedded(text: str, hole: str, dialect: str = "postgresql") -> Embedded:
    """Read a query that code holds. Drivers' placeholders, and `hole` for what is put in, are values or names.

    What still cannot be parsed is read by its words. Columns are in lower case, but for PostgreSQL's that are quoted.
    """
    if dialect != "postgresql":
        return _of_dialect(text, hole, dialect)
    if len(text) <= _LONGEST:
        filled = text.replace(hole, "$1")
        for sql in dict.fromkeys([_numbered(filled), filled, _numbered(text.replace(hole, "_hole_"))]):
            with suppress(SyntaxProblem):
                return Embedded(read_query(sql), sql)
    words = text.replace(hole, " ")
    return Embedded(_by_words(words), words, exact=False)


def _of_dialect(text: str, hole: str, dialect: str) -> Embedded:
    from backendgen.sql import dialect_queries, dialect_text  # sqlglot takes 100 ms to import

    if len(text) <= _LONGEST:
        for sql in dict.fromkeys(dialect_text.filled(text, hole)):
            with suppress(SyntaxProblem):
                return Embedded(dialect_queries.read_query(sql, dialect), sql)
    words = dialect_text.plain(text.replace(hole, " "), dialect).replace("`", '"')
    query = _by_words(words)
    query.columns = [replace(use, column=use.column.lower()) for use in query.columns]
    return Embedded(query, words, exact=False)


def _numbered(sql: str) -> str:
    return _PLACEHOLDER.sub(lambda match: "$1" if match["mark"] else match[0], sql)


def _by_words(text: str) -> Query:
    tables = [
        (match[1].replace('"', "").removeprefix("public."), match.start(1))
        for match in _AFTER_TABLE_WORD.finditer(text)
    ]
    names = tuple(dict.fromkeys(name for name, _ in tables))
    words = {match[0]: match.start() for match in _WORD.finditer(text)}
    return Query(tables=tables, columns=[ColumnUse(word, names, offset) for word, offset in words.items()])
