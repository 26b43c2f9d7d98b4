"""Engines that judge files by themselves are given what changed, and the report is that of a run that remembers nothing."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from backendgen import cache, witness
from backendgen.audit import remembered
from backendgen.audit.engines.result import EngineResult
from backendgen.cli.output import rulebook_for
from backendgen.code.documents import Document
from backendgen.code.project import Hole, Project, SourceFile, load
from backendgen.errors import Problem
from backendgen.findings.finding import Finding, Hit, Location, finding
from backendgen.rules import Rule

RULES = rulebook_for(Path()).select("audit")
CARD = next(rule for rule in RULES if rule.detect.kind == "bandit")
ROUTE = "from fastapi import FastAPI\nimport subprocess\napp = FastAPI()\n\n\n@app.get('/run')\ndef run_it(name: str):\n    "
BODIES = (
    "subprocess.run(name, shell=True)\n",
    "subprocess.run(['ls', name])\n",
    "return name\n",
    "import logging.config\n    logging.config.listen(9999)\n",
    "subprocess.run(f'ls {name}', shell=True)  # nosec\n",
    "return (\n",
)
PAGES = (
    "{% load i18n %}<h1 title={{ item.name }}>x</h1>\n",
    "{% load i18n %}<p>{{ item.name|safe }}</p>\n",
    "{% load i18n %}<p>{{ item.name }}</p>\n",
    "\r\n{% autoescape off %}{{ a }}{% endautoescape %}\n",
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "templates").mkdir(parents=True)
    for number in range(6):
        (root / f"m{number}.py").write_text(ROUTE + BODIES[number])
        (root / f"templates/p{number}.html").write_text(PAGES[number % len(PAGES)])
    return root


@pytest.fixture
def begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Begin a run as the command line does; modules that were written just now are trusted."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(cache, "_begun", None)
    monkeypatch.setattr(cache, "_borrowed", set())
    monkeypatch.setattr(cache, "_COARSE_NS", -(10**15))
    monkeypatch.setattr(witness, "_record", None)
    return lambda: cache.begin(["audit", "."]) and None


class Judge:
    """An engine that finds the word `bad`, and notes what it was given."""

    def __init__(self, *unread: str, failures: tuple[Problem, ...] = ()) -> None:
        self.unread, self.failures = unread, failures
        self.given: list[str] = []

    def __call__(self, project: Project, rules: tuple[Rule, ...]) -> EngineResult:
        self.given = [file.path for file in project.files]
        holes = tuple(Hole(path, "unread") for path in self.given if path in self.unread)
        return EngineResult("bandit", tuple(self.found(project)), holes, self.failures)

    def found(self, project: Project) -> list[Finding]:
        return [
            finding(CARD, Hit(Location(file.path, number, 1, number), f"bad in {file.path}", "mend", "f"), "bandit")
            for file in reversed(project.files)
            for number, line in enumerate(file.lines, 1)
            if "shell=True" in line
        ]

    def run(self, root: Path, rules: tuple[Rule, ...] = RULES) -> EngineResult:
        return remembered.run("bandit", self, SourceFile, load(root), rules)


def test_only_what_changed_is_judged_again(project: Path, begun: Callable[[], None]) -> None:
    begun()
    first = Judge().run(project)
    assert [(one.location.path, one.location.line) for one in first.findings] == [("m0.py", 8), ("m4.py", 8)]
    (project / "m1.py").write_text(ROUTE + BODIES[0])
    (project / "m2.py").unlink()
    (project / "m9.py").write_text(ROUTE + BODIES[0])
    judge = Judge()
    second = judge.run(project)
    assert judge.given == ["m1.py", "m9.py"]
    assert [one.location.path for one in second.findings] == ["m0.py", "m1.py", "m4.py", "m9.py"]
    assert second.findings[0] == first.findings[0]


def test_other_rules_judge_anew(project: Path, begun: Callable[[], None]) -> None:
    begun()
    Judge().run(project)
    judge = Judge()
    judge.run(project, tuple(rule for rule in RULES if rule is CARD))
    assert judge.given == ["m0.py", "m1.py", "m2.py", "m3.py", "m4.py"]  # m5.py is no Python


def test_a_file_that_was_not_read_is_given_again(project: Path, begun: Callable[[], None]) -> None:
    begun()
    assert [hole.path for hole in Judge("m3.py").run(project).holes] == ["m3.py"]
    judge = Judge("m3.py")
    assert [hole.path for hole in judge.run(project).holes] == ["m3.py"]
    assert judge.given == ["m3.py"]


def test_a_run_that_failed_leaves_nothing(project: Path, begun: Callable[[], None]) -> None:
    begun()
    Judge(failures=(Problem("no bandit"),)).run(project)
    judge = Judge()
    assert judge.run(project).failures == ()
    assert judge.given == ["m0.py", "m1.py", "m2.py", "m3.py", "m4.py"]


def test_nothing_is_remembered_without_a_cache(project: Path, begun: Callable[[], None], tmp_path: Path) -> None:
    Judge().run(project)
    assert not (tmp_path / "home").exists()


def _module_replaced(entry: dict[str, object]) -> None:
    entry["modules"][-1][1][1] += 1  # type: ignore[index]


def _other_key(entry: dict[str, object]) -> None:
    entry["key"] = [99, "bandit"]


@pytest.mark.parametrize("spoil", [_module_replaced, _other_key, None])
def test_what_is_not_ours_or_not_whole_is_as_nothing(
    spoil: Callable[[dict[str, object]], None] | None, project: Path, begun: Callable[[], None], tmp_path: Path
) -> None:
    begun()
    first = Judge().run(project)
    (entry,) = (tmp_path / "home/backendgen/pieces").iterdir()
    head, body = entry.read_bytes().split(b"\n", 1)
    told = json.loads(head)
    if spoil:
        spoil(told)
    entry.write_bytes(json.dumps(told).encode() + b"\n" + (body if spoil else body[:-3]))
    judge = Judge()
    assert judge.run(project) == first
    assert judge.given == ["m0.py", "m1.py", "m2.py", "m3.py", "m4.py"]


def test_a_document_is_known_by_what_is_on_disk(project: Path) -> None:
    page = project / "templates/p0.html"
    page.write_bytes(PAGES[0].encode())
    before = {one.path: one for one in load(project).documents}["templates/p0.html"]
    first = remembered._digest(before)
    page.write_bytes(PAGES[0].encode().replace(b"\n", b"\r\n"))
    after = {one.path: one for one in load(project).documents}["templates/p0.html"]
    assert isinstance(after, Document)
    assert before.text == after.text
    assert first != remembered._digest(after)


def test_any_edits_give_the_report_of_a_run_that_remembers_nothing(project: Path, tmp_path: Path) -> None:
    dice = random.Random(1)
    env = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "home")}

    def report(*options: str) -> tuple[int, str, str]:
        command = [
            sys.executable,
            "-m",
            "backendgen",
            "audit",
            ".",
            "--confidence",
            "low",
            "--format",
            "json",
            *options,
        ]
        done = subprocess.run(command, cwd=project, env=env, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    seen = set()
    for _ in range(6):
        for _ in range(2):
            _edit(project, dice)
        expected = report("--no-cache")
        assert report() == expected
        seen.update(one["rule"] if "rule" in one else one["rule_id"] for one in json.loads(expected[1])["findings"])
    assert {"BG264", "BG266"} & seen
    left = [
        json.loads(one.read_bytes().split(b"\n")[0])["key"][1]
        for one in (tmp_path / "home/backendgen/pieces").iterdir()
    ]
    assert {told.split()[0] for told in left} == {"bandit", "semgrep"}
    assert len(left) <= 3, (
        "each run of the same rules finds what the one before it left: semgrep's are of two selections"
    )


def _edit(root: Path, dice: random.Random) -> None:
    """Change, add or remove a file; move one; or change what is selected."""
    number = dice.randrange(8)
    module, page = root / f"m{number}.py", root / f"templates/p{number}.html"
    match dice.randrange(5):
        case 0:
            module.write_text(ROUTE + dice.choice(BODIES))
        case 1:
            page.write_text(dice.choice(PAGES), newline="")
        case 2 if number:
            module.unlink(missing_ok=True)
        case 3 if page.exists():
            shutil.move(page, root / f"templates/moved{number}.html")
        case _:
            (root / "backendgen.toml").write_text(dice.choice(['ignore = ["BG266"]\n', "ignore = []\n"]))
