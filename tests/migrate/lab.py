"""Statements tried on a real PostgreSQL, each against what the static analysis says of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from backendgen.migrate.history import Action, Migration
from backendgen.migrate.trace.comparison import Step, differences, steps, unsent, verdict
from backendgen.migrate.trace.observe import locks_of, observed, relations
from backendgen.migrate.trace.scratch import Refused, Session
from backendgen.sql import operation as op
from backendgen.sql.postgres import parse
from backendgen.sql.replay import Schema, replay

_REPAIRS = 14
_ABOUT_INDEX = re.compile(r"(?i)\s*(alter|drop|reindex)\s+index\b")
# Known differences: which statements, why the static verdict is another one, and one that shows it.
EXCEPTIONS = (
    (r"(?i)set (logged|unlogged|tablespace pg_default|access method heap)",
     "where it is so already nothing is written, but the Schema does not hold persistence, tablespace and access method",
     "alter table accounts set logged"),
    (r"(?i)default one\(\)",
     "a function of the user's own is taken to be volatile: its volatility is not in the Schema",
     "alter table notes add column z int default one()"),
    (r"(?i)alter constraint \w+ (not )?enforced",
     "triggers of the referenced table change (18); the vocabulary has no ALTER CONSTRAINT",
     "alter table orders alter constraint orders_account not enforced"),
    (r"(?is)^do\b.*\bif\b",
     "all branches of a DO block are taken to run",
     "do $$ begin if false then alter table orders add column z int; end if; end $$"),
    (r"(?i)drop (function|sequence)\b.* cascade",
     "who depends on functions and sequences is not in the Schema",
     "drop function touch() cascade"),
    (r"(?i)drop (trigger|policy) if exists missing",
     "triggers, policies and rules are not in the Schema: it is taken to be there",
     "drop trigger if exists missing on orders"),
    (r"(?i)(en|dis)able trigger (all|user)",
     "partitions are locked for the triggers that they have of their parent, and triggers are not in the Schema",
     "alter table logs disable trigger all"),
    (r"(?is)add column.*\busing index\b",
     "the adopted index takes its constraint's name before the table is written anew, and is found under that name",
     "alter table accounts add column z serial, add constraint zz unique using index accounts_small"),
    (r"(?i)depends on extension",
     "dependencies on extensions are not in the Schema",
     "alter materialized view totals no depends on extension plpgsql"),
)  # fmt: skip


def excepted(sql: str) -> bool:
    """Whether a difference is a known one."""
    return any(re.search(pattern, sql) for pattern, _, _ in EXCEPTIONS)


@dataclass(slots=True)
class Lab:
    """A database in which `schema` is what the static analysis knows of it."""

    session: Session
    version: int
    schema: Schema

    def set_up(self, sql: str) -> None:
        """Make the database what a text says, and the Schema with it."""
        self.session.run(sql)
        replay(parse(sql), self.schema)

    def clear(self) -> None:
        """Empty the database."""
        self.session.run("ROLLBACK")
        own = "nspname !~ '^pg_' AND nspname <> 'information_schema'"
        for (name,) in self.session.run(f"SELECT nspname FROM pg_namespace WHERE {own}"):
            self.session.run(f'DROP SCHEMA "{name}" CASCADE')
        for (name,) in self.session.run("SELECT pubname FROM pg_publication"):
            self.session.run(f'DROP PUBLICATION "{name}"')
        self.session.run("CREATE SCHEMA public")
        self.session.run("RESET ALL")
        self.schema = Schema()

    def compare(self, sql: str) -> list[str] | None:
        """Try one statement and take it back. Return how the verdict differs, None when PostgreSQL refuses it."""
        before, schema = relations(self.session), self.schema.copy()
        operations = parse(sql)
        self.session.run("BEGIN")
        try:
            self.session.run(sql)
            taken, after = locks_of(self.session, self.session.pid), relations(self.session)
        except Refused:
            return None
        finally:
            self.session.run("ROLLBACK")
        existing = before.tables()
        names = before.names(existing)
        seen = observed(before, after, (), taken, existing)
        return list(differences(verdict(operations, schema, self.version, names), seen))

    def run(self, text: str) -> Iterator[tuple[str, list[str]]]:
        """Run a text's statements one by one, each committed; yield (statement, differences) of those that ran.

        What a statement refers to and nobody made is made first: tables, columns and types as simple as can be.
        """
        for step in steps(Migration("1", "1.sql", "sql", tuple(Action(one, "1.sql") for one in parse(text)))):
            refuses = step.refuses_transaction or step.verb or unsent(step)
            if refuses or any(isinstance(one, op.NotUnderstood | op.SetSetting) for one in step.operations):
                replay(step.operations if refuses and not step.verb else (), self.schema)
                if refuses and not step.verb and not unsent(step):
                    self._without_transaction(step)
                continue
            found = self._step(step)
            if found is None:
                replay(step.operations, self.schema)
            else:
                yield step.sql, found

    def _without_transaction(self, step: Step) -> None:
        for _ in range(_REPAIRS):
            try:
                self.session.run(step.sql)
            except Refused as refused:
                if not self._repair(refused, step):
                    return
            else:
                return

    def _step(self, step: Step) -> list[str] | None:
        for _ in range(_REPAIRS):
            before = relations(self.session)
            self.session.run("BEGIN")
            try:
                self.session.run(step.sql)
            except Refused as refused:
                self.session.run("ROLLBACK")
                if not self._repair(refused, step):
                    return None
                continue
            taken, after = locks_of(self.session, self.session.pid), relations(self.session)
            self.session.run("COMMIT")
            existing = before.tables()
            names = before.names(existing)
            said = verdict(step.operations, self.schema, self.version, names)
            return list(differences(said, observed(before, after, (), taken, existing)))
        return None

    def _repair(self, refused: Refused, step: Step) -> bool:
        """Make what PostgreSQL misses."""
        message, ddl = refused.message, ""
        (table,) = [table for operation in step.operations for table in operation.tables][:1] or ("",)
        if found := re.search(r'column "([^"]+)" of relation "([^"]+)" does not exist', message):
            ddl = f'alter table {self._table(found[2], table)} add column "{found[1]}" {_type(found[1], step.sql)}'
        elif found := re.search(
            r'column "([^"]+)" (?:named in key |referenced in foreign key constraint )?does not exist', message
        ):
            ddl = f'alter table {_quoted(table)} add column "{found[1]}" {_type(found[1], step.sql)}'
        elif (found := re.search(r'(?:relation|index) "([^"]+)" does not exist', message)) and _ABOUT_INDEX.match(
            step.sql
        ):
            ddl = f'create table of_{found[1]} (a int); create unique index "{found[1]}" on of_{found[1]} (a)'
        elif found := re.search(r'relation "([^"]+)" does not exist', message):
            ddl = f"create table {_quoted(found[1])} (id bigint generated by default as identity primary key)"
        elif found := re.search(r'index "([^"]+)" does not exist', message):
            ddl = f'create table of_{found[1]} (a int); create unique index "{found[1]}" on of_{found[1]} (a)'
        elif found := re.search(r'type "([^"]+)" does not exist', message):
            ddl = f"create type {_quoted(found[1])} as enum ('a', 'b')"
        elif found := re.search(r'schema "([^"]+)" does not exist', message):
            ddl = f'create schema "{found[1]}"'
        elif found := re.search(r'constraint "([^"]+)" of relation "([^"]+)" does not exist', message):
            ddl = f'alter table {self._table(found[2], table)} add constraint "{found[1]}" check (true) not valid'
        if not ddl:
            return False
        try:
            self.set_up(ddl)
        except Refused:
            self.session.run("ROLLBACK")
            return False
        return True

    def _table(self, bare: str, table: str) -> str:
        return _quoted(table if table.rpartition(".")[2] == bare else bare)


def _quoted(name: str) -> str:
    return ".".join(f'"{part}"' for part in name.split("."))


def _type(column: str, sql: str) -> str:
    """Guess a column's type from its name and the statement."""
    if column.endswith("id") or re.search(rf'(?i)"?{re.escape(column)}"?\s*[<>]=?\s*\d', sql):
        return "bigint"
    return "timestamptz" if column.endswith("_at") else "text"
