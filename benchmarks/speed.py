"""migrate-check's time and memory beside squawk's in the same run, cold, warm and for one file; and how both grow.

usage: .venv/bin/python benchmarks/speed.py FOLDER [--runs N] [--jobs N] [--skip-growth]

FOLDER holds projects; fetch them first. The .sql files that both read are copied to a folder of their own, so that both
have the same to do. Runs take turns; times are wall times, their median with the least in parentheses.
"""

from __future__ import annotations

import argparse
import compileall
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import backendgen

ROOT = Path(__file__).parent.parent
SQUAWK = Path(sys.executable).parent / "squawk"
GROWTH = (100, 1_000, 10_000)


class Measured:
    """The runs of one command: seconds of wall time and of all processors, and the peak memory of a process in MB."""

    def __init__(self) -> None:
        self.wall: list[float] = []
        self.cpu: list[float] = []
        self.peak = 0.0

    def run(self, command: list[str | Path], env: Mapping[str, str]) -> None:
        """Run it once. Exit codes 0 and 1 are fine: 1 is findings."""
        start = time.perf_counter()
        pid = os.posix_spawn(
            str(command[0]), [str(word) for word in command], dict(env),
            file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)],
        )  # fmt: skip
        _, status, used = os.wait4(pid, 0)
        if os.waitstatus_to_exitcode(status) not in (0, 1):
            sys.exit(f"{command[:4]} ended with {os.waitstatus_to_exitcode(status)}")
        self.wall.append(time.perf_counter() - start)
        self.cpu.append(used.ru_utime + used.ru_stime)
        self.peak = max(self.peak, used.ru_maxrss / 1024)

    @property
    def median(self) -> float:
        """The median wall time."""
        return statistics.median(self.wall)

    def __str__(self) -> str:
        return f"{self.median:7.3f} ({min(self.wall):6.3f}){statistics.median(self.cpu):9.2f}{self.peak:8.0f}"


def taking_turns(commands: Mapping[str, list[str | Path]], env: Mapping[str, str], runs: int) -> dict[str, Measured]:
    """Run each command so many times, one after the other."""
    measured = {name: Measured() for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            measured[name].run(command, env)
    return measured


def copied(folder: Path, target: Path) -> list[Path]:
    """Copy the files that both read, as `comparison` has it, and return the copies."""
    from comparison import files_and_statements

    paths = []
    for project in sorted(path for path in folder.iterdir() if path.is_dir()):
        for name in files_and_statements(project)[0]:
            path = target / project.name / name
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(project / name, path)
            paths.append(path)
    return paths


def compare(tool: list[str | Path], env: Mapping[str, str], corpus: Path, paths: list[Path], runs: int) -> None:
    """Print the times on the projects and on one file, and the ratios."""
    one = corpus.parent / "0001.sql"
    one.write_text("ALTER TABLE orders ADD COLUMN note text;\nCREATE INDEX a ON orders (note);\n")
    time.sleep(2.1)  # what has just been written is compared by its content, which is not what a second run of CI does
    json = ["--format", "json"]
    measured = taking_turns({
        "squawk": [SQUAWK, "--reporter", "Json", *paths],
        "cold": [*tool, corpus, *json, "--no-cache"],
        "warm": [*tool, corpus, *json],
        "floor": [sys.executable, "-c", "pass"],
        "one file": [*tool, one, "--no-cache"],
        "one file, warm": [*tool, one],
    }, env, runs + 1)  # fmt: skip
    for each in measured.values():
        del each.wall[0], each.cpu[0]  # the first run fills the caches, the system's as well as ours
    print(f"{len(paths):,} files{'':14}{'wall s':>8}{'(least)':>9}{'cpu s':>8}{'MB':>8}")
    for name, each in measured.items():
        print(f"{name:<22}{each}")
    peer = measured["squawk"].median
    print(f"cold / squawk's        {measured['cold'].median / peer:.2f}  (aim 2.5)")
    print(f"warm / squawk's        {measured['warm'].median / peer:.2f}  (aim 0.6)")
    alone, floor = measured["one file"].median, measured["floor"].median
    print(f"one file               {alone * 1e3:.0f} ms  (aim 200), {alone / floor:.1f} times an idle interpreter")


def growth(tool: list[str | Path], env: Mapping[str, str], runs: int) -> None:
    """Print the times of histories of 100, 1,000 and 10,000 migrations, and the cost of one migration in each."""
    for count in GROWTH:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for number in range(count):
                table = f"t{number // 10}"
                sql = f"CREATE TABLE {table} (id bigint PRIMARY KEY, c0 int REFERENCES t0 (id));"
                if number % 10:
                    sql = f"ALTER TABLE {table} ADD COLUMN c{number} int;\n"
                    sql += f"CREATE INDEX CONCURRENTLY i{number} ON {table} (c{number});"
                (folder / f"{number:05}_change.sql").write_text(sql)
            paths = sorted(folder.iterdir())
            measured = taking_turns({
                "squawk": [SQUAWK, "--reporter", "Json", *paths],
                "cold": [*tool, folder, "--format", "json", "--no-cache"],
            }, env, runs)  # fmt: skip
            ours, peer = measured["cold"], measured["squawk"]
            print(f"{count:>7,} migrations{ours.median:>8.2f} s{ours.median / count * 1e3:>8.2f} ms each"
                  f"{ours.median / peer.median:>8.1f} times squawk's{ours.peak:>8.0f} MB")  # fmt: skip


def main() -> None:
    """Measure a compiled copy of the tool: what an installation runs."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=0)
    parser.add_argument("--skip-growth", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        shutil.copytree(Path(backendgen.__file__).parent, home / "installed/src/backendgen")
        for folder in ("rules", "templates"):
            shutil.copytree(ROOT / folder, home / "installed" / folder)
        compileall.compile_dir(home / "installed/src", quiet=1)
        env = {**os.environ, "PYTHONPATH": str(home / "installed/src"), "XDG_CACHE_HOME": str(home / "cache")}
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        tool: list[str | Path] = [sys.executable, "-m", "backendgen", "migrate-check", "--jobs", str(arguments.jobs)]
        corpus = home / "corpus"
        compare(tool, env, corpus, copied(arguments.folder, corpus), arguments.runs)
        if not arguments.skip_growth:
            growth(tool, env, max(1, arguments.runs // 2))


if __name__ == "__main__":
    main()
