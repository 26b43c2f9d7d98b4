"""The vocabulary of schema changes: what a statement does, whatever dialect or tool wrote it.

Names are qualified only when they are not in `public`. One statement may yield several Operations (ALTER TABLE with
three actions yields three); they share `sql`, `line` and `statement`.
"""

from __future__ import annotations

from dataclasses import MISSING, FrozenInstanceError, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal, TypeVar, dataclass_transform

from backendgen.sql.schema import Column, Constraint, Index, Type

T = TypeVar("T")


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(field,))
def operation(cls: type[T]) -> type[T]:
    """Make a frozen dataclass whose methods are those of Operation.

    What @dataclass generates for each class of this module costs 20 ms at every start, a tenth of a short run, and what it
    generates for frozen ones takes four times as long for each of ten thousand statements.
    """
    made = dataclass(init=False, repr=False, eq=False, kw_only=True)(cls)
    given = {one.name: one.default is MISSING for one in fields(made)}  # type: ignore[arg-type]  # it is one by now
    made._names, made._required = frozenset(given), frozenset(name for name, needed in given.items() if needed)  # type: ignore[attr-defined]
    return made


@operation
class Operation:
    """Anything that a statement does. `line` and `column` are 1-based, in the text that was given to the parser.

    `within` is the whole DO statement of what stands in a DO block; `only` is ONLY: without partitions and heirs.
    `algorithm` and `lock` are those that a MySQL or MariaDB statement asks for, in capitals, empty without the clause.
    """

    sql: str = field(default="", compare=False)
    line: int = field(default=0, compare=False)
    column: int = field(default=0, compare=False)
    end_line: int = field(default=0, compare=False)
    statement: int = field(default=0, compare=False)
    within: str = field(default="", compare=False)
    only: bool = field(default=False, compare=False)
    algorithm: str = ""
    lock: str = ""

    if not TYPE_CHECKING:  # type checkers know what to call a dataclass with

        def __init__(self, **values: Any) -> None:
            if not self._required <= values.keys() <= self._names:
                wrong = ", ".join(sorted((values.keys() - self._names) or (self._required - values.keys())))
                raise TypeError(f"{type(self).__name__}: missing or unknown: {wrong}")
            self.__dict__.update(values)  # what is not given is the class's

        def __setattr__(self, name: str, value: Any) -> None:
            raise FrozenInstanceError(f"cannot assign to field {name!r}")

        def __delattr__(self, name: str) -> None:
            raise FrozenInstanceError(f"cannot delete field {name!r}")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, one.name) == getattr(other, one.name) for one in fields(self) if one.compare)

    def __hash__(self) -> int:
        return hash((type(self), *(getattr(self, one.name) for one in fields(self) if one.compare)))

    def __repr__(self) -> str:
        shown = ", ".join(f"{one.name}={getattr(self, one.name)!r}" for one in fields(self))
        return f"{type(self).__name__}({shown})"

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables that it names; foreign-key parents are not among them."""
        table = getattr(self, "table", "")
        return (table,) if table else ()


@dataclass(frozen=True, slots=True)
class Like:
    """LIKE other_table in CREATE TABLE, and what INCLUDING takes along beside names, types and NOT NULL."""

    table: str
    defaults: bool = False
    generated: bool = False
    identity: bool = False
    constraints: bool = False
    indexes: bool = False


@operation
class CreateTable(Operation):
    """CREATE TABLE, with its inline constraints and the indexes that back them.

    `partition_key` are the columns that it is partitioned by, those of expressions too; `default_partition` is one without
    bounds. `indexes` and `options` are what MySQL and SQLite write into the statement.
    """

    table: str
    columns: tuple[Column, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    partition_of: str = ""
    default_partition: bool = False
    partitioned: bool = False
    partition_key: tuple[str, ...] = ()
    temporary: bool = False
    if_not_exists: bool = False
    inherits: tuple[str, ...] = ()
    like: tuple[Like, ...] = ()
    indexes: tuple[Index, ...] = ()
    options: tuple[tuple[str, str], ...] = ()


@operation
class DropTable(Operation):
    """DROP TABLE of one table (a list yields several Operations)."""

    table: str
    if_exists: bool = False
    cascade: bool = False


@operation
class RenameTable(Operation):
    """ALTER TABLE ... RENAME TO."""

    table: str
    new_name: str


@operation
class AddColumn(Operation):
    """ADD COLUMN; `constraints` are those written inline, `position` is MySQL's `FIRST` or `AFTER column`."""

    table: str
    definition: Column
    constraints: tuple[Constraint, ...] = ()
    if_not_exists: bool = False
    position: str = ""


@operation
class DropColumn(Operation):
    """DROP COLUMN."""

    table: str
    name: str
    if_exists: bool = False
    cascade: bool = False


@operation
class RenameColumn(Operation):
    """RENAME COLUMN."""

    table: str
    name: str
    new_name: str


@operation
class ModifyColumn(Operation):
    """MySQL's MODIFY, or CHANGE after its renaming: the column becomes what `definition` says, and nothing else.

    `said` are the attributes that the text names, by their first word in capitals: what is not said is lost.
    """

    table: str
    name: str
    definition: Column
    constraints: tuple[Constraint, ...] = ()
    position: str = ""
    said: frozenset[str] = frozenset()


@operation
class SetTableOptions(Operation):
    """MySQL's ALTER TABLE ... ENGINE, ROW_FORMAT, CHARACTER SET ...; `convert` is set for CONVERT TO CHARACTER SET."""

    table: str
    options: tuple[tuple[str, str], ...]
    convert: bool = False


@operation
class AlterColumnType(Operation):
    """ALTER COLUMN ... TYPE, with the SQL of its USING; `was` is the old type where the text says it (existing_type)."""

    table: str
    name: str
    type: Type
    was: Type | None = None
    using: str = ""
    collation: str = ""


@operation
class SetNotNull(Operation):
    """ALTER COLUMN ... SET NOT NULL."""

    table: str
    name: str


@operation
class DropNotNull(Operation):
    """ALTER COLUMN ... DROP NOT NULL."""

    table: str
    name: str


@operation
class SetDefault(Operation):
    """ALTER COLUMN ... SET DEFAULT, or DROP DEFAULT when `default` is None."""

    table: str
    name: str
    default: str | None


@operation
class SetGenerated(Operation):
    """ALTER COLUMN ... SET EXPRESSION, or DROP EXPRESSION when `expression` is None."""

    table: str
    name: str
    expression: str | None


@operation
class SetIdentity(Operation):
    """ALTER COLUMN ... ADD or SET GENERATED ... AS IDENTITY, or DROP IDENTITY when `identity` is empty."""

    table: str
    name: str
    identity: Literal["", "always", "by default"]


@operation
class SetComment(Operation):
    """COMMENT ON TABLE, or ON COLUMN when `name` is given; an empty comment removes it."""

    table: str
    name: str = ""
    comment: str = ""


@operation
class AddConstraint(Operation):
    """ADD CONSTRAINT; `constraint.valid` is False for NOT VALID, `constraint.using_index` names the adopted index."""

    table: str
    constraint: Constraint


@operation
class ValidateConstraint(Operation):
    """VALIDATE CONSTRAINT."""

    table: str
    name: str


@operation
class DropConstraint(Operation):
    """DROP CONSTRAINT."""

    table: str
    name: str
    if_exists: bool = False
    cascade: bool = False


@operation
class RenameConstraint(Operation):
    """RENAME CONSTRAINT."""

    table: str
    name: str
    new_name: str


@operation
class CreateIndex(Operation):
    """CREATE INDEX; `only` for ON ONLY a partitioned parent. An unnamed index has PostgreSQL's own name."""

    table: str
    index: Index
    concurrently: bool = False
    if_not_exists: bool = False
    only: bool = False
    named: bool = True


@operation
class DropIndex(Operation):
    """DROP INDEX of one index; `table` is given where names of indexes belong to their table (MySQL)."""

    index: str
    table: str = ""
    concurrently: bool = False
    if_exists: bool = False
    cascade: bool = False


@operation
class RenameIndex(Operation):
    """ALTER INDEX ... RENAME TO; `table` is given where names of indexes belong to their table (MySQL)."""

    index: str
    table: str = ""
    new_name: str


@operation
class Reindex(Operation):
    """REINDEX of an index, table, schema or database (`target`)."""

    target: str
    name: str
    concurrently: bool = False


@operation
class CreateType(Operation):
    """CREATE TYPE or DOMAIN; `values` for an enum, `base` and `constraints` for a domain."""

    name: str
    values: tuple[str, ...] = ()
    base: Type | None = None
    constraints: tuple[Constraint, ...] = ()


@operation
class AlterDomain(Operation):
    """ALTER DOMAIN: `constraint` is what ADD CONSTRAINT adds, or NOT NULL without a name for SET NOT NULL.

    `validated` names the one that VALIDATE CONSTRAINT checks.
    """

    name: str
    constraint: Constraint | None = None
    validated: str = ""


@operation
class AddEnumValue(Operation):
    """ALTER TYPE ... ADD VALUE."""

    name: str
    value: str
    if_not_exists: bool = False
    before: str = ""
    after: str = ""


@operation
class RenameEnumValue(Operation):
    """ALTER TYPE ... RENAME VALUE."""

    name: str
    value: str
    new_value: str


@operation
class CreateView(Operation):
    """CREATE VIEW or MATERIALIZED VIEW; `query` is its SELECT, `reads` the relations that it names."""

    name: str
    query: str = ""
    reads: tuple[str, ...] = ()
    materialized: bool = False
    replace: bool = False


@operation
class Drop(Operation):
    """DROP of anything that is not a table, column, index or constraint: `object_type` is `view`, `type`, `schema` ...

    `table` is that of a policy, trigger or rule.
    """

    object_type: str
    name: str
    table: str = ""
    if_exists: bool = False
    cascade: bool = False


@operation
class Rename(Operation):
    """RENAME of anything else: `object_type` is `view`, `type`, `schema`, `sequence` ..."""

    object_type: str
    name: str
    new_name: str


@operation
class SetSchema(Operation):
    """ALTER TABLE ... SET SCHEMA; `schema` is where it goes, `public` also spelt out."""

    table: str
    schema: str


@operation
class Truncate(Operation):
    """TRUNCATE of one table."""

    table: str
    cascade: bool = False


@operation
class ChangeRows(Operation):
    """INSERT, UPDATE, DELETE, MERGE or COPY FROM (`verb` is lower case); `where` is the SQL of its condition, or empty.

    `reads` are the relations that the query of an INSERT ... SELECT names.
    """

    verb: str
    table: str
    where: str = ""
    reads: tuple[str, ...] = ()


@operation
class SetSetting(Operation):
    """SET or RESET of a parameter: `SET LOCAL lock_timeout = '2s'`; `value` is None for a reset."""

    name: str
    value: str | None
    local: bool = False


@operation
class Transaction(Operation):
    """BEGIN, COMMIT or ROLLBACK (`verb` is lower case; START TRANSACTION is `begin`, END is `commit`)."""

    verb: str


@operation
class LockTable(Operation):
    """LOCK TABLE of one table; `mode` as PostgreSQL spells it, in capitals."""

    table: str
    mode: str


@operation
class AttachPartition(Operation):
    """ALTER TABLE parent ATTACH PARTITION; `default` for one without bounds."""

    table: str
    partition: str
    default: bool = False


@operation
class DetachPartition(Operation):
    """ALTER TABLE parent DETACH PARTITION."""

    table: str
    partition: str
    concurrently: bool = False


@operation
class RewriteTable(Operation):
    """VACUUM FULL, CLUSTER, SET LOGGED/UNLOGGED, SET TABLESPACE, SET ACCESS METHOD (`how`)."""

    table: str
    how: str


@operation
class RefreshView(Operation):
    """REFRESH MATERIALIZED VIEW."""

    name: str
    concurrently: bool = False


@operation
class CreateRoutine(Operation):
    """CREATE FUNCTION or PROCEDURE; `returns` is a function's type, `trigger` for what only triggers call."""

    name: str
    returns: str = ""


@operation
class CallRoutine(Operation):
    """A query that calls functions, or CALL of a `procedure`: what they do is known where the history defines them.

    `table` is the first one that the query reads.
    """

    routines: tuple[str, ...]
    table: str = ""
    procedure: bool = False


@operation
class Harmless(Operation):
    """A statement that was understood and changes nothing that this model holds: GRANT, CREATE TRIGGER ...

    `table` is the one that it concerns, if it names one; of a SELECT, the first that it reads.
    """

    what: str
    table: str = ""


@operation
class RunCode(Harmless):
    """Code that a migration runs beside its SQL (Django's RunPython); what it does to the database follows it.

    `imported` are the models that it takes from the project as it is now. `callable`: it takes the arguments that it gets.
    """

    function: str
    imported: tuple[str, ...] = ()
    callable: bool = True


@operation
class NotUnderstood(Operation):
    """A statement that could not be parsed, or whose effect is not known (a DO block, dynamic SQL). Never passed over.

    `error_line` and `error_column` are where the parser stopped, 0 when that is unknown.
    """

    reason: str
    error_line: int = 0
    error_column: int = 0
