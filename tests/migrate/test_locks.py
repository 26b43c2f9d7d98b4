"""The locks that PostgreSQL 18.4 took for each statement, read from pg_locks in its transaction, against `locks`."""

from __future__ import annotations

import pytest

from backendgen.migrate.locks import BLOCKS_WRITES, locks
from backendgen.sql.operation import Operation
from backendgen.sql.postgres import parse
from backendgen.sql.replay import Schema, replay

SCHEMA = """
create table p (id bigint primary key, a int, b varchar(10), n numeric(10,2), ts timestamptz(3));
create table c (id bigint primary key, p_id bigint constraint c_p references p(id), v int, w text);
create table q (id bigint primary key, k int not null, e text);
create unique index q_k on q (k);
create index c_v on c (v);
create index c_w on c(w);
create table part (id bigint, d int) partition by range (d);
create table part1 partition of part for values from (0) to (10);
create table loose (id bigint, d int);
create table par (id bigint primary key);
create table chi (id int, par_id bigint references par (id));
create table ranged (id bigint, d int) partition by range (d);
create table ranged1 partition of ranged for values from (0) to (10);
create table ranged_rest partition of ranged default;
create domain cents as bigint;
create table priced (id bigint primary key, price cents);
create view vp as select a from p;
create materialized view mv as select a from p;
create unique index mv_id on mv(a);
create type mood as enum ('a','b');
alter table p add constraint p_a check (a > 0) not valid;
alter table q add column cid bigint references c (id);
"""
STRENGTH = ("SHARE", "SHARE ROW EXCLUSIVE", "EXCLUSIVE", "ACCESS EXCLUSIVE")
TRACED = [
    ("create index i on p (a)", {"p": "SHARE"}),
    ("drop index c_v", {"c": "ACCESS EXCLUSIVE"}),
    ("alter table c drop constraint c_p", {"c": "ACCESS EXCLUSIVE", "p": "ACCESS EXCLUSIVE"}),
    ("alter table c drop column p_id", {"c": "ACCESS EXCLUSIVE", "p": "ACCESS EXCLUSIVE"}),
    ("alter table c drop column v", {"c": "ACCESS EXCLUSIVE"}),
    (
        "alter table c add constraint k foreign key (v) references q (id) not valid",
        {"c": "SHARE ROW EXCLUSIVE", "q": "SHARE ROW EXCLUSIVE"},
    ),
    ("alter table p validate constraint p_a", {}),
    ("alter table c add column z bigint references q (id)", {"c": "ACCESS EXCLUSIVE", "q": "SHARE ROW EXCLUSIVE"}),
    ("alter table c add column z int", {"c": "ACCESS EXCLUSIVE"}),
    ("alter table c add column z uuid default gen_random_uuid()", {"c": "ACCESS EXCLUSIVE"}),
    ("alter table c add column z timestamptz default now()", {"c": "ACCESS EXCLUSIVE"}),
    ("alter table c add column z bigserial", {"c": "ACCESS EXCLUSIVE"}),
    ("alter table c add column z int generated always as (v * 2) stored", {"c": "ACCESS EXCLUSIVE"}),
    ("alter table c add column z int generated always as (v * 2) virtual", {"c": "ACCESS EXCLUSIVE"}),
    ("alter table c add column z int generated always as identity", {"c": "ACCESS EXCLUSIVE"}),
    ("alter table p rename column a to a2", {"p": "ACCESS EXCLUSIVE"}),
    ("alter table p rename constraint p_a to p_b", {"p": "ACCESS EXCLUSIVE"}),
    ("alter table p alter column b type text", {"p": "ACCESS EXCLUSIVE"}),
    ("alter table p alter column b type varchar(20)", {"p": "ACCESS EXCLUSIVE"}),
    ("alter table p alter column b type varchar(5)", {"p": "ACCESS EXCLUSIVE"}),
    ("alter table p alter column n type numeric(12,2)", {"p": "ACCESS EXCLUSIVE"}),
    ("alter table p alter column n type numeric(12,3)", {"p": "ACCESS EXCLUSIVE"}),
    ("alter table p alter column ts type timestamptz", {"p": "ACCESS EXCLUSIVE"}),
    ("alter table c alter column p_id type int", {"c": "ACCESS EXCLUSIVE", "p": "ACCESS EXCLUSIVE"}),
    ("alter table p alter column id type int", {"c": "ACCESS EXCLUSIVE", "p": "ACCESS EXCLUSIVE"}),
    ("alter table p alter column a set not null", {"p": "ACCESS EXCLUSIVE"}),
    ("alter table c alter column v drop not null", {"c": "ACCESS EXCLUSIVE"}),
    ("alter table c alter column v set default 1", {"c": "ACCESS EXCLUSIVE"}),
    ("alter table c add constraint u unique (v)", {"c": "ACCESS EXCLUSIVE"}),
    ("alter table q add constraint u unique using index q_k", {"q": "ACCESS EXCLUSIVE"}),
    ("alter table c add constraint x check (v > 0)", {"c": "ACCESS EXCLUSIVE"}),
    ("alter table c add constraint x check (v > 0) not valid", {"c": "ACCESS EXCLUSIVE"}),
    ("alter index c_v rename to c_v2", {}),
    ("update c set v = 1", {}),
    ("delete from c", {}),
    ("lock table c in exclusive mode", {"c": "EXCLUSIVE"}),
    ("create table n (id bigint references p (id))", {"p": "SHARE ROW EXCLUSIVE"}),
    ("create table part2 partition of part for values from (10) to (20)", {"part": "ACCESS EXCLUSIVE"}),
    ("alter table part attach partition loose for values from (20) to (30)", {"loose": "ACCESS EXCLUSIVE"}),
    ("alter table part detach partition part1", {"part": "ACCESS EXCLUSIVE", "part1": "ACCESS EXCLUSIVE"}),
    (
        "create table n partition of ranged for values from (10) to (20)",
        {"ranged": "ACCESS EXCLUSIVE", "ranged_rest": "ACCESS EXCLUSIVE"},
    ),
    (
        "alter table ranged attach partition loose for values from (20) to (30)",
        {"loose": "ACCESS EXCLUSIVE", "ranged_rest": "ACCESS EXCLUSIVE"},
    ),
    (
        "alter table ranged detach partition ranged1",
        {"ranged": "ACCESS EXCLUSIVE", "ranged1": "ACCESS EXCLUSIVE", "ranged_rest": "ACCESS EXCLUSIVE"},
    ),
    ("drop table part1", {"part": "ACCESS EXCLUSIVE", "part1": "ACCESS EXCLUSIVE"}),
    (
        "drop table ranged1",
        {"ranged": "ACCESS EXCLUSIVE", "ranged1": "ACCESS EXCLUSIVE", "ranged_rest": "ACCESS EXCLUSIVE"},
    ),
    ("drop table par cascade", {"chi": "ACCESS EXCLUSIVE", "par": "ACCESS EXCLUSIVE"}),
    ("alter domain cents add constraint z check (value > 0)", {"priced": "SHARE"}),
    ("alter domain cents add constraint z check (value > 0) not valid", {}),
    ("alter domain cents set not null", {"priced": "SHARE"}),
    ("alter domain cents set default 3", {}),
    ("cluster c using c_pkey", {"c": "ACCESS EXCLUSIVE"}),
    ("reindex table c", {"c": "SHARE"}),
    ("reindex index c_v", {"c": "SHARE"}),
    ("refresh materialized view mv", {}),
    (
        "create trigger t before insert on c for each row execute function suppress_redundant_updates_trigger()",
        {"c": "SHARE ROW EXCLUSIVE"},
    ),
    ("alter table c disable trigger all", {"c": "SHARE ROW EXCLUSIVE"}),
    ("alter table c enable row level security", {"c": "ACCESS EXCLUSIVE"}),
    ("create policy x on c using (true)", {"c": "ACCESS EXCLUSIVE"}),
    ("alter table c set (fillfactor = 90)", {}),
    ("alter table c replica identity full", {"c": "ACCESS EXCLUSIVE"}),
    ("alter table c alter column v set statistics 100", {}),
    ("alter table c add exclude (v with =)", {"c": "ACCESS EXCLUSIVE"}),
    ("alter table c alter column w set storage plain", {"c": "ACCESS EXCLUSIVE"}),
    ("create rule r as on insert to c do nothing", {"c": "ACCESS EXCLUSIVE"}),
    ("drop view vp", {}),
    ("alter table c alter column id add generated always as identity", {"c": "ACCESS EXCLUSIVE"}),
    ("alter table c alter column id set default 5", {"c": "ACCESS EXCLUSIVE"}),
    ("comment on table c is 'x'", {}),
    ("grant select on c to public", {}),
    ("alter type mood add value 'c'", {}),
    ("create statistics s on v, w from c", {}),
    ("alter table q alter column id type int", {"q": "ACCESS EXCLUSIVE"}),
    ("alter table c alter column id drop default", {"c": "ACCESS EXCLUSIVE"}),
    ("alter table c enable trigger all", {"c": "SHARE ROW EXCLUSIVE"}),
    ("alter table c disable row level security", {"c": "ACCESS EXCLUSIVE"}),
    ("alter table c force row level security", {"c": "ACCESS EXCLUSIVE"}),
    ("alter table c cluster on c_pkey", {}),
    ("alter table c owner to postgres", {"c": "ACCESS EXCLUSIVE"}),
    ("alter table c alter column w set compression pglz", {"c": "ACCESS EXCLUSIVE"}),
    ("alter table c alter column w set (n_distinct = 5)", {}),
    ("alter table c rename constraint c_p to c_p2", {"c": "ACCESS EXCLUSIVE"}),
    ("alter table c alter constraint c_p deferrable", {"c": "ACCESS EXCLUSIVE"}),
    ("alter table c reset (fillfactor)", {}),
    ("alter table c set without oids", {"c": "ACCESS EXCLUSIVE"}),
    ("alter table c alter column v set not null", {"c": "ACCESS EXCLUSIVE"}),
    ("alter table q alter column k drop not null", {"q": "ACCESS EXCLUSIVE"}),
    ("alter table c add constraint nn not null v not valid", {"c": "ACCESS EXCLUSIVE"}),
    (
        "alter table q add constraint kk foreign key (k) references c (id) not valid",
        {"c": "SHARE ROW EXCLUSIVE", "q": "SHARE ROW EXCLUSIVE"},
    ),
    ("create table n (like c including all)", {}),
    ("create table n () inherits (c)", {}),
    ("create table n as select * from c", {}),
    ("create view v2 as select * from c", {}),
    ("alter table q alter column k type bigint", {"q": "ACCESS EXCLUSIVE"}),
    ("alter table par alter column id type int", {"chi": "ACCESS EXCLUSIVE", "par": "ACCESS EXCLUSIVE"}),
]


def strongest(operation: Operation, schema: Schema) -> dict[str, str]:
    """The strongest lock on each table that was there before, of those that block writes."""
    taken: dict[str, str] = {}
    for lock in locks(operation, schema):
        if lock.mode in BLOCKS_WRITES and lock.table in schema.tables:
            taken[lock.table] = max(taken.get(lock.table, STRENGTH[0]), lock.mode, key=STRENGTH.index)
    return taken


@pytest.mark.parametrize(("statement", "traced"), TRACED, ids=[statement for statement, _ in TRACED])
def test_locks_are_those_that_were_traced(statement: str, traced: dict[str, str]) -> None:
    (operation,) = parse(statement)
    assert strongest(operation, replay(parse(SCHEMA))) == traced
