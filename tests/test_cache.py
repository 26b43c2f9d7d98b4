"""A remembered run is the run: whatever happens to a tree, the report is the one that a run without a cache gives."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import backendgen.audit.checks
import backendgen.cli
import backendgen.migrate
import backendgen.sql.postgres  # noqa: F401 - what is loaded here, the copies of this process need not load
from backendgen import cache, files, witness
from backendgen.__main__ import main

TREE = {
    "backendgen.toml": 'exclude = ["old/"]\n',
    "db/migrations/0001_users.sql": "CREATE TABLE users (id bigint PRIMARY KEY, name text);\n",
    "db/migrations/0002_index.sql": "CREATE INDEX users_name ON users (name);\n",
    "db/migrations/0003_type.sql": "ALTER TABLE users ALTER COLUMN name TYPE uuid;\n",
    "shop/migrations/0001_orders.up.sql": "CREATE TABLE orders (id int PRIMARY KEY);\n",
    "shop/migrations/0001_orders.down.sql": "DROP TABLE orders;\n",
    "shop/migrations/0002_note.up.sql": "ALTER TABLE orders ADD COLUMN note text NOT NULL;\n",
    "old/migrations/0001_gone.sql": "DROP TABLE gone;\n",
    "alembic/env.py": "",
    "alembic/versions/a1_first.py": (
        "from alembic import op\nrevision = 'a1'\ndown_revision = None\n"
        "def upgrade():\n    op.drop_table('old')\ndef downgrade():\n    pass\n"
    ),
}


@contextmanager
def tree(contents: dict[str, str] = TREE) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name, "project")
        for path, text in contents.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
        (root / ".git").mkdir()
        yield root


def run(*arguments: str, home: Path, cwd: Path) -> tuple[int, str]:
    """Run the command line in a copy of this process; return its exit code and what it printed."""
    with tempfile.NamedTemporaryFile() as output:
        sys.stdout.flush()
        pid = os.fork()
        if not pid:
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
            sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
            os.chdir(cwd)
            os.environ["XDG_CACHE_HOME"] = str(home)
            sys.argv = ["backendgen", *arguments]
            code = 99
            try:
                main()
            except SystemExit as end:
                code = int(end.code or 0)
            finally:
                sys.stdout.flush()
                os._exit(code)
        _, status = os.waitpid(pid, 0)
        return os.waitstatus_to_exitcode(status), Path(output.name).read_text()


@contextmanager
def coarse(nanoseconds: int) -> Iterator[None]:
    """Trust stamps that are so old; the machine's own clock is fine enough for 0."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cache, "_COARSE_NS", nanoseconds)
        yield


def entries(home: Path) -> list[Path]:
    """The runs that are remembered."""
    return sorted(path for path in home.glob("backendgen/*") if path.is_file())


def is_remembered(*arguments: str, home: Path, cwd: Path) -> bool:
    """Whether the same run would be answered from the cache: its entry is made to say so."""
    for entry in entries(home):
        head, body = entry.read_bytes().split(b"\n", 1)
        told = json.loads(head)
        changed = body + b"remembered\n"
        told["digest"], told["outputs"][-1][1] = witness.digest(changed), told["outputs"][-1][1] + len("remembered\n")
        entry.write_bytes(json.dumps(told).encode() + b"\n" + changed)
    return run(*arguments, home=home, cwd=cwd)[1].endswith("remembered\n")


def test_an_unchanged_tree_is_not_read_again(tmp_path: Path) -> None:
    with tree() as root:
        first = run("migrate-check", ".", home=tmp_path, cwd=root)
        assert first[0] == 1
        assert "BG701" in first[1]
        assert run("migrate-check", ".", home=tmp_path, cwd=root) == first
        assert is_remembered("migrate-check", ".", home=tmp_path, cwd=root)
        assert entries(tmp_path)[0].stat().st_mode & 0o077 == 0, "reports quote code: they are their owner's"


def test_other_options_and_other_places_are_other_runs(tmp_path: Path) -> None:
    with tree() as root:
        run("migrate-check", ".", home=tmp_path, cwd=root)
        assert not is_remembered("migrate-check", ".", "--pg-version", "10", home=tmp_path, cwd=root)
        assert not is_remembered("migrate-check", ".", home=tmp_path, cwd=root / "db")


def test_no_cache_neither_reads_nor_writes_one(tmp_path: Path) -> None:
    with tree() as root:
        run("migrate-check", ".", "--no-cache", home=tmp_path, cwd=root)
        assert entries(tmp_path) == []
        run("migrate-check", ".", home=tmp_path, cwd=root)
        assert not is_remembered("migrate-check", ".", "--no-cache", home=tmp_path, cwd=root)


def test_files_of_reports_are_written_again(tmp_path: Path) -> None:
    with tree() as root:
        target = tmp_path / "report.json"
        arguments = ("migrate-check", ".", "--report", f"json={target}")
        run(*arguments, home=tmp_path, cwd=root)
        first = target.read_text()
        target.unlink()
        run(*arguments, home=tmp_path, cwd=root)
        assert target.read_text() == first


@pytest.mark.parametrize(
    "arguments", [("--since", "HEAD"), ("--write-baseline", "base.json"), ("--graph",)], ids=lambda words: words[0]
)
def test_what_depends_on_more_than_files_is_not_remembered(arguments: tuple[str, ...], tmp_path: Path) -> None:
    with tree() as root:
        run("migrate-check", "db", *arguments, home=tmp_path, cwd=root)
        assert entries(tmp_path) == []


@pytest.mark.parametrize("damage", [b"", b"\0" * 50, b"{}\n", b'{"key": 1}\nx', b"\xff\xfe{}\n{}", b"[" * 100_000])
def test_a_damaged_entry_is_as_none(damage: bytes, tmp_path: Path) -> None:
    with tree() as root:
        first = run("migrate-check", ".", home=tmp_path, cwd=root)
        (entry,) = entries(tmp_path)
        entry.write_bytes(damage)
        assert run("migrate-check", ".", home=tmp_path, cwd=root) == first
        assert is_remembered("migrate-check", ".", home=tmp_path, cwd=root), "it was written anew"


def test_a_shortened_entry_is_as_none(tmp_path: Path) -> None:
    with tree() as root:
        first = run("migrate-check", ".", home=tmp_path, cwd=root)
        (entry,) = entries(tmp_path)
        entry.write_bytes(entry.read_bytes()[:-10])
        assert run("migrate-check", ".", home=tmp_path, cwd=root) == first


def test_an_entry_of_another_user_is_as_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with tree() as root:
        first = run("migrate-check", ".", home=tmp_path, cwd=root)
        assert is_remembered("migrate-check", ".", home=tmp_path, cwd=root)
        monkeypatch.setattr(os, "getuid", lambda: 12345)
        assert run("migrate-check", ".", home=tmp_path, cwd=root) == first


@pytest.mark.parametrize("home", ["/dev/null", "/proc/nowhere", "relative"])
def test_where_no_cache_can_be_written_there_is_none(home: str) -> None:
    with tree() as root:
        assert run("migrate-check", ".", home=Path(home), cwd=root) == run(
            "migrate-check", ".", "--no-cache", home=Path(home), cwd=root
        )


def test_the_oldest_entries_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "ENTRIES", 2)
    with tree() as root:
        for version in ("12", "13", "14", "15"):
            run("migrate-check", ".", "--pg-version", version, home=tmp_path, cwd=root)
        assert len(entries(tmp_path)) == 2
        assert is_remembered("migrate-check", ".", "--pg-version", "15", home=tmp_path, cwd=root)


def test_a_touched_file_is_compared_once(tmp_path: Path) -> None:
    with tree() as root, coarse(0):
        run("migrate-check", ".", home=tmp_path, cwd=root)
        (root / "db/migrations/0001_users.sql").touch()
        before = entries(tmp_path)[0].read_bytes()
        run("migrate-check", ".", home=tmp_path, cwd=root)
        after = entries(tmp_path)[0].read_bytes()
        assert before != after, "it was stamped anew"
        run("migrate-check", ".", home=tmp_path, cwd=root)
        assert entries(tmp_path)[0].read_bytes() == after


Edit = Callable[[Path], None]


def edited(path: str, old: str, new: str) -> Edit:
    def edit(root: Path) -> None:
        if (root / path).is_file():
            (root / path).write_text((root / path).read_text().replace(old, new))

    return edit


def added(path: str, text: str) -> Edit:
    def edit(root: Path) -> None:
        if not (root / path).is_dir() and all(not one.is_file() for one in (root / path).parents):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)

    return edit


def removed(path: str) -> Edit:
    def edit(root: Path) -> None:
        if (root / path).is_dir() and not (root / path).is_symlink():
            shutil.rmtree(root / path)
        else:
            (root / path).unlink(missing_ok=True)

    return edit


def renamed(path: str, new: str) -> Edit:
    def edit(root: Path) -> None:
        if (root / path).exists() and not (root / new).exists():
            (root / path).rename(root / new)

    return edit


def linked(path: str, target: str) -> Edit:
    def edit(root: Path) -> None:
        removed(path)(root)
        if (root / path).parent.is_dir():
            (root / path).symlink_to(target)

    return edit


def touched(path: str) -> Edit:
    def edit(root: Path) -> None:
        if (root / path).exists():
            os.utime(root / path, (1, 1))

    return edit


FIRST, SECOND = "db/migrations/0001_users.sql", "db/migrations/0002_index.sql"
EDITS = [
    edited(FIRST, "name text", "name uuid"),  # as long as before
    edited(FIRST, "name uuid", "name text"),
    edited(SECOND, "CREATE INDEX ", "CREATE INDEX CONCURRENTLY "),
    edited("shop/migrations/0001_orders.down.sql", "orders", "others"),
    edited("backendgen.toml", "old/", "db/"),
    edited("alembic/versions/a1_first.py", "'old'", "'young'"),
    edited("alembic/env.py", "", "# lock_timeout\n"),
    added("db/migrations/0004_drop.sql", "DROP TABLE users;\n"),
    added("db/migrations/0004_drop.sql", "-- backendgen: ignore[BG801] unused\nDROP TABLE users;\n"),
    added("db/migrations/migration_lock.toml", 'provider = "mysql"\n'),
    added("db/flyway.conf", "flyway.url=jdbc:mysql://h/d\n"),
    added("shop/Makefile", "migrate -database 'postgres://h/d?x-multi-statement=true'\n"),
    added("shop/sqitch.plan", "%project=shop\n\nfirst 2026-01-01T00:00:00Z a <a@b.c>\n"),
    added("new/migrations/0001_new.sql", "CREATE TABLE made (id int);\n"),
    added("pyproject.toml", '[tool.backendgen]\nignore = ["BG7"]\n'),
    added("../pyproject.toml", '[tool.backendgen]\nignore = ["BG8"]\n'),
    added("db/backendgen.toml", 'ignore = ["BG701"]\n'),
    removed(SECOND),
    removed("old"),
    removed("backendgen.toml"),
    removed(".git"),
    removed("shop"),
    renamed(SECOND, "db/migrations/0000_index.sql"),
    renamed("db/migrations", "db/mysql"),
    renamed("db/mysql", "db/migrations"),
    renamed("old", "older"),
    linked(SECOND, "0001_users.sql"),
    linked(SECOND, "0003_type.sql"),
    linked("db/migrations/0005_out.sql", "../../../missing.sql"),
    touched(FIRST),
    touched("db/migrations"),
]


def follow(
    steps: list[Edit],
    paths: list[str],
    nanoseconds: int,
    command: str = "migrate-check",
    contents: dict[str, str] = TREE,
) -> None:
    with tree(contents) as root, tempfile.TemporaryDirectory() as home, coarse(nanoseconds):
        for step in [touched("nothing"), *steps]:
            step(root)
            for path in paths:
                arguments = (command, path, "--format", "json", "--confidence", "low")
                plain = run(*arguments, "--no-cache", home=Path(home), cwd=root)
                assert run(*arguments, home=Path(home), cwd=root) == plain
                assert run(*arguments, home=Path(home), cwd=root) == plain


@pytest.mark.parametrize("nanoseconds", [0, cache._COARSE_NS])
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=st.lists(st.sampled_from(EDITS), min_size=1, max_size=4), path=st.sampled_from([".", "db", FIRST]))
def test_any_change_of_a_tree_gives_the_report_of_a_run_without_a_cache(
    nanoseconds: int, steps: list[Edit], path: str
) -> None:
    follow(steps, [path], nanoseconds)


@pytest.mark.slow
@pytest.mark.parametrize("nanoseconds", [0, cache._COARSE_NS])
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=st.lists(st.sampled_from(EDITS), min_size=1, max_size=8))
def test_long_series_of_changes(nanoseconds: int, steps: list[Edit]) -> None:
    follow(steps, [".", "db", FIRST], nanoseconds)


@pytest.mark.slow
def test_each_single_change_of_a_tree() -> None:
    for step in EDITS:
        follow([step], ["."], 0)


SERVICE = {
    "backendgen.toml": 'exclude = ["old/"]\n',
    "app/__init__.py": "",
    "app/main.py": (
        "import hashlib\nfrom fastapi import FastAPI\nfrom app.rows import find\n\napp = FastAPI()\n\n\n"
        '@app.get("/rows")\ndef rows(name: str):\n    return find(name)\n\n\n'
        "def digest(text: bytes):\n    return hashlib.md5(text)\n"
    ),
    "app/rows.py": (
        'import sqlite3\n\n\ndef find(name):\n    return sqlite3.connect("a").execute(f"SELECT * FROM t WHERE n = {name}")\n'
    ),
    "old/gone.py": "import yaml\nyaml.load(open('a'))\n",
    "Dockerfile": "FROM python\nCOPY . .\n",
    "compose.yaml": "services:\n  db:\n    image: postgres:17\n    ports: ['5432:5432']\n",
    "broken.py": "def (\n",
    ".env": "DEBUG=1\n",
}
CHANGES = [
    edited("app/rows.py", "{name}", "{1000}"),  # as long as before
    edited("app/rows.py", "{1000}", "{name}"),
    edited("app/main.py", "md5(text)", "md5(text)  # backendgen: ignore[BG201] an ETag"),
    edited("app/main.py", "app.rows", "app.none"),
    edited("backendgen.toml", "old/", "app/"),
    edited("broken.py", "def (", "def f():\n    pass"),
    edited("Dockerfile", "COPY", "USER app\nCOPY"),
    added("app/more.py", "import pickle\n\n\ndef load(text):\n    return pickle.loads(text)\n"),
    added(".gitignore", "broken.py\n"),
    added("app/.gitignore", "rows.py\n"),
    added(".dockerignore", ".env\n"),
    added("requirements.txt", "fastapi\n"),
    added("app/venv/pyvenv.cfg", ""),
    added("pyproject.toml", '[tool.backendgen]\nignore = ["BG2"]\n'),
    added("../pyproject.toml", '[tool.backendgen]\nignore = ["BG1"]\n'),
    added("../__init__.py", ""),
    added("__init__.py", ""),
    removed("app/__init__.py"),
    removed("backendgen.toml"),
    removed("old"),
    removed("compose.yaml"),
    renamed("app/rows.py", "app/lines.py"),
    renamed("app", "site-packages"),
    renamed("old", "older"),
    linked("app/rows.py", "main.py"),
    linked("app/out.py", "../../../missing.py"),
    linked("broken.py", "app/main.py"),
    touched("app/main.py"),
    touched("app"),
]


def test_an_audit_of_an_unchanged_tree_is_not_done_again(tmp_path: Path) -> None:
    with tree(SERVICE) as root:
        first = run("audit", ".", home=tmp_path, cwd=root)
        assert first[0] == 1
        assert "BG103" in first[1]
        assert run("audit", ".", home=tmp_path, cwd=root) == first
        assert is_remembered("audit", ".", home=tmp_path, cwd=root)
        assert not is_remembered("audit", ".", "--no-cache", home=tmp_path, cwd=root)
        assert not is_remembered("audit", "app", home=tmp_path, cwd=root)


@pytest.mark.parametrize("arguments", [("--write-baseline", "base.json"), ("--fix",), ("--endpoints",)])
def test_an_audit_that_does_more_than_report_is_not_remembered(arguments: tuple[str, ...], tmp_path: Path) -> None:
    with tree(SERVICE) as root:
        run("audit", ".", *arguments, home=tmp_path, cwd=root)
        assert entries(tmp_path) == []


CARD = """---
title: Evaluated
severity: high
confidence: high
cwe: [95]
detect: {detect}
since: 0.1.0
---
It runs what it is given.

{patterns}## Fix
Use `ast.literal_eval`.

## Bad
```python
eval(text)  # BG990
```

## Good
```python
text
```
"""
PATTERNS = "```yaml semgrep\npattern: eval(...)\n```\n\n"


@pytest.mark.parametrize(("detect", "patterns"), [("{bandit: [B307]}", ""), ("semgrep", PATTERNS)])
def test_an_audit_that_asks_other_tools_depends_on_what_is_installed(
    detect: str, patterns: str, tmp_path: Path
) -> None:
    card = CARD.format(detect=detect, patterns=patterns)
    with tree(SERVICE | {".backendgen/rules/audit/BG990-evaluated.md": card, "app/run.py": "eval(input())\n"}) as root:
        assert "BG990" in run("audit", ".", home=tmp_path, cwd=root)[1]
        (entry,) = entries(tmp_path)
        noted = entry.read_bytes().split(b"\n", 1)[0].decode()
        assert ("/bin/semgrep-core" in noted, "/bandit/__init__.py" in noted) == (bool(patterns), not patterns)
        assert is_remembered("audit", ".", home=tmp_path, cwd=root)
        (root / "app/run.py").write_text("print(input())\n")
        assert "BG990" not in run("audit", ".", home=tmp_path, cwd=root)[1]


@pytest.mark.parametrize("command", ["rm -rf .git && git init -q", "git init -q && git add -f .env"])
def test_an_audit_that_asks_git_is_not_remembered(command: str, tmp_path: Path) -> None:
    with tree(SERVICE | {".env": "SECRET_KEY=8f2kP0sXq7LmZ3vB6nTr\n"}) as root:
        (root / ".git").rmdir()
        subprocess.run(["/bin/sh", "-c", command], cwd=root, check=True)
        assert "BG436" in run("audit", ".", "--confidence", "low", home=tmp_path, cwd=root)[1]
        assert entries(tmp_path) == []


@pytest.mark.parametrize("nanoseconds", [0, cache._COARSE_NS])
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=st.lists(st.sampled_from(CHANGES), min_size=1, max_size=4), path=st.sampled_from([".", "app"]))
def test_any_change_of_a_service_gives_the_report_of_an_audit_without_a_cache(
    nanoseconds: int, steps: list[Edit], path: str
) -> None:
    follow(steps, [path], nanoseconds, "audit", SERVICE)


@pytest.mark.slow
def test_each_single_change_of_a_service() -> None:
    for step in CHANGES:
        follow([step], ["."], 0, "audit", SERVICE)


@pytest.mark.slow
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=st.lists(st.sampled_from(CHANGES), min_size=1, max_size=8))
def test_long_series_of_changes_of_a_service(steps: list[Edit]) -> None:
    follow(steps, [".", "app/main.py"], 0, "audit", SERVICE)


def test_what_is_asked_is_noted_with_its_answer(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "b").mkdir()
    record = witness.watch()
    try:
        assert files.read_bytes(tmp_path / "a.txt") == b"a"
        assert files.text_of(tmp_path / "none") == ""
        assert not files.is_file(tmp_path / "b")
        assert [names for _, _, names in files.walk(tmp_path)] == [["a.txt"], []]
        files.write(tmp_path / "c", b"")
    finally:
        witness.unwatch()
    assert [(Path(path).name, seen.digest) for (path, _), seen in record.files.items()] == [
        ("a.txt", witness.digest(b"a"))
    ]
    assert {Path(path).name: kind for path, kind in record.kinds.items()} == {"none": "", "b": "folder"}
    assert [Path(path).name for path in record.folders] == [tmp_path.name, "b"]
    assert record.spoilt, "a run that writes is not to be remembered"
