"""migrate-check on real histories beside squawk in the same run, and on histories of growing length.

usage: .venv/bin/python benchmarks/histories.py FOLDER [--runs N] [--skip-growth]

FOLDER holds projects, or their .sql files only; fetch them first. The last lines are ratios.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

TOOL = [sys.executable, "-m", "backendgen", "migrate-check"]
SQUAWK = Path(sys.executable).parent / "squawk"
# squawk's hygiene, which says little about danger: the comparison of findings leaves it out on both sides.
SQUAWK_HYGIENE = {
    "prefer-robust-stmts", "require-lock-timeout", "require-statement-timeout", "require-timeout-settings", "prefer-big-int",
    "prefer-bigint-over-int", "prefer-bigint-over-smallint", "prefer-identity", "prefer-text-field", "prefer-timestamp-tz",
    "syntax-error", "identifier-too-long", "require-table-schema",
}  # fmt: skip
SEVERE = {"medium", "high", "critical"}


def timed(command: list[str | Path], runs: int) -> tuple[float, bytes]:
    """Return the median wall time of several runs and what the last one printed."""
    times, output = [], b""
    for _ in range(runs):
        start = time.perf_counter()
        done = subprocess.run(command, capture_output=True, check=False)
        times.append(time.perf_counter() - start)
        output = done.stdout
    return statistics.median(times), output


def ours(folder: Path, runs: int) -> tuple[float, dict[str, object]]:
    """Check one project; a folder without any PostgreSQL migration has an empty report."""
    seconds, output = timed([*TOOL, folder, "--format", "json"], runs)
    return seconds, json.loads(output) if output else {"files": 0, "findings": [], "skipped": []}


def projects(folder: Path, runs: int) -> None:
    """Print a line for each project and the totals."""
    files, wall, found, hygiene = 0, 0.0, Counter[str](), 0
    reports = {}
    for project in sorted(path for path in folder.iterdir() if path.is_dir()):
        seconds, report = ours(project, runs)
        reports[project] = report
        findings = report["findings"]
        severe = [one["rule"] for one in findings if one["severity"] in SEVERE]
        hygiene += len(findings) - len(severe)
        found.update(severe)
        files += report["files"]
        wall += seconds
        print(
            f"{project.name:<32}{report['files']:>6} files {seconds:>6.2f} s {len(severe):>6} findings of medium and above"
        )
    print(f"{files:,} files, {sum(found.values()):,} findings of medium and above, {hygiene:,} below")
    print("not understood:", found["BG904"], " ".join(f"{rule} {count}" for rule, count in found.most_common(12)))
    paths = [project / one for project in reports for one in read_files(project)]
    peer_wall, peer = squawk(paths, runs)
    severe = {rule: count for rule, count in peer.items() if rule not in SQUAWK_HYGIENE}
    print(f"squawk: {len(paths):,} files, {peer_wall:.2f} s, {sum(severe.values()):,} findings without its hygiene, "
          f"{sum(peer.values()):,} with it")  # fmt: skip
    print(f"wall / squawk's                {wall / peer_wall:.2f}  (one process for each project, start-up included)")
    print(f"findings / squawk's            {sum(found.values()) / max(1, sum(severe.values())):.2f}")
    print(f"peak memory of a process       {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024:.0f} MB")


def read_files(project: Path) -> list[str]:
    """Return the .sql files of a project, relative to it."""
    return sorted(str(path.relative_to(project)) for path in project.rglob("*.sql"))


def squawk(paths: list[Path], runs: int) -> tuple[float, Counter[str]]:
    """Run squawk over all files in one process."""
    seconds, output = timed([SQUAWK, "--reporter", "Json", *paths], runs)
    return seconds, Counter(one["rule_name"] for one in json.loads(output or b"[]"))


def growth() -> None:
    """Print the time of histories of 100, 1,000 and 10,000 migrations, and the cost of one migration in each."""
    for count in (100, 1_000, 10_000):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for number in range(count):
                table = f"t{number // 10}"
                sql = f"CREATE TABLE {table} (id bigint PRIMARY KEY, c0 int REFERENCES t0 (id));"
                if number % 10:
                    sql = f"ALTER TABLE {table} ADD COLUMN c{number} int;\n"
                    sql += f"CREATE INDEX CONCURRENTLY i{number} ON {table} (c{number});"
                (folder / f"{number:05}_change.sql").write_text(sql)
            seconds, _ = ours(folder, 1)
            print(f"{count:>7,} migrations {seconds:>7.2f} s {seconds / count * 1e3:>7.2f} ms each")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--skip-growth", action="store_true")
    arguments = parser.parse_args()
    projects(arguments.folder, arguments.runs)
    if not arguments.skip_growth:
        growth()
