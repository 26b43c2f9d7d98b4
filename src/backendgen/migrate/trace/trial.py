"""One history on one scratch database: earlier migrations replayed fast, pending ones sent by statements and observed."""

from __future__ import annotations

import time
from collections.abc import Container, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Thread

from backendgen.findings.finding import Location, TracedMigration, TracedStatement
from backendgen.migrate.history import History, Migration
from backendgen.migrate.pending import Selection
from backendgen.migrate.trace.comparison import (
    Step,
    differences,
    held_locks,
    reported_locks,
    sent_text,
    steps,
    touched_by,
    unsent,
    verdict,
)
from backendgen.migrate.trace.observe import Observed, Seen, locks_of, observed, relations
from backendgen.migrate.trace.scratch import Access, Refused, Session, folded
from backendgen.migrate.trace.seed import seed, sql_name
from backendgen.migrate.trace.stubs import Stubs
from backendgen.sql import operation as op
from backendgen.sql.replay import Schema

_SAMPLE_S = 0.001
_ATTEMPTS = 8
_ROWS_AT_FAULT = ("22", "23")  # classes of SQLSTATE: data exceptions, integrity violations


@dataclass(slots=True)
class Run:
    """One history on one database: `session` runs the migrations, `watcher` looks on and puts stubs in place."""

    session: Session
    watcher: Session
    owner: Access
    beside: Access
    pg_version: int
    timeout: float
    stubs: Stubs
    server: str
    schema: Schema = field(default_factory=Schema)
    notes: dict[str, None] = field(default_factory=dict)
    unknown: dict[str, None] = field(default_factory=dict)
    rows_in: frozenset[str] = frozenset()
    keeps_rows: bool = False
    is_open: bool = False

    def all_notes(self) -> dict[str, None]:
        """What could not be as it is in production."""
        found = {**self.notes, **self.stubs.notes}
        if self.unknown:
            some = ", ".join(list(self.unknown)[:3])
            found[f"{some}{' ...' if len(self.unknown) > 3 else ''}: not in the replayed history (made by a function, "
                  "perhaps), so no verdict is compared on them"] = None  # fmt: skip
        return found

    def end(self) -> None:
        """Stop what still runs: after an interrupt the server may be busy with a statement."""
        with suppress(Refused):
            self.watcher.run(f"SELECT pg_catalog.pg_terminate_backend({self.session.pid})")

    def history(self, history: History, selection: Selection, *, replay: bool = True) -> Iterator[TracedMigration]:
        """Replay what is applied, trace what is pending, in the order of the history."""
        failed: list[str] = []
        applied = 0
        for position, migration in enumerate(history.migrations):
            if selection.has(history, position):
                yield self.pending(migration)
                continue
            if replay:
                applied += 1
                failed += self.replay(migration)
            for action in migration.up:
                self.schema.apply(action.operation)
        if failed:
            first = f"{failed[0]}; " if len(failed) == 1 else f"{len(failed)} statements, the first: {failed[0]}; "
            self.notes[f"of {applied} earlier migrations not everything could be replayed: {first}"
                       "what depends on it fails too"] = None  # fmt: skip

    # ---- earlier migrations

    def replay(self, migration: Migration) -> Iterator[str]:
        """Run a migration as one query where that is possible, else by statements; yield what failed."""
        sent = [step for step in steps(migration) if not unsent(step)]
        if not any(step.refuses_transaction or step.verb for step in sent):
            try:
                self.session.run(folded([sent_text(step) for step in sent]))
            except Refused:
                self._recover()
            else:
                return
        for step in sent:
            try:
                self._attempt(sent_text(step))
            except Refused as refused:
                yield f"{step.actions[0].path}:{step.operations[0].line} {refused.message}"
                if not step.verb:
                    self._recover(keep_open=True)
        self._recover()

    def _attempt(self, sql: str) -> None:
        """Run a statement, with stubs for what it lacks. Outside of a transaction, so that a refusal leaves nothing."""
        for _ in range(_ATTEMPTS):
            try:
                self.session.run(sql)
            except Refused as refused:
                supplied = self.stubs.supply(sql, refused)
                if supplied is None:
                    raise
                if not supplied:
                    return
            else:
                return

    def _recover(self, *, keep_open: bool = False) -> None:
        """End a transaction that was left open or failed; a new connection where the old one is gone."""
        try:
            self.session.run("ROLLBACK")
            self.session.run("BEGIN" if keep_open and self.is_open else "SELECT 1")
        except Refused:
            self.end()
            self.session.close()
            self.session, self.is_open = Session(self.owner, self.timeout), False

    # ---- pending migrations

    def pending(self, migration: Migration) -> TracedMigration:
        """Run a migration statement by statement in its tool's transaction mode, and observe each."""
        planned = steps(migration)
        start = relations(self.session)
        touched = {
            table for step in planned for operation in step.operations for table in touched_by(operation, self.schema)
        }
        self.rows_in = rows_in = self._seed(touched)
        existing = start.tables()
        traced = [self._step(step, existing) for step in planned]
        if self.is_open:
            self._commit()
        self._recover()
        return TracedMigration(migration.path, tuple(traced), tuple(sorted(rows_in)))

    def _step(self, step: Step, existing: frozenset[int]) -> TracedStatement:
        action = step.actions[0]
        place, text = action.location, " ".join((step.sql.strip() or action.call).split())
        if reason := unsent(step):
            for operation in step.operations:
                self.schema.apply(operation)
            return TracedStatement(place, text, note=reason)
        if step.verb:
            return self._transaction(step, place, text)
        if step.sets_transaction and self.is_open:
            return self._transaction(step, place, text)
        if step.transactional and not self.is_open:
            self._begin()
        elif step.transactional is False and self.is_open and not action.transactional:
            self._commit()
        return self._observe(step, place, text, existing)

    def _transaction(self, step: Step, place: Location, text: str) -> TracedStatement:
        """BEGIN, COMMIT or ROLLBACK of the migration's own."""
        try:
            self.session.run(step.sql)
        except Refused as refused:
            self.is_open = False
            return TracedStatement(place, text, failure=refused.message)
        if step.verb:
            self.is_open = step.verb == "begin"
        return TracedStatement(place, text)

    def _begin(self) -> None:
        self.session.run("BEGIN")
        self.is_open = True

    def _commit(self) -> None:
        try:
            self.session.run("COMMIT")
        except Refused as refused:  # a deferred constraint
            self.notes[f"a transaction could not be committed: {refused.message}"] = None
        self.is_open = False

    def _observe(self, step: Step, place: Location, text: str, existing: frozenset[int]) -> TracedStatement:
        """Run one statement; when rows are what it fails on, once more without them."""
        outside = not self.is_open
        before = relations(self.session)
        names = before.names(existing)
        tables = {one.name for oid, one in before.relations.items() if oid in existing}
        self.unknown.update(dict.fromkeys(sorted(tables - {*self.schema.tables, *self.schema.views})))
        held = locks_of(self.watcher, self.session.pid)
        failure, on_rows = "", False
        started = time.monotonic()
        try:
            seen = self._seen(step, before, held, existing, outside)
        except Refused as refused:
            failure = refused.message
            seen = None
            if refused.code[:2] in _ROWS_AT_FAULT and self._emptied(step, before, existing):
                held, before = locks_of(self.watcher, self.session.pid), relations(self.session)
                started = time.monotonic()
                try:
                    seen = self._seen(step, before, held, existing, outside)
                    on_rows = True
                except Refused as again:
                    failure = again.message
        milliseconds = (time.monotonic() - started) * 1000
        if on_rows:
            self._seed(self.rows_in)
        said = verdict(step.operations, self.schema, self.pg_version, names)
        if seen is None:
            return TracedStatement(place, text, milliseconds, failure=failure)
        return TracedStatement(
            place, text, milliseconds, reported_locks(seen),
            () if step.empties else (*sorted(seen.tables), *sorted(seen.indexes)),
            tuple(differences(said, seen)), failure, on_rows, "", held_locks(seen),
        )  # fmt: skip

    def _seen(
        self, step: Step, before: Seen, held: frozenset[tuple[int, str]], existing: frozenset[int], outside: bool
    ) -> Observed:
        """Run a statement, in a transaction of its own when none is open. Raises Refused, the transaction as it was."""
        if outside and step.refuses_transaction:
            taken = self._run_beside(step, before)
            return observed(before, relations(self.session), held, taken, existing)
        sql, savepoint = sent_text(step), True
        if outside:
            self.session.run("BEGIN")
        for _ in range(_ATTEMPTS):
            if savepoint:
                self.session.run("SAVEPOINT backendgen")
            try:
                self.session.run(sql)
            except Refused as refused:
                supplied = self._take_back(sql, refused, savepoint, outside)
                if not supplied:
                    break
            else:
                if savepoint:
                    self.session.run("RELEASE SAVEPOINT backendgen")
                break
        taken, after = locks_of(self.watcher, self.session.pid), relations(self.session)
        if outside:
            self.session.run("COMMIT")
        return observed(before, after, held, taken, existing)

    def _take_back(self, sql: str, refused: Refused, savepoint: bool, outside: bool) -> bool:
        """Return to the state before a refused statement; whether to send it again. Raises when nothing can be supplied."""
        lost = False
        try:
            self.session.run("ROLLBACK TO SAVEPOINT backendgen" if savepoint else "ROLLBACK")
        except Refused:
            lost = True
        supplied = None if lost else self.stubs.supply(sql, refused)
        if supplied is None:
            if outside or lost or not savepoint:
                self._recover(keep_open=not outside)
            raise refused
        # Reading a catalog that is not locked yet makes the server notice what another session has put there.
        self.session.run("SELECT 1 FROM pg_catalog.pg_roles LIMIT 0")
        return supplied

    def _emptied(self, step: Step, before: Seen, existing: frozenset[int]) -> bool:
        """Delete the rows of the tables that a statement touches, and of those that refer to them: the trace made them."""
        touched = {table for operation in step.operations for table in touched_by(operation, self.schema)}
        if self.keeps_rows or not touched & {before.relations[oid].name for oid in existing if oid in before.relations}:
            return False
        self._drop_invalid(step, before)
        left = [one.name for oid, one in before.relations.items() if oid in existing and one.kind in ("r", "p")]
        while left:
            refused = [name for name in left if not self._deleted(name)]
            if len(refused) == len(left):
                break
            left = refused
        self._settle()
        return not touched & set(left)

    def _drop_invalid(self, step: Step, before: Seen) -> None:
        """Remove the invalid index that a failed CREATE INDEX CONCURRENTLY leaves: it would be in the next one's way."""
        there = {one.name for one in before.relations.values()}
        for operation in step.operations:
            if isinstance(operation, op.CreateIndex) and operation.concurrently and operation.index.name not in there:
                with suppress(Refused):
                    self.session.run(f"DROP INDEX IF EXISTS {sql_name(operation.index.name)}")

    def _deleted(self, name: str) -> bool:
        """Delete a table's rows, unless others refer to them. DELETE takes no lock that hides the next statement's."""
        try:
            self.session.attempt(f"DELETE FROM {sql_name(name)}", inside=self.is_open)
        except Refused:
            return False
        return True

    def _settle(self) -> None:
        """Check deferred constraints now: ALTER TABLE refuses a table that waits for them."""
        if self.is_open:
            with suppress(Refused):
                self.session.attempt("SET CONSTRAINTS ALL IMMEDIATE", inside=True)

    def _seed(self, touched: Container[str]) -> frozenset[str]:
        now = relations(self.session).relations
        names = {oid: one.name for oid, one in now.items() if one.kind in ("r", "p")}
        rows_in = seed(
            self.session, [oid for oid, name in names.items() if name in touched], names, inside=self.is_open
        )
        self._settle()
        return rows_in

    def _run_beside(self, step: Step, before: Seen) -> frozenset[tuple[int, str]]:
        """Run what refuses a transaction, and sample its locks.

        Its tables are held back by weak locks, so that it must wait with its own in place; each wait releases one of them.
        """
        taken: set[tuple[int, str]] = set()
        errors: list[Refused] = []
        waiting = (
            f"SELECT 1 FROM pg_catalog.pg_stat_activity WHERE pid = {self.session.pid} AND wait_event_type = 'Lock'"
        )

        def run() -> None:
            try:
                self._attempt(sent_text(step))
            except Refused as refused:
                errors.append(refused)

        touched = {table for operation in step.operations for table in touched_by(operation, self.schema)}
        names = [one.name for one in before.relations.values() if one.name in touched and one.kind in ("r", "p", "m")]
        holders = [holder for name in names if (holder := self._holding(name))]
        worker = Thread(target=run, daemon=True)
        worker.start()
        try:
            while worker.is_alive():
                taken |= locks_of(self.watcher, self.session.pid)
                if holders and self.watcher.run(waiting):
                    taken |= locks_of(self.watcher, self.session.pid)
                    holders.pop(0).close()
                time.sleep(_SAMPLE_S)
        finally:
            for holder in holders:
                holder.close()
        worker.join(self.timeout)
        if errors:
            self._recover()
            raise errors[0]
        return frozenset(taken)

    def _holding(self, name: str) -> Session | None:
        holder = Session(self.beside, self.timeout)
        try:
            holder.run("BEGIN")
            holder.run(f"LOCK TABLE {sql_name(name)} IN ROW EXCLUSIVE MODE")
        except Refused:  # a materialized view
            holder.close()
            return None
        return holder
