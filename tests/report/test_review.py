"""An audit's Markdown: by OWASP category, with what is clean and what was looked at; SARIF's taxonomies."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from backendgen.audit import audit
from backendgen.config import Config
from backendgen.errors import Problem
from backendgen.findings.finding import Coverage, Hit, Ignored, Location, Report, Surface, finding
from backendgen.report import renderer
from backendgen.rules import Rulebook

RULEBOOK = Rulebook()


def made(rule_id: str, path: str, line: int) -> Report:
    one = finding(RULEBOOK[rule_id], Hit(Location(path, line), f"{rule_id} is here", "mend it"), "own")
    coverage = Coverage(
        ("BG103", "BG201", "BG502", "BG901"),
        ("own", "bandit"),
        (("Python", 2), ("OpenAPI", 1)),
        (Surface("FastAPI", 3, 2),),
    )
    return Report((one,), files=3, coverage=coverage)


def test_a_review_says_what_was_found_what_is_clean_and_what_was_looked_at() -> None:
    report = made("BG103", "app/a.py", 4)
    hole = finding(RULEBOOK["BG901"], Hit(Location("b.yaml", 2), "b.yaml was not analysed"), "own")
    report = replace(
        report,
        findings=(*report.findings, hole),
        ignored=(Ignored(report.findings[0], "a constant *name*"),),
        failures=(Problem("semgrep is missing"),),
    )
    text = renderer("markdown")(report, RULEBOOK)
    assert [line for line in text.split("\n") if line.startswith("#")] == [
        "# Security review", "## A05:2025 Injection", "### `app/a.py:4`",
        "## Beyond the Top 10: reliability, performance, process",
        "### `b.yaml:2`", "## Nothing found", "## What was looked at", "## Ignored with a reason",
    ]  # fmt: skip
    assert "| A05:2025 Injection | A03 | 1 |  |  |  |  | 1 |" in text
    assert "<sub>A03:2021 · API8:2023 · CWE-89 · confidence high · found by own</sub>" in text
    assert "- A04:2025 Cryptographic Failures: 1 rule found nothing" in text
    assert "- A01:2025 Broken Access Control: **not looked at**, no rule of it ran" in text
    assert (
        "- 3 files: 2 Python, 1 OpenAPI\n- 4 rules, by own, bandit\n- 3 endpoints of FastAPI, of which 2 ask who calls"
        in text
    )
    assert "- **not analysed:** `b.yaml`" in text
    assert "**Could not run:** semgrep is missing" in text
    assert "- BG103 at `app/a.py:4`: a constant \\*name\\*" in text


def test_a_real_audit_counts_its_files_and_endpoints(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text('from fastapi import FastAPI\napp = FastAPI()\n@app.get("/a")\ndef a(): ...\n')
    (tmp_path / "Dockerfile").write_text("FROM python:3.14\nUSER app\n")
    report = audit(tmp_path, Config(select=("BG2", "BG42")), RULEBOOK)
    assert report.coverage is not None and report.files == 2
    assert report.coverage.kinds == (("Python", 1), ("Dockerfile", 1))
    assert report.coverage.surfaces == (Surface("FastAPI", 1, 0),)
    assert json.loads(renderer("json")(report, RULEBOOK))["coverage"]["endpoints"] == {
        "FastAPI": {"all": 1, "guarded": 0}
    }


def test_sarif_names_the_categories_that_its_rules_belong_to() -> None:
    run = json.loads(renderer("sarif")(made("BG103", "app/a.py", 4), RULEBOOK))["runs"][0]
    assert [(one["name"], [(taxon["id"], taxon["name"]) for taxon in one["taxa"]]) for one in run["taxonomies"]] == [
        ("CWE", [("89", "SQL Injection")]),
        ("OWASP API Security Top 10 2023", [("API8:2023", "Security Misconfiguration")]),
        ("OWASP Top 10 2021", [("A03:2021", "Injection")]),
        ("OWASP Top 10 2025", [("A05:2025", "Injection")]),
    ]
    driver = run["tool"]["driver"]
    assert [one["name"] for one in driver["supportedTaxonomies"]] == [one["name"] for one in run["taxonomies"]]
    assert {one["target"]["id"] for one in driver["rules"][0]["relationships"]} == {
        "89",
        "API8:2023",
        "A03:2021",
        "A05:2025",
    }
    assert run["results"][0]["partialFingerprints"]["backendgen/v1"]
