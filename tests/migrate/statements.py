"""Statements over the whole vocabulary of Operations, for a schema that has one of everything."""

# ruff: noqa: E501 - rows of data
from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

SCHEMA = """
create schema app;
create type mood as enum ('happy', 'sad');
create type pair as (a int, b text);
create domain positive as int check (value > 0);
create domain label as text;
create function touch() returns trigger language plpgsql as $$ begin return new; end $$;
create function one() returns int language sql immutable as 'select 1';
create table accounts (
    id bigint primary key,
    email text not null constraint accounts_email_key unique,
    name varchar(50), plan mood, balance numeric(10, 2), created timestamptz(3), active boolean default true,
    tags text[], meta json, code char(5), small smallint, ratio real, net cidr, day date, span int4range,
    checked positive, labelled label, doubled int generated always as (small * 2) stored, free text, two pair
);
create index accounts_name on accounts (name);
create index accounts_lower on accounts (lower(free));
create index accounts_part on accounts (small) where active;
create index accounts_include on accounts (day) include (ratio);
create unique index accounts_small on accounts (small);
create unique index accounts_id_small on accounts (id);
alter table accounts add constraint accounts_ratio check (ratio > 0);
alter table accounts add constraint accounts_free check (free is not null);
alter table accounts add constraint accounts_late check (small > 0) not valid;
create table orders (
    id int generated always as identity primary key,
    account_id bigint not null constraint orders_account references accounts,
    parent_id int constraint orders_parent references orders (id),
    email text constraint orders_email references accounts (email) on update cascade,
    total int default 0 constraint orders_total check (total >= 0), note text, serial_no serial, twin bigint
);
create index orders_account_id on orders (account_id);
alter table orders add constraint orders_twin foreign key (twin) references accounts (id) not valid;
create table app.items (
    id bigint primary key, order_id int constraint items_order references orders on delete cascade, qty int, name text
);
create index items_qty on app.items (qty);
create table logs (id bigint, at timestamptz not null, account_id bigint, body text, level int, primary key (id, at))
    partition by range (at);
create table logs_a partition of logs for values from ('2020-01-01') to ('2021-01-01');
create table logs_b partition of logs for values from ('2021-01-01') to ('2022-01-01');
create index logs_level on logs (level);
create table logs_c (id bigint not null, at timestamptz not null, account_id bigint, body text, level int);
create table split (id int, region text) partition by list (region);
create table split_eu partition of split for values in ('eu');
create table split_rest partition of split default;
create table split_us (id int, region text);
create table bases (id int primary key, v int);
create table derived (extra int) inherits (bases);
create table notes (a int, b int, c text, d int4range);
create unlogged table caches (id int primary key, v text);
create view accounts_view as select id, name, email from accounts;
create view deeper as select id from accounts_view;
create materialized view totals as select account_id, sum(total) as total from orders group by account_id;
create unique index totals_account on totals (account_id);
create index totals_total on totals (total);
create sequence numbers;
create trigger orders_touch before update on orders for each row execute function touch();
create policy accounts_own on accounts using (true);
create rule notes_rule as on insert to notes do also nothing;
create statistics notes_stats on a, b from notes;
create publication news for table accounts;
"""
TABLES = (
    "accounts",
    "orders",
    "app.items",
    "logs",
    "logs_a",
    "split",
    "split_rest",
    "bases",
    "derived",
    "notes",
    "caches",
)
PLAIN_TABLES = ("accounts", "orders", "app.items", "logs_a", "notes", "caches")
MATERIALIZED = ("totals",)
TYPES = (
    "smallint", "int", "bigint", "oid", "real", "double precision", "numeric", "numeric(10,2)", "numeric(12,2)",
    "numeric(8,2)", "numeric(12,4)", "text", "varchar", "varchar(10)", "varchar(50)", "varchar(99)", "char(5)", "bpchar",
    "citext_is_missing", "name", "boolean", "date", "timestamp", "timestamp(3)", "timestamptz", "timestamptz(3)",
    "timestamptz(1)", "time", "timetz", "interval", "interval(2)", "json", "jsonb", "xml", "uuid", "inet", "cidr", "bytea",
    "bit(4)", "varbit", "varbit(8)", "int4range", "int8range", "text[]", "varchar(10)[]", "varchar[]", "int[]", "bigint[]",
    "mood", "positive", "label", "money", "macaddr", "tsvector", '"char"',
)  # fmt: skip
DEFAULTS = (
    "0", "null", "'x'", "now()", "clock_timestamp()", "random()", "gen_random_uuid()", "nextval('numbers')", "current_date",
    "current_user", "'{}'", "'{}'::jsonb", "array[]::text[]", "one()", "md5(random()::text)", "(1 + 2)", "true", "statement_timestamp()",
    "to_char(now(), 'YYYY')", "coalesce(null, 1)", "date_trunc('day', now())", "interval '1 day'", "timezone('utc', now())", "1.5", "txid_current()",
    "extract(epoch from now())", "lower('A')", "timeofday()", "transaction_timestamp()", "localtimestamp", "'a' || 'b'",
    "pg_backend_pid()", "inet_client_addr()", "to_tsvector('simple', 'a')", "to_json(1)", "session_user", "jsonb_build_object('a', 1)",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Col:
    """A column of SCHEMA."""

    table: str
    name: str


COLUMNS = tuple(
    Col(table, name)
    for table, names in (
        ("accounts", "id email name plan balance created active tags meta code small ratio net day span checked labelled "
                     "doubled free two"),
        ("orders", "id account_id parent_id email total note serial_no twin"),
        ("app.items", "id order_id qty name"),
        ("logs", "id account_id body level"),
        ("bases", "id v"),
        ("derived", "extra"),
        ("notes", "a b c d"),
        ("caches", "id v"),
    )
    for name in names.split()
)  # fmt: skip
INDEXES = (
    "accounts_name", "accounts_lower", "accounts_part", "accounts_small", "orders_account_id", "app.items_qty", "logs_level",
    "totals_total", "accounts_include",
)  # fmt: skip
CONSTRAINTS = (
    Col("accounts", "accounts_ratio"), Col("accounts", "accounts_late"), Col("accounts", "accounts_email_key"),
    Col("orders", "orders_account"), Col("orders", "orders_parent"), Col("orders", "orders_email"), Col("orders", "orders_twin"),
    Col("orders", "orders_total"), Col("app.items", "items_order"), Col("accounts", "accounts_pkey"), Col("bases", "bases_pkey"),
)  # fmt: skip
FOREIGN_KEYS = (
    "(account_id) references accounts (id)", "(a) references orders (id)", "(a) references notes (a)", "(v) references caches (id)",
    "(id) references app.items (id)", "(b) references orders", "(qty) references orders", "(level) references orders",
)  # fmt: skip


def form(template: str, **parts: SearchStrategy[object]) -> SearchStrategy[str]:
    """Fill a template; `{column.table}` reads an attribute."""
    return st.fixed_dictionaries(parts).map(lambda values: template.format(**values))


def one_of(*values: object) -> SearchStrategy[object]:
    """Choose one of some values."""
    return st.sampled_from(values)


table, plain, column, kind = one_of(*TABLES), one_of(*PLAIN_TABLES), one_of(*COLUMNS), one_of(*TYPES)
default, index, constraint = one_of(*DEFAULTS), one_of(*INDEXES), one_of(*CONSTRAINTS)
soft = one_of("", "", "if exists ")
cascade = one_of("", "", " cascade")
late = one_of("", " not valid")

ACTIONS = st.one_of(
    form("add column z {kind}", kind=kind),
    form("add column if not exists {c.name} int", c=column),
    form("add column z {kind} default {d}", kind=kind, d=default),
    form("add column z {kind} not null default {d}", kind=kind, d=default),
    form("add column z {kind} {tail}", kind=one_of("int", "bigint", "text"), tail=one_of(
        "generated always as identity", "generated by default as identity", "generated always as (1) stored",
        "generated always as (2) virtual", "unique", "primary key", "check (z is not null)", "check (z > 0) not valid",
        "references orders", "references orders (id) on delete cascade", "references accounts", "not null",
        "default 1 references orders", 'collate "C"', "constraint zz unique",
    )),
    form("add column z {kind}", kind=one_of("serial", "bigserial", "smallserial")),
    form("drop column {e}{c.name}{cascade}", c=column, e=soft, cascade=cascade),
    form("alter column {c.name} set not null", c=column),
    form("alter column {c.name} drop not null", c=column),
    form("alter column {c.name} set default {d}", c=column, d=default),
    form("alter column {c.name} drop default", c=column),
    form("alter column {c.name} {tail}", c=column, tail=one_of(
        "add generated always as identity", "set generated by default", "drop identity", "drop identity if exists",
        "drop expression", "drop expression if exists", "set expression as (small * 3)", "set statistics 50", "set (n_distinct = 5)",
        "reset (n_distinct)", "set storage plain", "set compression pglz",
    )),
    form("add check ({c.name} is not null){late}", c=column, late=late),
    form("add constraint zz {tail}", tail=one_of(
        "unique (a)", "unique (id)", "unique (name)", "primary key (a)", "primary key (id)", "unique using index accounts_small",
        "unique using index accounts_id_small", "exclude (v with =)", "exclude using gist (d with &&)", "not null a",
        "not null name not valid", "check (true)", "check (false) not valid", "check (true) no inherit", "unique (account_id) deferrable",
    )),
    form("add constraint zz foreign key {key}{late}", key=one_of(*FOREIGN_KEYS), late=late),
    form("validate constraint {k.name}", k=constraint),
    form("drop constraint {e}{k.name}{cascade}", k=constraint, e=soft, cascade=cascade),
    form("alter constraint {k.name} deferrable", k=constraint),
    one_of(
        "set (fillfactor = 70)", "reset (fillfactor)", "set (autovacuum_enabled = false)", "set (toast_tuple_target = 200)",
        "set logged", "set unlogged", "set tablespace pg_default", "set access method heap", "enable row level security",
        "disable row level security", "force row level security", "no force row level security", "disable trigger all", "enable trigger all",
        "disable trigger user", "replica identity full", "replica identity default", "replica identity nothing", "owner to current_user",
        "set without cluster", "set without oids", "no inherit bases", "inherit bases", "disable rule notes_rule", "cluster on accounts_name",
        "replica identity using index accounts_id_small", "enable trigger orders_touch", "enable always trigger orders_touch",
        "of pair", "not of", "set (parallel_workers = 2)",
    ),
)  # fmt: skip

RETYPES = st.one_of(
    form("alter table {c.table} alter column {c.name} type {kind}{using}", c=column, kind=kind,
         using=one_of("", "", " using null")),
    form('alter table {c.table} alter column {c.name} type text collate "{to}"', c=column, to=one_of("C", "POSIX")),
    form("alter table {c.table} alter column {c.name} type {kind} using {c.name}::{kind}", c=column, kind=kind),
)  # fmt: skip

# Each table with its own columns and constraints, so that most of them are valid; and any with any.
ALTERS = st.one_of(
    form("alter table {t} {a}", t=table, a=ACTIONS),
    form("alter table only {t} {a}", t=table, a=ACTIONS),
    form("alter table {t} {a}, {b}", t=plain, a=ACTIONS, b=ACTIONS),
    form("alter table {c.table} {tail} {c.name}{rest}", c=column, tail=one_of("drop column", "drop column if exists"), rest=cascade),
    form("alter table {c.table} alter {c.name} {tail}", c=column, tail=one_of(
        "set not null", "drop not null", "drop default", "set default null", "set statistics 10", "drop expression", "drop identity",
        "add generated by default as identity", "set storage external",
    )),
    form("alter table {c.table} alter {c.name} set default {d}", c=column, d=default),
    form("alter table {k.table} {tail} {k.name}{rest}", k=constraint, tail=one_of("drop constraint", "validate constraint"), rest=one_of("")),
    form("alter table {k.table} drop constraint {k.name} cascade", k=constraint),
    form("alter table {k.table} rename constraint {k.name} to zz", k=constraint),
    form("alter table {k.table} alter constraint {k.name} {tail}", k=constraint, tail=one_of("deferrable", "not enforced", "enforced")),
    form("alter table {c.table} add check ({c.name} is not null){late}", c=column, late=late),
    form("alter table {c.table} add unique ({c.name})", c=column),
    form("alter table {c.table} add constraint zz not null {c.name}{late}", c=column, late=late),
    form("alter table {c.table} add constraint zz foreign key ({c.name}) references {r}{late}", c=column,
         r=one_of("accounts", "orders", "app.items", "caches", "bases", "orders (id)", "accounts (email)", "accounts (small)"), late=late),
)  # fmt: skip

OTHERS = st.one_of(
    form("create {u}index {m}z on {c.table} ({c.name})", c=column, u=one_of("", "unique "), m=one_of("", "if not exists ")),
    form("create index on only logs ({c})", c=one_of("body", "account_id")),
    form("create index z on {t} using {m} ({k})", t=plain, m=one_of("hash", "btree", "gin"), k=one_of("id", "a", "v", "tags", "lower(name)")),
    form("create index z on {t} (id) {tail}", t=table, tail=one_of("include (name)", "where id > 5", "with (fillfactor = 60)")),
    form("drop index {e}{i}{cascade}", i=index, e=soft, cascade=cascade),
    form("alter index {i} {tail}", i=index, tail=one_of("rename to z", "set (fillfactor = 70)", "reset (fillfactor)", "set tablespace pg_default",
                                                        "alter column 1 set statistics 10")),
    form("reindex index {i}", i=one_of("accounts_name", "accounts_lower", "orders_account_id", "app.items_qty", "totals_total")),
    form("reindex table {t}", t=one_of("accounts", "orders", "app.items", "logs_a", "notes", "caches", "totals")),
    form("drop table {e}{t}{cascade}", t=one_of(*TABLES, "logs_c", "split_eu", "missing"), e=soft, cascade=cascade),
    form("alter table {t} rename to z", t=one_of(*TABLES, "split_us")),
    form("alter table {c.table} rename column {c.name} to z", c=column),
    form("alter table {t} set schema app", t=table),
    form("truncate {t}{cascade}", t=one_of(*TABLES, "accounts, orders, app.items", "only bases"), cascade=cascade),
    form("truncate {t} restart identity", t=one_of("notes", "caches", "logs_a")),
    form("create table z (id int references {r})", r=one_of("accounts", "orders", "app.items", "caches", "bases", "accounts (email)", "accounts, b int references orders")),
    form("create table z ({body})", body=one_of(
        "like accounts", "like accounts including all", "like orders including all", "id int primary key",
        "like logs including indexes", "a int, foreign key (a) references orders", "id int references z2",
    )),
    form("create table z () inherits ({p})", p=one_of("bases", "notes", "derived")),
    form("create table z partition of {tail}", tail=one_of(
        "logs for values from ('2022-01-01') to ('2023-01-01')", "logs default", "split for values in ('asia')",
        "split for values in ('us') partition by range (id)",
    )),
    form("create {p} z as select * from {t}", p=one_of("table", "view", "materialized view", "temp table"), t=one_of(*TABLES, "accounts_view", "totals")),
    form("create or replace view accounts_view as select {c} from accounts", c=one_of("id, name, email", "id, name, email, small")),
    form("drop {v}{cascade}", v=one_of("view accounts_view", "view deeper", "materialized view totals", "view if exists missing"), cascade=cascade),
    form("alter {v}", v=one_of("view accounts_view rename to z", "materialized view totals rename to z", "view accounts_view set schema app",
                               "view deeper owner to current_user", "view deeper alter column id set default 1", "view deeper set (security_barrier)",
                               "view deeper rename column id to z", "materialized view totals rename column total to z",
                               "materialized view totals set schema app", "materialized view totals set (fillfactor = 70)",
                               "materialized view totals cluster on totals_account", "materialized view totals alter column total set statistics 10")),
    one_of("refresh materialized view totals", "refresh materialized view concurrently totals", "refresh materialized view totals with no data"),
    form("alter table {p}", p=one_of(
        "logs attach partition logs_c for values from ('2023-01-01') to ('2024-01-01')", "logs detach partition logs_a",
        "split attach partition split_us for values in ('us')", "split detach partition split_eu", "split detach partition split_rest",
        "logs attach partition logs_c default",
    )),
    form("{v}", v=one_of(
        "insert into notes values (1)", "insert into notes select a from notes", "insert into logs select id, now() from logs_c",
        "update accounts set small = 1", "update accounts set id = 5", "update accounts set email = 'x' where id = 1",
        "update orders set account_id = 3", "delete from accounts", "delete from orders where id = 1", "update logs set level = 1",
        "delete from logs", "update bases set v = 1", "merge into notes using caches on a = id when matched then delete",
        "with gone as (delete from notes returning a) insert into caches select a from gone",
        "update orders set total = 1 from accounts where accounts.id = account_id", "delete from orders using accounts where true",
        "insert into accounts (id, email) values (1, 'x') on conflict do nothing", "select * from accounts for update",
        "select id into z from accounts", "select 1", "select * from orders for share",
    )),
    form("lock {t} {m}", t=table, m=one_of("", "in share mode", "in exclusive mode", "in access share mode", "in row exclusive mode",
                                          "in share row exclusive mode", "in share update exclusive mode")),
    form("lock table only {t} in share mode", t=one_of("bases", "logs", "accounts")),
    form("cluster {t}", t=one_of("accounts using accounts_name", "orders using orders_pkey", "caches using caches_pkey", "totals using totals_account")),
    form("create {w} trigger z {when} on {t} {tail} execute function touch()", w=one_of("", "or replace"), t=one_of("accounts", "orders", "notes", "logs", "app.items"),
         when=one_of("before insert", "after update or delete", "after insert"), tail=one_of("for each row", "for each statement")),
    form("create constraint trigger z after insert on {t} for each row execute function touch()", t=one_of("accounts", "orders")),
    form("create constraint trigger z after insert on orders from accounts for each row execute function touch()"),
    form("{v}", v=one_of(
        "drop trigger orders_touch on orders", "drop trigger if exists missing on orders", "alter trigger orders_touch on orders rename to z",
        "create policy z on orders using (true)", "create policy z on orders using (exists (select 1 from accounts where id = account_id))",
        "alter policy accounts_own on accounts using (false)", "drop policy accounts_own on accounts", "drop policy if exists missing on accounts",
        "alter policy accounts_own on accounts rename to z", "create rule z as on delete to orders do nothing",
        "create or replace rule notes_rule as on insert to notes do nothing", "drop rule notes_rule on notes", "alter rule notes_rule on notes rename to z",
        "comment on table accounts is 'x'", "comment on column accounts.name is 'x'", "comment on constraint orders_account on orders is 'x'",
        "comment on index accounts_name is 'x'", "comment on view deeper is 'x'", "comment on type mood is 'x'",
        "grant select on accounts to public", "revoke all on orders from public", "grant usage on schema app to public",
        "analyze accounts", "analyze", "create statistics z on a, b from notes", "drop statistics notes_stats", "alter statistics notes_stats set statistics 10",
        "alter type mood add value 'new'", "alter type mood rename value 'sad' to 'z'", "alter type mood rename to z", "alter type mood add value if not exists 'sad'",
        "alter type pair add attribute z int", "alter type pair rename attribute a to z", "alter type pair alter attribute a type bigint cascade",
        "alter type pair drop attribute b cascade", "alter type pair add attribute z int cascade",
        "drop type mood cascade", "drop type mood", "drop domain positive cascade", "drop domain label", "drop domain label cascade",
        "alter domain positive add check (value < 9)", "alter domain positive add constraint z check (value < 9) not valid", "alter domain positive drop constraint positive_check",
        "alter domain label set not null", "alter domain label drop not null", "alter domain label set default 'x'", "alter domain label rename to z",
        "alter domain label add constraint z check (value <> '') not valid", "alter domain positive validate constraint positive_check",
        "create type z as enum ('a')", "create domain z as int", "create sequence z", "create sequence z owned by accounts.small", "alter sequence numbers owned by orders.total",
        "alter sequence numbers restart", "alter sequence orders_id_seq restart with 5", "alter sequence orders_serial_no_seq as bigint", "drop sequence orders_serial_no_seq cascade",
        "drop sequence numbers", "alter sequence numbers rename to z", "alter sequence orders_serial_no_seq owned by none",
        "create schema z", "create schema z create table t (id int references accounts)", "drop schema app cascade", "alter schema app rename to z",
        "create function z() returns int language sql as 'select 1'", "drop function touch() cascade", "drop function one()", "create or replace function one() returns int language sql immutable as 'select 2'",
        "create publication z for table orders", "alter publication news add table orders", "alter publication news drop table accounts", "drop publication news", "create publication z for tables in schema app",
        "set lock_timeout = '2s'", "set constraints all immediate", "select setval('numbers', 5)", "select nextval('numbers')",
        "do $$ begin perform 1; end $$", "do $$ begin alter table notes add column z int; end $$",
        "do $$ begin if exists (select 1 from notes) then alter table orders add column z int; end if; end $$",
        "reassign owned by current_user to current_user", "security label on table accounts is null", "create aggregate z(int) (sfunc = int4pl, stype = int)",
        "alter function one() rename to z", "create cast (mood as int) with inout", "create operator class z for type int using btree as operator 1 <",
        "alter table if exists missing add column z int", "alter table accounts_view rename to z", "alter view if exists missing rename to z",
        "alter table if exists accounts add column if not exists name text", "alter index if exists missing rename to z", "drop index if exists missing",
        "alter default privileges grant select on tables to public", "create collation z from \"C\"", "alter index logs_level attach partition logs_a_level_idx",
        "create view z as select * from logs", "alter materialized view totals no depends on extension plpgsql",
    )),
)  # fmt: skip

STATEMENTS = st.one_of(ALTERS, RETYPES, OTHERS)
