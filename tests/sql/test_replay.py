"""The replayed schema is the one that PostgreSQL 18 has after the same statements."""

from __future__ import annotations

import json
import subprocess
import sys

from backendgen.sql.operation import DropTable
from backendgen.sql.postgres import parse
from backendgen.sql.replay import Schema, replay
from backendgen.sql.schema import Table


def schema_of(sql: str) -> Schema:
    operations = parse(sql)
    assert [o.sql for o in operations if type(o).__name__ == "NotUnderstood"] == []
    return replay(operations)


def shown(table: Table) -> tuple[list[str], list[str], list[str]]:
    """Return the columns, constraints and indexes as short lines."""
    return (
        [f"{c.name} {c.type}{' not null' if c.not_null else ''}" for c in table.columns],
        [f"{c.name} {c.kind} {','.join(c.columns)}" for c in table.constraints],
        [f"{i.name} {','.join(c or '*' for c in i.columns)}" for i in table.indexes],
    )


T = """CREATE TABLE t (id int PRIMARY KEY, a int CHECK (a > 0), b text UNIQUE, c int, CHECK (a > c));
CREATE INDEX by_c ON t (c); CREATE INDEX by_lower ON t (lower(b)); CREATE INDEX partial ON t (id) WHERE c > 1;"""


def test_created() -> None:
    assert shown(schema_of(T).tables["t"]) == (
        ["id integer not null", "a integer", "b text", "c integer"],
        ["t_pkey primary_key id", "t_a_check check a", "t_b_key unique b", "t_check check a,c"],
        ["t_pkey id", "t_b_key b", "by_c c", "by_lower *", "partial id"],
    )


def test_dropping_a_column_takes_its_indexes_and_constraints() -> None:
    assert shown(schema_of(T + "ALTER TABLE t DROP c").tables["t"]) == (
        ["id integer not null", "a integer", "b text"],
        ["t_pkey primary_key id", "t_a_check check a", "t_b_key unique b"],
        ["t_pkey id", "t_b_key b", "by_lower *"],
    )
    assert shown(schema_of(T + "ALTER TABLE t DROP b").tables["t"])[2] == ["t_pkey id", "by_c c", "partial id"]


def test_renaming_a_column_is_followed() -> None:
    schema = schema_of(
        T + "CREATE TABLE u (t int REFERENCES t); ALTER TABLE t RENAME c TO d; ALTER TABLE t RENAME id TO key"
    )
    table = schema.tables["t"]
    assert [c.expression for c in table.constraints if c.kind == "check"] == ["a > 0", "a > d"]
    assert table.constraints[-1].columns == ("a", "d")
    assert [(i.columns, i.where, i.expression_columns) for i in table.indexes[2:]] == [
        (("d",), "", ()),
        (("",), "", ("b",)),
        (("key",), "d > 1", ("d",)),
    ]
    assert table.primary_key == ("key",)
    assert schema.tables["u"].constraints[0].referenced_columns == ("key",)


def test_renaming_a_table_is_followed() -> None:
    schema = schema_of(
        "CREATE TABLE a (id int PRIMARY KEY, parent int REFERENCES a); CREATE TABLE b (a int REFERENCES a);"
        "CREATE VIEW v AS SELECT id FROM a; ALTER TABLE a RENAME TO c; CREATE SCHEMA s; ALTER TABLE c SET SCHEMA s"
    )
    assert list(schema.tables) == ["b", "s.c"]
    assert [(table.name, key.name) for table, key in schema.references_to("s.c")] == [
        ("s.c", "a_parent_fkey"),
        ("b", "b_a_fkey"),
    ]
    assert schema.views["v"].reads == ("s.c",)
    index = schema.index("s.a_pkey")
    assert index is not None
    assert index.table == "s.c"
    assert schema.index("a_pkey") == index  # the search_path is not known: there is only one of that name


def test_indexes_are_found_by_name() -> None:
    schema = schema_of(T + "ALTER INDEX by_c RENAME TO by_d; DROP INDEX by_lower; ALTER INDEX t_pkey RENAME TO t_pk")
    assert schema.index("by_c") is None
    assert schema.index("by_lower") is None
    found = schema.index("by_d")
    assert found is not None
    assert (found.table, found.columns) == ("t", ("c",))
    assert schema.tables["t"].constraint("t_pk") is not None
    assert schema.tables["t"].constraint("t_pkey") is None


def test_constraints_come_and_go() -> None:
    schema = schema_of(
        T
        + """CREATE UNIQUE INDEX u ON t (a, c); ALTER TABLE t ADD CONSTRAINT unique_ac UNIQUE USING INDEX u;
        ALTER TABLE t ADD CONSTRAINT big CHECK (a > 9) NOT VALID, DROP CONSTRAINT t_b_key;
        ALTER TABLE t RENAME CONSTRAINT t_a_check TO positive; ALTER TABLE t ADD CONSTRAINT nn NOT NULL a NOT VALID;"""
    )
    table = schema.tables["t"]
    assert shown(table) == (
        ["id integer not null", "a integer", "b text", "c integer"],
        [
            "t_pkey primary_key id",
            "positive check a",
            "t_check check a,c",
            "unique_ac unique a,c",
            "big check a",
            "nn not_null a",
        ],
        ["t_pkey id", "by_c c", "by_lower *", "partial id", "unique_ac a,c"],
    )
    assert [c.name for c in table.constraints if not c.valid] == ["big", "nn"]
    replay(parse("ALTER TABLE t VALIDATE CONSTRAINT nn, VALIDATE CONSTRAINT big"), schema)
    column = schema.tables["t"].column("a")
    assert column is not None
    assert column.not_null
    assert all(c.valid for c in schema.tables["t"].constraints)


def test_not_null_has_a_name_too() -> None:
    schema = schema_of("CREATE TABLE t (a int NOT NULL, b int CONSTRAINT x NOT NULL); ALTER TABLE t DROP CONSTRAINT x")
    assert shown(schema.tables["t"]) == (["a integer not null", "b integer"], [], [])
    replay(parse("ALTER TABLE t DROP CONSTRAINT t_a_not_null"), schema)
    assert shown(schema.tables["t"])[0] == ["a integer", "b integer"]


def test_cascades() -> None:
    schema = schema_of(
        """CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (a int REFERENCES a, c int REFERENCES a);
        CREATE VIEW v AS SELECT id FROM a; CREATE VIEW w AS SELECT id FROM v; DROP TABLE a CASCADE;
        CREATE TYPE mood AS ENUM ('x'); CREATE TABLE m (mood mood, b int); DROP TYPE mood CASCADE;
        CREATE TABLE p (x int, y int, PRIMARY KEY (x, y)); CREATE TABLE q (x int, y int, FOREIGN KEY (x, y) REFERENCES p);
        ALTER TABLE p DROP CONSTRAINT p_pkey CASCADE;
        CREATE TABLE s.t (); CREATE VIEW s.v AS SELECT 1; DROP SCHEMA s CASCADE"""
    )
    assert list(schema.tables) == ["b", "m", "p", "q"]
    assert schema.tables["b"].constraints == ()
    assert schema.tables["q"].constraints == ()
    assert schema.views == {}
    assert schema.enums == {}
    assert shown(schema.tables["m"])[0] == ["b integer"]


def test_partitions_take_part() -> None:
    schema = schema_of(
        """CREATE TABLE p (id int PRIMARY KEY, k text CHECK (k <> '')) PARTITION BY RANGE (id); CREATE INDEX ON p (k);
        CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10); CREATE TABLE p2 (id int, k text);
        ALTER TABLE p ATTACH PARTITION p2 DEFAULT; ALTER TABLE p ADD extra int; ALTER TABLE p RENAME k TO key;
        ALTER TABLE p RENAME TO parent; ALTER TABLE parent ALTER key SET NOT NULL"""
    )
    assert shown(schema.tables["p1"]) == (
        ["id integer not null", "key text not null", "extra integer"],
        ["p1_pkey primary_key id", "p_k_check check key"],
        ["p1_pkey id", "p1_k_idx key"],
    )
    assert [part.name for part in schema.partitions_of("parent")] == ["p1", "p2"]
    more = "CREATE INDEX i ON parent (extra); ALTER TABLE parent ADD CHECK (extra > 0), ADD UNIQUE (id, extra)"
    assert shown(replay(parse(more), schema).tables["p1"])[1:] == (
        [
            "p1_pkey primary_key id",
            "p_k_check check key",
            "parent_extra_check check extra",
            "p1_id_extra_key unique id,extra",
        ],
        ["p1_pkey id", "p1_k_idx key", "p1_extra_idx extra", "p1_id_extra_key id,extra"],
    )
    replay(
        parse(
            "DROP INDEX i; ALTER TABLE parent DROP CONSTRAINT parent_extra_check, DROP CONSTRAINT parent_id_extra_key"
        ),
        schema,
    )
    assert shown(schema.tables["p1"])[1:] == (
        ["p1_pkey primary_key id", "p_k_check check key"],
        ["p1_pkey id", "p1_k_idx key"],
    )
    replay(parse("ALTER TABLE parent DETACH PARTITION p1; DROP TABLE parent"), schema)
    assert list(schema.tables) == ["p1"]


def test_like_copies_what_it_includes() -> None:
    schema = schema_of(T + "CREATE TABLE u (LIKE t); CREATE TABLE v (LIKE t INCLUDING ALL, more int)")
    assert shown(schema.tables["u"]) == (["id integer not null", "a integer", "b text", "c integer"], [], [])
    assert shown(schema.tables["v"])[0][-1] == "more integer"
    assert shown(schema.tables["v"])[1] == [
        "v_pkey primary_key id",
        "t_a_check check a",
        "v_b_key unique b",
        "t_check check a,c",
    ]


def test_columns_change() -> None:
    schema = schema_of(
        """CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY, a int DEFAULT 1 NOT NULL,
          g int GENERATED ALWAYS AS (a) STORED);
        ALTER TABLE t ALTER a TYPE bigint, ALTER a DROP DEFAULT, ALTER a DROP NOT NULL, ALTER id DROP IDENTITY,
        ALTER g DROP EXPRESSION, ADD IF NOT EXISTS a text; COMMENT ON COLUMN t.a IS 'about a';
        COMMENT ON TABLE t IS 'about t'"""
    )
    table = schema.tables["t"]
    assert table.comment == "about t"
    assert [(c.name, str(c.type), c.default, c.generated, c.stored, c.identity, c.comment) for c in table.columns] == [
        ("id", "integer", None, None, False, "", ""),
        ("a", "bigint", None, None, False, "", "about a"),
        ("g", "integer", None, None, False, "", ""),
    ]


def test_enums_and_domains() -> None:
    schema = schema_of(
        """CREATE TYPE mood AS ENUM ('sad', 'ok'); ALTER TYPE mood ADD VALUE 'meh' BEFORE 'ok';
        ALTER TYPE mood ADD VALUE 'x';
        ALTER TYPE mood ADD VALUE 'y' AFTER 'sad'; ALTER TYPE mood RENAME VALUE 'ok' TO 'fine';
        CREATE DOMAIN d AS varchar(9);
        CREATE TABLE t (m mood); ALTER TYPE mood RENAME TO feeling"""
    )
    assert schema.enums == {"feeling": ("sad", "y", "meh", "fine", "x")}
    assert {name: str(domain.base) for name, domain in schema.domains.items()} == {"d": "character varying(9)"}
    assert shown(schema.tables["t"])[0] == ["m feeling"]


def test_materialized_views_have_indexes() -> None:
    schema = schema_of(
        T + "CREATE MATERIALIZED VIEW v AS SELECT a FROM t; CREATE UNIQUE INDEX i ON v (a); ALTER INDEX i RENAME TO j"
    )
    index = schema.index("j")
    assert index is not None
    assert (index.table, schema.index("i")) == ("v", None)
    replay(parse("DROP MATERIALIZED VIEW v"), schema)
    assert schema.index("j") is None


def test_unknown_names_change_nothing() -> None:
    schema = schema_of(T)
    before = repr(schema)
    replay(
        parse(
            """ALTER TABLE x ADD a int, DROP b, ALTER c TYPE text, ADD CHECK (a > 0), DROP CONSTRAINT k;
            DROP TABLE x CASCADE;
            ALTER TABLE t DROP x, ALTER x SET NOT NULL, DROP CONSTRAINT x, VALIDATE CONSTRAINT x; DROP INDEX x; DROP VIEW x;
            ALTER TABLE x RENAME TO y; ALTER INDEX x RENAME TO y; ALTER TYPE x ADD VALUE 'y'; CREATE TABLE t (z int);
            CREATE INDEX ON x (a); COMMENT ON TABLE x IS 'y'; ALTER TABLE x ATTACH PARTITION y DEFAULT; DROP SCHEMA x"""
        ),
        schema,
    )
    assert repr(schema) == before


def test_a_long_history_costs_linear_time() -> None:
    sql = "".join(f"CREATE TABLE t{n} (id int PRIMARY KEY, a int REFERENCES t{max(n - 1, 0)});" for n in range(3000))
    schema = schema_of(sql)
    for n in range(3000):
        schema.apply(DropTable(table=f"t{n}", cascade=True))
    assert schema.tables == {}
    assert schema.index("t5_pkey") is None


def test_the_model_loads_no_parser() -> None:
    code = (
        "import sys, json, backendgen.sql.schema_changes, backendgen.sql.types; print(json.dumps(sorted(sys.modules)))"
    )
    modules = json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
    assert "backendgen.sql.replay" in modules
    assert not {"postgast", "google.protobuf", "sqlglot"} & set(modules)
