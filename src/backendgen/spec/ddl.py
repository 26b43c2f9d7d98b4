"""The spec's DDL: gathered from the YAML or from .sql files, parsed, held to plain schema DDL, replayed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from backendgen.errors import UserError, did_you_mean
from backendgen.files import decode, read_bytes
from backendgen.spec.document import MAX_BYTES, Node, Scalar, Sequence, shown
from backendgen.spec.expression import ExpressionProblem, read_expression
from backendgen.spec.questions import Notes, Place
from backendgen.sql.operation import (
    AddColumn,
    AddConstraint,
    CallRoutine,
    CreateIndex,
    CreateRoutine,
    CreateTable,
    CreateType,
    Harmless,
    NotUnderstood,
    Operation,
    SetComment,
)
from backendgen.sql.replay import Schema, replay
from backendgen.sql.schema import Column, Constraint, Table

# What a DDL may refer to while auth is on. The auth feature's migration owns the full text.
AUTH_DDL = """
CREATE TABLE users (
  id uuid PRIMARY KEY, email text NOT NULL UNIQUE, role text NOT NULL, created_at timestamptz NOT NULL
);
"""
AUTH_TABLES = ("users", "sessions", "refresh_tokens")
SERVICE_TABLES = ("idempotency_keys", "alembic_version")

_PLAIN = "only CREATE TABLE, CREATE INDEX, CREATE TYPE, ALTER TABLE ... ADD and COMMENT belong into a spec's schema"
METHODS = ("btree", "hash", "gin", "gist", "spgist", "brin")
SYSTEM_COLUMNS = ("ctid", "cmax", "cmin", "tableoid", "xmax", "xmin")
_LATER_MARKERS = {"pii", "encrypted"}
# What COMPARABLE holds can be filtered and sorted by, KEYS can name a row in a path, CARRIED is what JSON can carry, TYPES
# what PostgreSQL has built in.
COMPARABLE = frozenset(
    {"smallint", "integer", "bigint", "numeric", "real", "double precision", "boolean", "uuid"}
    | {"text", "character varying", "character", "date", "time without time zone"}
    | {"timestamp with time zone", "timestamp without time zone"}
)
KEYS = frozenset({"smallint", "integer", "bigint", "uuid", "text", "character varying", "character", "date"})
CARRIED = COMPARABLE | {"json", "jsonb", "tsvector"}
TYPES = (
    CARRIED
    | {"bytea", "inet", "cidr", "macaddr", "macaddr8", "interval", "time with time zone", "tsquery", "xml", "money"}
    | {"bit", "bit varying", "point", "line", "lseg", "box", "path", "polygon", "circle", "oid", "name", "jsonpath"}
    | {"int4range", "int8range", "numrange", "tsrange", "tstzrange", "daterange"}
    | {"int4multirange", "int8multirange", "nummultirange", "tsmultirange", "tstzmultirange", "datemultirange"}
)


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of the DDL that comes from one place: `first` is its first line in the whole, `scalar` its YAML value."""

    path: str
    first: int
    scalar: Scalar | None = None


@dataclass(frozen=True, slots=True)
class Ddl:
    """The whole DDL, and where its lines come from."""

    text: str
    pieces: tuple[Piece, ...]

    def place(self, line: int, column: int = 1) -> Place:
        """Return the file, line and column of a 1-based line and column of the whole."""
        piece = next((piece for piece in reversed(self.pieces) if piece.first <= line), self.pieces[0])
        inside = line - piece.first + 1
        if piece.scalar is None:
            return Place(piece.path, inside, column)
        return Place(piece.path, *piece.scalar.place(inside, column))


def gather(node: Node | None, spec: Path, notes: Notes) -> Ddl:
    """Return the DDL that the `schema` section gives, reporting files that cannot be had."""
    if isinstance(node, Scalar):
        return Ddl(node.text, (Piece(notes.path, 1, node),))
    text, pieces = "", []
    for item in node.items if isinstance(node, Sequence) else ():
        content = _file(item, spec, notes)
        if content is not None:
            pieces.append(Piece(str(spec.parent / content[0]), text.count("\n") + 1))
            text += _terminated(content[1])
    return Ddl(text, tuple(pieces) or (Piece(notes.path, 1),))


def _file(item: Node, spec: Path, notes: Notes) -> tuple[str, str] | None:
    name = item.text if isinstance(item, Scalar) else ""
    relative = PurePosixPath(name)
    folder = spec.parent.resolve()
    if relative.is_absolute() or ".." in relative.parts or not (folder / name).resolve().is_relative_to(folder):
        notes.error(item, f"schema: {shown(name)} is outside the spec's folder", "keep the .sql files beside the spec")
        return None
    try:
        content = decode(read_bytes(folder / name, MAX_BYTES), str(spec.parent / name))
    except UserError as error:
        for problem in error.problems:
            if problem.line:
                notes.problems.append(problem)
            else:
                notes.error(item, f"schema: {shown(name)} {problem.message}", problem.hint)
        return None
    return name, content.replace("\r\n", "\n").replace("\r", "\n")


def _terminated(text: str) -> str:
    """End a file's last statement, so that it does not run into the next file."""
    lines = [line.split("--")[0].rstrip() for line in text.split("\n")]
    last = next((line for line in reversed(lines) if line), ";")
    return f"{text.rstrip()}\n" if last.endswith(";") else f"{text.rstrip()}\n;\n"


@dataclass(frozen=True, slots=True)
class Data:
    """The replayed DDL. When it is not `complete`, a name that is missing may be in a statement that was not understood."""

    schema: Schema
    complete: bool = True
    reserved: frozenset[str] = frozenset()


def build(ddl: Ddl, *, auth: bool, notes: Notes) -> Data:
    """Replay the DDL onto the generated tables that it may refer to, reporting every statement that does not belong."""
    from backendgen.sql.postgres import parse

    schema = replay(parse(AUTH_DDL)) if auth else Schema()
    reserved = dict.fromkeys(SERVICE_TABLES, "the generated service")
    reserved |= dict.fromkeys(AUTH_TABLES, "the generated auth feature") if auth else {}
    complete = bool(ddl.text)
    for operation in parse(ddl.text):
        complete = complete and not isinstance(operation, NotUnderstood)
        if _Statement(operation, ddl, schema, reserved, notes, complete).belongs():
            schema.apply(operation)
        elif isinstance(operation, CreateTable | CreateType):
            complete = False
    _refuse_circles(schema, ddl, notes)
    return Data(schema, complete, frozenset(reserved))


def _refuse_circles(schema: Schema, ddl: Ddl, notes: Notes) -> None:
    """Report foreign keys that need a row before the table's first one."""
    needed = {table.name: tuple(_needed(table)) for table in schema.tables.values()}
    for table in schema.tables.values():
        for key in needed[table.name]:
            reached = [key.references]
            for name in reached:
                reached += [other.references for other in needed.get(name, ()) if other.references not in reached]
            if table.name in reached:
                message = f"'{table.name}.{key.columns[0]}' is NOT NULL and leads back to '{table.name}'"
                hint = "no first row could be made: let one of the columns on the way be NULL"
                notes.error(ddl.place(key.line or table.line or 1), f"schema: {message}", hint)
                return


def _needed(table: Table) -> Iterator[Constraint]:
    for key in table.constraints:
        columns = [table.column(name) for name in key.columns]
        if key.kind == "foreign_key" and all(one and one.not_null and one.default is None for one in columns):
            yield key


@dataclass(frozen=True, slots=True)
class _Statement:
    """One operation of the DDL, held against the schema before it."""

    operation: Operation
    ddl: Ddl
    schema: Schema
    reserved: dict[str, str]
    notes: Notes
    complete: bool

    def belongs(self) -> bool:
        """Report what is wrong with the operation; True when it can be applied all the same, so that little follows."""
        match self.operation:
            case CreateTable():
                return self._table(self.operation)
            case CreateIndex(table=table, index=index):
                if self.operation.concurrently:
                    return self._error("CONCURRENTLY has no place in a new schema", "write CREATE INDEX")
                if self.schema.index(index.name):
                    return self._error(f"index '{index.name}' is created twice")
                if index.method not in METHODS:
                    guess = did_you_mean(index.method, METHODS)
                    return self._error(f"index '{index.name}' has the unknown method '{index.method}'{guess}")
                named = (*index.columns, *index.include, *index.expression_columns)
                return self._columns(table, tuple(filter(None, named)), f"index '{index.name}'")
            case CreateType(name=name, values=values):
                if not values:
                    return self._error(f"type '{name}': only enums are built yet", "CREATE TYPE ... AS ENUM ('a', 'b')")
                for value in dict.fromkeys(value for value in values if values.count(value) > 1):
                    self._error(f"type '{name}' has the value {shown(value)} twice")
                return name not in self.schema.enums or self._error(f"type '{name}' is created twice")
            case AddConstraint(table=table, constraint=constraint):
                known = self._own(table)
                return known is not None and self._constraint(constraint, known)
            case AddColumn(table=table, definition=column):
                self._column(column)
                known = self._own(table)
                if known and known.column(column.name):
                    return self._error(f"table '{table}' has column '{column.name}' twice")
                return known is not None
            case SetComment(table=table, name=name):
                return self._columns(table, (name,) if name else (), "COMMENT")
            case NotUnderstood():
                return self._not_understood(self.operation)
            case _:
                return self._error(f"{self._verb()} cannot be part of a spec's schema", _PLAIN)

    def _verb(self) -> str:
        operation = self.operation
        if isinstance(operation, Harmless):
            return operation.what
        if isinstance(operation, CreateRoutine):
            return "CREATE FUNCTION"
        return " ".join(operation.sql.upper().split()[: 1 if isinstance(operation, CallRoutine) else 2])

    def _error(self, message: str, hint: str = "", line: int = 0, column: int = 1) -> bool:
        place = self.ddl.place(line, column) if line else self.ddl.place(self.operation.line, self.operation.column)
        self.notes.error(place, f"schema: {message}", hint)
        return False

    def _not_understood(self, operation: NotUnderstood) -> bool:
        line, column = operation.error_line or operation.line, operation.error_column or operation.column
        return self._error(operation.reason, line=line, column=column)

    def _own(self, name: str, line: int = 0) -> Table | None:
        """Return a table of the user's DDL, or report why there is none."""
        table = self.schema.tables.get(name)
        if table is None:
            if self.complete:
                self._error(f"unknown table '{name}'{did_you_mean(name, self.schema.tables)}", line=line)
        elif name in self.reserved:
            self._error(f"table '{name}' belongs to {self.reserved[name]}; it cannot be changed here", line=line)
            return None
        return table

    def _columns(self, name: str, columns: tuple[str, ...], what: str) -> bool:
        table = self._own(name)
        if table is None:
            return False
        missing = [column for column in columns if table.column(column) is None]
        for column in missing:
            guess = did_you_mean(column, [known.name for known in table.columns])
            self._error(f"{what} names column '{column}', which table '{name}' does not have{guess}")
        return not missing

    def _table(self, operation: CreateTable) -> bool:
        name = operation.table
        if name in self.reserved:
            return self._error(f"table '{name}' belongs to {self.reserved[name]}", "rename the table")
        if name in self.schema.tables:
            return self._error(f"table '{name}' is created twice")
        if "." in name:
            return self._error(f"table '{name}': schemas other than public are not built yet", "leave the schema out")
        unbuilt: tuple[tuple[object, str], ...] = (
            (operation.temporary, "a temporary table"),
            (operation.partition_of or operation.partitioned, "partitioning"),
            (operation.inherits, "INHERITS"),
            (operation.like, "LIKE"),
        )
        for present, what in unbuilt:
            if present:
                return self._error(f"table '{name}': {what} is not built yet in a spec's schema")
        table = Table(name, operation.columns, operation.constraints)
        duplicates = [c for i, c in enumerate(table.columns) if table.column(c.name) is not table.columns[i]]
        for column in duplicates:
            self._error(f"table '{name}' has column '{column.name}' twice", line=column.line)
        for column in table.columns:
            self._column(column)
            self._generated(column, table)
        for constraint in table.constraints:
            self._constraint(constraint, table)
        keys = [constraint for constraint in table.constraints if constraint.kind == "primary_key"]
        for constraint in keys[1:]:
            self._error(f"table '{name}' has a second primary key", "write UNIQUE", line=constraint.line)
        return not duplicates

    def _column(self, column: Column) -> None:
        for marker in sorted(column.markers & _LATER_MARKERS):
            self._error(f"the marker @{marker} is not built yet; remove it", line=column.line)
        name = column.type.name
        if name not in TYPES and name not in self.schema.enums and self.complete:
            guess = did_you_mean(name, [*TYPES, *self.schema.enums])
            self._error(f"column '{column.name}' has the unknown type '{name}'{guess}", line=column.line)
        if column.name in SYSTEM_COLUMNS:
            self._error(f"column '{column.name}' is called as one of PostgreSQL's own", "rename it", line=column.line)
        literal = re.fullmatch(r"'((?:[^']|'')*)'(?:::.*)?", column.default or "")
        values = self.schema.enums.get(name, ())
        if literal and values and not column.type.array and literal[1].replace("''", "'") not in values:
            guess = did_you_mean(literal[1], values)
            self._error(f"column '{column.name}': DEFAULT '{literal[1]}' is no {name}{guess}", line=column.line)

    def _generated(self, column: Column, table: Table) -> None:
        """Check that the columns that a generated one is made from exist."""
        if column.generated is None:
            return
        try:
            missing = read_expression(column.generated, self.schema).missing(table)
        except ExpressionProblem as problem:
            self._error(f"column '{column.name}': {problem.message}", line=column.line)
            return
        for name in missing:
            guess = did_you_mean(name.column, [known.name for known in table.columns])
            message = f"column '{column.name}' is made from '{name}', which table '{table.name}' does not have{guess}"
            self._error(message, line=column.line)

    def _constraint(self, constraint: Constraint, table: Table) -> bool:
        """Check that the columns and the parent that a constraint names exist."""
        line = constraint.line
        good = True
        for column in constraint.columns:
            if table.column(column) is None:
                guess = did_you_mean(column, [known.name for known in table.columns])
                message = (
                    f"'{constraint.name}' names column '{column}', which table '{table.name}' does not have{guess}"
                )
                good = self._error(message, line=line)
        if constraint.kind != "foreign_key" or not good:
            return good
        return self._foreign_key(constraint, table)

    def _foreign_key(self, constraint: Constraint, table: Table) -> bool:
        line = constraint.line
        parent = table if constraint.references == table.name else self.schema.tables.get(constraint.references)
        if parent is None and not self.complete:
            return False
        if parent is None:
            guess = did_you_mean(constraint.references, self.schema.tables)
            known = ", ".join([*self.schema.tables][-12:]) or "none"
            message = f"'{table.name}' refers to table '{constraint.references}', which is not created above it{guess}"
            return self._error(message, f"tables so far: {known}", line=line)
        columns = constraint.referenced_columns or parent.primary_key
        unique = [set(c.columns) for c in parent.constraints if c.kind in ("primary_key", "unique")]
        unique += [set(index.columns) for index in parent.indexes if index.unique]
        if len(columns) != len(constraint.columns) or set(columns) not in unique:
            message = (
                f"'{table.name}' refers to {parent.name} ({', '.join(columns)}), which is no primary or unique key"
            )
            return self._error(message, line=line)
        for own, other in zip(constraint.columns, columns, strict=True):
            mine, theirs = table.column(own), parent.column(other)
            if mine and theirs and not _joinable(mine, theirs):
                types = f"is {mine.type}, but '{parent.name}.{other}', which it refers to, is {theirs.type}"
                return self._error(f"'{table.name}.{own}' {types}", line=line)
        return True


_FAMILIES = {
    "smallint": "number",
    "integer": "number",
    "bigint": "number",
    "numeric": "number",
    "character varying": "text",
    "character": "text",
}


def _joinable(mine: Column, theirs: Column) -> bool:
    return _FAMILIES.get(mine.type.name, mine.type.name) == _FAMILIES.get(theirs.type.name, theirs.type.name)
