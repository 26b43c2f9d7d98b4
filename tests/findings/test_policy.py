"""Settings of a project and of its folders: severities, and rules that do not count there."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import Run

from backendgen import migrate
from backendgen.config import load
from backendgen.errors import UserError
from backendgen.rules import Rulebook

RULEBOOK = Rulebook()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for folder in ("new", "legacy", "legacy/deep"):
        (tmp_path / "db" / folder).mkdir(parents=True)
        (tmp_path / "db" / folder / "1_t.sql").write_text("DROP TABLE t;\nCREATE INDEX i ON u (a);\n")
    return tmp_path


def found(project: Path, settings: str, path: str = ".") -> list[str]:
    """What is reported under these settings, as `folder rule severity`."""
    (project / "backendgen.toml").write_text(settings)
    report = migrate.check(project / path, load(project / path), RULEBOOK)
    return [
        f"{Path(one.location.path).parent.as_posix()} {one.rule_id} {one.severity.word}"
        for one in report.findings
        if one.rule_id in ("BG701", "BG801", "BG902")
    ]


def test_severities_of_the_project(project: Path) -> None:
    assert found(project, 'severity = {BG801 = "info", BG8 = "critical", BG70 = "low"}', "db/new") == [
        ". BG801 info",
        ". BG701 low",
    ]


def test_a_folder_ignores_selects_and_grades(project: Path) -> None:
    settings = """
severity = {BG801 = "medium"}
[[paths]]
match = ["/db/legacy/"]
ignore = ["BG701"]
[[paths]]
match = ["deep"]
severity = {BG801 = "low"}
[[paths]]
match = ["new"]
select = ["BG7"]
"""
    expected = ["db/legacy BG801 medium", "db/legacy/deep BG801 low", "db/new BG701 high"]
    assert found(project, settings) == expected
    assert found(project, settings, "db") == [one.removeprefix("db/") for one in expected]
    assert found(project, settings, "db/legacy/deep") == [". BG801 low"]
    assert found(project, settings, "db/new/1_t.sql") == [". BG701 high"]


def test_patterns_take_back(project: Path) -> None:
    settings = '[[paths]]\nmatch = ["db/legacy/*", "!db/legacy/deep"]\nignore = ["BG8", "BG7"]\n'
    assert found(project, settings, "db") == [
        *("legacy/deep BG801 high", "legacy/deep BG701 high"),
        *("new BG801 high", "new BG701 high"),
    ]


def test_an_ignore_comment_for_what_a_folder_ignores_is_not_unused(project: Path) -> None:
    sql = "DROP TABLE t; -- backendgen: ignore[BG801] empty\n"
    (project / "db" / "new" / "1_t.sql").write_text(sql)
    assert found(project, '[[paths]]\nmatch = ["new"]\nignore = ["BG801"]\n', "db/new") == []
    assert migrate.check(project / "db/new", load(project / "db"), RULEBOOK).ignored == ()


def test_an_unreadable_file_counts_whatever_is_selected(project: Path) -> None:
    (project / "db" / "new" / "2_t.sql").write_bytes(b"\xff")
    (project / "backendgen.toml").write_text('[[paths]]\nmatch = ["db"]\nselect = ["BG801"]\n')
    report = migrate.check(project / "db/new", load(project / "db"), RULEBOOK)
    assert [one.rule_id for one in report.findings] == ["BG801", "BG901"]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ('severity = {BGX = "low"}', "no rule's id starts with 'BGX'"),
        ('[[paths]]\nmatch = ["a"]\nignore = ["BG999"]', "no rule's id starts with 'BG999'"),
        ('[[paths]]\nmatch = ["a"]\nseverity = {BG999 = "low"}', "no rule's id starts with 'BG999'"),
    ],
)
def test_rules_and_patterns_that_cannot_be_are_refused(project: Path, settings: str, expected: str) -> None:
    with pytest.raises(UserError) as error:
        found(project, settings)
    assert str(error.value).startswith(expected)


def test_both_commands_follow_it(backendgen: Run, tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "app.py").write_text(
        "import yaml\n\n\ndef read(text):\n    return yaml.load(text, yaml.Loader)\n"
    )
    (tmp_path / "old" / "1_t.sql").write_text("DROP TABLE t;\n")
    for command in ("audit", "migrate-check"):
        (tmp_path / "backendgen.toml").write_text("")
        assert backendgen(command, ".").returncode == 1
        (tmp_path / "backendgen.toml").write_text('[[paths]]\nmatch = ["old/"]\nseverity = {BG = "low"}\n')
        done = backendgen(command, ".")
        assert done.returncode == 0 and " low)" in done.stdout
        (tmp_path / "backendgen.toml").write_text('[[paths]]\nmatch = ["old/"]\nignore = ["BG"]\n')
        assert backendgen(command, ".").stdout.startswith("no findings; ")
