"""Whatever lies in a folder: a finding at its place, or an error that says what to do. Never a traceback."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from on_disk import write

from backendgen import migrate
from backendgen.config import Config
from backendgen.errors import UserError
from backendgen.findings.finding import Report
from backendgen.rules import Rulebook

RULEBOOK = Rulebook()
GOOD = {"1_t.sql": "CREATE TABLE t (id bigint PRIMARY KEY);"}


def check(path: Path, **settings_: object) -> Report:
    return migrate.check(path, Config(**settings_), RULEBOOK)  # type: ignore[arg-type]  # the settings' own types


def lines(report: Report) -> list[str]:
    return [f"{one.location.path}:{one.location.line}:{one.location.column} {one.rule_id} {one.message}"
            for one in report.findings]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("2_x.sql", b"SELECT 1;\nSELECT '\xff';", "2_x.sql:2:9 BG901 2_x.sql is not UTF-8: byte 0xff cannot be decoded"),
        ("2_x.sql", b"\x7fELF\x00\x01\xfe", "2_x.sql:1:7 BG901 2_x.sql is not UTF-8: byte 0xfe cannot be decoded"),
        ("2_x.sql", b"DROP TABLE\x00 x;",
         "2_x.sql:1:1 BG904 not understood, so not judged: a NUL character is not allowed in SQL"),
        ("2_x.sql", "SELECT 1;\nALTER TABLE t ADD COLUM a int;",
         '2_x.sql:2:1 BG904 not understood, so not judged: syntax error at or near "int"'),
        ("2_x.sql", "ALTER TABLE t\n  ADD\n  COLUMN;",
         '2_x.sql:1:1 BG904 not understood, so not judged: syntax error at end of input (line 3)'),
        ("versions/1.py", b"revision = '1'\ndown_revision = None\nx = '\xff'\n",
         "versions/1.py:3:6 BG901 versions/1.py is not UTF-8: byte 0xff cannot be decoded"),
        ("versions/1.py", "revision = '1'\ndown_revision = None\ndef upgrade(:\n",
         "versions/1.py:3:13 BG901 versions/1.py is not valid Python: invalid syntax"),
        ("versions/1.py", "revision = '1'\ndown_revision = None\ndef upgrade():\n    op.execute(x)\n",
         None),
    ],
)  # fmt: skip
def test_one_bad_file_is_a_finding(tmp_path: Path, name: str, content: str | bytes, line: str | None) -> None:
    found = lines(check(write(tmp_path, {**GOOD, name: content})))
    assert found == ([line] if line else [])


def test_a_file_too_large(tmp_path: Path) -> None:
    report = check(write(tmp_path, {**GOOD, "2_x.sql": b"-- \n" * 1_300_000}))
    assert lines(report) == ["2_x.sql:1:1 BG901 2_x.sql is larger than 5,000,000 bytes"]


def test_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    (tmp_path / "2_x.sql").symlink_to("nowhere.sql")
    assert lines(check(tmp_path)) == ["2_x.sql:1:1 BG901 2_x.sql no such file"]


def test_nothing_that_can_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^1_t\.sql:1:1 is not UTF-8"):
        check(write(tmp_path, {"1_t.sql": b"\xff"}))


def test_a_loop_of_links(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    (tmp_path / "migrations").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert check(tmp_path).files == 1
    with pytest.raises(UserError, match="no such file or directory"):
        check(tmp_path / "a")


def test_files_that_link_to_each_other(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    (tmp_path / "2_x.sql").symlink_to("3_y.sql")
    (tmp_path / "3_y.sql").symlink_to("2_x.sql")
    assert [line.split()[:2] for line in lines(check(tmp_path))] == [["2_x.sql:1:1", "BG901"], ["3_y.sql:1:1", "BG901"]]


@pytest.mark.parametrize(
    "name",
    ["flyway.conf", "flyway.toml", "migration_lock.toml", "meta/_journal.json", "application.yml", "sqitch.plan",
     "sqitch.conf", "alembic.ini", "env.py", "manage.py", "changelog.xml", "2_x.sql.conf", "V2__x.sql.conf"],
)  # fmt: skip
def test_a_pipe_beside_the_migrations_is_not_waited_for(tmp_path: Path, name: str) -> None:
    write(tmp_path, {**GOOD, "V2__x.sql": "SELECT 1;", "meta/x": ""})
    os.mkfifo(tmp_path / name)
    assert all(one.rule_id in ("BG901", "BG905") for one in check(tmp_path).findings)


def test_a_fifo(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    os.mkfifo(tmp_path / "2_x.sql")
    assert lines(check(tmp_path)) == ["2_x.sql:1:1 BG901 2_x.sql is not a regular file"]


def test_only_another_database(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        check(write(tmp_path, {"migrations/oracle/1_t.sql": "CREATE TABLE t (id int);"}))
    assert "migrations/oracle holds migrations for Oracle, which are not read yet" in str(caught.value)


def test_excluded_files_are_not_read(tmp_path: Path) -> None:
    root = write(tmp_path, {**GOOD, "old/migrations/1_x.sql": b"\xff"})
    assert lines(check(root, exclude=("old/",))) == []


def test_an_unused_ignore_and_one_without_reason(tmp_path: Path) -> None:
    text = (
        "-- backendgen: ignore[BG803] the readers are gone\nALTER TABLE t RENAME TO u;\n"
        "ALTER TABLE u ADD COLUMN a int; -- backendgen: ignore[BG804] not needed\n"
        "-- backendgen: ignore[BG801]\nDROP TABLE x;\n"
    )
    report = check(write(tmp_path, {"1_t.sql": text}), ignore=("BG710",))
    assert [(line.split()[0], line.split()[1]) for line in lines(report)] == [
        ("1_t.sql:3:1", "BG902"), ("1_t.sql:4:1", "BG903"), ("1_t.sql:5:1", "BG801")]  # fmt: skip
    assert [(one.finding.rule_id, one.reason) for one in report.ignored] == [("BG803", "the readers are gone")]


REVISION = """
import sqlalchemy as sa
from alembic import op
from pathlib import Path

revision = "1"
down_revision = None
NAMES = ["a", "b"]


def upgrade():
    for name in NAMES:
        op.add_column("t", sa.Column(name, sa.String(length=10), server_default=f"{name}", nullable=False))
    with op.batch_alter_table("t", schema="s") as batch:
        batch.create_index("i", ["a", sa.text("lower(b)")], unique=True)
    with op.get_context().autocommit_block():
        op.execute(\"\"\"CREATE INDEX CONCURRENTLY i ON t (a);
            UPDATE t SET a = '%s' WHERE b = :b\"\"\" % "x")
    op.create_table("u", sa.Column("id", sa.Integer()), sa.ForeignKeyConstraint(["id"], ["t.id"], name="k"))
    op.alter_column("t", "a", type_=postgresql.ENUM("x", name="e"), existing_nullable=True, nullable=False)
    op.get_bind().execute(sa.text("DELETE FROM t" + " WHERE a = 1"))
    op.execute((Path(__file__).parent / "x.sql").read_text())
"""
PROJECT = """
import sqlalchemy as sa
from alembic import context, op
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from sqlalchemy.orm import Session, declarative_base

revision = "2"
down_revision = "1"
depends_on = ("1",)
Base = declarative_base(metadata=sa.MetaData(naming_convention={"fk": "fk_%(table_name)s_%(column_0_name)s"}))


class Kind(str, Enum):
    A = "a"


class T(Base):
    __tablename__ = "t"
    id = sa.Column(sa.Integer, primary_key=True)


class Json(sa.TypeDecorator):
    impl = sa.Text

    def load_dialect_impl(self, dialect):
        return dialect.type_descriptor(sa.JSON() if dialect.name == "postgresql" else self.impl)


@dataclass
class Key:
    table: str
    columns: list

    @property
    def name(self):
        return f"fk_{self.table}_{self.columns[0]}"


class Add:
    def __init__(self, table, *columns, **options):
        self.table, self.columns = table, columns
        self.options = options

    def run(self):
        for column in self.columns:
            op.add_column(self.table, sa.Column(column, Json(), **self.options))


@contextmanager
def batch(table):
    with op.batch_alter_table(table, naming_convention={"uq": "uq_%(table_name)s"}) as found:
        yield found


def has(table, column):
    inspector = sa.inspect(op.get_bind())
    return column in [each["name"] for each in inspector.get_columns(table) if each.get("name") or each["type"]]


def upgrade():
    bind = op.get_bind()
    inspector = sa.inspect(bind)
    session = Session(bind=bind)
    if context.is_offline_mode() or bind.dialect.name not in ("postgresql", "mysql"):
        return
    if not has("t", "b") and "t" in set(inspector.get_table_names()) - {"u"}:
        Add("t", "b", nullable=False, server_default=Kind.A.value).run()
    for number, key in enumerate(inspector.get_foreign_keys("t") or []):
        if not key["constrained_columns"]:
            continue
        op.drop_constraint(key["name"], key["referred_table"], type_="foreignkey")
    with batch("t") as batch_op:
        batch_op.create_unique_constraint(None, ["a", "b"])
        batch_op.create_foreign_key(Key("t", ["a"]).name, "u", ["a"], ["id"], ondelete="CASCADE")
    made = op.create_table("n", sa.Column("id", sa.Integer()), sa.Index("i", "id"), sa.PrimaryKeyConstraint("id"))
    op.bulk_insert(made, [{"id": each} for each in range(3)])
    for t in session.query(T).filter(T.id == 1):
        t.a, t.b = "x", json.dumps({"a": [1, Kind.A]})
        setattr(t, "b", not t.a)
    session.add_all([T(id=x) for x, y in zip([1], [2]) if (z := x)])
    session.commit()
    op.create_entity(PGFunction("public", "f()", "returns int language sql as $$ select 1 $$"))
    op.sync_enum_values("public", "e", ["x"], [TableReference("public", "t", "a")])
    sa.Enum(Kind, name="kind").create(bind, checkfirst=True)


def downgrade():
    op.drop_constraint(None, "t", type_="unique")
    while True:
        break
"""
TOKENS = st.sampled_from([
    "(", ")", "[", "]", "{", "}", ",", ".", ":", "=", "\"", "'", "\"\"\"", "\n", "    ", "*", "**", "%", "+",
    "-", "/", "f", "r", "b", "\\", "0", "None", "op", "sa", "lambda x: x", "x for x in NAMES",
    "{name!r:>{width}}", "{0}", "%(a)s", "é", "\x00", "\u2028", "\ue000", "if True:", "return", ".format(",
    ".join(", ".split(", "[0]", "upgrade()", "name", "sa.Column", "not", "1 << 99", "'a' * 9", "__file__",
    "Path(__file__)", "async ",
])  # fmt: skip


@st.composite
def changed(draw: st.DrawFn, text: str) -> str:
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(text)))
        length = draw(st.sampled_from([0, 0, 1, 2, 5, 20, 100]))
        text = text[:start] + draw(st.one_of(TOKENS, st.text(max_size=3))) + text[start + length :]
    return text


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=changed(REVISION))
def test_mutated_revisions(tmp_path: Path, text: str) -> None:
    write(tmp_path, {**GOOD, "versions/1.py": text.encode("utf-8", "surrogatepass"), "versions/x.sql": "DROP TABLE x;"})
    for one in check(tmp_path, confidence="low").findings:
        assert one.location.line >= 1
        assert one.location.column >= 1


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=changed(PROJECT), env=changed("target_metadata = Base.metadata\nfrom versions.p import Base\n"))
def test_mutated_revisions_with_helpers(tmp_path: Path, text: str, env: str) -> None:
    write(tmp_path, {**GOOD, "versions/p.py": text.encode("utf-8", "surrogatepass"), "versions/1.py": REVISION,
                     "env.py": env.encode("utf-8", "surrogatepass")})  # fmt: skip
    for one in check(tmp_path, confidence="low").findings:
        assert one.location.line >= 1
        assert one.location.column >= 1


DJANGO = """
from django.db import migrations, models
from django.contrib.postgres.operations import AddIndexConcurrently

SIZES = [10, 20]


def fill(apps, schema_editor):
    Order = apps.get_model("shop", "Order")
    for order in Order.objects.filter(size__in=SIZES):
        order.save()
    schema_editor.execute("UPDATE shop_order SET size = %s", [SIZES[0]])


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("auth", "__first__"), migrations.swappable_dependency(settings.AUTH_USER_MODEL)]
    replaces = [("shop", "0000_x")]
    operations = [
        migrations.CreateModel(
            name="Order",
            fields=[
                ("id", models.BigAutoField(primary_key=True)),
                ("size", models.DecimalField(max_digits=9, decimal_places=2, default=1, db_index=True)),
                ("user", models.ForeignKey("auth.User", models.CASCADE, to_field="id", null=True)),
                ("others", models.ManyToManyField("self", through=None)),
            ],
            options={"unique_together": {("size", "user")}, "index_together": [["user"]], "db_table": "orders",
                     "constraints": [models.CheckConstraint(condition=~models.Q(size=1) | models.Q(user=2), name="c")],
                     "indexes": [models.Index(fields=["-size"], name="i", condition=models.Q(size__range=(1, 2)))]},
            bases=("shop.base",),
        ),
        migrations.AlterField("order", "size", models.CharField(max_length=SIZES[0], unique=True)),
        migrations.RenameField("order", "size", "length"),
        migrations.RenameModel(old_name="Order", new_name="Sale"),
        migrations.AlterModelTable("sale", None),
        AddIndexConcurrently("sale", models.Index(models.F("length").desc(), name="j")),
        migrations.SeparateDatabaseAndState([migrations.RunSQL("SELECT 1")], [migrations.RemoveField("sale", "user")]),
        migrations.RunSQL([("DELETE FROM shop_sale WHERE a = %s", [1])], reverse_sql=migrations.RunSQL.noop),
        migrations.RunPython(fill, lambda apps, schema_editor: None),
        migrations.DeleteModel("Sale"),
    ]
"""


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=changed(DJANGO))
def test_mutated_django_migrations(tmp_path: Path, text: str) -> None:
    write(tmp_path, {**GOOD, "shop/migrations/0001_x.py": text.encode("utf-8", "surrogatepass"),
                     "shop/migrations/0002_y.py": DJANGO.replace('"Order"', '"Order2"')})  # fmt: skip
    for one in check(tmp_path, confidence="low").findings:
        assert one.location.line >= 1
        assert one.location.column >= 1


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(alphabet="-+goseUpDwnmigrat: \n;'\"$BEGINCREATE TABLE{}()", max_size=200))
def test_any_sql(tmp_path: Path, text: str) -> None:
    check(write(tmp_path, {**GOOD, "2_x.sql": text}), confidence="low")
