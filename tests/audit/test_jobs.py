"""The work of an audit shared by processes: the report is that of one."""

from __future__ import annotations

from pathlib import Path

import pytest

from backendgen import resources
from backendgen.audit import audit
from backendgen.audit.checks import check
from backendgen.audit.engines import own
from backendgen.audit.registry import Context
from backendgen.code.project import load
from backendgen.config import Config
from backendgen.findings.finding import Hit
from backendgen.rules import Rulebook

ROOT = Path(__file__).parents[2]
RULEBOOK = Rulebook(resources.directory("rules"))


@pytest.mark.parametrize("project", ["vulnerable", "orders"])
def test_processes_that_share_the_work_report_what_one_does(project: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own, "WORTHWHILE", 0)
    path = ROOT / "examples" / project
    alone = audit(path, Config(confidence="low"), RULEBOOK, jobs=1)
    assert audit(path, Config(confidence="low"), RULEBOOK, jobs=3) == alone


def test_a_rule_that_fails_in_another_process_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def wrong(context: Context) -> list[Hit]:
        raise LookupError(context.project.root)

    monkeypatch.setattr(own, "WORTHWHILE", 0)
    monkeypatch.setitem(check.functions, "BG201", wrong)
    monkeypatch.setitem(check.functions, "BG301", wrong)
    (tmp_path / "app.py").write_text("import hashlib\n\nhashlib.md5(b'')\n")
    reports = [audit(tmp_path, Config(), RULEBOOK, jobs=jobs) for jobs in (1, 2)]
    assert [one.message.split(" (")[0] for one in reports[0].failures] == [
        "BG201 could not be judged", "BG301 could not be judged",
    ]  # fmt: skip
    assert reports[1].failures == reports[0].failures


def test_what_is_known_of_an_endpoint_does_not_depend_on_who_asks_first() -> None:
    project = load(ROOT / "examples/orders")
    one, other = own.describe(project, Config()), own.describe(project, Config())
    endpoints = one.service.endpoints
    assert len(endpoints) > 5
    first = [one.facts.access(each) for each in endpoints]
    last = [other.facts.access(each) for each in reversed(other.service.endpoints)]
    assert first == last[::-1]
    assert one.facts.tracer.frames == other.facts.tracer.frames
