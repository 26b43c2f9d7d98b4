"""What real projects do around Alembic's operations: helpers, inspectors, sessions, naming conventions, packages."""

from __future__ import annotations

from pathlib import Path

import pytest
from on_disk import histories, write

from backendgen.migrate.history import Action, Migration
from backendgen.sql import operation as op
from backendgen.sql.replay import Schema
from backendgen.sql.schema import Type

HEAD = "import sqlalchemy as sa\nfrom alembic import op\nfrom sqlalchemy.orm import Session\n"
TABLE = (
    'op.create_table("t", sa.Column("id", sa.Integer(), primary_key=True), sa.Column("a", sa.String(9), index=True))'
)


def revision(number: int, body: str, extra: str = "", down: str = "pass") -> str:
    parent = f'"{number - 1}"' if number > 1 else "None"
    lines = "\n".join(f"    {line}" for line in body.split("\n"))
    return (
        f'{HEAD}{extra}\nrevision = "{number}"\ndown_revision = {parent}\n\n\ndef upgrade():\n{lines}\n\n\n'
        f"def downgrade():\n    {down}\n"
    )


def read(tmp_path: Path, *bodies: str, extra: str = "", **files: str) -> tuple[Migration, ...]:
    """The migrations of revisions with these upgrades; `extra` stands above the last."""
    last = len(bodies)
    revisions = {
        f"alembic/versions/{number}.py": revision(number, body, extra if number == last else "")
        for number, body in enumerate(bodies, 1)
    }
    others = {f"{name.replace('__', '/')}.py": text for name, text in files.items()}
    return histories(write(tmp_path, revisions | others)).histories[0].migrations


def done(actions: tuple[Action, ...]) -> list[op.Operation]:
    return [action.operation for action in actions]


def head(migrations: tuple[Migration, ...]) -> Schema:
    schema = Schema()
    for migration in migrations:
        for action in migration.up:
            schema.apply(action.operation)
    return schema


# ---- what an inspector says


@pytest.mark.parametrize(
    ("guard", "runs"),
    [
        ('if "a" not in [c["name"] for c in inspector.get_columns("t")]:', False),
        ('if "b" not in {c["name"] for c in sa.inspect(op.get_bind()).get_columns("t")}:', True),
        ('if inspector.has_table("t"):', True),
        ('if not inspector.has_table("t"):', False),
        ('if inspector.has_table("elsewhere"):', True),  # another tool may have made it
        ('if "t" in inspector.get_table_names():', True),
        ('if not any(i["name"] == "ix_t_a" for i in inspector.get_indexes("t")):', False),
        ('if inspector.get_pk_constraint("t")["constrained_columns"] == ["id"]:', True),
        ('if {c["name"]: c for c in inspector.get_columns("t")}["a"]["nullable"] is False:', False),
        ('if isinstance({c["name"]: c["type"] for c in inspector.get_columns("t")}["a"], sa.Text):', False),
        ('if op.get_bind().dialect.name == "sqlite":', False),
        ('if bool(op.get_context().dialect.name in ("postgresql", "mysql")):', True),
        ("if op.get_context().as_sql:", True),  # not a call: both branches
        ("from alembic import context\nif context.is_offline_mode():", False),
    ],
)  # fmt: skip
def test_guards(tmp_path: Path, guard: str, runs: bool) -> None:
    body = f'inspector = sa.inspect(op.get_bind())\n{guard}\n    op.execute("DROP TABLE t")'
    _, second = read(tmp_path, TABLE, body)
    assert [type(one) for one in done(second.up)] == ([op.DropTable] if runs else [])


def test_a_downgrade_finds_what_the_upgrade_left(tmp_path: Path) -> None:
    down = (
        'op.drop_column("t", "b") if "b" in [c["name"] for c in sa.inspect(op.get_bind()).get_columns("t")] else None'
    )
    files = {
        "alembic/versions/1.py": revision(1, TABLE),
        "alembic/versions/2.py": revision(2, 'op.add_column("t", sa.Column("b", sa.Text()))', down=down),
    }
    second = histories(write(tmp_path, files)).histories[0].migrations[1]
    assert [type(one) for one in done(second.down)] == [op.DropColumn]


def test_a_name_from_the_database(tmp_path: Path) -> None:
    keys = 'op.create_table("u", sa.Column("t_id", sa.Integer(), sa.ForeignKey("t.id")))'
    find = (
        "def name_of(table, columns, insp):\n    for key in insp.get_foreign_keys(table):\n"
        '        if set(key["constrained_columns"]) - columns:\n            continue\n        return key["name"]\n'
    )
    body = 'op.drop_constraint(name_of("u", {"t_id"}, sa.inspect(op.get_bind())), "u", type_="foreignkey")'
    *_, third = read(tmp_path, TABLE, keys, body, extra=find)
    assert [(one.table, one.name) for one in done(third.up) if isinstance(one, op.DropConstraint)] == [
        ("u", "u_t_id_fkey")
    ]


# ---- sessions

MODEL = "class T(declarative_base()):\n    __tablename__ = 't'\n    id = sa.Column(sa.Integer, primary_key=True)\n"


@pytest.mark.parametrize(
    ("body", "changes"),
    [
        ("for t in session.query(T).all():\n    t.a = 'x'\nsession.commit()", [("update", "t", True)]),
        ("for number, t in enumerate(session.query(T)):\n    setattr(t, 'a', number)", [("update", "t", True)]),
        ("t = session.scalars(sa.select(T)).first()\nt.a = 'x'\nt.b = 'y'\nsession.flush()",
         [("update", "t", True), ("update", "t", True)]),
        ("session.add(T(a='x'))\nsession.commit()", [("insert", "t", False)]),
        ("session.add_all([T(a=x) for x in session.query(T)])", [("insert", "t", False)]),
        ("session.delete(session.query(T).get(1))", [("delete", "t", True)]),
        ("session.query(T).update({'a': 1})", [("update", "t", False)]),
        ("session.query(T).filter(T.id == 1).delete()", [("delete", "t", True)]),
        ("session.bulk_insert_mappings(T, rows)", [("insert", "t", False)]),
        ("session.execute(sa.insert(T).values(a=1))", [("insert", "t", False)]),
        ("made = op.create_table('n', sa.Column('id', sa.Integer()))\nop.bulk_insert(made, rows)", [("insert", "n", False)]),
        ("session.query(T).all()", []),
    ],
)  # fmt: skip
def test_rows_through_a_session(tmp_path: Path, body: str, changes: list[tuple[str, str, bool]]) -> None:
    extra = f"from sqlalchemy.orm import declarative_base\n{MODEL}"
    (migration,) = read(tmp_path, f"session = Session(bind=op.get_bind())\n{body}", extra=extra)
    assert not [one for one in done(migration.up) if isinstance(one, op.NotUnderstood)]
    found = [one for one in done(migration.up) if isinstance(one, op.ChangeRows)]
    assert [(one.verb, one.table, bool(one.where)) for one in found] == changes


def test_a_session_that_changes_what_is_not_known(tmp_path: Path) -> None:
    body = "session = Session(bind=op.get_bind())\nfor row in session.query(unknown):\n    row.a = 1\nsession.commit()"
    (migration,) = read(tmp_path, body)
    assert [one.reason for one in done(migration.up) if isinstance(one, op.NotUnderstood)] == [
        "rows are changed through the ORM"
    ]


# ---- names

ENV = "from models import Base\ntarget_metadata = Base.metadata\n"
CONVENTION = (
    "import sqlalchemy as sa\nfrom sqlalchemy.orm import DeclarativeBase\n\n\nclass Base(DeclarativeBase):\n"
    "    metadata = sa.MetaData(naming_convention={\n"
    "        'pk': 'pk_%(table_name)s', 'uq': 'uq_%(table_name)s_%(column_0_N_name)s',\n"
    "        'fk': 'fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s',\n"
    "        'ck': 'ck_%(table_name)s_%(constraint_name)s', 'ix': 'ix_%(column_0_label)s'})\n"
)


def test_a_naming_convention(tmp_path: Path) -> None:
    body = (
        'op.create_table("u", sa.Column("id", sa.Integer(), primary_key=True), sa.Column("t_id", sa.ForeignKey("t.id")),\n'
        '    sa.UniqueConstraint("t_id", "id"), sa.CheckConstraint("id > 0", name="positive"),\n'
        '    sa.CheckConstraint("id > 1", name=op.f("final")))\n'
        'op.create_foreign_key(None, "u", "t", ["id"], ["id"])\nop.create_index(None, "u", ["t_id"])\n'
        'op.drop_constraint("positive", "u", type_="check")'
    )
    schema = head(read(tmp_path, TABLE, body, alembic__env=ENV, models=CONVENTION))
    names = {constraint.name for constraint in schema.tables["u"].constraints if constraint.kind != "not_null"}
    assert names == {"pk_u", "fk_u_t_id_t", "uq_u_t_id_id", "final", "fk_u_id_t"}
    assert "ix_u_t_id" in {index.name for index in schema.tables["u"].indexes}


def test_a_convention_that_env_sets(tmp_path: Path) -> None:
    env = "target_metadata = SQLModel.metadata\ntarget_metadata.naming_convention = {'uq': 'only_%(column_0_name)s'}\n"
    body = 'op.create_unique_constraint(None, "t", ["a"])'
    *_, second = read(tmp_path, TABLE, body, alembic__env=env)
    assert [one.constraint.name for one in done(second.up) if isinstance(one, op.AddConstraint)] == ["only_a"]


def test_a_final_name_that_is_too_long(tmp_path: Path) -> None:
    (migration,) = read(tmp_path, f'op.create_index(op.f("ix_{"x" * 80}"), "t", ["a"])')
    assert [one.index.name for one in done(migration.up) if isinstance(one, op.CreateIndex)] == [f"ix_{'x' * 52}_12a5"]


# ---- tables as SQLAlchemy makes them


def test_which_column_counts_and_what_is_left_out(tmp_path: Path) -> None:
    body = (
        'op.create_table("one", sa.Column("id", sa.Integer(), nullable=False), sa.Column("n", sa.Integer()),\n'
        '    sa.PrimaryKeyConstraint("id", name="one_key"), sa.Index("one_n", "n", unique=True))\n'
        'op.create_table("two", sa.Column("a", sa.Integer(), primary_key=True),\n'
        '    sa.Column("b", sa.Integer(), primary_key=True),\n'
        '    sa.PrimaryKeyConstraint("a", "b", name="two_key"),\n'
        '    sa.ForeignKeyConstraint(["a"], ["one.id"], use_alter=True))'
    )
    schema = head(read(tmp_path, body))
    one, two = schema.tables["one"], schema.tables["two"]
    assert [(column.name, column.default is not None) for column in (*one.columns, *two.columns)] == [
        ("id", True), ("n", False), ("a", False), ("b", False)]  # fmt: skip
    assert [(index.name, index.unique) for index in one.indexes] == [("one_key", True), ("one_n", True)]
    assert [(each.kind, each.name) for each in two.constraints if each.kind != "not_null"] == [
        ("primary_key", "two_key")
    ]


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ("Stamp()", Type("timestamp with time zone")),
        ("Json()", Type("jsonb")),
        ("sa.Text().with_variant(sa.JSON(), 'postgresql')", Type("json")),
        ("sqlalchemy_utils.TSVectorType('a')", Type("tsvector")),
    ],
)
def test_types_of_projects_and_packages(tmp_path: Path, written: str, kind: Type) -> None:
    types = (
        "import sqlalchemy_utils\nfrom sqlalchemy.dialects import postgresql\n"
        "class Stamp(sa.TypeDecorator):\n    impl = sa.TIMESTAMP(timezone=True)\n"
        "class Json(sa.TypeDecorator):\n    impl = sa.Text\n\n    def load_dialect_impl(self, dialect):\n"
        "        if dialect.name == 'postgresql':\n            return dialect.type_descriptor(postgresql.JSONB())\n"
        "        return dialect.type_descriptor(self.impl)\n"
    )
    (migration,) = read(tmp_path, f'op.add_column("t", sa.Column("x", {written}))', extra=types)
    assert [one.definition.type for one in done(migration.up) if isinstance(one, op.AddColumn)] == [kind]


# ---- the project's own Python


def test_classes_generators_enums_and_closures(tmp_path: Path) -> None:
    helpers = (
        "from contextlib import contextmanager\nfrom enum import Enum\nfrom alembic import op\nimport sqlalchemy as sa\n\n\n"
        "class Kind(str, Enum):\n    LONG = 'long'\n\n\n"
        "class AddColumn:\n    def __init__(self, table, *columns):\n        self.table, self.columns = table, columns\n"
        "        self.kind = Kind.LONG.value\n\n"
        "    @property\n    def first(self):\n        return self.columns[0]\n\n"
        "    def run(self):\n        column = sa.Column(self.first, sa.Text(), server_default=self.kind)\n"
        "        op.add_column(self.table, column)\n\n\n"
        "@contextmanager\ndef batch(table):\n    with op.batch_alter_table(table) as found:\n        yield found\n"
    )
    body = (
        "def rename(old):\n    batch_op.alter_column(old, new_column_name=f'{old}{suffix}')\n"
        "suffix = '_x'\nAddColumn('t', 'b').run()\nwith batch('t') as batch_op:\n"
        "    for name in ['skipped', 'b']:\n        if name == 'skipped':\n            continue\n"
        "        rename(name)\n        break"
    )
    files = {"alembic/versions/1.py": revision(1, TABLE), "helpers.py": helpers,
             "alembic/versions/2.py": revision(2, body, "from helpers import AddColumn, batch\n")}  # fmt: skip
    second = histories(write(tmp_path, files)).histories[0].migrations[1]
    added, renamed = done(second.up)
    assert isinstance(added, op.AddColumn)
    assert (added.table, added.definition.name, added.definition.default) == ("t", "b", "'long'")
    assert isinstance(renamed, op.RenameColumn)
    assert (renamed.table, renamed.name, renamed.new_name) == ("t", "b", "b_x")


def test_a_call_without_end_is_said_and_left(tmp_path: Path) -> None:
    helpers = "def spin(rows):\n" + "    rows = [x for x in rows]\n" * 30 + "    return rows\n"
    body = "spin(range_of)\nop.drop_table('t')"
    extra = f"from helpers import spin\nrange_of = [{', '.join(['1'] * 400)}]\n"
    (migration,) = read(tmp_path, body, extra=extra, helpers=helpers)
    reasons = [one.reason for one in done(migration.up) if isinstance(one, op.NotUnderstood)]
    assert reasons == ["spin() has too many steps to be followed"]
    assert isinstance(done(migration.up)[-1], op.DropTable)


def test_one_place_is_said_once(tmp_path: Path) -> None:
    (migration,) = read(tmp_path, "for _ in [1, 2, 3]:\n    op.drop_table(unknown())")
    assert [type(one) for one in done(migration.up)] == [op.NotUnderstood]


def test_dropping_what_has_no_name(tmp_path: Path) -> None:
    (migration,) = read(tmp_path, 'op.drop_constraint(None, "t", type_="foreignkey")')
    assert [one.reason for one in done(migration.up) if isinstance(one, op.NotUnderstood)] == [
        "op.drop_constraint: it names no constraint, so that Alembic cannot run it"
    ]


# ---- packages


@pytest.mark.parametrize(
    ("body", "kinds"),
    [
        ('op.create_entity(PGFunction("public", "f()", "returns int language sql as $$ select 1 $$"))', [op.CreateRoutine]),
        ('op.create_entity(PGView("public", "v", "select a from t"))', [op.CreateView]),
        ('op.replace_entity(PGView("public", "v", "select a from t"))', [op.CreateView]),
        ('op.drop_entity(PGMaterializedView("public", "v", "select a from t"))', [op.Drop]),
        ('op.create_entity(PGExtension("public", "citext"))', [op.Harmless]),
        ('op.replace_entity(PGTrigger("public", "g", "before insert on t execute function f()", on_entity="t"))',
         [op.Drop, op.Harmless]),
        ('op.sync_enum_values("public", "e", ["x", "y"], [TableReference("public", "t", "a")])',
         [op.Rename, op.CreateType, op.AlterColumnType, op.Drop]),
    ],
)  # fmt: skip
def test_entities(tmp_path: Path, body: str, kinds: list[type[op.Operation]]) -> None:
    names = "PGExtension, PGFunction, PGMaterializedView, PGTrigger, PGView, TableReference"
    (migration,) = read(tmp_path, body, extra=f"from alembic_utils import {names}\n")
    assert [type(one) for one in done(migration.up)] == kinds


def test_a_folder_that_names_its_database(tmp_path: Path) -> None:
    body = 'op.execute("PRAGMA foreign_keys = off")\nif op.get_bind().dialect.name == "sqlite":\n    op.drop_table("t")'
    found = histories(write(tmp_path, {"versions/sqlite/1.py": revision(1, body)})).histories[0]
    assert found.dialect == "sqlite"
    assert [type(one) for one in done(found.migrations[0].up)][-1] is op.DropTable
    assert not [one for one in done(found.migrations[0].up) if isinstance(one, op.NotUnderstood)]
