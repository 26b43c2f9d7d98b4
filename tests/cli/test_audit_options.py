"""`audit --fix`, `--diff` and `--since` as their user meets them."""

from __future__ import annotations

from pathlib import Path

from conftest import Run

UNSAFE = "import requests\n\n\ndef rates():\n    return requests.get('https://a.example', verify=False)\n"
SAFE = "import requests\n\n\ndef rates():\n    return requests.get('https://a.example', timeout=10)\n"
DIFF = """--- a/app.py
+++ b/app.py
@@ -2,4 +2,4 @@
 
 
 def rates():
-    return requests.get('https://a.example', verify=False)
+    return requests.get('https://a.example', timeout=10)
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
