"""What Django's PostgreSQL schema editor runs: at once, or deferred to the end of the migration."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from backendgen.migrate.quoting import literal
from backendgen.migrate.readers.django.columns import (
    check,
    column_type,
    definition,
    effective_default,
    has_values,
    is_geometry,
    like_class,
    split_name,
    suffix,
)
from backendgen.migrate.readers.django.constraints import Statement, constraint_statement, index_statement
from backendgen.migrate.readers.django.expressions import quoted
from backendgen.migrate.readers.django.fields import MANY_TO_MANY, NO_COLUMN, Field
from backendgen.migrate.readers.django.state import Model, State
from backendgen.migrate.readers.values import Call
from backendgen.sql.replay import Schema
from backendgen.sql.schema import Table

DEFERRABLE = " DEFERRABLE INITIALLY DEFERRED"


@dataclass(slots=True)
class Editor:
    """The statements of the present operation, and those that wait for the end of the migration.

    `schema` is what the database holds before the operation: like Django, the editor looks there for the names of what it
    drops. `state` resolves relations.
    """

    state: State
    schema: Schema
    statements: list[str] = field(default_factory=list)
    deferred: list[Statement] = field(default_factory=list)
    _renamed: dict[str, str] = field(default_factory=dict)
    _operation: int = 0

    def begin(self, operation: int, state: State) -> None:
        """Turn to the next operation, known by its number."""
        self.statements, self._renamed = [], {}
        self._operation, self.state = operation, state

    def run(self, *statements: str) -> None:
        """Run statements at once."""
        self.statements += statements

    def defer(self, *statements: Statement) -> None:
        """Keep statements for the end of the migration."""
        self.deferred += (replace(each, operation=self._operation) for each in statements)

    # ---- tables

    def create_model(self, model: Model) -> None:
        """CREATE TABLE, its comments, and deferred: unique sets, foreign keys and indexes; then many-to-many tables."""
        if not self.state.has_table(model):
            return
        table = self.state.table(model)
        self.defer(*(self.unique(model, names) for names in model.together("unique_together")))
        lines = []
        for each in model.columns:
            ends = [f"CHECK ({check(each)})" if check(each) else "", suffix(each)]
            lines.append(" ".join([quoted(each.column), definition(each, model, self.state), *filter(None, ends)]))
            if each.constrained:
                self.defer(self.foreign_key(model, each))
        keys = [each for each in model.fields.values() if each.path.endswith(".CompositePrimaryKey")]
        constraints = [
            constraint_statement(each, model, self.state)
            for each in model.options.get("constraints") or ()
            if isinstance(each, Call)
        ]
        # A default that is written as a parameter keeps Django from writing constraints beside it.
        apart = any(
            has_values(each.options.get("db_default", each.options.get("expression"))) for each in model.columns
        )
        lines += [each.inline for each in constraints if each.inline and not apart]
        lines += [f"PRIMARY KEY ({self._columns(model, each.options.get('columns', ()))})" for each in keys]
        self.run(f"CREATE TABLE {quoted(table)} ({', '.join(lines)})")
        self.defer(*(each for each in constraints if apart or not each.inline))
        if comment := model.options.get("db_table_comment"):
            self.run(f"COMMENT ON TABLE {quoted(table)} IS {literal(str(comment))}")
        self.run(*(self._comment(model, each) for each in model.columns if each.comment))
        for each in model.columns:
            self.defer(*self.field_indexes(model, each))
        for index in model.options.get("indexes") or ():
            if isinstance(index, Call):
                self.defer(index_statement(index, model, self.state))
        for relation in model.many_to_many:
            self.create_model(self.state.through(model, relation))

    def delete_model(self, model: Model) -> None:
        """DROP TABLE, after the many-to-many tables; what is deferred for the table is dropped too."""
        if not self.state.has_table(model):
            return
        for relation in model.many_to_many:
            self.delete_model(self.state.through(model, relation))
        table = self.state.table(model)
        self.run(f"DROP TABLE {quoted(table)} CASCADE")
        self.deferred = [each for each in self.deferred if table not in (each.table, each.parent)]

    def rename_table(self, old: str, new: str) -> None:
        """ALTER TABLE ... RENAME TO."""
        if old == new:
            return
        self.run(f"ALTER TABLE {quoted(old)} RENAME TO {quoted(new)}")
        self._renamed[new] = old
        self.deferred = [each.with_table(old, new) for each in self.deferred]

    # ---- columns

    def add_field(self, model: Model, added: Field) -> None:
        """ADD COLUMN with the default of present rows, which is dropped again; deferred its indexes."""
        if added.kind == MANY_TO_MANY:
            if added.through is None:
                self.create_model(self.state.through(model, added))
            return
        if added.kind == NO_COLUMN:
            return
        table = quoted(self.state.table(model))
        parts = [quoted(added.column), definition(added, model, self.state, with_default=True), suffix(added)]
        parts.append(f"CHECK ({check(added)})" if check(added) else "")
        after = ""
        if added.constrained:
            parent, target = self.state.target(added)
            name = quoted(self.foreign_key(model, added).named)
            referred = f"{quoted(self.state.table(parent))}({quoted(target.column)})"
            parts.append(f"CONSTRAINT {name} REFERENCES {referred}{DEFERRABLE}")
            schema = split_name(self.state.table(model))[0]
            after = f"; SET CONSTRAINTS {f'{quoted(schema)}.' if schema else ''}{name} IMMEDIATE"
        self.run(f"ALTER TABLE {table} ADD COLUMN {' '.join(filter(None, parts))}{after}")
        if not added.has_db_default and effective_default(added, self.state) is not None:
            self.run(f"ALTER TABLE {table} ALTER COLUMN {quoted(added.column)} DROP DEFAULT")
        if added.comment:
            self.run(self._comment(model, added))
        self.defer(*self.field_indexes(model, added))

    def remove_field(self, model: Model, removed: Field) -> None:
        """DROP COLUMN after its foreign key."""
        if removed.kind == MANY_TO_MANY:
            if removed.through is None:
                self.delete_model(self.state.through(model, removed))
            return
        if removed.kind == NO_COLUMN:
            return
        if removed.to is not None:
            self.drop_foreign_keys(model, removed)
        table = self.state.table(model)
        self.run(f"ALTER TABLE {quoted(table)} DROP COLUMN {quoted(removed.column)} CASCADE")
        self.deferred = [
            each
            for each in self.deferred
            if not (
                (each.table == table and removed.column in each.columns)
                or (each.parent == table and removed.column in each.parent_columns)
            )
        ]

    def drop_foreign_keys(self, model: Model, relation: Field, state: State | None = None, table: str = "") -> bool:
        """DROP CONSTRAINT of a column's foreign keys; whether there was one.

        `state` is the one that resolves the relation, `table` the name that the model's table has by now.
        """
        own = self.foreign_key(model, relation, state).named
        table = table or self.state.table(model)
        found = self.names(table, relation.column, "foreign_key", own)
        for name in found:
            self.run(f"SET CONSTRAINTS {quoted(name)} IMMEDIATE; {drop_constraint(table, name)}")
        return bool(found)

    def _comment(self, model: Model, commented: Field) -> str:
        where = f"{quoted(self.state.table(model))}.{quoted(commented.column)}"
        return f"COMMENT ON COLUMN {where} IS {literal(commented.comment)}"

    # ---- constraints and indexes

    def unique(self, model: Model, names: Iterable[str]) -> Statement:
        """Return ADD CONSTRAINT ... UNIQUE with Django's own name."""
        columns = tuple(self.state.column(model, name) for name in names)
        template = "ALTER TABLE {table} ADD CONSTRAINT {name} UNIQUE ({columns})"
        return Statement(template, self.state.table(model), columns, ending="_uniq")

    def foreign_key(self, model: Model, relation: Field, state: State | None = None) -> Statement:
        """Return ADD CONSTRAINT ... FOREIGN KEY with Django's own name."""
        state = state or self.state
        parent, target = state.target(relation)
        template = (
            "ALTER TABLE {table} ADD CONSTRAINT {name} FOREIGN KEY ({columns}) REFERENCES {parent} ({parent_columns})"
        )
        made = Statement(template + DEFERRABLE, state.table(model), (relation.column,))
        return replace(made, parent=state.table(parent), parent_columns=(target.column,))

    def index_together(self, model: Model, names: Iterable[str]) -> Statement:
        """Return CREATE INDEX of index_together."""
        columns = tuple(self.state.column(model, name) for name in names)
        return Statement("CREATE INDEX {name} ON {table} ({columns})", self.state.table(model), columns, ending="_idx")

    def field_indexes(self, model: Model, indexed: Field) -> list[Statement]:
        """Return the indexes that a column has by itself: db_index, the one for LIKE, a spatial one."""
        table, columns = self.state.table(model), (indexed.column,)
        if is_geometry(indexed):
            spatial = indexed.options.get("spatial_index") is not False
            template = "CREATE INDEX {name} ON {table} USING GIST ({columns})"
            return [Statement(template, table, columns, ending="_id")] if spatial else []
        plain = Statement("CREATE INDEX {name} ON {table} ({columns})", table, columns)
        found = [plain] if indexed.db_index and not indexed.unique else []
        like = self.like_index(model, indexed)
        return [*found, like] if like else found

    def like_index(self, model: Model, indexed: Field) -> Statement | None:
        """Return the index for LIKE of an indexed or unique text column."""
        operators = like_class(indexed, self.state)
        template = f"CREATE INDEX {{name}} ON {{table}} ({{columns}} {operators})"
        table = self.state.table(model)
        return Statement(template, table, (indexed.column,), ending="_like") if operators else None

    def drop_index(self, name: str, *, concurrently: bool = False) -> None:
        """DROP INDEX; an index that is still deferred is not made at all."""
        self.run(f"DROP INDEX {'CONCURRENTLY ' if concurrently else ''}IF EXISTS {quoted(name)}")
        self.deferred = [each for each in self.deferred if each.parent or each.named != name]

    def names(self, table: str, column: str, kind: str, otherwise: str, *, but: Iterable[str] = ()) -> list[str]:
        """Return the names of a column's constraints or indexes of a kind; Django's own where the table is not known."""
        known = self.table(table)
        if known is None:
            return [otherwise]
        if kind == "index":
            owned = {constraint.name for constraint in known.constraints}
            found = [
                each.name
                for each in known.indexes
                if each.columns == (column,) and each.method == "btree" and not each.unique and each.name not in owned
            ]
        else:
            found = [each.name for each in known.constraints if each.kind == kind and each.columns == (column,)]
        return [name for name in found if name not in set(but)]

    def table(self, table: str) -> Table | None:
        """Return a table as the database has it before the operation, also by the name that the operation gives it."""
        schema, bare = split_name(self._renamed.get(table, table))
        return self.schema.tables.get(f"{schema}.{bare}" if schema and schema != "public" else bare)

    def type_of(self, of: Field) -> str:
        """Return the type of a field's column."""
        return column_type(of, self.state)

    def _columns(self, model: Model, names: Any) -> str:
        given = [name for name in names if isinstance(name, str)] if isinstance(names, tuple) else []
        return ", ".join(quoted(self.state.column(model, name)) for name in given)


def drop_constraint(table: str, name: str) -> str:
    """Return ALTER TABLE ... DROP CONSTRAINT."""
    return f"ALTER TABLE {quoted(table)} DROP CONSTRAINT {quoted(name)}"
