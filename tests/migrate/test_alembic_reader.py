"""Alembic revisions: their order, what each call becomes, where it is located, and what is said not to be known."""

from __future__ import annotations

from pathlib import Path

import pytest
from on_disk import histories, kinds, only, write

from backendgen.migrate.history import Migration
from backendgen.sql import operation as op
from backendgen.sql.schema import Type

HEAD = "import sqlalchemy as sa\nfrom alembic import op\nfrom sqlalchemy.dialects import postgresql\n"


def revision(body: str, own: str = "1", down: str = "None", extra: str = "") -> str:
    """A revision whose upgrade() begins in line 9 + the lines of `extra`."""
    lines = "\n".join(f"    {line}" for line in body.split("\n"))
    return f'{HEAD}{extra}\nrevision = "{own}"\ndown_revision = {down}\n\n\ndef upgrade():\n{lines}\n'


def upgrade(tmp_path: Path, body: str, extra: str = "") -> Migration:
    (migration,) = only(write(tmp_path, {"versions/1_x.py": revision(body, extra=extra)}))
    return migration


def first(tmp_path: Path, body: str, extra: str = "") -> op.Operation:
    return upgrade(tmp_path, body, extra).up[0].operation


# ---- order


def chain(*links: tuple[str, str]) -> dict[str, str]:
    return {f"versions/{own}.py": revision("pass", own, down) for own, down in links}


@pytest.mark.parametrize(
    ("links", "order"),
    [
        ([("c", "None"), ("b", "'c'"), ("a", "'b'")], ["c", "b", "a"]),
        ([("a", "None"), ("b", "'a'"), ("c", "'a'"), ("d", "('b', 'c')")], ["a", "b", "c", "d"]),
        ([("abcdef", "None"), ("b", "'abcd'")], ["abcdef", "b"]),
    ],
)
def test_order(tmp_path: Path, links: list[tuple[str, str]], order: list[str]) -> None:
    found = histories(write(tmp_path, chain(*links)))
    assert [migration.revision for migration in found.histories[0].migrations] == order
    assert found.refusals == ()


@pytest.mark.parametrize(
    ("links", "path", "message"),
    [
        ([("a", "None"), ("b", "'a'"), ("c", "'a'")], "versions/c.py",
         "there are 2 heads, b, c: join them with `alembic merge heads`"),
        ([("a", "'gone'")], "versions/a.py", "revision a comes after gone, which is not there: Alembic cannot place it"),
        ([("a", "None"), ("b", "'d'"), ("c", "'b'"), ("d", "'c'")], "versions/b.py",
         "revision b comes after itself: b -> d -> c -> b"),
        ([("a", "'a'")], "versions/a.py", "revision a comes after itself: a -> a"),
    ],
)  # fmt: skip
def test_broken_order(tmp_path: Path, links: list[tuple[str, str]], path: str, message: str) -> None:
    found = histories(write(tmp_path, chain(*links)))
    assert [(one.rule_id, one.location.path, one.message) for one in found.refusals] == [("BG905", path, message)]
    assert sorted(one.revision for one in found.histories[0].migrations) == sorted(own for own, _ in links)


def test_labelled_branches_may_have_heads(tmp_path: Path) -> None:
    files = chain(("a", "None"), ("b", "None"))
    files["versions/b.py"] += "\nbranch_labels = ('other',)\n"
    assert histories(write(tmp_path, files)).refusals == ()


def test_duplicate_id(tmp_path: Path) -> None:
    found = histories(write(tmp_path, {"versions/1.py": revision("pass"), "versions/2.py": revision("pass")}))
    assert [(one.location.path, one.message) for one in found.refusals if "also" in one.message] == [
        ("versions/2.py", "revision 1 is also the id of 1.py: Alembic takes only one of them")
    ]


def test_no_down_revision_and_no_id(tmp_path: Path) -> None:
    files = {
        "versions/1.py": "revision = '1'\n",
        "versions/2.py": "import os\nrevision = os.environ['X']\ndown_revision = '1'\n",
    }
    assert [(one.location.path, one.message) for one in histories(write(tmp_path, files)).refusals] == [
        ("versions/1.py", "revision 1 has no down_revision: Alembic cannot place it"),
        ("versions/2.py", "versions/2.py has no revision id that can be read"),
    ]  # fmt: skip


def test_two_services_with_the_same_ids(tmp_path: Path) -> None:
    files = {f"{name}/versions/{own}.py": revision("pass", own, down)
             for name in ("a", "b") for own, down in (("1", "None"), ("2", "'1'"))}  # fmt: skip
    found = histories(write(tmp_path, files))
    assert [(one.name, [m.revision for m in one.migrations]) for one in found.histories] == [
        ("a/versions", ["1", "2"]), ("b/versions", ["1", "2"])]  # fmt: skip
    assert found.refusals == ()


# ---- calls


@pytest.mark.parametrize(
    ("body", "sql"),
    [
        ('op.add_column("t", sa.Column("a", sa.String(20), server_default="x", nullable=False))',
         "ALTER TABLE t ADD COLUMN a VARCHAR(20) DEFAULT 'x' NOT NULL"),
        ('op.add_column("t", sa.Column("a", sa.DateTime(timezone=True), server_default=sa.func.now()), schema="s")',
         "ALTER TABLE s.t ADD COLUMN a TIMESTAMP WITH TIME ZONE DEFAULT now()"),
        ('op.add_column("t", sa.Column("a", sa.Integer(), sa.ForeignKey("u.id", ondelete="CASCADE")))',
         "ALTER TABLE t ADD COLUMN a INTEGER; ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES u (id) ON DELETE CASCADE"),
        ('op.add_column("t", sa.Column("a", sa.BigInteger(), sa.Identity(always=True)))',
         "ALTER TABLE t ADD COLUMN a BIGINT GENERATED ALWAYS AS IDENTITY"),
        ('op.add_column("t", sa.Column("a", sa.Integer, sa.Computed("b * 2")))',
         "ALTER TABLE t ADD COLUMN a INTEGER GENERATED ALWAYS AS (b * 2) STORED"),
        ('op.add_column("t", sa.Column("a", postgresql.ARRAY(sa.Text()), unique=True))',
         "ALTER TABLE t ADD COLUMN a TEXT[]; ALTER TABLE t ADD UNIQUE (a)"),
        ('op.drop_column("order", "user")', 'ALTER TABLE "order" DROP COLUMN "user"'),
        ('op.alter_column("t", "a", nullable=False)', "ALTER TABLE t ALTER COLUMN a SET NOT NULL"),
        ('op.alter_column("t", "a", server_default=None)', "ALTER TABLE t ALTER COLUMN a DROP DEFAULT"),
        ('op.alter_column("t", "a", type_=sa.Numeric(10, 2), postgresql_using="a::numeric")',
         "ALTER TABLE t ALTER COLUMN a TYPE NUMERIC(10, 2) USING a::numeric"),
        ('op.alter_column("t", "a", new_column_name="b")', "ALTER TABLE t RENAME COLUMN a TO b"),
        ('op.create_index("i", "t", ["a", sa.text("lower(b)")], unique=True, postgresql_where=sa.text("a > 1"))',
         "CREATE UNIQUE INDEX i ON t (a, (lower(b))) WHERE a > 1"),
        ('op.create_index(op.f("i"), "t", ["a"], postgresql_using="gin", if_not_exists=True)',
         "CREATE INDEX IF NOT EXISTS i ON t USING gin (a)"),
        ('op.drop_index("i", table_name="t", postgresql_concurrently=True)', "DROP INDEX CONCURRENTLY i"),
        ('op.create_foreign_key(None, "t", "u", ["a"], ["id"], ondelete="SET NULL", postgresql_not_valid=True)',
         "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES u (id) ON DELETE SET NULL NOT VALID"),
        ('op.create_check_constraint("a.b", "t", sa.column("a") if False else "a > 0")',
         'ALTER TABLE t ADD CONSTRAINT "a.b" CHECK (a > 0)'),
        ('op.create_unique_constraint("u", "t", ["a", "b"])', "ALTER TABLE t ADD CONSTRAINT u UNIQUE (a, b)"),
        ('op.create_primary_key("p", "t", ["a"])', "ALTER TABLE t ADD CONSTRAINT p PRIMARY KEY (a)"),
        ('op.drop_constraint("c", "t", type_="check")', "ALTER TABLE t DROP CONSTRAINT c"),
        ('op.rename_table("t", "u")', "ALTER TABLE t RENAME TO u"),
        ('op.drop_table("t", schema="s")', "DROP TABLE s.t"),
        ('op.bulk_insert(sa.table("t", sa.column("a")), [{"a": 1}])', "INSERT INTO t DEFAULT VALUES"),
        ('sa.Enum("a", "b", name="mood").create(op.get_bind(), checkfirst=True)', "CREATE TYPE mood AS ENUM ('a', 'b')"),
        ('postgresql.ENUM(name="mood").drop(op.get_bind())', "DROP TYPE IF EXISTS mood"),
        ('op.execute(sa.schema.CreateSchema("s", if_not_exists=True))', "CREATE SCHEMA IF NOT EXISTS s"),
        ('t = sa.table("t", sa.column("a"))\nop.execute(t.update().where(t.c.a == 1).values(a=2))',
         "UPDATE t SET a = $1 WHERE $1"),
        ('op.get_bind().execute(sa.delete(sa.table("t")))', "DELETE FROM t"),
        ('op.get_bind().execute(sa.text("DELETE FROM t WHERE a IN :a AND b = :b"))',
         "DELETE FROM t WHERE a IN ($1) AND b = $1"),
        ('op.execute("UPDATE t SET a = \'x\\\\:y\'")', "UPDATE t SET a = 'x:y'"),
        ('with op.batch_alter_table("t") as b:\n    b.create_foreign_key("k", "u", ["a"], ["id"])',
         "ALTER TABLE t ADD CONSTRAINT k FOREIGN KEY (a) REFERENCES u (id)"),
        ('with op.batch_alter_table("t", schema="s") as b:\n    b.create_index(b.f("i"), columns=["a"])',
         "CREATE INDEX i ON s.t (a)"),
    ],
)  # fmt: skip
def test_call(tmp_path: Path, body: str, sql: str) -> None:
    assert "; ".join(action.operation.sql for action in upgrade(tmp_path, body).up) == sql


def test_create_table(tmp_path: Path) -> None:
    body = (
        'op.create_table("t", sa.Column("id", sa.Integer(), primary_key=True),\n'
        '    sa.Column("m", sa.Enum("a", name="mood"), index=True), sa.UniqueConstraint("m"),'
        ' sa.ForeignKeyConstraint(["m"], ["u.id"], name="k"), sa.CheckConstraint("id > 0"))'
    )
    migration = upgrade(tmp_path, body)
    assert kinds(migration) == ["CreateType", "CreateTable", "CreateIndex"]
    table = migration.up[1].operation
    assert isinstance(table, op.CreateTable)
    assert [(each.name, each.type, each.not_null) for each in table.columns] == [
        ("id", Type("integer"), True), ("m", Type("mood"), False)]  # fmt: skip
    assert {(each.kind, each.columns) for each in table.constraints} == {
        ("primary_key", ("id",)), ("foreign_key", ("m",)), ("check", ("id",)), ("unique", ("m",))}  # fmt: skip
    assert isinstance(migration.up[2].operation, op.CreateIndex)
    assert migration.up[2].operation.index.name == "ix_t_m"
    assert {action.operation.line for action in migration.up} == {10}
    assert {action.operation.end_line for action in migration.up} == {11}


def test_constants_are_followed(tmp_path: Path) -> None:
    extra = (
        'TABLE = "t"\nCOLUMNS = ("a", "b")\n\n'
        "def add(name, table=TABLE, *, kind=sa.Text):\n    op.add_column(table, sa.Column(name, kind()))\n"
    )
    migration = upgrade(tmp_path, 'for name in COLUMNS:\n    add(f"{name}_x")\nadd("c", kind=sa.Integer)', extra)
    added = [action.operation for action in migration.up if isinstance(action.operation, op.AddColumn)]
    assert [(one.table, one.definition.name, str(one.definition.type)) for one in added] == [
        ("t", "a_x", "text"), ("t", "b_x", "text"), ("t", "c", "integer")]  # fmt: skip


@pytest.mark.parametrize(
    ("condition", "count"),
    [
        ('op.get_bind().dialect.name == "postgresql"', 1),
        ('op.get_context().dialect.name in ("mysql", "sqlite")', 0),
        ("not op.get_bind().dialect.name == 'postgresql'", 0),
        ("sa.inspect(op.get_bind()).has_table('t')", 1),
        ("False and unknown()", 0),
    ],
)
def test_conditions(tmp_path: Path, condition: str, count: int) -> None:
    assert len(upgrade(tmp_path, f'if {condition}:\n    op.drop_table("t")').up) == count


def test_both_branches_of_what_is_not_known(tmp_path: Path) -> None:
    migration = upgrade(
        tmp_path, 'if unknown():\n    op.drop_table("a")\nelse:\n    op.drop_table("b")\nreturn\nop.drop_table("c")'
    )
    assert [action.operation.tables for action in migration.up] == [("a",), ("b",)]


def test_autocommit_block(tmp_path: Path) -> None:
    body = 'op.drop_table("a")\nwith op.get_context().autocommit_block():\n    op.drop_index("i")\nop.drop_table("b")'
    assert [action.transactional for action in upgrade(tmp_path, body).up] == [True, False, True]


def test_down_is_apart(tmp_path: Path) -> None:
    text = (
        revision('op.drop_column("t", "a")')
        + '\n\ndef downgrade():\n    op.add_column("t", sa.Column("a", sa.Text()))\n'
    )
    (migration,) = only(write(tmp_path, {"versions/1.py": text}))
    assert (kinds(migration), kinds(migration, down=True)) == (["DropColumn"], ["AddColumn"])


# ---- places


@pytest.mark.parametrize(
    ("body", "places"),
    [
        ('op.execute("DROP TABLE a; DROP TABLE b")', [(10, 17), (10, 31)]),
        ('op.execute("""\n  DROP TABLE a;\n\n  DROP TABLE b;\n""")', [(11, 7), (13, 7)]),
        ('op.execute("DROP TABLE a;"\n    "DROP TABLE b")', [(10, 17), (11, 10)]),
        ('op.execute(r"DROP TABLE a;" + " DROP TABLE b")', [(10, 18), (10, 37)]),
        ('op.execute("-- \\"x\\"\\n DROP TABLE a")', [(10, 28)]),
        ('op.execute(\n    f"""\n    DROP TABLE {\'a\'};\n    DROP TABLE b""")', [(12, 9), (13, 9)]),
        ('import textwrap\nop.execute(textwrap.dedent("""\\\n    DROP TABLE a;\n    DROP TABLE b;\n"""))',
         [(12, 9), (13, 9)]),
        ('op.drop_table(\n    "a"\n)', [(10, 5)]),
        ('é = 1; op.drop_table("a")', [(10, 12)]),
    ],
)  # fmt: skip
def test_places(tmp_path: Path, body: str, places: list[tuple[int, int]]) -> None:
    done = [action.operation for action in upgrade(tmp_path, body).up]
    assert [(one.line, one.column) for one in done] == places


def test_a_helper_in_another_file_is_reported_where_it_is_called(tmp_path: Path) -> None:
    files = {
        "helpers.py": "from alembic import op\n"
        + "\n" * 12
        + 'def drop(name):\n    op.execute(f"DROP TABLE {name}")\n',
        "versions/1.py": revision('drop("a")', extra="from helpers import drop\n"),
    }
    (migration,) = only(write(tmp_path, files))
    assert [(a.path, a.operation.line, a.operation.tables) for a in migration.up] == [("versions/1.py", 11, ("a",))]


IMPORT = "from migrations.run_sql import run_sql\n"


@pytest.mark.parametrize(
    ("extra", "call"),
    [
        ("from . import helpers\n", "helpers.drop()"),
        ("from .helpers import drop as away\n", "away()"),
        ("from ..versions.helpers import *\nfrom ..versions import helpers\n", "helpers.drop(name='a')"),
        ("import versions.helpers\n", "versions.helpers.drop()"),
    ],
)
def test_relative_imports(tmp_path: Path, extra: str, call: str) -> None:
    helpers = 'from alembic import op\n\n\ndef drop(name="a"):\n    op.drop_table(name)\n'
    files = {"m/versions/helpers.py": helpers, "m/versions/1.py": revision(call, extra=extra)}
    (migration,) = only(write(tmp_path, files))
    assert [action.operation.tables for action in migration.up] == [("a",)]


RUN_SQL = """from pathlib import Path
from alembic import op

FOLDER = Path(__file__).parent / "sql"


def run_sql(name: str) -> None:
    sql = (FOLDER / name).read_text(encoding="utf-8")
    if sql.startswith("-- no transaction"):
        with op.get_context().autocommit_block():
            _execute(sql)
    else:
        _execute(sql)


def _execute(sql):
    cursor = op.get_bind().connection.cursor()
    cursor.execute(sql)
"""


def test_sql_files_that_revisions_run(tmp_path: Path) -> None:
    root = write(tmp_path, {
        "migrations/run_sql.py": RUN_SQL,
        "migrations/versions/0001_t.py": revision('run_sql("0001_t.up.sql")', extra=IMPORT),
        "migrations/versions/0002_i.py": revision('run_sql("0002_i.up.sql")', "2", "'1'", IMPORT),
        "migrations/sql/0001_t.up.sql": "CREATE TABLE t (a int);\nCREATE TABLE u (\n  a text DEFAULT ':x %s');\n",
        "migrations/sql/0001_t.down.sql": "DROP TABLE t;",
        "migrations/sql/0002_i.up.sql": "-- no transaction\nCREATE INDEX CONCURRENTLY i ON t (a);\n",
    })  # fmt: skip
    found = histories(root)
    assert [history.name for history in found.histories] == ["migrations/versions"]
    first_, second = found.histories[0].migrations
    assert [(a.path, a.operation.line, a.operation.end_line, a.transactional) for a in first_.up] == [
        ("migrations/sql/0001_t.up.sql", 1, 1, True), ("migrations/sql/0001_t.up.sql", 2, 3, True)]  # fmt: skip
    assert [(a.path, a.operation.line, a.transactional) for a in second.up] == [
        ("migrations/sql/0002_i.up.sql", 2, False)
    ]
    assert [str(one) for one in found.skipped] == [
        "migrations/sql/0001_t.down.sql is run by no Python migration beside it, so it is not judged"]  # fmt: skip


def test_other_ways_to_read_a_file(tmp_path: Path) -> None:
    body = 'path = os.path.join(os.path.dirname(__file__), "x.sql")\nwith open(path) as f:\n    op.execute(f.read())'
    (migration,) = only(write(tmp_path, {"v/1.py": revision(body, extra="import os\n"), "v/x.sql": "\nDROP TABLE a;"}))
    assert [(a.path, a.operation.line) for a in migration.up] == [("v/x.sql", 2)]


# ---- what is not known


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ('op.execute(f"DROP TABLE {unknown()}")', "the SQL is built at run time"),
        ('op.execute("DROP TABLE " + unknown())', "the SQL is built at run time"),
        ("op.execute(unknown())", "the SQL is built at run time"),
        ("op.drop_table(unknown())", "op.drop_table: the table's name is not a constant"),
        ('op.add_column("t", column)', "op.add_column: the column is not a constant"),
        ('op.spin("t")', "op.spin: op.spin is not known"),
        ("sa.orm.Session(bind=op.get_bind()).add(anything)", "rows are changed through the ORM"),
        ("Base.metadata.create_all(op.get_bind())", "create_all() changes whatever the models say when it runs"),
        ("op.execute('DROP TABEL t')", 'syntax error at or near "TABEL"'),
    ],
)  # fmt: skip
def test_not_known(tmp_path: Path, body: str, reason: str) -> None:
    done = [action.operation for action in upgrade(tmp_path, body, "class Base:\n    metadata = sa.MetaData()\n").up]
    assert [one.reason for one in done if isinstance(one, op.NotUnderstood)] == [reason]


def test_a_partly_known_statement(tmp_path: Path) -> None:
    done = first(tmp_path, "op.execute(f\"UPDATE t SET a = {unknown()} WHERE b = '{unknown()}'\")")
    assert isinstance(done, op.ChangeRows)
    assert (done.verb, done.table) == ("update", "t")


def test_endless_work_ends(tmp_path: Path) -> None:
    body = (
        "x = [0] * 9\nfor a in list(range_):\n    for b in range_:\n        for c in range_:\n            op.get_bind()"
    )
    migration = upgrade(tmp_path, body, f"range_ = [{', '.join(map(str, range(200)))}]\n")
    assert [getattr(a.operation, "reason", "") for a in migration.up] == ["upgrade() has too many steps to be followed"]


def test_recursion_ends(tmp_path: Path) -> None:
    assert upgrade(tmp_path, "f()", "def f():\n    f()\n").up == ()


def test_constraints_of_an_added_column_have_names(tmp_path: Path) -> None:
    migration = upgrade(tmp_path, 'op.add_column("t", sa.Column("a", sa.Integer(), sa.ForeignKey("u.id", name="k")))')
    key = migration.up[1].operation
    assert isinstance(key, op.AddConstraint)
    assert (key.constraint.name, key.constraint.columns, key.constraint.references) == ("k", ("a",), "u")


@pytest.mark.parametrize("place", ["alembic/env.py", "alembic.ini"])
def test_lock_timeout_of_the_environment(tmp_path: Path, place: str) -> None:
    root = write(tmp_path, {"alembic/versions/1.py": revision("pass"), place: "lock_timeout"})
    assert histories(root).histories[0].sets_lock_timeout
