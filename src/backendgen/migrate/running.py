"""The code that runs while a migration is applied: which of its places use a table or a column.

The searching is done by `code`, the reading of queries by `sql`; here both meet what the pending migrations change.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from backendgen import files
from backendgen.code.literals import HOLE, Literal
from backendgen.code.models import Model
from backendgen.code.schemas import mention
from backendgen.code.sources import Code
from backendgen.code.uses import Uses, forms, may_use, uses
from backendgen.config import Config
from backendgen.errors import Problem, UserError
from backendgen.findings.finding import Location
from backendgen.migrate.history import Histories
from backendgen.migrate.pending import Selection
from backendgen.rules import Confidence
from backendgen.sql import operation as op
from backendgen.sql.cursor import Dialect
from backendgen.sql.lexer import split
from backendgen.sql.queries import Embedded, read_embedded
from backendgen.sql.query import UNKNOWN
from backendgen.sql.replay import Schema
from backendgen.sql.tokens import sentences

_CHANGING = (
    op.DropTable, op.RenameTable, op.SetSchema, op.DropColumn, op.RenameColumn, op.AlterColumnType, op.AddColumn,
    op.SetNotNull, op.SetDefault, op.ModifyColumn,
)  # fmt: skip

_SYSTEM_COLUMNS = frozenset({"ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"})


@dataclass(frozen=True, slots=True)
class Use:
    """A place in the code, its path relative to the code's folder, and what it does there.

    `written`: it gives the column a value.
    """

    location: Location
    note: str
    confidence: Confidence
    written: bool = False


@dataclass(frozen=True, slots=True)
class _Text:
    """A query, where it stands."""

    embedded: Embedded
    path: str
    line: int
    verbatim: bool

    def place(self, offset: int) -> Location:
        """Where the byte at an offset stands; the text's own beginning when its lines are not those of the file."""
        inside = self.embedded.sql.encode()[: max(offset, 0)].count(b"\n") if self.verbatim else 0
        return Location(self.path, self.line + inside)


@dataclass(slots=True)
class RunningCode:
    """What the code says of the tables that pending migrations change.

    `name` is how messages call it, `folder` its path from the migrations' root.
    """

    name: str
    folder: str
    deployed: bool = False
    files: int = 0
    skipped: tuple[Problem, ...] = ()
    _texts: defaultdict[tuple[str, str], list[_Text]] = field(default_factory=lambda: defaultdict(list))
    _models: defaultdict[str, list[tuple[Model, str]]] = field(default_factory=lambda: defaultdict(list))
    _inserted: set[str] = field(default_factory=set)
    _changing: frozenset[tuple[str, str]] = frozenset()
    _mentions: defaultdict[tuple[str, str], list[Use]] = field(default_factory=lambda: defaultdict(list))

    def of_table(self, table: str, schema: Schema) -> tuple[Use, ...]:
        """Return the places that use a table or view."""
        found = []
        for text in self._of(table, schema):
            offset = next((offset for name, offset in text.embedded.query.tables if _same(name, table)), None)
            if offset is not None:
                sure = self._sure(text, table, schema)
                found.append(Use(text.place(offset), f"{text.embedded.query.verb} names {table}", sure))
        found += [
            Use(Location(path, model.line), f"{model.name} maps {table}", Confidence.HIGH)
            for model, path in self._mapping(table)
        ]
        return _distinct([*found, *self._mentions.get((table, ""), ())])

    def of_column(self, table: str, column: str, schema: Schema) -> tuple[Use, ...]:
        """Return the places that read or write a column; the Schema tells to which table a bare name belongs."""
        found = []
        name = _folded(column, schema)
        for text in self._of(table, schema):
            for use in text.embedded.query.columns:
                if use.column != name or not any(_same(each, table) for each in use.candidates):
                    continue
                others = [each for each in use.candidates if not _same(each, table)]
                confidence = min(self._sure(text, table, schema), _belongs(column, others, schema))
                verb = "writes" if use.written else "names"
                note = f"{text.embedded.query.verb} {verb} {table}.{column}"
                found.append(Use(text.place(use.offset), note, confidence, use.written))
        for model, path in self._mapping(table):
            if mapped := model.column(column):
                note = f"{model.name} maps {table}.{column}"
                found.append(Use(Location(path, mapped.line), note, Confidence.HIGH, written=True))
        return _distinct([*found, *self._mentions.get((table, column), ())])

    def leaving_out(self, table: str, column: str, schema: Schema, *, added: bool) -> tuple[Use, ...]:
        """Return the places that insert rows without a value for a column. `added`: no code can fill it by its place."""
        found = []
        label, name = f"{table}.{column}", _folded(column, schema)
        for text in self._of(table, schema):
            for insert in text.embedded.query.inserts:
                if not _same(insert.table, table):
                    continue
                sure = self._sure(text, table, schema)
                if name in insert.nulls:
                    found.append(Use(text.place(insert.offset), f"INSERT writes NULL to {label}", sure))
                elif name not in insert.columns if insert.columns is not None else added:
                    found.append(Use(text.place(insert.offset), f"INSERT leaves out {label}", sure))
        for model, path in self._mapping(table):
            mapped = model.column(column)
            if not model.inserts and _bare(table) not in self._inserted:
                continue
            if mapped is None:
                sure = Confidence.HIGH if model.complete else Confidence.MEDIUM
                found.append(Use(Location(path, model.line), f"{model.name} does not map {label}", sure))
            elif mapped.nullable and not mapped.filled:
                found.append(Use(Location(path, mapped.line), f"{model.name} lets {label} be NULL", Confidence.MEDIUM))
        return _distinct(found)

    def stars(self, table: str, schema: Schema) -> tuple[Use, ...]:
        """Return the queries that return all columns of a table by `*`."""
        return _distinct(
            Use(text.place(0), f"{text.embedded.query.verb} returns {table}.*", Confidence.HIGH)
            for text in self._of(table, schema)
            if any(_same(each, table) for each in text.embedded.query.stars)
        )

    def _of(self, table: str, schema: Schema) -> Sequence[_Text]:
        return self._texts.get((schema.dialect, _bare(table)), ())

    def _sure(self, text: _Text, table: str, schema: Schema) -> Confidence:
        """How sure it is that a query means this table: one that names columns which it never had is of another database."""
        if not text.embedded.exact:
            return Confidence.MEDIUM
        known = schema.tables.get(table)
        if known is None:
            return Confidence.HIGH
        query = text.embedded.query
        own = {use.column for use in query.columns if len(use.candidates) == 1 and _same(use.candidates[0], table)}
        strange = own - {_folded(column.name, schema) for column in known.columns} - query.aliases - _SYSTEM_COLUMNS
        changing = {_folded(name, schema) for owner, name in self._changing if owner == _bare(table)}
        return Confidence.HIGH if strange <= changing else Confidence.LOW

    def _mapping(self, table: str) -> Iterator[tuple[Model, str]]:
        return ((model, path) for model, path in self._models.get(_bare(table), ()) if _same(model.table, table))

    def _take(self, found: Uses, path: str, wanted: _Wanted) -> None:
        """Note what a file says of the wanted tables."""
        for dialect in wanted.dialects:
            for literal in _statements(found.texts, dialect) if path.endswith(".sql") else found.texts:
                lower = literal.text.lower()
                if any(name.lower() in lower for name in wanted.tables):
                    text = _Text(read_embedded(literal.text, HOLE, dialect), path, literal.line, literal.verbatim)
                    if found.names_columns:
                        text.embedded.query.stars.clear()
                    self._note(text, wanted, dialect)
        for model in found.models:
            if _bare(model.table) in wanted.tables:
                self._models[_bare(model.table)].append((model, path))
        self._inserted |= found.inserted
        for table, column in wanted.pairs if found.text else ():
            place = mention(found.text, _bare(table), column) if _bare(table) in found.text else None
            if place:
                what = f"{table}.{column}" if column else table
                sure = Confidence.MEDIUM if place[1] else Confidence.LOW
                note = f"maps {what}" if place[1] else f"names {what} in quotes"
                self._mentions[table, column].append(Use(Location(path, place[0]), note, sure))

    def _note(self, text: _Text, wanted: _Wanted, dialect: Dialect) -> None:
        for name in dict.fromkeys(_bare(name) for name, _ in text.embedded.query.tables):
            if name in wanted.tables:
                self._texts[dialect, name].append(text)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What the pending migrations change: (table, column)s, the column empty for the whole.

    `tables` are their bare names, `changing` the columns that come or go, by their tables' bare names; `dialects` those
    that the code's queries may be written in.
    """

    pairs: tuple[tuple[str, str], ...]
    tables: frozenset[str]
    changing: frozenset[tuple[str, str]]
    dialects: tuple[Dialect, ...]


def search(histories: Histories, selection: Selection, config: Config, folder: Path) -> RunningCode:
    """Search the code in a folder, as it was at `config.deployed`, for what the pending migrations change.

    Raises UserError when the folder or the revision is not there, or holds no source file.
    """
    code = Code(folder.absolute(), config.deployed, config.exclude)
    wanted = _wanted(histories, selection)
    names = frozenset(name.lower().encode() for name in wanted.tables)
    classes = frozenset(form.encode() for name in wanted.tables for form in forms(name))
    own = {files.real(histories.root / name) for name in histories.sources}
    folders = {path.parent for path in own if path.suffix == ".sql"}
    root = files.real(code.folder)
    beside = Path(os.path.relpath(root, files.real(histories.root))).as_posix()
    running = RunningCode(_name(folder, config.deployed), beside, bool(config.deployed), _changing=wanted.changing)
    for source in code.sources():
        location = root / source.path
        if location in own or (location.suffix == ".sql" and location.parent in folders):
            continue
        running.files += 1
        if may_use(source, names, classes):
            running._take(uses(source, root.name), source.path, wanted)
    if not running.files:
        raise UserError(Problem("holds no source file that could be searched", str(folder)))
    running.skipped = tuple(code.skipped)
    return running


def _name(folder: Path, deployed: str) -> str:
    name = files.real(folder).name or "the code"
    return f"{name} at {deployed}" if deployed else name


def _wanted(histories: Histories, selection: Selection) -> _Wanted:
    pairs: dict[tuple[str, str], None] = {}
    changing: set[tuple[str, str]] = set()
    dialects: dict[Dialect, None] = {}
    for history in histories.histories:
        for position, migration in enumerate(history.migrations):
            if selection.has(history, position):
                dialects[history.dialect] = None
                for action in migration.up:
                    pairs.update(dict.fromkeys(_changed(action.operation)))
                    changing.update(_coming_or_going(action.operation))
    tables = frozenset(_bare(table) for table, _ in pairs)
    return _Wanted(tuple(pairs), tables, frozenset(changing), tuple(dialects))


def _changed(operation: op.Operation) -> Iterator[tuple[str, str]]:
    """Yield the (table, column)s that an operation changes, the column empty when it is the whole table."""
    if isinstance(operation, op.Drop | op.Rename) and operation.object_type in ("view", "materialized view"):
        yield operation.name, ""
    elif isinstance(operation, _CHANGING):
        yield operation.table, getattr(operation, "name", "")


def _coming_or_going(operation: op.Operation) -> Iterator[tuple[str, str]]:
    """Yield the columns that a table has only before or only after an operation, by the table's bare name."""
    match operation:
        case op.AddColumn(table=table, definition=column):
            yield _bare(table), column.name
        case op.DropColumn(table=table, name=name):
            yield _bare(table), name
        case op.RenameColumn(table=table, name=name, new_name=new):
            yield from ((_bare(table), name), (_bare(table), new))
        case _:
            return


def _statements(texts: Iterable[Literal], dialect: Dialect) -> Iterator[Literal]:
    """Cut files of queries into their statements."""
    for text in texts:
        if dialect == "postgresql":
            yield from (Literal(each.text, each.line) for each in split(text.text))
        else:
            yield from (Literal(each.sql, each.line) for each in sentences(text.text, dialect != "sqlite"))


def _folded(column: str, schema: Schema) -> str:
    """Return a column's name as queries have it: PostgreSQL alone minds its case."""
    return column if schema.dialect == "postgresql" else column.lower()


def _bare(name: str) -> str:
    return name.rpartition(".")[2]


def _same(one: str, other: str) -> bool:
    """Whether two names may be of one table: a name without a schema may be of any."""
    if one == UNKNOWN:
        return False
    return one == other or (_bare(one) == _bare(other) and ("." in one) != ("." in other))


def _belongs(column: str, others: Iterable[str], schema: Schema) -> Confidence:
    """How sure it is that none of the other tables in scope has the column."""
    sure = Confidence.HIGH
    for other in others:
        table = schema.tables.get(other)
        if table is None:
            sure = min(sure, Confidence.MEDIUM)
        elif table.column(column):
            return Confidence.LOW
    return sure


def _distinct(found: Iterable[Use]) -> tuple[Use, ...]:
    """The surest use of each line, surest first; where one is proven, doubtful ones say nothing more."""
    best: dict[tuple[str, int], Use] = {}
    for use in found:
        key = (use.location.path, use.location.line)
        if key not in best or use.confidence > best[key].confidence:
            best[key] = use
    ordered = sorted(best.values(), key=lambda use: (-use.confidence, use.location))
    proven = bool(ordered) and ordered[0].confidence is Confidence.HIGH
    return tuple(use for use in ordered if not (proven and use.confidence is Confidence.LOW))
