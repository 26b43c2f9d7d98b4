"""Whole audits: the vulnerable example, our own source, ignores, files that cannot be read, code that is never run."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from apps import RULEBOOK, found, report

from backendgen.audit import audit
from backendgen.config import Config
from backendgen.errors import UserError

ROOT = Path(__file__).parents[2]


def test_the_vulnerable_example_is_reported_exactly() -> None:
    outcome = audit(ROOT / "examples" / "vulnerable", Config(), RULEBOOK)
    expected = json.loads((ROOT / "examples" / "vulnerable" / "expected.json").read_text())
    assert outcome.failures == ()
    assert [
        {
            "rule": one.rule_id, "path": one.location.path, "line": one.location.line, "severity": one.severity.word,
            "message": one.message, "engines": list(one.engines),
            "steps": [f"{step.location.path}:{step.location.line} {step.note}" for step in one.steps],
        }
        for one in outcome.findings
    ] == expected["findings"]  # fmt: skip
    assert [
        {
            "rule": one.finding.rule_id,
            "path": one.finding.location.path,
            "line": one.finding.location.line,
            "reason": one.reason,
        }
        for one in outcome.ignored
    ] == expected["ignored"]


def test_our_own_source_is_clean_without_an_ignore() -> None:
    outcome = audit(ROOT / "src", Config(), RULEBOOK)
    assert (found(outcome), outcome.ignored, outcome.failures) == ([], (), ())


def test_audited_code_is_never_run(tmp_path: Path) -> None:
    witness = tmp_path / "witness"
    text = f"open({str(witness)!r}, 'w').close()\nfrom fastapi import FastAPI\napp = FastAPI()\n"
    report(tmp_path / "project", {"app/main.py": text, "app/__init__.py": text, "conftest.py": text, "setup.py": text})
    assert not witness.exists()


def test_a_file_that_cannot_be_analysed_is_a_finding_at_its_line(tmp_path: Path) -> None:
    outcome = report(tmp_path, {"app/main.py": "x = 1\n", "app/broken.py": "x = 1\n\nif x\n"})
    [finding] = outcome.findings
    assert (finding.rule_id, finding.location.path, finding.location.line) == ("BG901", "app/broken.py", 3)
    assert finding.message == "app/broken.py was not analysed: not valid Python: expected ':'"


def test_nothing_to_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds nothing that could be audited"):
        audit(tmp_path, Config(), RULEBOOK)


def test_nothing_readable_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "old.py").write_text('print "x"\n', encoding="utf-8")
    with pytest.raises(UserError, match="none of its files could be read") as raised:
        audit(tmp_path, Config(), RULEBOOK)
    assert "not valid Python" in str(raised.value)


@pytest.mark.parametrize("deep", ["+".join(["1"] * 20_000), "a." * 20_000 + "b"])
def test_an_expression_too_deep_to_follow_is_a_finding(tmp_path: Path, deep: str) -> None:
    outcome = report(tmp_path, {"app/main.py": "x = 1\n", "app/deep.py": f"y = 1\nx = {deep}\n"})
    [finding] = outcome.findings
    assert (finding.rule_id, finding.location.path, finding.location.line) == ("BG901", "app/deep.py", 2)


def test_ignores_select_exclude_and_public(tmp_path: Path) -> None:
    files = {
        "app/main.py": """from fastapi import FastAPI
app = FastAPI()
@app.post("/a")
def a(): ...
@app.post("/b")  # backendgen: ignore[BG301] counted by the load balancer
def b(): ...
# backendgen: ignore[BG301] nothing is here
@app.get("/c")
def c(): ...
""",
        "old/main.py": "from fastapi import FastAPI\napp = FastAPI()\n@app.post('/old')\ndef a(): ...\n",
    }
    outcome = report(tmp_path, files, exclude=("old/",))
    assert found(outcome) == [("BG301", "app/main.py", 3), ("BG902", "app/main.py", 7)]
    assert [one.reason for one in outcome.ignored] == ["counted by the load balancer"]
    assert found(report(tmp_path, files, select=("BG2",))) == []
    assert found(report(tmp_path, files, ignore=("BG301", "BG902"))) == []
    assert ("BG301", "app/main.py", 3) not in found(report(tmp_path, files, public=("POST /a",)))


def test_tests_are_not_judged(tmp_path: Path) -> None:
    text = """from fastapi import FastAPI
import requests
app = FastAPI()
@app.post("/")
def a():
    requests.get("http://x", verify=False)
"""
    outcome = report(tmp_path, {"tests/app.py": text, "app/test_main.py": text, "app/main.py": "x = 1\n"})
    assert found(outcome) == []


def test_odd_code_does_not_end_the_audit(tmp_path: Path) -> None:
    text = """from typing import Annotated, Literal
def f(a: tuple[()], b: Literal[()], c: "not a type", d: Annotated[()], *e, **g: "dict[") -> "x y": ...
class A(A): x: A = A()
class B(lambda: 0): ...
def g(x=g): return g(*x, **x)(x)[x](**{**x})
x: x = x
del x
(a, *b), c[d], e.f = [*range(3)], 2, 3
match x:
    case {"a": [1, *_], **rest} | B(y=1): pass
async def h(): return [await i async for i in h() if (yield)]
"%s %" % x, "%(a)s" % {}, "{" .format(), "{a[0].b!r:>{w}}".format(a=1, w=2), "{0}{9}".format(1)
"""
    outcome = report(tmp_path, {"app/odd.py": text})
    assert (outcome.failures, outcome.files) == ((), 1)


def test_deep_nesting_does_not_end_the_audit(tmp_path: Path) -> None:
    chain = "x = " + " + ".join(["'a'"] * 900) + "\n"
    deep = "".join(" " * depth + f"if a{depth}:\n" for depth in range(90)) + " " * 90 + "pass\n"
    outcome = report(tmp_path, {"app/chain.py": chain, "app/deep.py": deep, "app/calls.py": "f" + "(1)" * 400 + "\n"})
    assert (found(outcome), outcome.failures, outcome.files) == ([], (), 3)


@pytest.mark.parametrize("seed", range(12))
def test_damaged_files_never_end_the_audit(tmp_path: Path, seed: int) -> None:
    """Real files with pieces cut out, doubled and swapped: a report, never an exception."""
    chance = random.Random(seed)
    sources = sorted((ROOT / "examples" / "vulnerable" / "shop").glob("*.py"))
    files = {}
    for source in sources:
        lines = source.read_text().splitlines(keepends=True)
        for _ in range(3):
            at = chance.randrange(len(lines) + 1)
            kind = chance.choice(["cut", "double", "swap", "break"])
            if kind == "cut":
                del lines[at : at + 2]
            elif kind == "double":
                lines[at:at] = lines[at : at + 3]
            elif kind == "swap" and len(lines) > 2:
                other = chance.randrange(len(lines))
                at = min(at, len(lines) - 1)
                lines[at], lines[other] = lines[other], lines[at]
            elif lines:
                at = min(at, len(lines) - 1)
                lines[at] = lines[at][: chance.randrange(len(lines[at]) + 1)]
        files[f"shop/{source.name}"] = "".join(lines)
    outcome = report(tmp_path, files, ignore=("BG109", "BG304", "BG401", "BG202"))
    assert outcome.failures == ()
    analysed = outcome.files + sum(one.rule_id == "BG901" for one in outcome.findings)
    assert analysed == len(files)
