"""Start-up and run times of the commands, each beside a floor of the same run: an interpreter that does nothing.

usage: .venv/bin/python benchmarks/commands.py [--runs N]
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
TOOL = [sys.executable, "-m", "backendgen"]
FLOOR = [sys.executable, "-c", "pass"]


def seconds(command: list[str], cwd: Path) -> float:
    """Return the wall time of one run. Exit codes 0 and 1 are fine: 1 is findings."""
    start = time.perf_counter()
    done = subprocess.run(command, cwd=cwd, capture_output=True, check=False)
    if done.returncode not in (0, 1):
        sys.exit(f"{command}: {done.stderr.decode()}")
    return time.perf_counter() - start


def fifty_files(folder: Path) -> Path:
    """Make an application of 50 files out of the vulnerable example, each module several times."""
    target = folder / "fifty"
    sources = sorted((ROOT / "examples" / "vulnerable").rglob("*.py"))
    for number in range(50):
        source = sources[number % len(sources)]
        path = target / f"copy{number // len(sources)}" / source.relative_to(ROOT / "examples" / "vulnerable")
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, path)
    return target


def main() -> None:
    """Print a table: median milliseconds, and how many times the floor."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=7)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "0001.sql").write_text("ALTER TABLE orders ADD COLUMN note text;\nCREATE INDEX a ON orders (note);\n")
        commands = {
            "--version": ["--version"],
            "new orders": ["new", str(ROOT / "examples/orders/spec.yaml"), "-o", "out", "--force"],
            "migrate-check, one file": ["migrate-check", "0001.sql"],
            "audit, 50 files": ["audit", str(fifty_files(folder))],
            "audit, generated orders": ["audit", str(ROOT / "examples/orders/service")],
        }
        print(f"{'':26}{'ms':>8}{'x floor':>10}")
        for title, arguments in commands.items():
            seconds([*TOOL, *arguments], folder)
            pairs = [(seconds([*TOOL, *arguments], folder), seconds(FLOOR, folder)) for _ in range(runs)]
            ours, floor = statistics.median(pair[0] for pair in pairs), statistics.median(pair[1] for pair in pairs)
            print(f"{title:26}{ours * 1000:>8.0f}{ours / floor:>10.1f}")


if __name__ == "__main__":
    main()
