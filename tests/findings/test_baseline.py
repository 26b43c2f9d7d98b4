"""Baselines: by content, one entry for one finding, and nothing that was not looked at is called gone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import Run

from backendgen import migrate
from backendgen.cli.output import Outlets, report_on
from backendgen.config import Config
from backendgen.errors import Problem, UserError
from backendgen.findings import baseline
from backendgen.findings.finding import Known, Report
from backendgen.rules import Rulebook

RULEBOOK = Rulebook()
OLD = "CREATE TABLE orders (id bigint PRIMARY KEY, total int, note text);\n"
INDEX = "CREATE INDEX by_total ON orders (total);\n"
DROPPED = "DROP TABLE orders;\n"
CHOSEN = ("BG701", "BG801", "BG901")
SELECT = ("--select", ",".join(CHOSEN))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A history with one finding in each of two files, and the baseline of it."""
    folder = tmp_path / "migrations"
    folder.mkdir()
    (folder / "1_init.sql").write_text(OLD)
    (folder / "2_index.sql").write_text(INDEX)
    (folder / "3_drop.sql").write_text(DROPPED)
    accept(tmp_path)
    return tmp_path


def accept(project: Path) -> None:
    root = project / "migrations"
    _, entries = baseline.accept(
        migrate.check(root, Config(CHOSEN, confidence="low"), RULEBOOK), project / "known.json", root
    )
    (project / "known.json").write_text(baseline.dump(entries))


def check(project: Path, path: str = "migrations", **settings: object) -> Report:
    settings = {"select": CHOSEN, **settings}
    config = Config(baseline=project / "known.json", **settings)  # type: ignore[arg-type]
    return migrate.check(project / path, config, RULEBOOK)


def rules(report: Report) -> list[str]:
    return [f"{one.location.path}:{one.location.line} {one.rule_id}" for one in report.findings]


def stale(report: Report) -> list[str]:
    assert report.comparison
    return [f"{one.path} {one.rule_id}" for one in report.comparison.stale]


def test_a_baseline_is_sorted_and_stable(project: Path) -> None:
    text = (project / "known.json").read_text()
    content = json.loads(text)
    assert content["version"] == 1
    assert [(one["path"], one["rule"]) for one in content["findings"]] == [
        ("migrations/2_index.sql", "BG701"),
        ("migrations/3_drop.sql", "BG801"),
    ]
    entries = baseline.load(project / "known.json")
    assert baseline.dump(reversed(entries)) == text
    assert len(text.splitlines()) == len(entries) + 5


def test_what_is_known_is_hidden_and_what_is_new_is_not(project: Path) -> None:
    report = check(project)
    assert rules(report) == [] and stale(report) == []
    assert sorted({one.rule_id for one in report.known}) == ["BG701", "BG801"]
    (project / "migrations" / "4_index.sql").write_text("CREATE TABLE a (b int);\nDROP TABLE b;\n")
    assert rules(check(project)) == ["4_index.sql:2 BG801"]


def test_moves_and_other_lines_keep_it(project: Path) -> None:
    moved = "-- a note\nSELECT 1;\n\n  CREATE INDEX by_total\n    ON orders   (total);\n"
    (project / "migrations" / "2_index.sql").write_text(moved)
    report = check(project)
    assert rules(report) == [] and stale(report) == []


def test_another_statement_is_new_and_the_old_entry_stale(project: Path) -> None:
    (project / "migrations" / "2_index.sql").write_text("CREATE INDEX by_note ON orders (note);\n")
    report = check(project)
    assert rules(report) == ["2_index.sql:1 BG701"]
    assert stale(report) == ["migrations/2_index.sql BG701"]


def test_one_entry_hides_one_finding(project: Path) -> None:
    (project / "migrations" / "2_index.sql").write_text(INDEX + "DROP INDEX CONCURRENTLY by_total;\n" + INDEX)
    assert "2_index.sql:3 BG701" in rules(check(project))


def test_a_renamed_file_keeps_its_entries(project: Path) -> None:
    (project / "migrations" / "2_index.sql").rename(project / "migrations" / "2_orders_index.sql")
    report = check(project)
    assert rules(report) == [] and stale(report) == []


def test_a_copied_file_is_new(project: Path) -> None:
    (project / "migrations" / "2_index_again.sql").write_text("DROP INDEX CONCURRENTLY by_total;\n" + INDEX)
    assert "2_index_again.sql:2 BG701" in rules(check(project))


def test_the_working_directory_and_the_scanned_part_do_not_matter(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project / "migrations")
    report = migrate.check(Path(), Config(CHOSEN, baseline=Path("../known.json")), RULEBOOK)
    assert rules(report) == [] and stale(report) == []
    report = check(project, "migrations/3_drop.sql")
    assert rules(report) == [] and stale(report) == []


def test_rules_that_did_not_run_and_files_that_were_not_read_are_not_stale(project: Path) -> None:
    report = check(project, select=("BG8",))
    assert stale(report) == []
    assert report.comparison and len(report.comparison.beyond) == 1


def test_the_profile_hides_and_calls_nothing_stale(project: Path) -> None:
    assert stale(check(project, confidence="high")) == []


def test_a_file_that_is_gone_is_stale(project: Path) -> None:
    (project / "migrations" / "3_drop.sql").unlink()
    assert stale(check(project)) == ["migrations/3_drop.sql BG801"]


def test_an_unreadable_file_is_never_hidden(project: Path) -> None:
    (project / "migrations" / "4_bad.sql").write_bytes(b"SELECT '\xff';\n")
    assert rules(check(project)) == ["4_bad.sql:1 BG901"]
    accept(project)
    assert rules(check(project)) == ["4_bad.sql:1 BG901"]
    (found,) = check(project).findings
    known = [*baseline.load(project / "known.json"), Known("migrations/4_bad.sql", "BG901", found.content)]
    (project / "known.json").write_text(baseline.dump(known))
    assert rules(check(project)) == ["4_bad.sql:1 BG901"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{", ":1 is not JSON, so it is no baseline"),
        ("[]", " is no baseline: it has no version; this tool reads version 1"),
        ('{"version": 2, "findings": []}', " is a baseline of version 2; this tool reads version 1"),
        ('{"version": 1}', " is no baseline: `findings` is a list of entries with `path`"),
        ('{"version": 1, "findings": [{"path": 1}]}', " is no baseline: `findings` is a list of entries with `path`"),
        ('{"version": 1, "findings": [[]]}', " is no baseline: `findings` is a list of entries with `path`"),
        ("[" * 100_000, " is not JSON, so it is no baseline"),
    ],
)
def test_a_damaged_baseline_is_refused(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "known.json"
    path.write_text(text)
    with pytest.raises(UserError) as error:
        baseline.load(path)
    assert str(error.value).startswith(f"{path}{expected}")


def test_an_empty_baseline(tmp_path: Path) -> None:
    path = tmp_path / "known.json"
    path.write_text(baseline.dump([]))
    assert path.read_text() == '{\n  "version": 1,\n  "findings": []\n}\n'
    assert baseline.load(path) == ()


def test_on_the_command_line(backendgen: Run, project: Path) -> None:
    (project / "known.json").unlink()
    missing = backendgen("migrate-check", "migrations", *SELECT, "--baseline", "known.json")
    assert (missing.returncode, missing.stderr) == (
        2,
        "error: known.json no such file\n  --write-baseline makes a baseline\n",
    )
    written = backendgen("migrate-check", "migrations", *SELECT, "--write-baseline", "known.json", cwd=project)
    assert (written.returncode, written.stderr) == (0, "2 entries written to known.json\n")
    assert written.stdout == "no new findings; 3 files checked, 2 in the baseline\n"
    (project / "migrations" / "3_drop.sql").write_text("-- kept\n")
    compared = backendgen("migrate-check", "migrations", *SELECT, "--baseline", "known.json", cwd=project)
    assert compared.returncode == 0
    assert compared.stdout == (
        "known.json: 1 entry hides nothing any more (BG801 in migrations/3_drop.sql); "
        "--write-baseline takes them out\nno new findings; 3 files checked, 1 in the baseline\n"
    )
    (project / "backendgen.toml").write_text('baseline = "known.json"\n')
    (project / "migrations" / "4_new.sql").write_text("DROP TABLE orders;\n")
    configured = backendgen("migrate-check", "migrations", *SELECT, cwd=project)
    assert configured.returncode == 1
    assert configured.stdout.endswith("\n1 new finding (1 high); 4 files checked, 1 in the baseline\n")


def test_two_commands_share_one_baseline(backendgen: Run, project: Path) -> None:
    (project / "app.py").write_text("import yaml\n\n\ndef read(text):\n    return yaml.load(text, yaml.Loader)\n")
    audited = backendgen("audit", ".", "--write-baseline", "known.json", cwd=project)
    assert audited.stderr == "3 entries written to known.json\n", audited.stdout
    assert rules(check(project)) == []
    assert backendgen("audit", ".", "--baseline", "known.json", cwd=project).returncode == 0


def test_an_incomplete_run_writes_no_baseline(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = project / "known.json"
    before = path.read_text()
    with pytest.raises(SystemExit) as ended:
        report_on(
            lambda _: Report(failures=(Problem("semgrep is missing"),)),
            project,
            Config(),
            Outlets("text", baseline=path),
        )
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"error: {path} was not written: something could not run\n"
    assert path.read_text() == before
