"""Audits of what stands beside the code: ignores in it, holes, files of other services, and nothing but documents."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from apps import RULEBOOK, found, report

from backendgen import process
from backendgen.audit import audit
from backendgen.config import Config

SECRET = "k8Jd93hfKq02mZx71Lw0pQvR5tYb6NcE"


def test_an_ignore_hides_a_finding_in_a_dockerfile_and_in_yaml(tmp_path: Path) -> None:
    outcome = report(
        tmp_path,
        {
            "Dockerfile": "# backendgen: ignore[BG420] the platform chooses the user\n"
            "FROM python:3.14\nCMD uvicorn app:app\n",
            "compose.yaml": "services:\n  db:\n    image: postgres:18\n    ports:\n"
            '      - "5432:5432"  # backendgen: ignore[BG426] behind a firewall, isn\'t it\n',
            "requirements.txt": "passlib==1.7.4  # backendgen: ignore[BG433] to be replaced\n",
        },
    )
    assert found(outcome) == []
    assert [(one.finding.rule_id, one.reason) for one in outcome.ignored] == [
        ("BG420", "the platform chooses the user"), ("BG426", "behind a firewall, isn't it"), ("BG433", "to be replaced"),
    ]  # fmt: skip


def test_broken_documents_are_holes_not_crashes(tmp_path: Path) -> None:
    outcome = report(
        tmp_path, {"api.yaml": "openapi: 3.0.0\npaths: [\n", "poetry.lock": "= 1\n", "compose.yml": "a: b: c\n"}
    )
    assert found(outcome) == [("BG901", "api.yaml", 3), ("BG901", "compose.yml", 1), ("BG901", "poetry.lock", 1)]


def test_documents_of_tests_are_not_judged(tmp_path: Path) -> None:
    outcome = report(tmp_path, {"app/main.py": "x = 1\n", "tests/Dockerfile": "FROM python\nCMD uvicorn app:app\n"})
    assert found(outcome) == []


def test_a_default_audit_of_a_hygienic_document_is_quiet(tmp_path: Path) -> None:
    text = """\
openapi: 3.1.0
info: {title: Shop, version: '1'}
servers: [{url: /}]
security: [{bearer: []}]
paths:
  /orders:
    post:
      requestBody: {content: {application/json: {schema: {type: object, properties: {name: {type: string}}}}}}
      responses: {"201": {description: Made}}
components:
  securitySchemes:
    bearer: {type: http, scheme: bearer, bearerFormat: JWT}
"""
    assert found(report(tmp_path, {"openapi.yaml": text})) == []


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_a_secret_counts_by_what_git_knows_of_its_file(tmp_path: Path) -> None:
    for name in ("kept", "new", "hidden"):
        (tmp_path / name).mkdir()
        (tmp_path / name / ".env").write_text(f"SECRET_KEY={SECRET}\n")
    config = Config(select=("BG436",), confidence="low")
    words = [one.confidence.word for one in audit(tmp_path, config, RULEBOOK).findings]
    assert words == ["medium"] * 3  # no repository

    def git(*arguments: str) -> None:
        assert (
            process.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments], timeout=30, cwd=tmp_path).code
            == 0
        )

    git("init", "-q")
    (tmp_path / ".git" / "info").mkdir(exist_ok=True)
    (tmp_path / ".git" / "info" / "exclude").write_text("hidden/\n")
    git("add", "kept")
    found_now = audit(tmp_path, config, RULEBOOK).findings
    assert [(one.location.path, one.confidence.word) for one in found_now] == [
        ("kept/.env", "high"),
        ("new/.env", "low"),
    ]


def test_the_document_of_a_service_that_is_called_is_not_ours_to_mend(tmp_path: Path) -> None:
    routes = "".join(f'@app.get("/own/{n}")\ndef f{n}(): ...\n' for n in range(5))
    code = f"from fastapi import FastAPI\napp = FastAPI()\n{routes}"
    document = (
        "openapi: 3.0.0\ninfo: {}\nservers: [{url: 'http://api.partner.com'}]\npaths: {/a: {get: {responses: {}}}}\n"
    )
    own = document.replace("/a:", "/own/1:")
    config = Config(select=("BG606",))
    for text, expected in ((document, []), (own, [("BG606", "partner.yaml", 3)])):
        (tmp_path / "main.py").write_text(code)
        (tmp_path / "partner.yaml").write_text(text)
        assert found(audit(tmp_path, config, RULEBOOK)) == expected
