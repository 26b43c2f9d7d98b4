"""The engines' contracts: what they read, what they say when they cannot run, who judges whom."""

from __future__ import annotations

from pathlib import Path

import pytest
from apps import found, report, written

from backendgen import process, resources
from backendgen.audit import audit
from backendgen.audit.engines import semgrep
from backendgen.code.project import load
from backendgen.config import Config
from backendgen.errors import UserError
from backendgen.findings.finding import Report
from backendgen.rules import Rulebook

RULEBOOK = Rulebook(resources.directory("rules"), Path(__file__).parent / "cards")  # with a project's own cards

CORS = """from fastapi.middleware.cors import CORSMiddleware
app.add_middleware(CORSMiddleware, allow_origins=["*"], allow_credentials=True)
"""
NEW_SYNTAX = 'def f[T](d: dict[str, T]):\n    import yaml\n    return yaml.load(f"{d["a"]}", Loader=yaml.Loader)\n'


def test_semgrep_core_keeps_its_contract(tmp_path: Path) -> None:
    """If this fails, semgrep changed: the audit still works, through the slow public command."""
    project = load(written(tmp_path, {"app/main.py": CORS, "app/new.py": NEW_SYNTAX}))
    rules = tuple(rule for rule in RULEBOOK if rule.detect.kind == "semgrep")
    answer = semgrep._core(_patterns(tmp_path, rules), [str(file.location) for file in project.files], tmp_path)
    assert sorted((one["check_id"], Path(one["path"]).name, one["start"]["line"]) for one in answer["results"]) == [
        ("BG990", "new.py", 3), ("BG991", "main.py", 2),
    ]  # fmt: skip
    assert answer["errors"] == []


@pytest.mark.slow
def test_the_public_command_finds_the_same(tmp_path: Path) -> None:
    project = load(written(tmp_path, {"app/main.py": CORS, "tests/new.py": NEW_SYNTAX}))
    rules = tuple(rule for rule in RULEBOOK if rule.detect.kind == "semgrep")
    answer = semgrep._command(_patterns(tmp_path, rules), [str(file.location) for file in project.files], tmp_path)
    assert sorted((one["check_id"].rpartition(".")[2], one["start"]["line"]) for one in answer["results"]) == [
        ("BG990", 3),
        ("BG991", 2),
    ]


def _report(root: Path, files: dict[str, str], *select: str) -> Report:
    return audit(written(root, files), Config(select=select), RULEBOOK)


def _patterns(folder: Path, rules: tuple[object, ...]) -> Path:
    import json

    path = folder / "rules.json"
    path.write_text(json.dumps({"rules": [semgrep.pattern(rule) for rule in rules]}))  # type: ignore[arg-type]
    return path


def test_a_missing_semgrep_is_a_failure_never_clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> Path:
        raise UserError("the installed semgrep has no semgrep-core; reinstall backendgen")

    monkeypatch.setattr(semgrep, "core_path", missing)
    monkeypatch.setattr(process, "find", lambda program: None)
    outcome = _report(tmp_path, {"app/main.py": CORS})
    assert [problem.message for problem in outcome.failures] == [
        "semgrep could not run: the installed semgrep has no semgrep-core; reinstall backendgen; "
        "the program semgrep is not installed beside backendgen"
    ]


@pytest.mark.parametrize(
    "answer", [b"", b"{}", b'{"results": 1}', b'{"results": [{}], "errors": [], "paths": {"scanned": []}}']
)
def test_an_answer_of_another_form_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: bytes) -> None:
    monkeypatch.setattr(process, "run", lambda *_, **__: process.Result(0, answer, b"something broke"))
    outcome = _report(tmp_path, {"app/main.py": CORS}, "BG991")
    assert len(outcome.failures) == 1 and outcome.failures[0].message.startswith("semgrep could not run: ")


def test_our_own_engine_clears_what_it_proves_harmless(tmp_path: Path) -> None:
    text = """TABLE = "items"
def count(connection, limit: int, table):
    connection.execute(f"SELECT id FROM {TABLE} WHERE a = 1 LIMIT {limit}")
    connection.execute(f"SELECT id FROM {table} WHERE a = 1")
"""
    outcome = report(tmp_path, {"app/main.py": text}, confidence="low")
    assert [(one.rule_id, one.location.line, one.engines) for one in outcome.findings] == [("BG104", 4, ("own",))]


def test_a_proven_flow_supersedes_the_weaker_rule(tmp_path: Path) -> None:
    text = """from fastapi import FastAPI
import sqlite3
app = FastAPI()
@app.get("/")
def find(name: str):
    sqlite3.connect("x").execute(f"SELECT id FROM items WHERE name = '{name}'")
"""
    assert found(report(tmp_path, {"app/main.py": text}, confidence="low")) == [("BG103", "app/main.py", 6)]


def test_new_syntax_is_seen_by_every_engine(tmp_path: Path) -> None:
    text = """from fastapi import FastAPI
import hashlib, pickle, sqlite3, yaml
app = FastAPI()
type Rows[T] = list[T]
@app.get("/")
def find[T](query: dict[str, str], name: str) -> Rows[T]:
    try:
        sqlite3.connect("x").execute(f"SELECT id FROM {query["table"]} WHERE name = '{name}'")
    except OSError, ValueError:
        pickle.loads(yaml.load(hashlib.md5(name.encode()).digest()))
"""
    rules = ("BG103", "BG109", "BG990", "BG992")
    assert found(audit(written(tmp_path, {"app/main.py": text}), Config(select=rules, confidence="low"), RULEBOOK)) == [
        ("BG103", "app/main.py", 8), ("BG109", "app/main.py", 10), ("BG990", "app/main.py", 10),
        ("BG992", "app/main.py", 10),
    ]  # fmt: skip


def test_semgrep_reads_syntax_that_is_newer_than_it(tmp_path: Path) -> None:
    text = "import yaml\ntry:\n    a = yaml.load(x)\nexcept KeyError, ValueError:\n    b = yaml.load(y)\n"
    assert found(
        _report(tmp_path, {"app/main.py": text, "app/old.py": "import yaml\nc = yaml.load(z)\n"}, "BG990")
    ) == [
        ("BG990", "app/main.py", 3),
        ("BG990", "app/main.py", 5),
        ("BG990", "app/old.py", 2),
    ]
