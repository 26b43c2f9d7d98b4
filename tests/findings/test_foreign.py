"""`# nosec` and `# nosemgrep`: which findings they hide, what they say, and how that is reported."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backendgen.audit import audit
from backendgen.config import Config
from backendgen.findings import foreign
from backendgen.findings.finding import Report
from backendgen.report import renderer
from backendgen.rules import Rulebook

RULEBOOK = Rulebook()


def _report(tmp_path: Path, statement: str) -> Report:
    (tmp_path / "app.py").write_text(f"import hashlib\nimport paramiko\n\n\ndef run(client, text):\n{statement}\n")
    return audit(tmp_path, Config(select=("BG201", "BG214", "BG902")), RULEBOOK)


@pytest.mark.parametrize(
    ("statement", "by", "reason"),
    [
        ("    hashlib.md5(text)  # nosec", "nosec", "nosec"),
        ("    hashlib.md5(text)  # nosec B324", "nosec", "nosec B324"),
        ("    hashlib.md5(text)  # nosec: B303, B324 an etag", "nosec", "nosec: B303, B324 an etag"),
        ("    hashlib.md5(text)  # nosec - an etag", "nosec", "nosec - an etag"),
        ("    hashlib.md5(text)  # noqa: S324 # nosec", "nosec", "nosec"),
        ("    hashlib.md5(\n        text\n    )  # nosec", "nosec", "nosec"),
        ("    hashlib.md5(text)  # nosec hashlib_insecure_functions", "nosec", "nosec hashlib_insecure_functions"),
        ("    hashlib.md5(text)  # nosec B324,B303", "nosec", "nosec B324,B303"),
        ("    hashlib.md5(text)  # nosemgrep", "nosemgrep", "nosemgrep"),
        ("    hashlib.md5(text)  # NOSEM", "nosemgrep", "NOSEM"),
        ("    hashlib.md5(text)  # nosem=insecure-hash-algorithm-md5, other", "nosemgrep",
         "nosem=insecure-hash-algorithm-md5, other"),
        ("    # nosemgrep: python.lang.insecure-hash-algorithm-md5\n    hashlib.md5(text)", "nosemgrep",
         "nosemgrep: python.lang.insecure-hash-algorithm-md5"),
    ],
)  # fmt: skip
def test_hidden_and_counted(tmp_path: Path, statement: str, by: str, reason: str) -> None:
    report = _report(tmp_path, statement)
    assert [(one.finding.rule_id, one.by, one.reason) for one in report.ignored] == [("BG201", by, reason)]
    assert report.findings == ()
    text = renderer("text", colour=False)(report, RULEBOOK)
    assert text == f"no findings; 1 file checked, 1 ignored by {by}\n"


@pytest.mark.parametrize(
    "statement",
    [
        "    hashlib.md5(text)  # nosec B101",
        "    hashlib.md5(text)  # nosec assert_used",
        "    hashlib.md5(text)  # NOSEC",
        "    hashlib.md5(text)  # nosem: other-rule, another",
        "    # nosec\n    hashlib.md5(text)",
        "    hashlib.md5('# nosec')",
        "    hashlib.md5(text)  # nosemgrep: other-rule",
        "    text.strip()  # nosemgrep\n    hashlib.md5(text)",
    ],
)
def test_not_hidden(tmp_path: Path, statement: str) -> None:
    report = _report(tmp_path, statement)
    assert [one.rule_id for one in report.findings] == ["BG201"]
    assert report.ignored == ()


def test_the_names_of_tests_are_bandit_s() -> None:
    from bandit.core.extension_loader import MANAGER

    ours = {one.name: number for number, one in MANAGER.plugins_by_id.items()}
    listed = {one["name"]: number for number, one in MANAGER.blacklist_by_id.items()}
    assert ours | listed == foreign.TESTS


def test_an_ignore_of_our_own_comes_first(tmp_path: Path) -> None:
    report = _report(tmp_path, "    hashlib.md5(text)  # nosec # backendgen: ignore[BG201] an etag")
    assert [(one.by, one.reason) for one in report.ignored] == [("", "an etag")]
    assert report.findings == ()


def test_sarif_says_why(tmp_path: Path) -> None:
    report = _report(tmp_path, "    hashlib.md5(text)  # nosec B324 an etag")
    sarif = json.loads(renderer("sarif")(report, RULEBOOK))
    suppressions = [one["suppressions"] for one in sarif["runs"][0]["results"]]
    assert suppressions == [[{"kind": "inSource", "justification": "nosec B324 an etag"}]]


def test_a_rule_without_peers_is_not_hidden() -> None:
    comment = foreign.scan("a.py", "x = 1  # nosec\n")[1]
    assert (comment.tool, comment.names, comment.alone) == ("nosec", frozenset(), False)
    assert RULEBOOK["BG303"].peers == ()
