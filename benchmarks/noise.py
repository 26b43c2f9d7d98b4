"""How much audit says about sound backends: findings per thousand lines of code, in the default profile.

usage: .venv/bin/python benchmarks/noise.py PATH... [--keep FOLDER] [--sample N [--most N] [--seed N]]

Each PATH is one project, fetched first. A line of code is a line of Python that is neither blank nor a comment, outside
of tests and migrations. With --keep the JSON reports stay in FOLDER and are read again by the next run.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backendgen.code.project import is_test

NOT_CODE = frozenset({"migrations", "alembic", "versions", "node_modules", ".venv", "venv", "site-packages"})


@dataclass(frozen=True, slots=True)
class Finding:
    """What the report of one project says."""

    project: str
    rule: str
    path: str
    line: int
    message: str
    confidence: str

    @property
    def draw(self) -> str:
        """Its place in a sample, whatever else is found."""
        return f"{self.project} {self.rule} {self.path} {self.line}"


@dataclass(frozen=True, slots=True)
class Audited:
    """One project, its size and what was found in it."""

    name: str
    files: int
    lines: int
    seconds: float
    findings: tuple[Finding, ...]


def code(folder: Path) -> Iterator[str]:
    """Yield the text of each Python file that counts."""
    for path in sorted(folder.rglob("*.py")):
        inside = path.relative_to(folder)
        if path.is_file() and not NOT_CODE.intersection(inside.parts) and not is_test(inside.as_posix()):
            yield path.read_text("utf-8", "replace")


def size(text: str) -> int:
    """Count the lines that are neither blank nor a comment."""
    return sum(bool(line) and not line.startswith("#") for line in map(str.strip, text.splitlines()))


def report_of(folder: Path, kept: Path | None) -> tuple[float, dict[str, Any]]:
    """Audit one project, or read what an earlier run kept of it."""
    if kept and kept.is_file():
        return 0.0, json.loads(kept.read_bytes())
    start = time.perf_counter()
    command = [sys.executable, "-m", "backendgen", "audit", folder, "--format", "json", "--fail-on", "never"]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        sys.exit(f"{folder}: exit {done.returncode}\n{done.stderr.decode('utf-8', 'replace')}")
    if kept:
        kept.write_bytes(done.stdout)
    return time.perf_counter() - start, json.loads(done.stdout)


def audited(folder: Path, name: str, keep: Path | None) -> Audited:
    """Count and audit one project."""
    seconds, report = report_of(folder, keep and keep / f"{name}.json")
    sizes = [size(text) for text in code(folder)]
    findings = (
        Finding(name, each["rule"], each["path"], each["line"], each["message"], each["confidence"])
        for each in report["findings"]
    )
    return Audited(name, len(sizes), sum(sizes), seconds, tuple(findings))


def sampled(findings: Iterable[Finding], count: int, most: int, seed: int) -> list[Finding]:
    """Draw findings by a hash of each, of a rule `most` and of a project an eighth, so that none dominates."""
    drawn, rules, projects = list[Finding](), Counter[str](), Counter[str]()
    for one in sorted(findings, key=lambda each: hashlib.sha256(f"{seed} {each.draw}".encode()).hexdigest()):
        if len(drawn) < count and rules[one.rule] < most and projects[one.project] < max(1, count // 8):
            drawn.append(one)
            rules[one.rule] += 1
            projects[one.project] += 1
    return sorted(drawn, key=lambda one: (one.rule, one.project, one.path, one.line))


def print_noise(projects: list[Audited]) -> None:
    """Print a line for each project, the total and the rules by how often they speak."""
    print(f"{'project':<32}{'files':>7}{'kSLOC':>8}{'findings':>10}{'a kSLOC':>9}{'seconds':>9}")
    for one in projects:
        print(f"{one.name:<32}{one.files:>7}{one.lines / 1e3:>8.1f}{len(one.findings):>10}"
              f"{1e3 * len(one.findings) / max(1, one.lines):>9.2f}{one.seconds:>9.1f}")  # fmt: skip
    found = [finding for one in projects for finding in one.findings]
    lines = sum(one.lines for one in projects)
    print(f"{'all':<32}{sum(one.files for one in projects):>7}{lines / 1e3:>8.1f}{len(found):>10}"
          f"{1e3 * len(found) / max(1, lines):>9.2f}")  # fmt: skip
    print(f"\n{'rule':<8}{'findings':>10}{'a kSLOC':>9}{'projects':>10}")
    where = {finding.rule: {one.project for one in found if one.rule == finding.rule} for finding in found}
    for rule, count in Counter(finding.rule for finding in found).most_common():
        print(f"{rule:<8}{count:>10}{1e3 * count / max(1, lines):>9.4f}{len(where[rule]):>10}")


def main() -> None:
    """Audit each path and print what was found, then a sample of it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("paths", type=Path, nargs="+")
    parser.add_argument("--keep", type=Path, help="keep the reports in this folder, and read those that it has")
    parser.add_argument("--sample", type=int, default=0, help="print so many findings to be judged")
    parser.add_argument("--most", type=int, default=12, help="so many of one rule in the sample")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    if arguments.keep:
        arguments.keep.mkdir(parents=True, exist_ok=True)
    paths: list[Path] = arguments.paths
    names = ["/".join(path.resolve().parts[-2:]) if path.name in ("server", "backend", "api", "src") else path.name
             for path in paths]  # fmt: skip
    projects = [audited(path, name.replace("/", "-"), arguments.keep)
                for path, name in zip(paths, names, strict=True)]  # fmt: skip
    print_noise(projects)
    found = [finding for one in projects for finding in one.findings]
    for one in sampled(found, arguments.sample, arguments.most, arguments.seed) if arguments.sample else ():
        print(f"| {one.project} | {one.path} | {one.line} | {one.rule} {one.confidence} | | {one.message} |")


if __name__ == "__main__":
    main()
