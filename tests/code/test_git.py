"""What git tells of a working tree."""

from __future__ import annotations

import subprocess
from pathlib import Path

from backendgen.code import git


def test_lines_that_differ(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("1\n2\n3\n4\n5\n")
    (tmp_path / "b.py").write_text("+++ b/x\nrest\n")
    names = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    for arguments in (("init", "-q"), ("add", "."), (*names, "commit", "-qm", "one")):
        subprocess.run(["git", "-C", tmp_path, *arguments], check=True, capture_output=True)
    (tmp_path / "a.py").write_text("1\nnew\n3\n5\nlast\n")
    (tmp_path / "b.py").write_text("+++ b/y\nrest\n@@ -1 +1 @@\n")
    (tmp_path / "c d.py").write_text("1\n")
    lines = git.base(tmp_path, "HEAD").lines(tmp_path)
    assert {path.name: found for path, found in lines.items()} == {
        "a.py": {2, 3, 4, 5}, "b.py": {1, 3}, "c d.py": None,
    }  # fmt: skip
