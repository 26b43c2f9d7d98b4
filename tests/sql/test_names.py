"""Names that PostgreSQL 18 gave to the same things."""

from __future__ import annotations

from backendgen.sql.operation import CreateIndex, CreateTable
from backendgen.sql.postgres import parse
from backendgen.sql.replay import replay

LONG = "a_very_long_table_name_that_goes_on_and_on_for_quite_a_while_x"
COLUMN = "a_very_long_column_name_that_goes_on_and_on"


def constraint_names(sql: str) -> list[str]:
    (table,) = parse(sql)
    assert isinstance(table, CreateTable)
    return [constraint.name for constraint in table.constraints]


def test_inline_and_table_constraints() -> None:
    sql = """CREATE TABLE t (id int PRIMARY KEY UNIQUE, a int UNIQUE CHECK (a > 0) CHECK (a < 9) REFERENCES u,
        b int CHECK (a > b), UNIQUE (a, b), UNIQUE (a), CHECK (1 = 1), FOREIGN KEY (a, b) REFERENCES v,
        EXCLUDE USING gist (b WITH =), CONSTRAINT mine CHECK (b > 0), UNIQUE (b) INCLUDE (id))"""
    assert constraint_names(sql) == [
        "t_pkey",
        "t_a_key",
        "t_a_check",
        "t_a_check1",
        "t_a_fkey",
        "t_check",
        "t_a_b_key",
        "t_check1",
        "t_a_b_fkey",
        "t_b_excl",
        "mine",
        "t_b_id_key",
    ]


def test_long_names_are_cut_to_63_bytes() -> None:
    sql = f"CREATE TABLE {LONG} ({COLUMN} int UNIQUE CHECK ({COLUMN} > 0), b int)"
    assert constraint_names(sql) == [
        "a_very_long_table_name_that_g_a_very_long_column_name_that__key",
        "a_very_long_table_name_that__a_very_long_column_name_that_check",
    ]
    schema = replay(parse(f"{sql}; CREATE INDEX ON {LONG} ({COLUMN}, b); CREATE INDEX ON {LONG} ({COLUMN}, b)"))
    assert [index.name for index in schema.tables[LONG].indexes] == [
        "a_very_long_table_name_that_g_a_very_long_column_name_that__key",
        "a_very_long_table_name_that_g_a_very_long_column_name_that__idx",
        "a_very_long_table_name_that_g_a_very_long_column_name_that_idx1",
    ]


def test_unnamed_indexes() -> None:
    keys = {
        "lower(c)": "t_lower_idx",
        "lower(c), (a + b), (a - b)": "t_lower_expr_expr1_idx",
        "a) INCLUDE (b": "t_a_b_idx",
        "(c::text)": "t_c_idx",
        "(lower(c)::varchar)": "t_lower_idx",
        "coalesce(a, b)": "t_coalesce_idx",
        "(CASE WHEN a > 1 THEN b ELSE 0 END)": "t_case_idx",
        "(nullif(a, b))": "t_nullif_idx",
        "greatest(a, b)": "t_greatest_idx",
        "(e || 'x')": "t_expr_idx",
        "(ARRAY[a, b])": "t_array_idx",
    }
    for key, name in keys.items():
        (index,) = parse(f"CREATE INDEX ON t ({key})")
        assert isinstance(index, CreateIndex)
        assert (index.index.name, index.named) == (name, False)


def test_names_avoid_those_that_the_schema_has() -> None:
    sql = """CREATE TABLE t (id int PRIMARY KEY, a int CHECK (a > 0) UNIQUE);
        ALTER TABLE t RENAME TO old;
        CREATE TABLE t (id int PRIMARY KEY, a int CHECK (a > 0) UNIQUE REFERENCES old);
        ALTER TABLE t ADD CHECK (a > 1), ADD CHECK (a > 2), ADD FOREIGN KEY (a) REFERENCES old (a);
        CREATE INDEX ON t (a); CREATE INDEX ON t (a);"""
    table = replay(parse(sql)).tables["t"]
    assert [constraint.name for constraint in table.constraints] == [
        "t_pkey1",
        "t_a_check1",
        "t_a_key1",
        "t_a_fkey",
        "t_a_check2",
        "t_a_check3",
        "t_a_fkey1",
    ]
    assert [index.name for index in table.indexes] == ["t_pkey1", "t_a_key1", "t_a_idx", "t_a_idx1"]


def test_an_exclusion_knows_its_columns_and_is_named_after_its_keys() -> None:
    (operation,) = parse(
        "CREATE TABLE t (a int, b date, c date, EXCLUDE USING gist (a WITH =, daterange(b, c) WITH &&, (a + 1) WITH =))"
    )
    assert isinstance(operation, CreateTable)
    [constraint] = operation.constraints
    assert (constraint.name, constraint.columns) == ("t_a_daterange_expr_excl", ("a", "b", "c"))
