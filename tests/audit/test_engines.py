"""The engines' contracts: what they read, what they say when they cannot run, who judges whom."""

from __future__ import annotations

from pathlib import Path

import pytest
from apps import found, report, written

from backendgen import process, resources
from backendgen.audit import audit
from backendgen.audit.engines import bandit, semgrep
from backendgen.code.project import Project, load
from backendgen.config import Config
from backendgen.errors import UserError
from backendgen.findings.finding import Report
from backendgen.rules import Rule, Rulebook, parse_card

RULEBOOK = Rulebook(resources.directory("rules"), Path(__file__).parent / "cards")  # with a project's own cards

CORS = """from fastapi.middleware.cors import CORSMiddleware
app.add_middleware(CORSMiddleware, allow_origins=["*"], allow_credentials=True)
"""
NEW_SYNTAX = 'def f[T](d: dict[str, T]):\n    import yaml\n    return yaml.load(f"{d["a"]}", Loader=yaml.Loader)\n'


def test_semgrep_core_keeps_its_contract(tmp_path: Path) -> None:
    """If this fails, semgrep changed: the audit still works, through the slow public command."""
    project = load(written(tmp_path, {"app/main.py": CORS, "app/new.py": NEW_SYNTAX}))
    rules = _cards_for_python()
    answer = semgrep._core(_patterns(tmp_path, rules), _pairs(project), tmp_path)
    assert sorted((one["check_id"], Path(one["path"]).name, one["start"]["line"]) for one in answer["results"]) == [
        ("BG990", "new.py", 3), ("BG991", "main.py", 2),
    ]  # fmt: skip
    assert answer["errors"] == []


@pytest.mark.slow
def test_the_public_command_finds_the_same(tmp_path: Path) -> None:
    project = load(written(tmp_path, {"app/main.py": CORS, "tests/new.py": NEW_SYNTAX}))
    rules = _cards_for_python()
    answer = semgrep._command(_patterns(tmp_path, rules), _pairs(project), tmp_path)
    assert sorted((one["check_id"].rpartition(".")[2], one["start"]["line"]) for one in answer["results"]) == [
        ("BG990", 3),
        ("BG991", 2),
    ]


def _cards_for_python() -> tuple[Rule, ...]:
    return tuple(rule for rule in RULEBOOK if rule.detect.kind == "semgrep" and not rule.detect.documents)


def _pairs(project: Project) -> list[semgrep.Pair]:
    return [(str(file.location), "python") for file in project.files]


def _report(root: Path, files: dict[str, str], *select: str) -> Report:
    return audit(written(root, files), Config(select=select), RULEBOOK)


def _patterns(folder: Path, rules: tuple[Rule, ...]) -> Path:
    import json

    path = folder / "rules.json"
    path.write_text(json.dumps({"rules": [semgrep.pattern(rule) for rule in rules]}))
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


SHELL = """import subprocess
from fastapi import FastAPI
app = FastAPI()
PROGRAM = "sync"
@app.post("/thumbnails")
def create(name: str):
    subprocess.run(f"convert {name}", shell=True)
def known(size: int):
    subprocess.run(f"{PROGRAM} {size}", shell=True)
def unknown(name):
    subprocess.run(f"convert {name}", shell=True)
subprocess.run("git rev-parse HEAD", shell=True)
"""


def test_bandit_agrees_is_overruled_and_is_believed(tmp_path: Path) -> None:
    """A proven flow names both engines, what is proved harmless is dropped, the rest is bandit's."""
    written(tmp_path, {"app/main.py": SHELL})
    outcome = audit(tmp_path, Config(select=("BG105", "BG150"), confidence="low"), RULEBOOK)
    assert [(one.rule_id, one.location.line, one.engines) for one in outcome.findings] == [
        ("BG105", 7, ("own", "bandit")), ("BG150", 11, ("bandit",)),
    ]  # fmt: skip
    default = audit(tmp_path, Config(select=("BG105", "BG150")), RULEBOOK)
    assert [(one.rule_id, one.location.line, one.engines) for one in default.findings] == [
        ("BG105", 7, ("own", "bandit"))
    ]


def test_bandit_sees_only_files_that_mention_what_its_rules_are_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    issues = bandit._issues
    monkeypatch.setattr(bandit, "_issues", lambda file, *rest: seen.append(file.path) or issues(file, *rest))
    files = {"app/main.py": "import ftplib\nftp = ftplib.FTP(host)\n", "app/other.py": "import json\n"}
    assert found(_report(tmp_path, files, "BG154", "BG613")) == [("BG154", "app/main.py", 2)]
    assert seen == ["app/main.py"]


def test_a_mistake_in_bandit_is_a_hole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from bandit.core.context import Context

    def broken(self: Context) -> str:
        raise ValueError("a plugin's own mistake")

    monkeypatch.setattr(Context, "call_function_name_qual", property(broken))
    outcome = _report(tmp_path, {"app/main.py": "import ssl\nssl.wrap_socket(ssl_version=ssl.PROTOCOL_SSLv2)\n"})
    assert [one.message for one in outcome.findings if one.rule_id == "BG901"] == [
        "app/main.py was not analysed: bandit failed: ValueError: a plugin's own mistake"
    ]


def test_bandit_is_not_loaded_for_files_that_mention_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bandit, "_manager", lambda tests: pytest.fail("bandit was loaded"))
    assert found(_report(tmp_path, {"app/main.py": "import json\n"}, "BG15")) == []


TEMPLATE = """{% extends "base.html" %}
<h1 title={{ item.name }}>{{ item.name }}</h1>
{# backendgen: ignore[BG264] set by us #}
<h2 title={{ item.kind }}>{{ item.kind }}</h2>
<!-- backendgen: ignore[BG264] set by us, too -->
<h3 title={{ item.group }}>{{ item.group }}</h3>
"""
NGINX = """server {
    return 301 https://$host$uri;
    # backendgen: ignore[BG449] old clients, until they are gone
    ssl_protocols TLSv1 TLSv1.2;
}
"""


def test_semgrep_reads_templates_and_nginx(tmp_path: Path) -> None:
    files = {"app/main.py": "a = 1\n", "app/templates/item.html": TEMPLATE, "nginx/shop.conf": NGINX,
             "app/tests/templates/item.html": TEMPLATE, "page.html": "<h1 title={{ a }}>", "x.conf": "a {\n}\n"}  # fmt: skip
    outcome = _report(tmp_path, files, "BG264", "BG44")
    assert [(one.rule_id, one.location.path, one.location.line, one.engines) for one in outcome.findings] == [
        ("BG264", "app/templates/item.html", 2, ("semgrep",)), ("BG448", "nginx/shop.conf", 2, ("semgrep",)),
    ]  # fmt: skip
    assert [(one.finding.rule_id, one.finding.location.line, one.reason) for one in outcome.ignored] == [
        ("BG264", 4, "set by us"), ("BG264", 6, "set by us, too"), ("BG449", 4, "old clients, until they are gone"),
    ]  # fmt: skip
    assert outcome.coverage and outcome.coverage.kinds == (
        ("Python", 1), ("HTML template", 1), ("nginx configuration", 1),
    )  # fmt: skip


@pytest.mark.slow
def test_the_public_command_finds_the_same_in_templates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> Path:
        raise UserError("no core")

    monkeypatch.setattr(semgrep, "core_path", missing)
    files = {"app/main.py": CORS, "app/templates/item.html": TEMPLATE, "nginx/shop.conf": NGINX}
    assert found(_report(tmp_path, files, "BG264", "BG44", "BG991")) == [
        ("BG991", "app/main.py", 2), ("BG264", "app/templates/item.html", 2), ("BG448", "nginx/shop.conf", 2),
    ]  # fmt: skip


def test_semgrep_is_not_started_without_a_file_that_its_patterns_are_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "run", lambda *_, **__: pytest.fail("semgrep was started"))
    assert found(report(tmp_path, {"app/main.py": "import json\n", "app/page.html": "<p>{{ angular }}</p>"})) == []


def test_a_template_is_not_clean_when_semgrep_did_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "run", lambda *_, **__: process.Result(2, b"", b"out of memory"))
    outcome = _report(tmp_path, {"app/main.py": "a = 1\n", "app/templates/item.html": TEMPLATE}, "BG264")
    assert [problem.message for problem in outcome.failures] == [
        "semgrep could not run: exit code 2 without JSON (out of memory); exit code 2 without JSON (out of memory)"
    ]


@pytest.mark.parametrize(
    "detect",
    ["{semgrep: [pages]}", "{semgrep: []}", "{mentions: [a]}", "{bandit: [B602], mentions: a}", "{bandit: B602}"],
)
def test_a_card_that_names_what_is_not_there_is_refused(detect: str) -> None:
    head = f"title: T\nseverity: low\nconfidence: low\ndetect: {detect}\nsince: 0.1.0"
    with pytest.raises(UserError) as error:
        parse_card(f"---\n{head}\n---\nWhy.\n", Path("rules/audit/BG999-a.md"))
    assert "detect is python" in error.value.problems[0].message
