"""A column that takes another one's place: kept equal by a trigger, filled, and given all that the old one has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from backendgen.migrate.fixes import alter, constraint_sql
from backendgen.migrate.plan.route import Phase, Step, Unplannable, batches, steps
from backendgen.migrate.quoting import label, name, names
from backendgen.sql.lexer import rename_identifier
from backendgen.sql.names import object_name
from backendgen.sql.replay import Schema
from backendgen.sql.schema import Column, Constraint, Index, IndexKey, Table
from backendgen.sql.table_changes import bare, in_schema, schema_of


@dataclass(frozen=True, slots=True)
class Successor:
    """Column `old` of a table and column `new`, which will replace it. `table` is None where the history does not show it.

    Statements are cut by what they wait for: `phases` before the code changes, `take_over` when the new one takes the place.
    """

    name: str
    old: str
    new: str
    table: Table | None

    @property
    def trigger(self) -> str:
        """The name of the trigger, and of its function, which stands in the table's schema."""
        return object_name(bare(self.name), f"{self.old}_{self.new}", "sync")

    @property
    def function(self) -> str:
        """The trigger's function as SQL."""
        return name(in_schema(schema_of(self.name), self.trigger))

    @property
    def column(self) -> Column | None:
        """The old column."""
        return self.table.column(self.old) if self.table else None

    @property
    def key(self) -> str:
        """The table's key, when it is one column."""
        keys = self.table.primary_key if self.table else ()
        return keys[0] if len(keys) == 1 else ""

    @property
    def indexes(self) -> list[Index]:
        """The old column's indexes that back no constraint."""
        if self.table is None:
            return []
        backing = {constraint.name for constraint in self.table.constraints}
        return [
            index
            for index in self.table.indexes
            if index.name not in backing and self.old in (*index.columns, *index.include, *index.expression_columns)
        ]

    @property
    def constraints(self) -> list[Constraint]:
        """The old column's constraints, NOT NULL left out."""
        every = self.table.constraints if self.table else ()
        return [one for one in every if one.kind != "not_null" and self.old in one.columns]

    @property
    def not_null(self) -> bool:
        """Whether the new column must be NOT NULL when it takes over."""
        key = any(one.kind == "primary_key" for one in self.constraints)
        return key or (self.column is not None and self.column.not_null)

    def later(self, identifier: str) -> str:
        """The name that an index or constraint of the new column has until it takes over."""
        return object_name(bare(identifier), "", "new")

    def refuse(self, schema: Schema) -> None:
        """Raise Unplannable when something depends on the old column that cannot be moved to the new one."""
        if self.table is None:
            return
        what = f"{self.name}.{self.old}"
        for child, key in schema.references_to(self.name):
            if self.old in (key.referenced_columns or self.table.primary_key) and child.name != self.name:
                raise Unplannable(f"{child.name} refers to {what}: it needs a new column as well, and its key moved")
        for view in schema.views.values():
            if self.name in view.reads:
                raise Unplannable(f"the view {view.name} reads {self.name} and would keep the old column")
        if self.table.partitioned and (self.indexes or self.constraints):
            raise Unplannable(f"{self.name} is partitioned: its indexes must be built partition by partition")
        if self.column is not None and (self.column.identity or self.column.generated is not None):
            raise Unplannable(f"{what} is filled by PostgreSQL (identity or generated)")
        if any(one.generated and self.old in one.generated for one in self.table.columns):
            raise Unplannable(f"a generated column is made from {what}")
        if any(one.kind == "exclude" for one in self.constraints):
            raise Unplannable(f"{what} has an exclusion constraint, which cannot adopt an index")

    # ---- before the code changes

    def expand(self, kind: str, body: str) -> Phase:
        """Add the new column, and a trigger (whose body is given) that keeps the two equal."""
        function = (
            f"CREATE FUNCTION {self.function}() RETURNS trigger LANGUAGE plpgsql AS $$\n"
            f"BEGIN\n{body}    RETURN NEW;\nEND\n$$"
        )
        trigger = (
            f"CREATE TRIGGER {label(self.trigger)} BEFORE INSERT OR UPDATE ON {name(self.name)}\n"
            f"    FOR EACH ROW EXECUTE FUNCTION {self.function}()"
        )
        added = alter(self.name, f"ADD COLUMN {label(self.new)} {kind}")
        dropped = alter(self.name, f"DROP COLUMN {label(self.new)}")
        return Phase("expand", steps(added, function, trigger), down=(*self.untied, dropped))

    @property
    def untied(self) -> tuple[str, str]:
        """Statements that drop the trigger and its function."""
        return (f"DROP TRIGGER {label(self.trigger)} ON {name(self.name)}", f"DROP FUNCTION {self.function}()")

    def backfill(self, value: str) -> Phase:
        """Copy the old column to the new one in all rows."""
        change = f"UPDATE {name(self.name)} SET {label(self.new)} = {value}"
        condition = f"{label(self.new)} IS NULL AND {label(self.old)} IS NOT NULL"
        return Phase("backfill", steps(batches(self.name, self.key, change, condition)), transactional=False)

    def equip(self) -> Iterator[Phase]:
        """Give the new column the indexes, keys and checks of the old one, under names of their own."""
        for index in self.indexes:
            yield self._built(self._index_sql(index), self.later(index.name))
        added: list[str] = []
        validated: list[str] = []
        for one in self.constraints:
            other = label(self.later(one.name))
            if one.kind in ("unique", "primary_key"):
                columns = names(self.new if each == self.old else each for each in one.columns)
                include = f" INCLUDE ({names(one.include)})" if one.include else ""
                nulls = " NULLS NOT DISTINCT" if one.nulls_not_distinct else ""
                sql = f"CREATE UNIQUE INDEX CONCURRENTLY {other} ON {name(self.name)} ({columns}){include}{nulls}"
                yield self._built(sql, self.later(one.name))
                continue
            added.append(alter(self.name, f"ADD CONSTRAINT {other} {self._moved(one)} NOT VALID"))
            validated.append(alter(self.name, f"VALIDATE CONSTRAINT {other}"))
        if self.not_null:
            check = label(self._not_null_check)
            added.append(alter(self.name, f"ADD CONSTRAINT {check} CHECK ({label(self.new)} IS NOT NULL) NOT VALID"))
            validated.append(alter(self.name, f"VALIDATE CONSTRAINT {check}"))
        if added:
            dropped = [f"{sql.split(' ADD CONSTRAINT ')[0]} DROP CONSTRAINT {_second(sql)}" for sql in reversed(added)]
            yield Phase("constraints", steps(*added), down=tuple(dropped))
            yield Phase("validate", steps(*validated))

    def _built(self, sql: str, index: str) -> Phase:
        dropped = f"DROP INDEX {name(in_schema(schema_of(self.name), index))}"
        return Phase("index", steps(sql), transactional=False, down=(dropped,))

    @property
    def _not_null_check(self) -> str:
        return object_name(bare(self.name), self.new, "not_null_check")

    def _moved(self, constraint: Constraint) -> str:
        if constraint.kind == "check":
            expression = rename_identifier(constraint.expression, self.old, self.new)
            return constraint_sql(replace(constraint, expression=expression))
        only = tuple(self.new if one == self.old else one for one in constraint.on_delete_columns)
        sql = constraint_sql(replace(constraint, on_delete_columns=only))
        columns = names(self.new if each == self.old else each for each in constraint.columns)
        return sql.replace(f"FOREIGN KEY ({names(constraint.columns)})", f"FOREIGN KEY ({columns})", 1)

    def _index_sql(self, index: Index) -> str:
        keys = ", ".join(map(self._key_sql, index.keys))
        included = names(self.new if one == self.old else one for one in index.include)
        words = (
            f" INCLUDE ({included})" if index.include else "",
            " NULLS NOT DISTINCT" if index.nulls_not_distinct else "",
            f" {index.storage}" if index.storage else "",
            f" WHERE {rename_identifier(index.where, self.old, self.new)}" if index.where else "",
        )
        method = f" USING {index.method}" if index.method != "btree" else ""
        built = f"CREATE {'UNIQUE ' if index.unique else ''}INDEX CONCURRENTLY {label(self.later(index.name))}"
        return f"{built} ON {name(self.name)}{method} ({keys}){''.join(words)}"

    def _key_sql(self, key: IndexKey) -> str:
        if key.column:
            own = label(self.new if key.column == self.old else key.column)
        else:
            own = f"({rename_identifier(key.expression, self.old, self.new)})"
        options = f" {key.options}" if key.options else ""
        nulls = f" NULLS {key.nulls.upper()}" if key.nulls else ""
        return f"{own}{options}{' DESC' if key.descending else ''}{nulls}"

    # ---- the new column takes the place

    def required(self) -> tuple[Step, ...]:
        """Make the new column NOT NULL without reading the table."""
        if not self.not_null:
            return ()
        check = label(self._not_null_check)
        return steps(
            alter(self.name, f"ALTER COLUMN {label(self.new)} SET NOT NULL"),
            alter(self.name, f"DROP CONSTRAINT {check}"),
        )

    def take_over(self, *, keep_old: bool) -> Iterator[Step]:
        """Give indexes and constraints of the new column the names of the old one's.

        With `keep_old`, the old ones stay under other names until their column is dropped.
        """
        schema = schema_of(self.name)
        for index in self.indexes:
            if keep_old:
                aside = object_name(bare(index.name), "", "old")
                yield Step(f"ALTER INDEX {name(index.name)} RENAME TO {label(aside)}")
            other = name(in_schema(schema, self.later(index.name)))
            yield Step(f"ALTER INDEX {other} RENAME TO {label(bare(index.name))}")
        for one in self.constraints:
            own, other = label(one.name), label(self.later(one.name))
            if one.kind == "primary_key":
                if keep_old:
                    yield Step(alter(self.name, f"DROP CONSTRAINT {own}"))
                yield Step(alter(self.name, f"ADD CONSTRAINT {own} PRIMARY KEY USING INDEX {other}{_deferral(one)}"))
                continue
            if keep_old:
                aside = label(object_name(one.name, "", "old"))
                yield Step(alter(self.name, f"RENAME CONSTRAINT {own} TO {aside}"))
            if one.kind == "unique":
                yield Step(alter(self.name, f"ADD CONSTRAINT {own} UNIQUE USING INDEX {other}{_deferral(one)}"))
            else:
                yield Step(alter(self.name, f"RENAME CONSTRAINT {other} TO {own}"))


def _deferral(constraint: Constraint) -> str:
    return f" {constraint.deferral}" if constraint.deferral else ""


def _second(sql: str) -> str:
    """Return the name in `... ADD CONSTRAINT name ...`."""
    rest = sql.split(" ADD CONSTRAINT ", 1)[1]
    return rest[: rest.index('"', 1) + 1] if rest.startswith('"') else rest.split()[0]
