"""`audit --fix`, `--diff` and `--since` as their user meets them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from conftest import Run

UNSAFE = "import requests\n\n\ndef rates():\n    return requests.get('https://a.example', verify=False)\n"
SAFE = "import requests\n\n\ndef rates():\n    return requests.get('https://a.example', timeout=10)\n"
DIFF = "\n".join([
    "--- a/app.py",
    "+++ b/app.py",
    "@@ -2,4 +2,4 @@",
    " ",
    " ",
    " def rates():",
    "-    return requests.get('https://a.example', verify=False)",
    "+    return requests.get('https://a.example', timeout=10)",
    "",
])  # fmt: skip
OLD = """import requests


def old():
    return requests.get("https://a.example")


def both(verify):
    return requests.get("https://a.example", timeout=5)
"""


def test_fix_writes_and_reports_what_is_left(backendgen: Run, tmp_path: Path) -> None:
    path = tmp_path / "app.py"
    path.write_text(UNSAFE)
    shown = backendgen("audit", str(tmp_path), "--fix", "--diff")
    assert (shown.returncode, shown.stdout) == (1, DIFF)
    assert path.read_text() == UNSAFE
    done = backendgen("audit", str(tmp_path), "--fix")
    assert done.stderr.splitlines() == ["changed app.py: 1 x BG203, 1 x BG502"]
    assert (done.returncode, done.stdout) == (0, "no findings; 1 file checked\n")
    assert path.read_text() == SAFE
    again = backendgen("audit", str(tmp_path), "--fix", "--diff")
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "nothing to fix\n")


def test_diff_alone_is_refused(backendgen: Run, tmp_path: Path) -> None:
    done = backendgen("audit", str(tmp_path), "--diff")
    assert (done.returncode, done.stderr) == (2, "error: --diff does nothing without --fix\n")


def _git(folder: Path, *arguments: str) -> None:
    names = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    subprocess.run(["git", "-C", folder, *names, *arguments], check=True, capture_output=True)


def test_since_reports_what_stands_on_changed_lines(backendgen: Run, tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    path = tmp_path / "shop" / "app.py"
    path.write_text(OLD)
    _git(tmp_path, "init", "-q")
    _git(tmp_path, "add", ".")
    _git(tmp_path, "commit", "-qm", "one")
    unchanged = backendgen("audit", str(path.parent), "--since", "HEAD")
    assert unchanged.stdout == "no new findings; 1 file checked, 1 on lines that did not change\n"
    path.write_text(OLD.replace('"https://a.example", timeout=5', '"https://a.example", timeout=5, verify=False'))
    (path.parent / "new file.py").write_text(UNSAFE)
    done = backendgen("audit", str(path.parent), "--since", "HEAD", "--format", "json")
    content = json.loads(done.stdout)
    assert [(one["rule"], one["path"], one["line"]) for one in content["findings"]] == [
        ("BG203", "app.py", 9), ("BG203", "new file.py", 5), ("BG502", "new file.py", 5),
    ]  # fmt: skip
    assert content["elsewhere"] == 1
    assert done.returncode == 1


def test_since_needs_a_repository_and_all_findings_for_a_baseline(backendgen: Run, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(UNSAFE)
    done = backendgen("audit", str(tmp_path), "--since", "HEAD")
    assert done.returncode == 2
    assert "is in no git repository" in done.stderr
    refused = backendgen("audit", str(tmp_path), "--since", "HEAD", "--write-baseline", str(tmp_path / "known.json"))
    assert (refused.returncode, refused.stderr) == (
        2,
        "error: --write-baseline lists all findings: leave out --since\n",
    )
