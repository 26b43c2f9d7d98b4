"""The pre-commit hooks and the GitHub Action: valid by their own schemas, and run as far as no network is needed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ROOT

BIN = Path(sys.executable).parent
HOOKS = ROOT / ".pre-commit-hooks.yaml"
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
STEPS = {step["name"]: step for step in ACTION["runs"]["steps"]}
UNSAFE = "ALTER TABLE t DROP COLUMN a;\n"
ONE = "--select BG802"


def ran(*command: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env={**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


# pre-commit


def test_pre_commit_accepts_the_hooks() -> None:
    done = ran(BIN / "pre-commit", "validate-manifest", HOOKS, cwd=ROOT)
    assert done.returncode == 0, done.stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository that uses the hooks as they are published, with the tool that is installed here."""
    hooks = [{**hook, "language": "system"} for hook in yaml.safe_load(HOOKS.read_text(encoding="utf-8"))]
    config = {"repos": [{"repo": "local", "hooks": hooks}]}
    (tmp_path / ".pre-commit-config.yaml").write_text(yaml.safe_dump(config))
    for command in (["git", "init", "--quiet"], ["git", "add", "-A"]):
        assert ran(*command, cwd=tmp_path).returncode == 0
    return tmp_path


def committed(repository: Path, **files: str) -> subprocess.CompletedProcess[str]:
    for path, text in files.items():
        target = repository / path.replace("__", "/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    ran("git", "add", "-A", cwd=repository)
    return ran(BIN / "pre-commit", "run", cwd=repository, PRE_COMMIT_HOME=str(repository.parent / "cache"))


def outcomes(output: str) -> dict[str, str]:
    return dict(re.findall(r"^(backendgen [\w-]+)\.+(?:\([^)]*\))?(\w+)$", output, re.MULTILINE))


def test_hooks_run_when_their_files_change(repository: Path) -> None:
    done = committed(repository, **{"notes.txt": "hello\n"})
    assert outcomes(done.stdout) == {"backendgen audit": "Skipped", "backendgen migrate-check": "Skipped"}
    done = committed(repository, **{"db__1_t.sql": UNSAFE})
    assert outcomes(done.stdout) == {"backendgen audit": "Skipped", "backendgen migrate-check": "Failed"}
    assert "db/1_t.sql\n  1:1  high  BG802  Column dropped\n" in done.stdout
    done = committed(repository, **{"db__1_t.sql": "CREATE TABLE t (a int);\n"})
    assert outcomes(done.stdout) == {"backendgen audit": "Skipped", "backendgen migrate-check": "Passed"}
    done = committed(repository, **{"app.py": "import hashlib\n\nhashlib.md5(b'x')\n"})
    assert outcomes(done.stdout) == {"backendgen audit": "Failed", "backendgen migrate-check": "Passed"}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("V1__a.sql", True),
        ("app/migrations/0001_initial.py", True),
        ("alembic/versions/ae10.py", True),
        ("alembic/env.py", True),
        ("app/models.py", False),
        ("docs/migrations.md", False),
        ("immigrations/a.py", False),
    ],
)
def test_the_migration_hook_knows_migrations(path: str, expected: bool) -> None:
    (pattern,) = (hook["files"] for hook in yaml.safe_load(HOOKS.read_text(encoding="utf-8")) if "files" in hook)
    assert bool(re.search(pattern, path)) is expected


# The GitHub Action


def test_the_action_conforms_to_the_published_schema() -> None:
    done = ran(BIN / "check-jsonschema", "--builtin-schema", "vendor.github-actions", ROOT / "action.yml", cwd=ROOT)
    assert done.returncode == 0, done.stdout


def test_scripts_take_what_users_write_from_the_environment_only() -> None:
    for step in STEPS.values():
        assert "${{" not in step["run"], "an expression in a script is a way to inject commands"
    used = set(re.findall(r"inputs\.([\w-]+)", json.dumps(ACTION["runs"])))
    assert used == set(ACTION["inputs"])
    outputs = set(re.findall(r"steps\.check\.outputs\.([\w-]+)", json.dumps(ACTION["outputs"])))
    (written,) = (line for line in STEPS["Check"]["run"].splitlines() if line.endswith('>>"$GITHUB_OUTPUT"'))
    assert outputs == set(re.findall(r'"([\w-]+)=\$', written))


Runner = Callable[..., tuple[subprocess.CompletedProcess[str], dict[str, str]]]


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    """Run one step of the action as GitHub's runner does: `bash -eo pipefail`, its files, its inputs with their defaults."""
    workspace = tmp_path / "workspace"
    (tmp_path / "temp").mkdir()
    workspace.mkdir()

    def run(
        step: str, search: str = os.environ["PATH"], program: str = "", **inputs: str
    ) -> tuple[subprocess.CompletedProcess[str], dict[str, str]]:
        values = {f"inputs.{name}": declared.get("default", "") for name, declared in ACTION["inputs"].items()}
        values |= {f"inputs.{name.replace('_', '-')}": value for name, value in inputs.items()}
        values["steps.install.outputs.program"] = program
        given = {key: values[value.strip("${} ")] for key, value in STEPS[step]["env"].items()}
        files = {name: str(tmp_path / name) for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
        for file in files.values():
            Path(file).write_text("")
        script = tmp_path / "step.sh"
        script.write_text(STEPS[step]["run"])
        known = {"GITHUB_ACTION_PATH": str(ROOT), "RUNNER_TEMP": str(tmp_path / "temp"), "PATH": search}
        done = ran(
            "/bin/bash", "--noprofile", "--norc", "-eo", "pipefail", script, cwd=workspace, **files, **known, **given
        )
        outputs = dict(line.split("=", 1) for line in Path(files["GITHUB_OUTPUT"]).read_text().splitlines())
        outputs["step summary"] = Path(files["GITHUB_STEP_SUMMARY"]).read_text()
        return done, outputs

    return run


def stub(folder: Path, name: str, *answer: str) -> None:
    """A program that notes how it is called, and answers."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f'#!/bin/bash\necho "{name} $*" >>{folder}/calls\n' + "\n".join(answer) + "\n")
    (folder / name).chmod(0o755)


@pytest.fixture
def stubs(tmp_path: Path) -> Path:
    """A PATH with nothing but what the install step needs beside an installer."""
    folder = tmp_path / "stubs"
    stub(folder, "python3", 'mkdir -p "$3/bin"', f'cp {folder}/pip "$3/bin/pip"')
    stub(folder, "pip")
    for program in ("mkdir", "cp"):
        (folder / program).symlink_to(f"/bin/{program}")
    return folder


@pytest.mark.parametrize(("version", "package"), [("", str(ROOT)), ("0.1.0", "backendgen==0.1.0")])
def test_the_action_installs_with_what_there_is(runner: Runner, stubs: Path, version: str, package: str) -> None:
    temp = stubs.parent / "temp"

    def installed() -> tuple[list[str], str]:
        (stubs / "calls").unlink(missing_ok=True)
        done, outputs = runner("Install backendgen", search=str(stubs), version=version)
        assert done.returncode == 0, done.stderr
        return (stubs / "calls").read_text().splitlines(), outputs["program"]

    assert installed() == (
        [f"python3 -m venv {temp}/backendgen", f"pip install --quiet {package}"],
        f"{temp}/backendgen/bin/backendgen",
    )
    stub(stubs, "pipx", '[ "$1" != environment ] || echo /opt/pipx/bin')
    assert installed() == (
        [f"pipx install --force {package}", "pipx environment --value PIPX_BIN_DIR"],
        "/opt/pipx/bin/backendgen",
    )
    stub(stubs, "uv", '[ "$2" != dir ] || echo /opt/uv/bin')
    assert installed() == ([f"uv tool install --quiet {package}", "uv tool dir --bin"], "/opt/uv/bin/backendgen")


def test_an_install_that_fails_fails_the_action(runner: Runner, stubs: Path) -> None:
    stub(stubs, "uv", "exit 3")
    done, _ = runner("Install backendgen", search=str(stubs))
    assert done.returncode == 3


@pytest.fixture
def migrations(tmp_path: Path, runner: Runner) -> Path:
    folder = tmp_path / "workspace" / "my migrations"
    folder.mkdir()
    (folder / "1_t.sql").write_text(UNSAFE)
    return folder


def test_the_action_annotates_and_writes_sarif_and_a_summary(runner: Runner, migrations: Path) -> None:
    done, outputs = runner(
        "Check", program=str(BIN / "backendgen"), command="migrate-check", path="my migrations", args=ONE
    )
    assert done.returncode == 1, done.stderr
    assert done.stdout.splitlines()[0].startswith(
        "::error file=my migrations/1_t.sql,line=1,col=1,title=BG802 Column dropped (high)::"
    )
    assert (outputs["exit-code"], outputs["sarif"]) == ("1", "backendgen.sarif")
    run = json.loads((migrations.parent / "backendgen.sarif").read_text())["runs"][0]
    assert "BG802" in [one["ruleId"] for one in run["results"]]
    assert outputs["step summary"] == Path(outputs["summary"]).read_text()
    assert outputs["step summary"].startswith("## backendgen: 1 finding (1 high); 1 file checked\n")


def test_the_action_passes_its_inputs_on(runner: Runner, migrations: Path) -> None:
    given = {"command": "migrate-check", "path": "my migrations", "program": str(BIN / "backendgen")}
    done, outputs = runner("Check", **given, fail_on="critical", sarif="out/m.sarif")
    assert (done.returncode, outputs["exit-code"], outputs["sarif"]) == (0, "0", "out/m.sarif")
    assert (migrations.parent / "out" / "m.sarif").is_file()
    done, _ = runner("Check", **given, args="--select BG7\n--pg-version 16")
    assert "BG802" not in done.stdout and "BG710" in done.stdout
    (migrations.parent / "known.json").write_text('{"version": 1, "findings": []}')
    done, _ = runner("Check", **given, baseline="known.json", args=ONE)
    assert "1 new finding (1 high); " in done.stdout


def test_the_action_says_why_it_could_not_run(runner: Runner, migrations: Path) -> None:
    program = str(BIN / "backendgen")
    done, outputs = runner("Check", program=program, command="migrate-check", path="nowhere")
    assert (done.returncode, outputs["exit-code"], outputs["step summary"]) == (2, "2", "")
    assert "nowhere" in done.stderr
    done, _ = runner("Check", program=program, command="rules; true")
    assert done.returncode == 2
    assert done.stdout == "::error::command is audit or migrate-check, not 'rules; true'\n"
    done, _ = runner("Check", program=program, command="audit", path="$(touch hacked)", args="`touch hacked`")
    assert done.returncode == 2
    assert not (migrations.parent / "hacked").exists()
