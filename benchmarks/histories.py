"""migrate-check on real histories beside squawk in the same run, and on histories of growing length.

usage: .venv/bin/python benchmarks/histories.py FOLDER [--runs N] [--sample N] [--skip-growth]

FOLDER holds projects, or their .sql files only; fetch them first. Only files that both read are compared.
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
from pathlib import Path
from typing import Any

from comparison import (
    SEVERE,
    Said,
    Statement,
    files_and_statements,
    judge,
    ours,
    print_comparison,
    print_sample,
    squawks,
)

from backendgen.rules import Rulebook

TOOL = [sys.executable, "-m", "backendgen", "migrate-check"]
SQUAWK = Path(sys.executable).parent / "squawk"


def timed(command: list[str | Path], runs: int) -> tuple[float, bytes]:
    """Return the median wall time of several runs and what the last one printed."""
    times, output = [], b""
    for _ in range(runs):
        start = time.perf_counter()
        done = subprocess.run(command, capture_output=True, check=False)
        times.append(time.perf_counter() - start)
        output = done.stdout
    return statistics.median(times), output


def report_of(folder: Path, runs: int) -> tuple[float, dict[str, Any]]:
    """Check one project; a folder without any PostgreSQL migration has an empty report."""
    seconds, output = timed([*TOOL, folder, "--format", "json"], runs)
    return seconds, json.loads(output) if output else {"files": 0, "findings": [], "skipped": []}


def projects(folder: Path, runs: int, sample: int, seed: int) -> None:
    """Print a line for each project, the comparison with squawk and the totals."""
    wall, lost, built, found, paths = 0.0, 0, 0, list[Said](), list[Path]()
    statements: dict[tuple[str, str], list[Statement]] = {}
    roots = sorted(path for path in folder.iterdir() if path.is_dir())
    for project in roots:
        seconds, report = report_of(project, runs)
        names, known = files_and_statements(project)
        statements |= {(project.name, path): each for path, each in known.items()}
        read = frozenset(names)
        mine = [one for one in ours(project, report) if one.path in read]
        severe = sum(one.severity in SEVERE for one in mine)
        print(f"{project.name:<32}{len(names):>6} files {seconds:>6.2f} s {severe:>6} findings of medium and above")
        paths += [project / path for path in names]
        found += mine
        wall += seconds
        unread = [one for one in report["findings"] if one["rule"] == "BG904" and one["path"] in read]
        built += sum("EXECUTE runs SQL" in one["message"] for one in unread)
        lost += sum("EXECUTE runs SQL" not in one["message"] for one in unread)
    peer_wall, output = timed([SQUAWK, "--reporter", "Json", *paths], runs)
    theirs = squawks(roots, json.loads(output or b"[]"))
    judged = judge(theirs, found, statements, Rulebook())
    print_comparison(len(paths), found, theirs, judged)
    total = sum(len(each) for each in statements.values())
    print(f"statements                     {total:,}, of which {lost:,} are not understood ({100 * lost / total:.3f} %) and "
          f"{built:,} run SQL that they build at run time, which is said")  # fmt: skip
    print(f"wall / squawk's                {wall / peer_wall:.2f}  (one process for each project, start-up included)")
    print(f"peak memory of a process       {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024:.0f} MB")
    if sample:
        print_sample(sample, seed, found, judged)


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
            seconds, _ = report_of(folder, 1)
            print(f"{count:>7,} migrations {seconds:>7.2f} s {seconds / count * 1e3:>7.2f} ms each")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--sample", type=int, default=0, help="print so many findings of each side to be judged")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--skip-growth", action="store_true")
    arguments = parser.parse_args()
    projects(arguments.folder, arguments.runs, arguments.sample, arguments.seed)
    if not arguments.skip_growth:
        growth()
