"""Scores the audit on OWASP Benchmark for Python, beside bandit, ruff and semgrep where they are installed.

    owasp.py PATH [--half odd|even] [--confidence low|medium|high] [--write FINDINGS.json] [--wrong CATEGORY] [--peers]

PATH holds `expectedresults-*.csv` and the cases. The set is GPL-3: fetch it, never copy it. A case counts as reported
when a finding in its file has a CWE that counts; the score of a category is the share of true cases reported less
that of false ones, the whole score the mean over categories, as the project itself counts. `--half` takes the cases
with odd or even numbers only: one half to develop with, the other to see whether it generalises. Thirteen labels of
version 0.1 are wrong (the parameter is never used); nothing is done about them.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from backendgen.audit import audit
from backendgen.config import Config
from backendgen.findings.finding import Finding
from backendgen.rules import Rulebook

CASE = re.compile(r"(BenchmarkTest(\d+))\.py$")
SAME = {
    22: {22, 23, 36, 73, 99}, 78: {78, 77, 88}, 79: {79, 80, 83, 116}, 89: {89, 564, 943}, 90: {90}, 94: {94, 95, 96},
    328: {328, 327, 326, 916}, 330: {330, 338, 331}, 501: {501}, 502: {502}, 601: {601}, 611: {611, 827, 776, 20},
    614: {614, 311, 1004, 1275}, 643: {643, 91},
}  # fmt: skip
Reported = dict[str, set[int]]


@dataclass(frozen=True)
class Case:
    """A labelled case: its name, category, whether it is vulnerable, and its CWE."""

    name: str
    category: str
    vulnerable: bool
    cwe: int


def main() -> None:
    """Audit, write the findings when asked to, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("--half", choices=("odd", "even"))
    parser.add_argument("--write", type=Path)
    parser.add_argument("--wrong", metavar="CATEGORY")
    parser.add_argument("--confidence", choices=("low", "medium", "high"), default="medium")
    parser.add_argument("--peers", action="store_true")
    chosen = parser.parse_args()
    cases = [case for case in expected(chosen.path) if _wanted(case, chosen.half)]
    start = time.perf_counter()
    rulebook = Rulebook()
    findings = audit(chosen.path, replace(Config(), confidence=chosen.confidence), rulebook).findings
    tools = {f"backendgen ({time.perf_counter() - start:.0f} s)": ours(findings, rulebook)}
    if chosen.write:
        chosen.write.write_text(json.dumps(list(_rows(findings, rulebook)), indent=1), encoding="utf-8")
    if chosen.peers:
        tools |= peers(chosen.path)
    table(cases, tools)
    if chosen.wrong:
        for case in cases:
            hit = is_reported(case, next(iter(tools.values())))
            if case.category == chosen.wrong and hit != case.vulnerable:
                print("reported, but safe:" if hit else "missed:", case.name)


def expected(path: Path) -> list[Case]:
    """Read the labels."""
    (labels,) = path.glob("expectedresults-*.csv")
    with labels.open(encoding="utf-8") as file:
        rows = [row for row in csv.reader(file) if row and row[0].startswith("BenchmarkTest")]
    return [Case(name, category, true.strip() == "true", int(cwe)) for name, category, true, cwe, *_ in rows]


def _wanted(case: Case, half: str | None) -> bool:
    return half is None or int(case.name[-1]) % 2 == (half == "odd")


def ours(findings: Iterable[Finding], rulebook: Rulebook) -> Reported:
    """The CWEs that our findings name for each case."""
    reported: Reported = defaultdict(set)
    for one in findings:
        named = CASE.search(one.location.path)
        if named:
            reported[named[1]].update(rulebook[one.rule_id].cwe)
    return reported


def _rows(findings: Iterable[Finding], rulebook: Rulebook) -> Iterable[dict[str, Any]]:
    for one in findings:
        yield {
            "file": one.location.path,
            "line": one.location.line,
            "cwe": list(rulebook[one.rule_id].cwe),
            "rule": one.rule_id,
        }


def peers(path: Path) -> dict[str, Reported]:
    """Run the other tools that are installed."""
    found = {}
    for name, read in (("bandit", _bandit), ("ruff S", _ruff), ("semgrep", _semgrep)):
        if name == "semgrep" and "SEMGREP_RULES" not in os.environ:
            continue
        program = shutil.which(name.split()[0], path=str(Path(sys.executable).parent)) or shutil.which(name.split()[0])
        if program:
            start = time.perf_counter()
            reported = read(program, path)
            found[f"{name} ({time.perf_counter() - start:.0f} s)"] = reported
    return found


def _run(command: list[str]) -> Any:
    output = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return json.loads(output[min(output.find("{") % 10**9, output.find("[") % 10**9) :])


def _bandit(program: str, path: Path) -> Reported:
    reported: Reported = defaultdict(set)
    for one in _run([program, "-r", str(path), "-f", "json", "-q"])["results"]:
        if named := CASE.search(one["filename"]):
            reported[named[1]].add(one["issue_cwe"]["id"])
    return reported


def _ruff(program: str, path: Path) -> Reported:
    """Ruff's rules are bandit's, and have no CWE of their own."""
    from bandit.core.extension_loader import MANAGER

    reported: Reported = defaultdict(set)
    cwes = {"S608": 89, "S602": 78, "S603": 78, "S604": 78, "S605": 78, "S606": 78, "S607": 78, "S609": 78, "S301": 502,
            "S302": 502, "S506": 502, "S307": 94, "S102": 94, "S324": 328, "S303": 328, "S311": 330, "S701": 79}  # fmt: skip
    cwes |= {f"S3{number}": 20 for number in range(13, 21)}
    assert MANAGER.plugins_by_id, "bandit is not installed"
    for one in _run(
        [program, "check", "--select", "S", "--isolated", "--output-format", "json", "--no-cache", str(path)]
    ):
        if (named := CASE.search(one["filename"])) and one["code"] in cwes:
            reported[named[1]].add(cwes[one["code"]])
    return reported


def _semgrep(program: str, path: Path) -> Reported:
    """Semgrep needs rules: those of its registry, from the folder that SEMGREP_RULES names."""
    reported: Reported = defaultdict(set)
    off = ["--metrics=off", "--disable-version-check", "--no-git-ignore", "--json", "--quiet"]
    for one in _run([program, "scan", "--config", os.environ["SEMGREP_RULES"], *off, str(path)])["results"]:
        named = CASE.search(one["path"])
        for text in one["extra"]["metadata"].get("cwe", []) if named else []:
            assert named is not None
            reported[named[1]].add(int(re.findall(r"\d+", text)[0]))
    return reported


def is_reported(case: Case, reported: Reported) -> bool:
    """Does a tool report a case with a CWE that counts?"""
    return bool(reported.get(case.name, set()) & SAME.get(case.cwe, {case.cwe}))


def table(cases: list[Case], tools: dict[str, Reported]) -> None:
    """Print TPR, FPR and score of each category and tool, in percent, and their means."""
    categories = sorted({case.category for case in cases})
    print(f"{'TPR / FPR / score':18}{'cases':>7}" + "".join(f"{name:>26}" for name in tools))
    sums: dict[str, list[tuple[float, float]]] = {name: [] for name in tools}
    for category in categories:
        chosen = [case for case in cases if case.category == category]
        line = f"{category:18}{len(chosen):>7}"
        for name, reported in tools.items():
            rates = tuple(
                100 * sum(is_reported(case, reported) for case in chosen if case.vulnerable == vulnerable)
                / max(1, sum(case.vulnerable == vulnerable for case in chosen))
                for vulnerable in (True, False)
            )  # fmt: skip
            sums[name].append((rates[0], rates[1]))
            line += f"{_cell(*rates):>26}"
        print(line)
    means = {name: [sum(column) / len(rates) for column in zip(*rates, strict=True)] for name, rates in sums.items()}
    print(f"{'mean':18}{len(cases):>7}" + "".join(f"{_cell(*mean):>26}" for mean in means.values()))


def _cell(true: float, false: float) -> str:
    return f"{true:.1f} / {false:.1f} / {true - false:.1f}"


if __name__ == "__main__":
    main()
