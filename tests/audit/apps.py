"""Small applications on disk, and what audits say about them."""

from __future__ import annotations

from pathlib import Path

from backendgen.audit import audit
from backendgen.audit.engines.own import describe
from backendgen.audit.service import Endpoint
from backendgen.code.project import load
from backendgen.config import Config
from backendgen.findings.finding import Report
from backendgen.rules import Rulebook

RULEBOOK = Rulebook()


def written(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def endpoints(root: Path, files: dict[str, str]) -> tuple[Endpoint, ...]:
    return describe(load(written(root, files)), Config()).service.endpoints


def report(root: Path, files: dict[str, str], **settings: object) -> Report:
    return audit(written(root, files), Config(**settings), RULEBOOK)  # type: ignore[arg-type]


def found(outcome: Report) -> list[tuple[str, str, int]]:
    return [(one.rule_id, one.location.path, one.location.line) for one in outcome.findings]
