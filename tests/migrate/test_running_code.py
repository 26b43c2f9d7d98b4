"""The code that runs while a migration is applied: where it is read, what is proven, and what the report says of it."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import Run
from on_disk import write

from backendgen import migrate
from backendgen.config import Config, load
from backendgen.errors import UserError
from backendgen.findings.finding import Finding
from backendgen.rules import Confidence, Rulebook, Severity

RULEBOOK = Rulebook()
TABLES = """CREATE TABLE orders (id bigint PRIMARY KEY, status text, note varchar(200));
CREATE TABLE users (id bigint, status text);
"""
DROP = "ALTER TABLE orders DROP COLUMN status;\n"
QUERY = 'def find(c):\n    return c.execute("SELECT status FROM orders")\n'


def git(folder: Path, *arguments: str) -> None:
    name = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", folder, *name, *arguments], check=True, capture_output=True)


def check(root: Path, change: str, code: dict[str, str], *select: str, deployed: str = "") -> list[Finding]:
    write(root, {"db/0001_init.sql": TABLES, "db/0002_change.sql": change, **code})
    config = Config(select=select or ("BG8",), confidence="low", code=root / "app", deployed=deployed)
    return [
        one for one in migrate.check(root / "db", config, RULEBOOK).findings if one.location.path == "0002_change.sql"
    ]


def test_without_code_nothing_is_said_of_it(tmp_path: Path) -> None:
    write(tmp_path, {"db/0001_init.sql": TABLES, "db/0002_change.sql": DROP, "app/orders.py": QUERY})
    report = migrate.check(tmp_path / "db", Config(select=("BG8",)), RULEBOOK)
    assert [(one.rule_id, one.severity) for one in report.findings if one.location.line == 1][-1:] == [
        ("BG802", Severity.HIGH)
    ]
    assert "no use" not in report.findings[-1].message


def test_a_proven_use_is_critical_and_its_place_is_a_step(tmp_path: Path) -> None:
    (found,) = check(tmp_path, DROP, {"app/orders.py": QUERY}, "BG840")
    assert (found.severity, found.confidence) == (Severity.CRITICAL, Confidence.HIGH)
    assert found.message == "app still uses orders.status, which is dropped here: orders.py:2"
    (step,) = found.steps
    assert (step.location.path, step.location.line, step.note) == ("../app/orders.py", 2, "SELECT names orders.status")


def test_the_line_in_a_text_of_several_lines(tmp_path: Path) -> None:
    code = 'q = """\nSELECT id,\n       status\nFROM orders WHERE id = %(order_id)s\n"""\n'
    (found,) = check(tmp_path, DROP, {"app/orders.py": code}, "BG840")
    assert found.steps[0].location.line == 3


@pytest.mark.parametrize(
    ("query", "confidence"),
    [
        ("SELECT status FROM orders", Confidence.HIGH),
        ("SELECT o.status FROM orders o JOIN users ON true", Confidence.HIGH),
        ("SELECT status FROM orders JOIN elsewhere ON true", Confidence.MEDIUM),
        ("SELECT status FROM orders {joins} {more} {still}", Confidence.MEDIUM),
        ("SELECT status, row_to_json(o), o.ctid FROM orders o", Confidence.HIGH),
        ("SELECT status, event_ts FROM orders", Confidence.LOW),
        ("SELECT users.status FROM orders JOIN users ON true", None),
        ("SELECT status FROM archive.orders_old", None),
        ("SELECT 'status' FROM orders", None),
    ],
)
def test_how_sure_a_use_in_a_query_is(tmp_path: Path, query: str, confidence: Confidence | None) -> None:
    found = check(tmp_path, DROP, {"app/orders.py": f"q = f{query!r}\n", "app/more.py": ""}, "BG840")
    assert [one.confidence for one in found] == ([] if confidence is None else [confidence])


def test_what_the_same_deploy_took_or_gave_makes_no_query_strange(tmp_path: Path) -> None:
    change = f"ALTER TABLE orders ADD memo text;\nALTER TABLE orders DROP COLUMN note;\n{DROP}"
    found = check(tmp_path, change, {"app/orders.py": 'q = "SELECT note, status, memo FROM orders"\n'}, "BG840")
    assert [(one.location.line, one.confidence) for one in found] == [(2, Confidence.HIGH), (3, Confidence.HIGH)]


def test_names_side_by_side_are_a_doubtful_use(tmp_path: Path) -> None:
    (found,) = check(tmp_path, DROP, {"app/a.ts": 'const t = ["orders"];\nconst c = ["status"];\n'}, "BG840")
    assert (found.severity, found.confidence) == (Severity.HIGH, Confidence.LOW)


def test_five_places_are_steps_and_the_rest_is_counted(tmp_path: Path) -> None:
    (found,) = check(tmp_path, DROP, {f"app/q{number}.py": QUERY for number in range(8)}, "BG840")
    assert [step.note for step in found.steps] == ["SELECT names orders.status"] * 5 + ["and 3 more"]
    assert found.message.endswith("q0.py:2, q1.py:2 and 6 more")


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE orders DROP COLUMN status;\nALTER TABLE orders ADD COLUMN status integer;\n",
        "ALTER TABLE orders ADD COLUMN memo text;\nALTER TABLE orders DROP COLUMN memo;\n",
        "CREATE TABLE news (status text);\nDROP TABLE news;\n",
        "ALTER TABLE orders ALTER COLUMN note TYPE text;\n",
    ],
)
def test_what_comes_back_or_is_new_is_not_lost(tmp_path: Path, change: str) -> None:
    code = {"app/orders.py": 'a = "SELECT status, memo FROM orders"\nb = "SELECT status FROM news"\n'}
    assert check(tmp_path, change, code, "BG840") == []


def test_a_narrower_type_is_for_those_that_write(tmp_path: Path) -> None:
    change = "ALTER TABLE orders ALTER COLUMN note TYPE varchar(10);\n"
    code = {"app/a.py": 'a = "SELECT note FROM orders"\n'}
    assert check(tmp_path, change, code, "BG840") == []
    (found,) = check(tmp_path, change, {"app/b.py": 'b = "UPDATE orders SET note = %s"\n'}, "BG840")
    assert (found.severity, found.message) == (
        Severity.MEDIUM,
        "app writes orders.note, which takes no more than character varying(10) from here on: b.py:1",
    )


def test_a_drop_without_use_goes_down_but_is_not_silent(tmp_path: Path) -> None:
    code = {"app/users.py": 'q = "SELECT status FROM users"\n'}
    (found,) = check(tmp_path, DROP, code, "BG802", "BG840")
    assert (found.rule_id, found.severity) == ("BG802", Severity.MEDIUM)
    assert found.message.endswith(
        "no use of orders.status was found in 1 files of app as they are now (--deployed REVISION reads those that run)"
    )


def test_the_code_of_the_deployed_revision_is_read(tmp_path: Path) -> None:
    git(tmp_path, "init", "-b", "main", ".")
    write(tmp_path, {"app/orders.py": QUERY, "app/users.py": "", "other/a.py": QUERY})
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "first")
    git(tmp_path, "tag", "v1")
    (tmp_path / "app" / "orders.py").unlink()
    assert [one.severity for one in check(tmp_path, DROP, {}, "BG802", "BG840")] == [Severity.MEDIUM]
    (dropped, used) = check(tmp_path, DROP, {}, "BG802", "BG840", deployed="v1")
    assert (dropped.severity, used.severity) == (Severity.HIGH, Severity.CRITICAL)
    assert used.message == "app at v1 still uses orders.status, which is dropped here: orders.py:2"
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "second")
    (dropped,) = check(tmp_path, DROP, {}, "BG802", "BG840", deployed="HEAD")
    assert dropped.severity == Severity.LOW
    assert dropped.message.endswith("no use of orders.status was found in 1 files of app at HEAD")


def test_nothing_that_a_repository_s_configuration_names_is_run(tmp_path: Path) -> None:
    git(tmp_path, "init", "-b", "main", ".")
    write(tmp_path, {"app/orders.py": QUERY, ".gitattributes": "*.py filter=evil diff=evil\n"})
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "first")
    for key in ("filter.evil.smudge", "diff.evil.textconv", "core.fsmonitor", "diff.external"):
        git(tmp_path, "config", key, f"touch {tmp_path / 'ran'}; cat")
    assert len(check(tmp_path, DROP, {}, "BG840", deployed="HEAD")) == 1
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("folder", "deployed", "message"),
    [
        ("nowhere", "", "no such folder"),
        ("empty", "", "holds no source file that could be searched"),
        ("app", "v9", "git knows no revision 'v9'"),
        ("late", "v1", "was not there at v1"),
    ],
)
def test_code_that_cannot_be_searched_is_no_clean_code(
    tmp_path: Path, folder: str, deployed: str, message: str
) -> None:
    git(tmp_path, "init", "-b", "main", ".")
    write(tmp_path, {"db/0001_init.sql": TABLES, "app/a.py": QUERY})
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "first")
    git(tmp_path, "tag", "v1")
    write(tmp_path, {"empty/README.md": "", "late/a.py": QUERY})
    with pytest.raises(UserError, match=message):
        migrate.check(tmp_path / "db", Config(code=tmp_path / folder, deployed=deployed), RULEBOOK)


def test_what_is_too_large_to_be_searched_is_said(tmp_path: Path) -> None:
    write(tmp_path, {"db/0001_init.sql": TABLES, "app/a.py": QUERY, "app/b.py": "#" * 5_000_001})
    report = migrate.check(tmp_path / "db", Config(code=tmp_path / "app"), RULEBOOK)
    assert [(Path(one.path).name, one.message) for one in report.skipped] == [
        ("b.py", "is larger than 5,000,000 bytes")
    ]


@pytest.mark.parametrize(
    ("change", "code", "confidence"),
    [
        ("ALTER TABLE orders ADD currency text NOT NULL", "INSERT INTO orders (id) VALUES (1)", Confidence.HIGH),
        ("ALTER TABLE orders ADD currency text NOT NULL", "INSERT INTO orders VALUES (1, %s, %s)", Confidence.HIGH),
        ("ALTER TABLE orders ADD currency text NOT NULL", "INSERT INTO orders (id, currency) VALUES (1, %s)", None),
        ("ALTER TABLE orders ADD currency text NOT NULL DEFAULT 'EUR'", "INSERT INTO orders (id) VALUES (1)", None),
        ("ALTER TABLE orders ALTER status SET NOT NULL", "INSERT INTO orders (id) VALUES (1)", Confidence.HIGH),
        ("ALTER TABLE orders ALTER status SET NOT NULL", "INSERT INTO orders VALUES (1, %s, %s)", None),
        (
            "ALTER TABLE orders ALTER status SET NOT NULL",
            "INSERT INTO orders (id, status) VALUES (1, NULL)",
            Confidence.HIGH,
        ),
        (
            "ALTER TABLE orders ALTER status SET NOT NULL; ALTER TABLE orders ALTER status SET DEFAULT 'new'",
            "INSERT INTO orders (id) VALUES (1)",
            None,
        ),
        (
            "CREATE TRIGGER fill BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION fill();\n"
            "ALTER TABLE orders ALTER status SET NOT NULL",
            "INSERT INTO orders (id) VALUES (1)",
            Confidence.MEDIUM,
        ),
    ],
)
def test_who_leaves_out_what_becomes_required(
    tmp_path: Path, change: str, code: str, confidence: Confidence | None
) -> None:
    found = check(tmp_path, f"{change};\n", {"app/orders.py": f"q = {code!r}\n"}, "BG841")
    assert [one.confidence for one in found] == ([] if confidence is None else [confidence])


def test_diesel_leaves_out_only_where_it_inserts(tmp_path: Path) -> None:
    change = "ALTER TABLE orders ADD COLUMN currency text NOT NULL;\n"
    schema = "table! {\n    orders (id) {\n        id -> Int8,\n    }\n}\n"
    assert check(tmp_path, change, {"app/schema.rs": schema}, "BG841") == []
    (found,) = check(tmp_path, change, {"app/orders.rs": "insert_into(orders::table)\n"}, "BG841")
    assert found.steps[0].note == "orders does not map orders.currency"


def test_options_and_configuration(backendgen: Run, tmp_path: Path) -> None:
    write(tmp_path, {"db/0001_init.sql": TABLES, "db/0002_change.sql": DROP, "app/orders.py": QUERY})
    alone = backendgen("migrate-check", "db", "--deployed", "HEAD", cwd=tmp_path)
    assert (alone.returncode, alone.stderr) == (2, "error: --deployed says which code runs; --code says where it is\n")
    empty = backendgen("migrate-check", "db", "--code", "app", "--deployed", "", cwd=tmp_path)
    assert (empty.returncode, empty.stderr) == (2, "error: --deployed needs a git revision, such as v1.4\n")
    done = backendgen("migrate-check", "db", "--code", "app", "--select", "BG840", "--format", "json", cwd=tmp_path)
    (given,) = json.loads(done.stdout)["findings"]
    assert given["steps"][0]["path"] == "../app/orders.py"
    write(tmp_path, {"backendgen.toml": 'code = "app"\n'})
    assert load(tmp_path / "db") == replace(Config(), code=tmp_path / "app")
    done = backendgen("migrate-check", "db", "--select", "BG840", "--format", "json", cwd=tmp_path)
    assert json.loads(done.stdout)["findings"] == [given]


@pytest.mark.parametrize(
    ("folder", "query", "confidence"),
    [
        ("mysql", 'SELECT `STATUS` FROM orders WHERE note = "x" LIMIT 1, 2', Confidence.HIGH),
        ("mariadb", "REPLACE INTO orders (id, status) VALUES (?, ?)", Confidence.HIGH),
        ("sqlite", 'SELECT status FROM orders WHERE note = "open" AND rowid > ?', Confidence.HIGH),
        ("sqlite", "INSERT OR IGNORE INTO orders (id, status) VALUES (?1, ?2)", Confidence.HIGH),
        ("mysql", "SELECT o.`status` FROM orders o JOIN users u ON u.id = o.id", Confidence.HIGH),
        ("mysql", "SELECT `status` FROM orders JOIN users", Confidence.LOW),
        ("mysql", "SELECT `status`, `event_ts` FROM orders", Confidence.LOW),
        ("mysql", "SELECT `status` FROM `orders` {joins} {more} {still}", Confidence.MEDIUM),
        ("mysql", 'SELECT id FROM orders WHERE note = "status"', None),
    ],
)
def test_queries_of_other_databases(tmp_path: Path, folder: str, query: str, confidence: Confidence | None) -> None:
    write(tmp_path, {f"db/{folder}/0001_init.sql": TABLES, f"db/{folder}/0002_change.sql": DROP})
    write(tmp_path, {"app/orders.py": f"q = f{query!r}\n", "app/more.py": ""})
    config = Config(select=("BG840",), confidence="low", code=tmp_path / "app")
    found = migrate.check(tmp_path / "db", config, RULEBOOK).findings
    assert [one.confidence for one in found] == ([] if confidence is None else [confidence])


def test_the_code_of_two_databases_is_read_for_each(tmp_path: Path) -> None:
    for folder in ("mysql", "postgresql"):
        write(tmp_path, {f"db/{folder}/0001_init.sql": TABLES, f"db/{folder}/0002_change.sql": DROP})
    queries = "-- all\nSELECT `status` FROM orders;\nSELECT status FROM orders WHERE id = ANY($1) AND note ~ 'x';\n"
    write(tmp_path, {"app/q.sql": queries})
    config = Config(select=("BG840",), code=tmp_path / "app")
    found = migrate.check(tmp_path / "db", config, RULEBOOK).findings
    # The surest first: each has one that its own parser reads, and one that is read by its words.
    assert [(one.location.path, [step.location.line for step in one.steps]) for one in found] == [
        ("mysql/0002_change.sql", [2, 3]),
        ("postgresql/0002_change.sql", [3, 2]),
    ]


def test_quoted_names_in_a_template_of_javascript(tmp_path: Path) -> None:
    write(tmp_path, {"db/mysql/0001_init.sql": TABLES, "db/mysql/0002_change.sql": DROP})
    write(tmp_path, {"app/a.js": "const q = `SELECT \\`status\\` FROM \\`orders\\` WHERE id = ${id} LIMIT 0, 5`;\n"})
    config = Config(select=("BG840",), code=tmp_path / "app")
    (found,) = migrate.check(tmp_path / "db", config, RULEBOOK).findings
    assert (found.severity, found.steps[0].note) == (Severity.CRITICAL, "SELECT names orders.status")
