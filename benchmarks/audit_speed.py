"""audit's time and memory: each phase and each rule, beside bandit (and semgrep) in the same run, warm, and how it grows.

usage: .venv/bin/python benchmarks/audit_speed.py PATH [--runs N] [--jobs N] [--semgrep RULES] [--rules N] [--growth]

Seconds are of one machine at one hour: what counts are the ratios, and the CPU time of the whole tree of processes. Runs
take turns. A rule's time is what it takes after those before it: what rules share (the index of uses, what endpoints do) is
measured first, on its own.
"""

from __future__ import annotations

import argparse
import compileall
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import backendgen
from backendgen.audit import unhindered
from backendgen.audit.checks import check
from backendgen.audit.engines import own
from backendgen.audit.flow.rules import analyse
from backendgen.cli.output import rulebook_for
from backendgen.code.project import load
from backendgen.config import Config

if TYPE_CHECKING:
    from speed import Measured

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
PARSE, MODEL, INDEX, ENDPOINTS, FLOW = "read and parse", "service model", "index of uses", "endpoints followed", "flow"


def phases(path: Path) -> dict[str, float]:
    """Return the CPU seconds of each phase and rule, in one process, in the order of a run."""
    rules = rulebook_for(ROOT).select("audit")
    spent: dict[str, float] = {}

    def timed(name: str, work: Callable[[], object]) -> None:
        start = time.process_time()
        work()
        spent[name] = time.process_time() - start

    with unhindered():
        start = time.process_time()
        project = load(path)
        spent[PARSE] = time.process_time() - start
        start = time.process_time()
        context = own.describe(project, Config())
        spent[MODEL] = time.process_time() - start
        timed(INDEX, lambda: list(context.index.methods("")))
        timed(ENDPOINTS, lambda: [context.facts.access(one) for one in context.service.endpoints])
        for rule in rules:
            if rule.detect.kind == "python":
                timed(rule.id, lambda rule=rule: list(check.functions[rule.id](context)))  # type: ignore[misc]
        flow = tuple(rule for rule in rules if rule.detect.kind == "flow")
        timed(FLOW, lambda: analyse(context.symbols, context.service, flow))
    return spent


def show_phases(path: Path, rules: int) -> None:
    """Print the phases, and the rules that take longest."""
    spent = phases(path)
    project = load(path)
    lines = sum(one.text.count("\n") for one in project.files)
    print(f"\n{len(project.files):,} files, {lines:,} lines\n\n{'phase':<24}{'CPU ms':>8}{'/ parse':>9}")
    of_rules = {name: seconds for name, seconds in spent.items() if name.startswith("BG")}
    rows = {name: seconds for name, seconds in spent.items() if name not in of_rules}
    rows[f"{len(of_rules)} other rules"] = sum(of_rules.values())
    rows["all"] = sum(spent.values())
    slowest = sorted(of_rules.items(), key=lambda each: -each[1])[:rules]
    for name, seconds in (*rows.items(), *slowest):
        print(f"{name:<24}{seconds * 1e3:>8.0f}{seconds / spent[PARSE]:>9.2f}")


def compare(
    tool: list[str | Path], env: Mapping[str, str], path: Path, runs: int, jobs: int, semgrep: Path | None
) -> None:
    """Print the times of whole runs, and their ratios to the peers'."""
    from speed import taking_turns

    json = ["--format", "json"]
    commands: dict[str, list[str | Path]] = {
        "cold, 1 job": [*tool, path, *json, "--no-cache", "--jobs", "1"],
        f"cold, {jobs} jobs": [*tool, path, *json, "--no-cache", "--jobs", str(jobs)],
        "nothing changed": [*tool, path, *json],
        "bandit": [BIN / "bandit", "-q", "-r", path, "-f", "json", "-o", os.devnull],
    }
    if semgrep:
        options = ["--metrics=off", "--disable-version-check", "--quiet", "--json", "-j", "2"]
        commands["semgrep"] = [BIN / "semgrep", "scan", "--config", semgrep, *options, path]
    time.sleep(2.1)  # what has just been written is compared by its content, which is not what a second run of CI does
    measured = taking_turns(commands, env, runs + 1)
    for each in measured.values():
        del each.wall[0], each.cpu[0]  # the first run fills the caches, the system's as well as ours
    print(f"{'':24}{'wall s':>7}{'(least)':>9}{'cpu s':>9}{'MB':>8}")
    cold = measured[f"cold, {jobs} jobs"].median
    for count in (1, 20):
        measured[f"{count} changed"] = changed([*tool, "--format", "json", "--jobs", str(jobs)], env, path, runs, count)
    for name, each in measured.items():
        print(f"{name:<24}{each}")
    peers = sum(each.median for name, each in measured.items() if name in ("bandit", "semgrep"))
    print(f"cold / {' + '.join(name for name in commands if name in ('bandit', 'semgrep'))}: "
          f"{cold / peers:.2f}")  # fmt: skip
    for name in ("nothing changed", "1 changed", "20 changed"):
        print(f"{name} / cold: {measured[name].median / cold:.2f}")


def changed(tool: list[str | Path], env: Mapping[str, str], path: Path, runs: int, count: int) -> Measured:
    """Measure runs before each of which so many files of a copy, spread over it, have got one more line."""
    from speed import Measured

    measured = Measured()
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name, "copy")
        shutil.copytree(path, copy, symlinks=True)
        files = sorted(one for one in copy.rglob("*.py") if one.is_file() and not one.is_symlink())
        chosen = files[:: max(1, len(files) // count)][:count]
        Measured().run([*tool, copy], env)
        for number in range(runs):
            for file in chosen:
                with file.open("a") as handle:
                    handle.write(f"\nchanged_{number} = {number}\n")
            measured.run([*tool, copy], env)
    return measured


def growth(tool: list[str | Path], env: Mapping[str, str], path: Path, runs: int) -> None:
    """Print the times of about 10, 100 and 1,000 thousand lines: so many of the project's files, or copies of it."""
    from speed import taking_turns

    found = sorted(one for one in path.rglob("*.py") if one.is_file())
    files = [(str(one.relative_to(path)), one.read_text(errors="replace")) for one in found]
    lines = sum(text.count("\n") for _, text in files)
    print(f"\n{'lines':>12}{'cpu s':>9}{'ms / 1,000':>12}{'MB':>8}")
    for wanted in (10_000, 100_000, 1_000_000):
        with tempfile.TemporaryDirectory() as name:
            written, copies = 0, 0
            while written < wanted:
                copies += 1
                for file, text in files if wanted >= lines else _fitting(files, wanted):
                    target = Path(name, f"copy{copies}", file)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_text(text)
                    written += text.count("\n")
                    if written >= wanted:
                        break
            one = taking_turns({"": [*tool, name, "--format", "json", "--no-cache", "--jobs", "1"]}, env, runs)[""]
            print(f"{written:>12,}{min(one.cpu):>9.2f}{min(one.cpu) / written * 1e6:>12.1f}{one.peak:>8.0f}")


def _fitting(files: list[tuple[str, str]], wanted: int) -> list[tuple[str, str]]:
    """Every n-th file: a part of the project that is like the whole."""
    step = max(1, sum(text.count("\n") for _, text in files) // wanted)
    return files[::step] or files


def main() -> None:
    """Measure a compiled copy of the tool: what an installation runs."""
    parser = argparse.ArgumentParser()
    parser.add_argument("path", type=Path)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--rules", type=int, default=12)
    parser.add_argument("--semgrep", type=Path)
    parser.add_argument("--growth", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        shutil.copytree(Path(backendgen.__file__).parent, home / "installed/src/backendgen")
        for folder in ("rules", "templates"):
            shutil.copytree(ROOT / folder, home / "installed" / folder)
        compileall.compile_dir(home / "installed/src", quiet=1)
        env = {**os.environ, "PYTHONPATH": str(home / "installed/src"), "XDG_CACHE_HOME": str(home / "cache")}
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        tool: list[str | Path] = [sys.executable, "-m", "backendgen", "audit"]
        compare(tool, env, arguments.path, arguments.runs, arguments.jobs, arguments.semgrep)
        if arguments.growth:
            growth(tool, env, arguments.path, 1)
    show_phases(arguments.path, arguments.rules)  # last: a program that is started counts the memory of its starter


if __name__ == "__main__":
    main()
