"""The change to paste: it parses, it is in the user's own names and format, and the rule has nothing to say of it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from on_disk import write

from backendgen import migrate
from backendgen.config import Config
from backendgen.findings.finding import Location
from backendgen.rules import Example, Rulebook
from backendgen.sql import mysql, sqlite
from backendgen.sql.operation import NotUnderstood
from backendgen.sql.postgres import parse

_PARSERS = {"mysql": mysql.parse, "mariadb": mysql.parse, "sqlite": sqlite.parse}
RULEBOOK = Rulebook()
BAD = [
    pytest.param(rule.id, example, id=f"{rule.id}-line-{example.line}")
    for rule in RULEBOOK
    if rule.command == "migrate" and rule.detect.kind == "python"
    for example in rule.examples
    if example.bad
]
# What is left is not for a tool to decide: whether the rows may go, what the new release knows.
CLEAN_AFTERWARDS = {
    "BG701",
    "BG702",
    "BG703",
    "BG704",
    "BG705",
    "BG706",
    "BG707",
    "BG708",
    "BG709",
    "BG711",
    "BG712",
    "BG713",
    "BG714",
    "BG715",
    "BG716",
    "BG717",
    "BG718",
    "BG719",
    "BG720",
    "BG721",
    "BG723",
    "BG724",
    "BG725",
    "BG726",
    "BG727",
    "BG728",
    "BG729",
    "BG731",
    "BG732",
    "BG750",
    "BG751",
    "BG752",
    "BG753",
    "BG754",
    "BG755",
    "BG756",
    "BG757",
    "BG758",
    "BG759",
    "BG760",
    "BG761",
    "BG762",
    "BG764",
    "BG766",
    "BG770",
    "BG771",
    "BG772",
    "BG773",
    "BG774",
    "BG775",
    "BG776",
    "BG805",
    "BG806",
}


@pytest.mark.parametrize(("rule_id", "example"), BAD)
def test_every_fix_parses(rule_id: str, example: Example, tmp_path: Path) -> None:
    report = migrate.check(write(tmp_path, dict(example.files)), Config(select=(rule_id,), confidence="low"), RULEBOOK)
    for one in report.findings:
        assert one.fix
        if one.location.path.endswith(".py"):
            for call in ast.walk(ast.parse(one.fix)):
                if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "execute":
                    (sql,) = call.args
                    assert isinstance(sql, ast.Constant)
                    assert not [done for done in parse(sql.value) if isinstance(done, NotUnderstood)]
        else:
            read = _PARSERS.get(one.location.path.partition("/")[0], parse)
            assert not [done for done in read(one.fix) if isinstance(done, NotUnderstood)], one.fix


@pytest.mark.parametrize(("rule_id", "example"), [one for one in BAD if one.values[0] in CLEAN_AFTERWARDS])
def test_a_fix_is_clean_when_checked_again(rule_id: str, example: Example, tmp_path: Path) -> None:
    config = Config(select=(rule_id,), confidence="low")
    found = migrate.check(write(tmp_path / "bad", dict(example.files)), config, RULEBOOK).findings
    for number, one in enumerate(found):
        folder, _, name = f"./{one.location.path}".rpartition("/")
        history = dict(example.files)
        history[one.location.path] = _without(history[one.location.path], one.location, name)
        stages = [stage for stage in re.split(r"(?m)^(?:-- |# )migration \d+.*\n", one.fix) if stage]
        fixes = {f"{folder}/{9000 + at}{'.py' if name.endswith('.py') else '_fix.sql'}".removeprefix("./"): stage
                 for at, stage in enumerate(stages)}  # fmt: skip
        if "migrations/" in one.location.path:
            fixes = {
                path: _migration(stage, 9000 + at, list(history)) for at, (path, stage) in enumerate(fixes.items())
            }
        elif name.endswith(".py"):
            fixes = {path: _revision(stage, 9000 + at) for at, (path, stage) in enumerate(fixes.items())}
        report = migrate.check(write(tmp_path / f"good{number}", history | fixes), config, RULEBOOK)
        assert [(again.location, again.message) for again in report.findings if again.location.path in fixes] == []


def _without(text: str, place: Location, name: str) -> str:
    lines = text.split("\n")
    moved = "" if "class Migration" in text else "    pass" if name.endswith(".py") else "-- moved"
    if lines[place.line - 1].startswith(("    Order.objects", "        order.save")):
        moved = "    pass" if lines[place.line - 1][4] != " " else "        pass"
    lines[place.line - 1 : max(place.end_line, place.line)] = [moved]
    return "\n".join(lines)


def _revision(body: str, number: int) -> str:
    parent = "0002" if number == 9000 else str(number - 1)
    indented = "\n".join(f"    {line}" for line in body.splitlines())
    head = f'import sqlalchemy as sa\nfrom alembic import op\n\nrevision = "{number}"\ndown_revision = "{parent}"\n'
    return f"{head}\n\ndef upgrade():\n{indented}\n"


def _migration(body: str, number: int, others: list[str]) -> str:
    """A Django migration after the last one of the history, or after the fix before."""
    parent = max(Path(path).stem for path in others) if number == 9000 else str(number - 1)
    kept = "".join(f"    {line}\n" for line in body.splitlines())
    imports = "".join(f"{line.removeprefix('# ')}\n" for line in body.splitlines() if line.startswith("# from "))
    head = f"{imports}from django.db import migrations, models\n\n\nclass Migration(migrations.Migration):\n"
    return f'{head}    dependencies = [("shop", "{parent}")]\n{kept}'


INDEX = "CREATE UNIQUE INDEX IF NOT EXISTS i ON t (lower(a)) WHERE b;"


@pytest.mark.parametrize(
    ("files", "fix"),
    [
        ({"1_t.sql": INDEX},
         "-- alone in a migration that runs outside a transaction\n"
         "CREATE UNIQUE INDEX CONCURRENTLY i ON t (lower(a)) WHERE b;"),
        ({"1_t.sql": f"-- +goose Up\n{INDEX}"},
         "-- +goose NO TRANSACTION\nCREATE UNIQUE INDEX CONCURRENTLY i ON t (lower(a)) WHERE b;"),
        ({"1_t.sql": f"-- migrate:up\n{INDEX}"},
         "-- migrate:up transaction:false\nCREATE UNIQUE INDEX CONCURRENTLY i ON t (lower(a)) WHERE b;"),
        ({"1_t.sql": 'CREATE INDEX ON "Order" (a);'},
         '-- alone in a migration that runs outside a transaction\nCREATE INDEX CONCURRENTLY "Order_a_idx" ON "Order" (a);'),
        ({"v/1.py": _revision('op.create_index("i", "t", ["a"],\n    unique=True,\n)', 1)},
         'with op.get_context().autocommit_block():\n'
         '    op.create_index("i", "t", ["a"],\n            unique=True,\n'
         '            postgresql_concurrently=True,\n        )'),
        ({"v/1.py": _revision("op.execute('CREATE INDEX i ON \"Order\" (a)')", 1)},
         "with op.get_context().autocommit_block():\n    op.execute('CREATE INDEX CONCURRENTLY i ON \"Order\" (a)')"),
    ],
)  # fmt: skip
def test_in_the_format_of_the_tool(tmp_path: Path, files: dict[str, str], fix: str) -> None:
    (found,) = migrate.check(write(tmp_path, files), Config(select=("BG701",)), RULEBOOK).findings
    assert found.fix == fix


def test_a_foreign_key_keeps_what_the_user_wrote(tmp_path: Path) -> None:
    sql = "ALTER TABLE ONLY t ADD CONSTRAINT k FOREIGN KEY (a) REFERENCES u ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED"
    (found,) = migrate.check(write(tmp_path, {"1_t.sql": f"{sql};"}), Config(select=("BG704",)), RULEBOOK).findings
    assert found.fix.splitlines()[1] == f"{sql} NOT VALID;"


def test_one_of_several_actions(tmp_path: Path) -> None:
    sql = "ALTER TABLE t ADD COLUMN b int, ADD CHECK (a > 0 AND \"select\" = 'x');"
    (found,) = migrate.check(write(tmp_path, {"1_t.sql": sql}), Config(select=("BG705",)), RULEBOOK).findings
    assert found.fix.splitlines()[1:] == [
        "ALTER TABLE t ADD CONSTRAINT t_check CHECK (a > 0 AND \"select\" = 'x') NOT VALID;",
        "-- migration 2: takes no lock that blocks reads or writes, fails unless this finds nothing: "
        "SELECT count(*) FROM t WHERE NOT (a > 0 AND \"select\" = 'x')",
        "ALTER TABLE t VALIDATE CONSTRAINT t_check;",
    ]


DJANGO = "from django.db import migrations, models\n\n\nclass Migration(migrations.Migration):\n"
DJANGO_TABLE = (
    f"{DJANGO}    dependencies = []\n    operations = [\n"
    '        migrations.CreateModel("Item", [("id", models.BigAutoField(primary_key=True))]),\n    ]\n'
)


@pytest.mark.parametrize(
    ("field", "first"),
    [
        ("models.IntegerField(null=True, db_index=True)", "models.IntegerField(null=True, db_index=False)"),
        ("models.SlugField(null=True)", "models.SlugField(null=True, db_index=False)"),
        (
            "models.SlugField(\n                null=True,\n            )",
            "models.SlugField(\n        null=True, db_index=False)",
        ),
    ],
)
def test_django_adds_the_column_before_its_index(tmp_path: Path, field: str, first: str) -> None:
    write(tmp_path, {
        "shop/migrations/0001_first.py": DJANGO_TABLE,
        "shop/migrations/0002_next.py":
            f'{DJANGO}    dependencies = [("shop", "0001_first")]\n    operations = [\n'
            f'        migrations.AddField("Item", "code", {field}),\n    ]\n',
    })  # fmt: skip
    found = migrate.check(tmp_path, Config(select=("BG701",)), RULEBOOK, migrate.Pending(applied=("0001",))).findings
    before, _, after = found[0].fix.partition("\natomic = False\n")
    assert "".join(before.split()) == "".join(
        f'# in a migration before it\noperations = [migrations.AddField("Item", "code", {first}),]'.split()
    )
    assert "CREATE INDEX CONCURRENTLY" in after
    assert 'migrations.AlterField("Item", "code", ' in after and "AddField" not in after
    ast.parse(found[0].fix)


def test_django_s_default_stays_until_all_code_gives_a_value(tmp_path: Path) -> None:
    write(tmp_path, {
        "shop/migrations/0001_first.py": DJANGO_TABLE,
        "shop/migrations/0002_next.py":
            f'{DJANGO}    dependencies = [("shop", "0001_first")]\n    operations = [\n'
            '        migrations.AddField("Item", "n", models.IntegerField(default=7, db_index=True)),\n    ]\n',
    })  # fmt: skip
    found = migrate.check(tmp_path, Config(select=("BG804",)), RULEBOOK, migrate.Pending(applied=("0001",))).findings
    first, second = found[0].fix.split("# migration 2: in a later release, when all running code gives n\n")
    assert 'ALTER TABLE "shop_item" ADD COLUMN "n" integer DEFAULT 7 NOT NULL' in first
    assert 'migrations.AddField("Item", "n", models.IntegerField(default=7, db_index=False))' in first
    assert "ALTER COLUMN n DROP DEFAULT" in second and "state_operations" not in second
