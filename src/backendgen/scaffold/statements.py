"""Spec + Schema -> the named SQL statements of each resource.

Every value is bound. `%(caller.user_id)s` is about who asks, `%(key.id)s` names the row, `%(sku)s` is a value of the body or
of a filter. `{name}` marks what the service composes at run time from the declared parts, with `psycopg.sql`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from backendgen.scaffold import domains, names
from backendgen.scaffold.domains import Domain
from backendgen.spec.expression import read_expression
from backendgen.spec.model import Action, Allow, Auth, Resource, SortKey, Spec, Term
from backendgen.spec.resources import versioned
from backendgen.sql import lexer
from backendgen.sql.pg_query import SyntaxProblem, parse_tree
from backendgen.sql.schema import Column, Table

PERMITTED = "caller.permitted"
VERSION = "version"
UPDATED_AT = "updated_at"
OPERATORS = {"gte": ">=", "gt": ">", "lte": "<=", "lt": "<"}
_WIDTH = 92


@dataclass(frozen=True, slots=True)
class Fragment:
    """A piece of SQL that the service may compose into a statement, under the name that a request uses."""

    name: str
    sql: str


@dataclass(frozen=True, slots=True)
class Statement:
    """A named statement; `composed` when it holds `{parts}`."""

    name: str
    sql: str
    comment: str
    composed: bool = False


@dataclass(frozen=True, slots=True)
class Sort:
    """An order that a list offers: its name in a request, and (column, descending, nullable) for each key."""

    name: str
    keys: tuple[tuple[str, bool, bool], ...]


@dataclass(frozen=True, slots=True)
class Statements:
    """All SQL of one resource."""

    statements: tuple[Statement, ...]
    filters: tuple[Fragment, ...] = ()
    sorts: tuple[Sort, ...] = ()
    changes: tuple[Fragment, ...] = ()
    given: tuple[Fragment, ...] = ()


def statements(resource: Resource, spec: Spec) -> Statements:
    """Return the resource's SQL. A statement that PostgreSQL cannot parse is an error of ours (AssertionError)."""
    writer = _Writer(resource, spec)
    made = [writer.statement(action) for action in resource.actions]
    if (update := resource.action("update")) and versioned(resource.table):
        made.append(writer.updatable(update))
    listing = resource.action("list")
    result = Statements(
        tuple(sorted(made, key=lambda one: _ORDER.index(one.name))),
        filters=filter_fragments(resource.table, listing, spec) if listing else (),
        sorts=sorts(resource.table, listing) if listing else (),
        changes=writer.changes(),
        given=writer.given(),
    )
    _assert_parses(result)
    return result


_ORDER = ("LIST", "GET", "CREATE", "UPDATE", "UPDATABLE", "DELETE")


def shown(table: Table) -> tuple[Column, ...]:
    """Return the columns that a response carries."""
    return tuple(column for column in table.columns if column.type.name not in domains.HIDDEN_TYPES)


@cache
def quote(name: str) -> str:
    """Return an identifier as SQL: bare unless its letters or its meaning in SQL ask for quotes."""
    if lexer.quote(name) != name:
        return lexer.quote(name)
    try:
        parse_tree(f"SELECT {name}.{name} AS {name}, {name} FROM {name} ORDER BY {name}")
        parse_tree(f"INSERT INTO {name} ({name}) VALUES (1) RETURNING {name}")
        plain = parse_tree(f"SELECT {name}")[0].select_stmt.target_list[0].res_target.val.HasField("column_ref")
    except SyntaxProblem:
        plain = False
    return name if plain else f'"{name}"'


def relation(table: str) -> str:
    """Return a table's name as SQL; it is qualified when it is not in `public`."""
    return ".".join(quote(part) for part in table.split(".", 1))


def for_caller(sql: str) -> str:
    """Bind a spec's SQL: `:user_id` becomes `%(caller.user_id)s`, a literal `%` is doubled."""
    bare = _ATOM.sub(lambda atom: " " if atom[0].startswith("--") else atom[0], sql).strip()
    return lexer.replace_parameters(bare.replace("%", "%%"), lambda name: f"%(caller.{name})s")


def permission(allow: Allow, auth: Auth | None) -> str:
    """Return the SQL condition under which the caller may touch a row, empty when no row matters.

    A role that all grants ask for is checked before any SQL runs, and is not repeated here.
    """
    if auth is None or allow.public or any(not _policies(grant) and not _roles(grant) for grant in allow.grants):
        return ""
    if not allow.policies:
        return ""
    common = frozenset.intersection(*(frozenset(_roles(grant)) for grant in allow.grants))
    alternatives: list[str] = []
    for grant in allow.grants:
        parts = [f"%(caller.is_{role})s" for role in _roles(grant) if role not in common]
        parts += [f"({for_caller(auth.policy(name).condition)})" for name in _policies(grant)]
        alternatives.append(_grouped(parts))
    return alternatives[0] if len(alternatives) == 1 else f"({' OR '.join(alternatives)})"


def _grouped(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"({' AND '.join(parts)})"


def _roles(grant: tuple[Term, ...]) -> tuple[str, ...]:
    return tuple(term.name for term in grant if term.kind == "role")


def _policies(grant: tuple[Term, ...]) -> tuple[str, ...]:
    return tuple(term.name for term in grant if term.kind == "policy")


def filter_fragments(table: Table, action: Action, spec: Spec) -> tuple[Fragment, ...]:
    """Return the filters: equality for each declared column, and `[gte] [gt] [lte] [lt]` where order means something."""
    made: list[Fragment] = []
    for name in action.filters:
        column = table.column(name)
        assert column is not None
        values = domains.domain(table, column, spec.schema)
        made.append(Fragment(name, f"{quote(name)} = {_value(name, values)}"))
        if values.comparable:
            for word, operator in OPERATORS.items():
                made.append(
                    Fragment(f"{name}[{word}]", f"{quote(name)} {operator} {_value(f'{name}[{word}]', values)}")
                )
    return tuple(made)


def sorts(table: Table, action: Action) -> tuple[Sort, ...]:
    """Return the orders that the list offers, each ending in the primary key; without any, the primary key's."""
    if not action.sorts:
        return (Sort("", tuple((name, False, False) for name in table.primary_key)),)
    return tuple(_sort(table, key) for key in action.sorts)


def _sort(table: Table, key: SortKey) -> Sort:
    rest = tuple((name, key.descending, False) for name in table.primary_key if name != key.column)
    column = table.column(key.column)
    nullable = column is not None and not column.not_null and key.column not in table.primary_key
    return Sort(str(key), ((key.column, key.descending, nullable), *rest))


def _value(parameter: str, values: Domain) -> str:
    """Return the placeholder, cast where PostgreSQL would not find the type itself."""
    cast = f"::{values.sql}" if values.kind in ("array", "float") else ""
    return f"%({parameter})s{cast}"


@dataclass(frozen=True, slots=True)
class _Writer:
    resource: Resource
    spec: Spec

    @property
    def table(self) -> Table:
        return self.resource.table

    @property
    def name(self) -> str:
        return relation(self.table.name)

    def domain(self, column: str) -> Domain:
        found = self.table.column(column)
        assert found is not None
        return domains.domain(self.table, found, self.spec.schema)

    @property
    def optional(self) -> tuple[str, ...]:
        """The columns of a create that the database has a default for."""
        if self.resource.action("create") is None:
            return ()
        found = [self.table.column(name) for name in self.resource.body]
        return tuple(c.name for c in found if c is not None and (c.default is not None or c.identity))

    def given(self) -> tuple[Fragment, ...]:
        """The values of the optional columns, by the names of their fields."""
        fields = names.fields(column.name for column in self.table.columns)
        return tuple(Fragment(fields[name], _value(name, self.domain(name))) for name in self.optional)

    def statement(self, action: Action) -> Statement:
        match action.name:
            case "list":
                return self.list(action)
            case "get":
                return self.get(action)
            case "create":
                return self.create(action)
            case "update":
                return self.update(action)
        return self.delete(action)

    def columns(self) -> str:
        return ", ".join(self._column(column) for column in shown(self.table))

    def _column(self, column: Column) -> str:
        """Return the column; the driver does not know the arrays of an enum."""
        name = quote(column.name)
        return f"{name}::text[] AS {name}" if column.type.array and column.type.name in self.spec.schema.enums else name

    def key(self) -> str:
        return " AND ".join(f"{quote(name)} = %(key.{name})s" for name in self.table.primary_key)

    def visible(self, action: Action) -> str:
        condition = permission(action.allow, self.spec.auth)
        return f"\n  AND {_wrap(condition, 6)}" if condition else ""

    def returning(self, action: Action) -> str:
        condition = permission(action.allow, self.spec.auth)
        permitted = ",\n  " + _wrap(f'{condition} AS "{PERMITTED}"', 4) if condition else ""
        return f"RETURNING {_wrap(self.columns(), 2)}{permitted}"

    def list(self, action: Action) -> Statement:
        condition = _braced(permission(action.allow, self.spec.auth))
        where = f"{_wrap(condition, 6)}\n  AND {{conditions}}" if condition else "{conditions}"
        sql = (
            f"SELECT {_wrap(_braced(self.columns()), 2)}\nFROM {_braced(self.name)}\nWHERE {where}\n"
            "ORDER BY {order}\nLIMIT %(page.rows)s"
        )
        return Statement(
            "LIST", sql, "A page of rows: the filters and the position of a cursor are its conditions.", True
        )

    def get(self, action: Action) -> Statement:
        sql = f"SELECT {_wrap(self.columns(), 2)}\nFROM {self.name}\nWHERE {self.key()}{self.visible(action)}"
        return Statement("GET", sql, "One row.")

    def create(self, action: Action) -> Statement:
        optional = self.optional
        fields = names.fields(column.name for column in self.table.columns)
        targets = [*self.resource.body, *(column for column, _ in action.sets)]
        values = [
            f"{{{fields[name]}}}" if name in optional else _value(name, self.domain(name))
            for name in self.resource.body
        ]
        values += [self._braced_if(optional, self._set(expression)) for _, expression in action.sets]
        listed = ", ".join(quote(name) for name in targets)
        into = f"INSERT INTO {self.name}"
        if targets:
            given = ",\n  ".join(_wrap(value, 4) for value in values)
            body = f"{self._braced_if(optional, f'{into} ({_wrap(listed, 2)})')}\nVALUES (\n  {given}\n)"
        else:
            body = f"{into} DEFAULT VALUES"
        sql = f"{body}\n{self._braced_if(optional, self.returning(action))}"
        return Statement("CREATE", sql, "A new row.", bool(optional))

    @staticmethod
    def _braced_if(optional: tuple[str, ...], sql: str) -> str:
        return _braced(sql) if optional else sql

    def _set(self, expression: str) -> str:
        """Return the expression with the columns of the new row in reach, where it names any."""
        used = [name for name in self.resource.body if name in read_expression(expression, self.spec.schema).columns]
        bound = for_caller(expression)
        if not used:
            return bound
        values = ", ".join(f"{self._new(name)} AS {quote(name)}" for name in used)
        alias = quote(self.table.name.rpartition(".")[2])
        return f"(SELECT {bound} FROM (SELECT {values}) AS {alias})"

    def _new(self, name: str) -> str:
        column = self.table.column(name)
        assert column is not None
        value = f"%({name})s::{column.type}"
        # DEFAULT is no value that another expression could read: the default's own expression stands in for it.
        return f"COALESCE({value}, {column.default.replace('%', '%%')})" if column.default is not None else value

    def changes(self) -> tuple[Fragment, ...]:
        if self.resource.action("update") is None:
            return ()
        return tuple(
            Fragment(name, f"{quote(name)} = {_value(name, self.domain(name))}") for name in self.resource.changes
        )

    def update(self, action: Action) -> Statement:
        sets = ["{changes}", *(f"{quote(column)} = {_braced(for_caller(value))}" for column, value in action.sets)]
        given = {column for column, _ in action.sets}
        if versioned(self.table):
            sets.append(f"{VERSION} = {VERSION} + 1")
        if self.table.column(UPDATED_AT) is not None and UPDATED_AT not in given | set(self.resource.changes):
            sets.append(f"{UPDATED_AT} = now()")
        match = "\n  AND version = ANY(%(key.versions)s)" if versioned(self.table) else ""
        assigned = ",\n    ".join(_wrap(one, 6) for one in sets)
        sql = (
            f"UPDATE {_braced(self.name)}\nSET {assigned}\nWHERE {_braced(self.key())}{match}"
            f"{_braced(self.visible(action))}\n{_braced(self.returning(action))}"
        )
        return Statement(
            "UPDATE", sql, "The columns that are sent, of a row that has not changed since it was read.", True
        )

    def updatable(self, action: Action) -> Statement:
        sql = f"SELECT 1 AS found\nFROM {self.name}\nWHERE {self.key()}{self.visible(action)}"
        return Statement("UPDATABLE", sql, "Tells a row that has changed from one that is not there.")

    def delete(self, action: Action) -> Statement:
        first = quote(self.table.primary_key[0])
        sql = f"DELETE FROM {self.name}\nWHERE {self.key()}{self.visible(action)}\nRETURNING {first}"
        return Statement("DELETE", sql, "Returns its key when there was such a row.")


def _braced(sql: str) -> str:
    return sql.replace("{", "{{").replace("}", "}}")


_ATOM = re.compile(r"""--[^\n]*|(?:'(?:[^']|'')*'|"(?:[^"]|"")*"|%\([^)]*\)s|(?!--)\S)+|\s+""")


def _wrap(sql: str, indent: int) -> str:
    """Break long SQL at its spaces, never inside a quoted string or identifier."""
    lines, line = [], ""
    for atom in _ATOM.findall(sql):
        if atom.isspace():
            line += " "
        elif len(line) + len(atom) > _WIDTH - indent and line.strip():
            lines.append(line.rstrip())
            line = atom
        else:
            line += atom
    return f"\n{' ' * indent}".join([*lines, line.rstrip()])


def _assert_parses(made: Statements) -> None:
    for one in made.statements:
        for text in _variants(one, made):
            plain = re.sub(r"%\([^)]*\)s", "$1", text).replace("%%", "%")
            try:
                parse_tree(plain)
            except SyntaxProblem as error:
                raise AssertionError(f"{one.name} does not parse: {error.message}\n{plain}") from error


def _variants(one: Statement, made: Statements) -> Iterable[str]:
    if not one.composed:
        return [one.sql]
    parts = {"conditions": " AND ".join(f.sql for f in made.filters) or "true", "order": "1"}
    parts |= {"changes": ", ".join(f.sql for f in made.changes)}
    values = {fragment.name: "DEFAULT" for fragment in made.given}
    text = one.sql.replace("{{", "\1").replace("}}", "\2")
    for name, sql in (parts | values).items():
        text = text.replace(f"{{{name}}}", sql)
    return [text.replace("\1", "{").replace("\2", "}")]
