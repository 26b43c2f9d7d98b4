"""`audit --fix` where files are not ours to write, are links, or the run ends in the middle."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

FLAW = b"import yaml\n\n\ndef read(text):\n    return yaml.load(text, Loader=yaml.Loader)\n"
SOUND = b"import yaml\n\n\ndef read(text):\n    return yaml.safe_load(text)\n"
COMMAND = [sys.executable, "-m", "backendgen", "audit", ".", "--fix", "--no-cache", "--select", "BG109"]


def run(folder: Path, before: str = "") -> subprocess.CompletedProcess[str]:
    """Fix a folder, by a shell when something comes before."""
    command = ["/bin/sh", "-c", f'{before}\nexec "$@"', "sh", *COMMAND] if before else COMMAND
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)


def test_permissions_and_links_stay(tmp_path: Path) -> None:
    root = tmp_path / "project"
    root.mkdir()
    for name, mode in (("own.py", 0o640), ("program.py", 0o750), ("locked.py", 0o444)):
        (root / name).write_bytes(FLAW)
        (root / name).chmod(mode)
    (root / "inner.py").symlink_to("own.py")
    (tmp_path / "outside.py").write_bytes(FLAW)
    (root / "outer.py").symlink_to("../outside.py")
    done = run(root)
    assert done.stderr.splitlines() == [
        "note: locked.py is not changed: it is read-only",
        "note: outer.py is not changed: it is a link to a file outside of the project",
        "changed own.py: 1 x BG109",
        "changed program.py: 1 x BG109",
    ]
    assert done.returncode == 1
    assert {one.name: (one.read_bytes() == SOUND, one.stat().st_mode & 0o777) for one in root.iterdir()} == {
        "own.py": (True, 0o640), "inner.py": (True, 0o640), "program.py": (True, 0o750), "locked.py": (False, 0o444),
        "outer.py": (False, (tmp_path / "outside.py").stat().st_mode & 0o777),
    }  # fmt: skip
    assert (root / "inner.py").is_symlink()
    assert (root / "outer.py").is_symlink()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_a_name_that_is_no_text_is_written_where_it_is(tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b"/\xe9.py"
    Path(os.fsdecode(name)).write_bytes(FLAW)
    done = run(tmp_path)
    assert done.returncode == 0, done.stderr
    assert [os.fsencode(one.name) for one in tmp_path.iterdir()] == [b"\xe9.py"]
    assert Path(os.fsdecode(name)).read_bytes() == SOUND


def test_a_full_disk_changes_nothing(tmp_path: Path) -> None:
    large = FLAW + b"# a line that fills the disk\n" * 4_000
    (tmp_path / "a.py").write_bytes(FLAW)
    (tmp_path / "b.py").write_bytes(large)
    done = run(tmp_path, "ulimit -f 8; trap '' XFSZ")
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert done.stderr.endswith("cannot be written: File too large; nothing was changed\n")
    assert {one.name: one.read_bytes() for one in tmp_path.iterdir()} == {"a.py": FLAW, "b.py": large}


def interrupted(folder: Path, delay: float) -> None:
    """Every file is the old or the new one, nothing else is there, and nobody has outlived the run."""
    names = {f"m{number}.py" for number in range(30)}
    for name in names:
        (folder / name).write_bytes(FLAW)
    process = subprocess.Popen(
        COMMAND, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    time.sleep(delay)
    os.killpg(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert "Traceback" not in stderr or "backendgen" not in stderr
    assert process.returncode in (130, 0, -signal.SIGINT)
    assert {one.name for one in folder.iterdir()} == names
    assert {(folder / name).read_bytes() for name in names} <= {FLAW, SOUND}
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


@pytest.mark.parametrize("delay", [0.1, 0.3, 0.5])
def test_an_interrupt_leaves_whole_files(tmp_path: Path, delay: float) -> None:
    interrupted(tmp_path, delay)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(60))
def test_interrupts_at_any_moment_leave_whole_files(tmp_path: Path, seed: int) -> None:
    interrupted(tmp_path, random.Random(seed).uniform(0.05, 1.2))
