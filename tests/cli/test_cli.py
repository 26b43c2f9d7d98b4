"""The command line as its user meets it: help, exit codes, and what it says about bad input."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from conftest import ROOT, Run

MINIMAL = ROOT / "examples" / "minimal" / "spec.yaml"


def test_version_needs_no_imports(backendgen: Run) -> None:
    from backendgen import __version__

    assert backendgen("--version").stdout == f"backendgen {__version__}\n"
    probe = "import sys; sys.argv = ['x', '--version']; import atexit, backendgen.__main__ as entry\n"
    probe += "atexit.register(lambda: print('typer' in sys.modules)); entry.main()"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


@pytest.mark.parametrize("command", ["new", "audit", "migrate-check", "explain", "rules", "schema"])
def test_every_command_has_help_with_examples(backendgen: Run, command: str) -> None:
    done = backendgen(command, "--help")
    assert done.returncode == 0
    assert f"Examples:\n    backendgen {command}" in done.stdout


def test_no_arguments_show_the_help(backendgen: Run) -> None:
    assert "migrate-check" in backendgen().stdout + backendgen().stderr


COMPLETE = """
source <(backendgen --show-completion bash)
function=$(complete -p backendgen | sed 's/.*-F \\([^ ]*\\).*/\\1/')
while read -r line; do
  COMP_WORDS=(backendgen $line); [ "${line: -1}" = "=" ] && COMP_WORDS[-1]=""
  COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
  $function backendgen "${COMP_WORDS[$COMP_CWORD]}"
  echo "${COMPREPLY[@]}"
done
"""


def test_completion_works_in_bash(tmp_path: Path) -> None:
    tool = tmp_path / "backendgen"
    tool.write_text(f'#!/bin/sh\nexec {sys.executable} -m backendgen "$@"\n')
    tool.chmod(0o755)
    asked = {  # `=` stands for a word that is not begun yet
        "migr": "migrate-check",
        "audit --fo": "--format",
        "audit --format =": "text json sarif github gitlab junit markdown",
        "migrate-check --fail-on h": "high",
        "explain BG901": "BG901",
        "audit --select BG103": "BG103",
    }
    done = subprocess.run(
        ["bash", "-c", COMPLETE],
        input="".join(f"{line}\n" for line in asked),
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert dict(zip(asked, done.stdout.splitlines(), strict=True)) == asked


def test_help_goes_by_the_tool_s_name_and_fits(backendgen: Run) -> None:
    lines = backendgen("--help").stdout.splitlines()
    assert lines[0].startswith("Usage: backendgen [OPTIONS]")
    assert not [line for line in lines if line.endswith("...") and "[ARGS]" not in line], "a summary is cut off"


def test_version_ends_it(backendgen: Run) -> None:
    done = backendgen("--version", "new")
    assert (done.returncode, done.stderr) == (0, "")


def test_an_unknown_command_or_option_is_usage(backendgen: Run) -> None:
    for arguments in (["adit"], ["audit", "--bogus"], ["new"]):
        done = backendgen(*arguments)
        assert done.returncode == 2
        assert "Traceback" not in done.stderr


def test_rules_and_explain(backendgen: Run) -> None:
    listed = backendgen("rules", "BG9").stdout.splitlines()
    assert listed[0] == "BG901  medium    A file could not be analysed"
    card = backendgen("explain", "bg901")
    assert card.returncode == 0 and card.stdout.startswith("BG901 A file could not be analysed\nseverity medium")
    wrong = backendgen("explain", "BG90")
    assert wrong.returncode == 2
    assert wrong.stderr.startswith(
        "error: there is no rule 'BG90'; these start so:\n  BG901  A file could not be analysed\n"
    )
    named = backendgen("explain", "built-from").stderr
    assert named == "error: there is no rule 'built-from'; these are called so:\n  BG104  SQL built from strings\n"
    assert (
        backendgen("rules", "XX").stderr
        == "error: no rule's id starts with 'XX'; `backendgen rules` lists all of them\n"
    )


def test_a_project_brings_its_own_cards(backendgen: Run, tmp_path: Path) -> None:
    folder = tmp_path / ".backendgen" / "rules" / "audit"
    folder.mkdir(parents=True)
    head = "---\ntitle: No tea\nseverity: low\nconfidence: high\ndetect: semgrep\nsince: 0.1.0\n---\n"
    (folder / "BG190-no-tea.md").write_text(head + "Why.\n\n## Fix\nCoffee.\n")
    assert "BG190  low       No tea" in backendgen("rules", "BG19").stdout


def test_schema_prints_json_schema(backendgen: Run) -> None:
    content = json.loads(backendgen("schema").stdout)
    assert content["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("command", ["audit", "migrate-check"])
def test_bad_options_are_explained(backendgen: Run, tmp_path: Path, command: str) -> None:
    (tmp_path / "main.py").write_text("x = 1\n")
    (tmp_path / "0001.sql").write_text("SELECT 1;\n")
    done = backendgen(command, ".", "--format", "sarrif")
    assert (done.returncode, done.stderr) == (
        2,
        "error: --format is one of text, json, sarif, github, gitlab, junit, markdown, not 'sarrif' "
        "(did you mean 'sarif'?)\n",
    )
    done = backendgen(command, ".", "--fail-on", "hihg")
    assert done.returncode == 2 and "did you mean 'high'" in done.stderr
    done = backendgen(command, ".", "--select", "BGX")
    assert (done.returncode, done.stderr) == (2, "error: no rule's id starts with 'BGX'\n")
    for option in ("--select", "--ignore"):
        done = backendgen(command, ".", option, "")
        assert done.returncode == 2 and done.stderr.startswith(
            "error: --select and --ignore need the start of a rule's id"
        )
    done = backendgen(command, ".", "--fail-on", "")
    assert done.returncode == 2 and "not ''" in done.stderr
    done = backendgen(command, ".", "--config", "none.toml")
    assert (done.returncode, done.stderr) == (2, "error: none.toml no such file\n")
    done = backendgen(command, "nowhere")
    assert done.returncode == 2 and done.stderr.startswith("error: nowhere ") and not done.stdout


@pytest.mark.parametrize("command", ["audit", "migrate-check"])
def test_nothing_to_check_is_not_clean(backendgen: Run, tmp_path: Path, command: str) -> None:
    (tmp_path / "notes.txt").write_text("hello\n")
    done = backendgen(command, ".")
    assert done.returncode == 2
    assert "error: " in done.stderr and "no findings" not in done.stdout


def test_no_rule_left_is_not_clean(backendgen: Run, tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("x = 1\n")
    (tmp_path / "0001.sql").write_text("SELECT 1;\n")
    for command, other in (("audit", "BG701"), ("migrate-check", "BG103")):
        done = backendgen(command, ".", "--select", other)
        expected = f"error: no rule of `backendgen {command}` is left to check (select {other})\n"
        assert (done.returncode, done.stdout, done.stderr) == (2, "", expected)


def test_since_needs_a_revision(backendgen: Run, tmp_path: Path) -> None:
    (tmp_path / "0001.sql").write_text("SELECT 1;\n")
    done = backendgen("migrate-check", ".", "--since", "")
    assert (done.returncode, done.stderr) == (2, "error: --since needs a git revision, such as origin/main\n")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--graph", "--format", "json", "--fix"), "--graph ends without a report: leave out --format, --fix, or --graph"),
        (("--plan", "p", "--report", "json=x"), "--plan ends without a report: leave out --report, or --plan"),
        (("--fix", "--diff", "--trace"), "--diff ends without a report: leave out --trace, or --diff"),
        (("--diff",), "--diff does nothing without --fix"),
        (("--trace-anyway",), "--trace-anyway does nothing without --trace-dsn"),
        (("--trace-timeout", "5"), "--trace-timeout does nothing without --trace or --trace-dsn"),
    ],
)  # fmt: skip
def test_an_option_that_would_do_nothing_is_refused(
    backendgen: Run, tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    (tmp_path / "0001.sql").write_text("SELECT 1;\n")
    done = backendgen("migrate-check", ".", *options)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"error: {message}\n")
    assert [path.name for path in tmp_path.iterdir()] == ["0001.sql"]


def test_output_goes_to_a_file(backendgen: Run, tmp_path: Path) -> None:
    (tmp_path / "0001.sql").write_text("CREATE TABLE t (id bigint PRIMARY KEY);\n")
    done = backendgen("migrate-check", ".", "--format", "json", "--output", "out/report.json")
    assert (done.returncode, done.stdout) == (0, "")
    assert json.loads((tmp_path / "out" / "report.json").read_text())["findings"] == []


def test_one_run_writes_several_reports(backendgen: Run, tmp_path: Path) -> None:
    (tmp_path / "db").mkdir()
    (tmp_path / "db" / "0001.sql").write_text("DROP TABLE t;\n")
    more = ("--select", "BG801", "--report", "sarif=out/a.sarif", "--report", "markdown=out/a=b.md")
    done = backendgen("migrate-check", "db", "--format", "github", *more)
    assert done.returncode == 1
    assert done.stdout.startswith("::error file=db/0001.sql,line=1,col=1,title=BG801 Table dropped (high)::")
    (result, *_) = json.loads((tmp_path / "out" / "a.sarif").read_text())["runs"][0]["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "db/0001.sql"
    assert "### `db/0001.sql`" in (tmp_path / "out" / "a=b.md").read_text()


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("sarif", "error: --report is FORMAT=FILE, such as sarif=report.sarif, not 'sarif'\n"),
        ("sarif=", "error: --report is FORMAT=FILE, such as sarif=report.sarif, not 'sarif='\n"),
        (
            "sarrif=x",
            "error: --report is one of text, json, sarif, github, gitlab, junit, markdown, not 'sarrif' "
            "(did you mean 'sarif'?)\n",
        ),
    ],
)
def test_a_report_that_cannot_be_is_refused(backendgen: Run, tmp_path: Path, written: str, expected: str) -> None:
    (tmp_path / "0001.sql").write_text("DROP TABLE t;\n")
    done = backendgen("migrate-check", ".", "--report", written)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", expected)


def test_paths_lead_from_where_the_tool_was_started(backendgen: Run, tmp_path: Path) -> None:
    folder = tmp_path / "db" / "migrations"
    folder.mkdir(parents=True)
    (folder / "0001.sql").write_text("DROP TABLE t;\n")
    for path, shown in (
        ("db/migrations", "db/migrations/"),
        ("db/migrations/0001.sql", "db/migrations/"),
        (".", "db/migrations/"),
    ):
        assert backendgen("migrate-check", path).stdout.splitlines()[0] == f"{shown}0001.sql"
    assert backendgen("migrate-check", folder, cwd=folder).stdout.splitlines()[0] == "0001.sql"
    assert backendgen("migrate-check", folder, cwd=folder.parent.parent).stdout.startswith("db/migrations/0001.sql\n")
    (tmp_path / "elsewhere").mkdir()
    assert backendgen("migrate-check", folder, cwd=tmp_path / "elsewhere").stdout.startswith("0001.sql\n")


def test_an_output_that_cannot_be_written_is_2(backendgen: Run, tmp_path: Path) -> None:
    (tmp_path / "0001.sql").write_text("CREATE TABLE t (id bigint PRIMARY KEY);\n")
    done = backendgen("migrate-check", ".", "--output", "/dev/null/report.txt")
    assert done.returncode == 2 and "cannot be written" in done.stderr
    full = subprocess.run(
        f"{sys.executable} -m backendgen rules > /dev/full",
        shell=True,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert full.returncode == 2 and "No space left" in full.stderr and "Traceback" not in full.stderr


def test_a_closed_pipe_is_quiet(tmp_path: Path) -> None:
    command = f"{sys.executable} -m backendgen rules | true"
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stderr == ""


@pytest.mark.parametrize("options", ["--version", "rules", "audit . --no-cache", "audit .", "audit . --endpoints"])
def test_a_closed_output_is_2_and_no_traceback(tmp_path: Path, options: str) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    for closed, said in ((">&-", "error: output: not writable\n"), (">&- 2>&-", "")):
        command = f"{sys.executable} -m backendgen {options} {closed}"
        done = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (2, said)


def test_new_writes_and_says_what_is_next(backendgen: Run, tmp_path: Path) -> None:
    done = backendgen("new", MINIMAL, "-o", "notes")
    assert done.returncode == 0, done.stderr
    assert "scripts/run" in done.stdout
    assert (tmp_path / "notes" / "app" / "main.py").is_file()
    assert (tmp_path / "notes" / ".backendgen").is_dir()
    again = backendgen("new", MINIMAL, "-o", "notes")
    assert again.returncode == 2 and again.stderr.startswith("error: notes is not empty\n")
    (tmp_path / "notes" / "mine.txt").write_text("keep")
    assert backendgen("new", MINIMAL, "-o", "notes", "--force").returncode == 0
    assert (tmp_path / "notes" / "mine.txt").read_text() == "keep"


def test_new_writes_into_the_directory_one_stands_in(backendgen: Run, tmp_path: Path) -> None:
    before = tmp_path.stat().st_ino
    done = backendgen("new", MINIMAL, "-o", ".")
    assert done.returncode == 0 and "\nNext:\n  scripts/run" in done.stdout
    assert tmp_path.stat().st_ino == before and (tmp_path / "scripts" / "run").is_file()


def test_dry_run_lists_the_files_and_writes_none(backendgen: Run, tmp_path: Path) -> None:
    done = backendgen("new", MINIMAL, "-o", "notes", "--dry-run")
    assert "notes/app/main.py" in done.stdout.splitlines()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("delay", [0.05, 0.1, 0.2, 0.3, 0.4, 0.6])
def test_ctrl_c_is_quiet_and_leaves_all_or_nothing(tmp_path: Path, delay: float) -> None:
    command = [sys.executable, "-m", "backendgen", "new", str(MINIMAL), "-o", "notes"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(delay)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert "backendgen" not in stderr or "Traceback" not in stderr
    assert {path.name for path in tmp_path.iterdir()} <= {"notes"}, "a half-written tree was left"
    if (tmp_path / "notes").exists():
        assert (tmp_path / "notes" / ".backendgen").is_dir()
        assert (tmp_path / "notes" / "scripts" / "run").is_file()


@pytest.mark.parametrize("format", ["text", "json", "sarif"])
def test_half_of_a_surrogate_pair_in_the_code_can_be_reported(backendgen: Run, tmp_path: Path, format: str) -> None:
    (tmp_path / "main.py").write_text(
        "from fastapi import FastAPI\napp = FastAPI()\n@app.post('/\\ud800')\ndef create(): ...\n"
    )
    done = backendgen("audit", str(tmp_path), "--select", "BG301", "--format", format)
    assert (done.returncode, done.stderr) == (1, "")
    assert "\\ud800" in done.stdout


def on_a_terminal(*arguments: str, **environment: str) -> str:
    """Run a command whose standard output is a terminal, and return what it shows there."""
    ours, theirs = os.openpty()
    kept = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    with subprocess.Popen(
        [sys.executable, "-m", "backendgen", *arguments],
        stdout=theirs, stderr=subprocess.DEVNULL, env={**kept, "TERM": "xterm-256color", **environment},
    ) as running:  # fmt: skip
        os.close(theirs)
        shown = b""
        with suppress(OSError):  # Linux says so when the other side is closed
            while chunk := os.read(ours, 4096):
                shown += chunk
        assert running.wait(timeout=60) == 0
    os.close(ours)
    return shown.decode()


def test_a_card_is_typeset_on_a_terminal_that_has_colours() -> None:
    shown = on_a_terminal("explain", "BG703")
    assert "\x1b[1mBG703 Index dropped without CONCURRENTLY" in shown and "```" not in shown
    assert "```" in on_a_terminal("explain", "BG703", NO_COLOR="1")


def test_endpoints_are_shown_and_nothing_is_judged(backendgen: Run, tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(
        "from fastapi import FastAPI\napp = FastAPI()\n@app.post('/a')\ndef create(): ...\n"
    )
    done = backendgen("audit", str(tmp_path), "--endpoints")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "Method  Path  Handler           Access  Authentication  Body limit  Idempotency",
        "POST    /a    main.py:4 create  open    none            unknown     unknown",
        "",
        "1 endpoint, 0 guarded, 0 open on purpose, 1 open",
    ]
    assert "open" in on_a_terminal("audit", str(tmp_path), "--endpoints")
    file = tmp_path / "access.md"
    done = backendgen("audit", str(tmp_path), "--endpoints", "--format", "markdown", "--output", str(file))
    assert (done.returncode, done.stdout) == (0, "") and "| POST | /a |" in file.read_text()


def test_endpoints_of_a_project_that_cannot_all_be_read_end_with_2(backendgen: Run, tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(
        "from fastapi import FastAPI\napp = FastAPI()\n@app.post('/a')\ndef create(): ...\n"
    )
    (tmp_path / "broken.py").write_text("def (:\n")
    done = backendgen("audit", str(tmp_path), "--endpoints", "--format", "json")
    assert done.returncode == 2 and "broken.py:1" in done.stderr and '"path": "/a"' in done.stdout


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--select", "BG3"], "--endpoints ends without a report: leave out --select, or --endpoints"),
        (["--format", "sarif"], "with --endpoints, --format is one of text, json, markdown, not 'sarif'"),
    ],
)
def test_options_that_endpoints_leave_unused_are_refused(backendgen: Run, options: list[str], said: str) -> None:
    done = backendgen("audit", ".", "--endpoints", *options)
    assert done.returncode == 2 and said in done.stderr
