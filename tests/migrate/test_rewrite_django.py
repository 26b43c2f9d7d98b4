"""`--fix` of Django migrations: clean when checked again, the same database in the end, and the way back."""

from __future__ import annotations

import ast
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from catalogue import catalogue, migrated
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from on_disk import only, write

from backendgen import files, migrate
from backendgen.config import Config
from backendgen.migrate import rewrite
from backendgen.migrate.locks import BLOCKS_WRITES
from backendgen.migrate.pending import Pending
from backendgen.migrate.trace import run as tracing
from backendgen.migrate.trace.comparison import steps
from backendgen.migrate.trace.scratch import Session, new_database, throw_away
from backendgen.rules import Rulebook

RULEBOOK = Rulebook()
FIXED = ("BG701", "BG702", "BG703", "BG705", "BG706", "BG707", "BG710", "BG711", "BG901", "BG904", "BG905", "BG908")
HEAD = "from django.db import migrations, models\n\n\nclass Migration(migrations.Migration):\n"
FIRST = f"""{HEAD}    initial = True
    operations = [
        migrations.CreateModel("User", [
            ("id", models.BigAutoField(primary_key=True)),
            ("name", models.CharField(max_length=9, null=True)),
            ("age", models.IntegerField(null=True)),
            ("score", models.IntegerField(null=True, db_index=True)),
        ], options={{"indexes": [models.Index(fields=["age"], name="by_age")]}}),
        migrations.CreateModel("Order", [
            ("id", models.BigAutoField(primary_key=True)),
            ("total", models.IntegerField(null=True)),
            ("at", models.DateField(null=True)),
        ]),
    ]
"""
OPERATIONS = (
    'migrations.AddIndex("User", models.Index(fields=["name"], name="by_name"))',
    'migrations.AddIndex(\n            model_name="order",\n            index=models.Index(fields=["-total"], name="i"),\n'
    "        )",
    'migrations.RemoveIndex("User", "by_age")',
    'migrations.AddField("Order", "code", models.CharField(max_length=5, db_index=True, null=True))',
    'migrations.AddField("Order", "slug", models.SlugField(null=True))',
    'migrations.AddField("Order", "token", models.CharField(max_length=5, unique=True, null=True))',
    'migrations.AlterField("User", "age", models.IntegerField())',
    'migrations.AlterField("User", "name", models.CharField(max_length=9, db_index=True, null=True))',
    'migrations.AlterField("User", "score", models.IntegerField(null=True))',
    'migrations.AlterField("Order", "total", models.IntegerField(unique=True, null=True))',
    'migrations.AlterUniqueTogether("User", {("age", "name")})',
    'migrations.AddConstraint("Order", models.CheckConstraint(condition=models.Q(total__gt=0), name="positive"))',
    'migrations.AddConstraint("User", models.UniqueConstraint(fields=["score"], name="one", '
    "deferrable=models.Deferrable.DEFERRED))",
    'migrations.AddConstraint("User", models.UniqueConstraint(fields=["name"], name="n", '
    "condition=models.Q(age__gt=3)))",
    'migrations.RunSQL("CREATE INDEX x ON shop_order (at)", "DROP INDEX x")',
    "migrations.RunSQL(\n            sql=\"ALTER TABLE shop_order ADD CONSTRAINT late CHECK (at > '2000-01-01')\",\n"
    '            reverse_sql="ALTER TABLE shop_order DROP CONSTRAINT late",\n        )',
    'migrations.RunSQL("""\n            -- both\n            CREATE INDEX y ON shop_order (at, total);\n'
    '            CREATE INDEX z ON shop_order (total, at);\n        """, "DROP INDEX z; DROP INDEX y")',
    'migrations.RunSQL("ALTER TABLE shop_user ALTER name SET NOT NULL, ALTER age SET DEFAULT 3", '
    '"ALTER TABLE shop_user ALTER age DROP DEFAULT; ALTER TABLE shop_user ALTER name DROP NOT NULL")',
    'migrations.AlterModelOptions("User", {"verbose_name": "person"})',
    "migrations.RunPython(fill, migrations.RunPython.noop)",
)
FILL = '\n\ndef fill(apps, schema_editor):\n    schema_editor.execute("UPDATE shop_order SET total = 1 WHERE id = 3")\n'
BEFORE = ("", "        # a comment\n", "\n        # two,\n        # lines\n")
AFTER = (",\n", ",  # beside\n")
SLOW = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)


@st.composite
def seconds(draw: st.DrawFn) -> str:
    chosen = draw(st.lists(st.sampled_from(OPERATIONS), min_size=1, max_size=5, unique=True))
    lines = "".join(f"{draw(st.sampled_from(BEFORE))}        {one}{draw(st.sampled_from(AFTER))}" for one in chosen)
    head = HEAD.replace("\n\n\n", f"\n{FILL}\n\n", 1) if "fill" in lines else HEAD
    atomic = "    atomic = False\n" if draw(st.booleans()) and draw(st.booleans()) else ""
    return f'{head}{atomic}    dependencies = [("shop", "0001_a")]\n\n    operations = [\n{lines}    ]\n'


def history(root: Path, second: str, *, later: bool = False) -> Path:
    third = f'{HEAD}    dependencies = [("shop", "0002_b")]\n    operations = []\n'
    made = {"shop/migrations/0001_a.py": FIRST, "shop/migrations/0002_b.py": second}
    return write(root, {**made, "shop/migrations/0003_c.py": third} if later else made)


def fix(root: Path, config: Config, applied: str = "0001_a") -> rewrite.Fixed:
    plan = rewrite.fix(root, config, RULEBOOK, Pending(applied=(applied,)))
    files.write_tree(plan.root, plan.files, force=True)
    return plan


def written(plan: rewrite.Fixed) -> dict[str, str]:
    return {file.path.rpartition("/")[2]: file.content.decode() for file in plan.files}


@SLOW
@given(seconds(), st.booleans())
def test_clean_when_checked_again(second: str, later: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root, config = history(Path(folder) / "project", second, later=later), Config(confidence="low", pg_version=16)
        plan = fix(root, config)
        assert plan.unfixed == ()
        found = migrate.check(root, config, RULEBOOK, Pending(applied=("0001_a",))).findings
        left = [(one.rule_id, one.message) for one in found if one.rule_id in FIXED]
        assert left == []
        assert rewrite.fix(root, config, RULEBOOK, Pending(applied=("0001_a",))).files == ()
        texts = [path.read_text(encoding="utf-8") for path in root.rglob("*.py")]
        for comment in ("# a comment", "# two,", "# beside", "-- both"):
            assert sum(text.count(comment) for text in texts) == second.count(comment)
        for text in texts:
            _every_name_is_there(text)
        names = [path.stem for path in root.rglob("0*.py")]
        assert not [(one, other) for one in names for other in names if one != other and other.startswith(one)]


def _every_name_is_there(text: str) -> None:
    tree = ast.parse(text)
    bound = {alias.name for one in tree.body if isinstance(one, ast.ImportFrom) for alias in one.names}
    used = {one.id for one in ast.walk(tree) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load)}
    defined = {one.name for one in tree.body if isinstance(one, ast.FunctionDef)}
    assert used - {"apps", "schema_editor"} <= bound | defined
    assert bound - used <= {"models"}, "an import is left over"


@pytest.fixture(scope="module", params=[16, 18])
def session(request: pytest.FixtureRequest) -> Iterator[tuple[int, Session]]:
    with ExitStack() as stack:
        admin = stack.enter_context(throw_away(request.param))
        owner, _ = new_database(admin, "fixed")
        one = Session(owner, 30)
        stack.callback(one.close)
        one.run("SET client_min_messages = error")
        yield request.param, one


@SLOW
@given(second=seconds())
def test_the_same_database_in_the_end_and_after_going_back(session: tuple[int, Session], second: str) -> None:
    version, server = session
    with tempfile.TemporaryDirectory() as folder:
        root = history(Path(folder) / "project", second)
        wanted = migrated(server, root)
        fix(root, Config(pg_version=version))
        assert migrated(server, root) == wanted
        for migration in reversed(only(root)[1:]):
            for step in steps(replace(migration, up=migration.down)):
                server.run(step.sql)
        server.run("RESET ALL")
        left = catalogue(server)
        (root / "shop/migrations/0001_a.py").rename(root / "first.txt")
        for path in root.rglob("0*.py"):
            path.unlink()
        (root / "first.txt").rename(root / "shop/migrations/0001_a.py")
        assert left == migrated(server, root)


def test_no_slow_statement_blocks_writers(tmp_path: Path) -> None:
    lines = "".join(f"        {one},\n" for one in OPERATIONS if "fill" not in one)
    root = history(tmp_path, f'{HEAD}    dependencies = [("shop", "0001_a")]\n\n    operations = [\n{lines}    ]\n')
    fix(root, Config(pg_version=16))
    trace = tracing.trace(root, Config(pg_version=16), Pending(applied=("0001_a",)))
    seen = [one for migration in trace.migrations for one in migration.statements]
    slow = [one for one in seen if "CONCURRENTLY" in one.statement or "VALIDATE" in one.statement]
    assert len(slow) > 15
    for one in seen:
        assert one.failure == "" or one.on_rows, (one.statement, one.failure)
        assert one.rewritten == (), one.statement
    for one in slow:
        assert {mode for _, mode in (*one.locks, *one.held)}.isdisjoint(BLOCKS_WRITES), (one.statement, one.locks)


def second(*operations: str, before: str = "", head: str = HEAD) -> str:
    lines = "".join(f"        {one},\n" for one in operations)
    return f'{head}{before}    dependencies = [("shop", "0001_a")]\n\n    operations = [\n{lines}    ]\n'


ADDED = """from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("shop", "0001_a")]

    operations = [
        AddIndexConcurrently("User", models.Index(fields=["name"], name="by_name")),
    ]
"""
NOT_VALID = """from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_a")]

    operations = [
        migrations.RunSQL("SET LOCAL lock_timeout = '2s'", migrations.RunSQL.noop),
        AddConstraintNotValid("Order", models.CheckConstraint(condition=models.Q(total__gt=0), name="positive")),
    ]
"""
VALIDATED = """from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("shop", "0002_b"),
    ]

    operations = [
        ValidateConstraint(model_name="Order", name="positive"),
    ]
"""
FOLLOWS = f'{HEAD}    dependencies = [("shop", "0002_02_b_validate")]\n    operations = []\n'


def test_what_is_written(tmp_path: Path) -> None:
    assert written(fix(history(tmp_path / "index", second(OPERATIONS[0])), Config())) == {"0002_b.py": ADDED}
    check = second(OPERATIONS[11])
    files = {"0002_b.py": NOT_VALID, "0003_b_validate.py": VALIDATED}
    assert written(fix(history(tmp_path / "last", check), Config())) == files
    files = {"0002_b.py": NOT_VALID, "0002_02_b_validate.py": VALIDATED, "0003_c.py": FOLLOWS}
    assert written(fix(history(tmp_path / "between", check, later=True), Config())) == files


def test_the_file_that_names_the_last_migration_follows(tmp_path: Path) -> None:
    root = write(history(tmp_path, second(OPERATIONS[11])), {"shop/migrations/max_migration.txt": "0002_b\n"})
    assert written(fix(root, Config()))["max_migration.txt"] == "0003_b_validate\n"


def test_line_ends_stay(tmp_path: Path) -> None:
    root = history(tmp_path, second(OPERATIONS[11]).replace("\n", "\r\n"), later=True)
    plan = fix(root, Config())
    assert {file.path.rpartition("/")[2]: file.content for file in plan.files} == {
        "0002_b.py": NOT_VALID.replace("\n", "\r\n").encode(),
        "0002_02_b_validate.py": VALIDATED.replace("\n", "\r\n").encode(),
        "0003_c.py": FOLLOWS.encode(),
    }


def test_a_comma_on_a_line_of_its_own(tmp_path: Path) -> None:
    text = second(OPERATIONS[0], OPERATIONS[18]).replace('by_name")),', 'by_name"))\n        ,')
    assert written(fix(history(tmp_path, text), Config()))["0002_b.py"].count("AddIndexConcurrently(") == 1


def test_a_short_list_is_laid_out(tmp_path: Path) -> None:
    text = f'{HEAD}    dependencies = [("shop", "0001_a")]\n\n    operations = [{OPERATIONS[0]}]\n'
    assert written(fix(history(tmp_path, text), Config())) == {"0002_b.py": ADDED}


def test_functions_go_with_what_calls_them(tmp_path: Path) -> None:
    fill = FILL.replace("    schema", "    print(LIMIT)\n    schema")
    helped = HEAD.replace("\n\n\n", f"\n\nLIMIT = 3\n{fill}\n\n", 1)
    plan = fix(history(tmp_path, second(OPERATIONS[0], OPERATIONS[-1], head=helped)), Config())
    assert written(plan)["0002_b.py"] == ADDED
    then = written(plan)["0003_b_then.py"]
    assert then.startswith("from django.db import migrations\n\n\nLIMIT = 3\n\n\ndef fill(apps, schema_editor):\n")
    assert "migrations.RunPython(fill, migrations.RunPython.noop)," in then


IN_A_FUNCTION = second("migrations.RunPython(fill)", head=HEAD.replace("\n\n\n", f"\n{FILL}\n\n", 1)).replace(
    "UPDATE shop_order SET total = 1 WHERE id = 3", "CREATE INDEX x ON shop_order (at)"
)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (second(OPERATIONS[11], before='    run_before = [("other", "0001_x")]\n'),
         "it must be split in two, and others must come after all of it (run_before)"),
        (f"{HEAD}    dependencies = [('shop', '0001_a')]\n    operations = [*[{OPERATIONS[0]}]]\n",
         "its operations are no plain list"),
        (f"{HEAD}    dependencies = [('shop', '0001_a')]\n    operations = [{OPERATIONS[0]}, # one\n    ]\n",
         "its operations share lines, with comments between them"),
        (second('migrations.RunSQL("".join(["CREATE INDEX x ", "ON shop_order (at)"]))'),
         "line 8 is not changed: its SQL is no plain text"),
        (IN_A_FUNCTION, "functions of RunPython make some of the changes; they stay as they are"),
    ],
)  # fmt: skip
def test_what_cannot_be_changed_is_said(text: str, reason: str, tmp_path: Path) -> None:
    plan = fix(history(tmp_path, text), Config(select=("BG701", "BG705")))
    assert plan.files == ()
    assert [one.message.removeprefix("is not changed: ") for one in plan.unfixed] == [reason]


def test_another_app_s_applied_migration_stays_where_it_is(tmp_path: Path) -> None:
    third = f'{HEAD}    dependencies = [("shop", "0002_b")]\n    operations = []\n'
    root = write(history(tmp_path, second(OPERATIONS[11])), {"other/migrations/0001_o.py": third})
    plan = fix(root, Config())
    assert '("shop", "0003_b_validate")' in (written(plan)["0001_o.py"])
