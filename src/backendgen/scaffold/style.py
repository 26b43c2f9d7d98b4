"""Formats generated Python with ruff: the user's names decide how long a line is, the formatter where it breaks."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from backendgen import process
from backendgen.errors import UserError
from backendgen.files import File, write_tree

_SETTINGS = "pyproject.toml"
_STEPS = (("check", "--select", "I", "--fix"), ("format",))  # sorted imports first: the formatter breaks them
_TIMEOUT = 60.0


def formatted(written: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the files with their Python laid out as the service's own `ruff format --check` wants it.

    Raises UserError when ruff is missing. Python that ruff cannot parse is an error of ours (AssertionError).
    """
    ruff = process.find("ruff")
    if ruff is None:
        raise UserError("ruff is not installed: install backendgen with its dependencies")
    sources = [path for path in written if path.endswith(".py")]
    with tempfile.TemporaryDirectory(prefix="backendgen-") as folder:
        tree = Path(folder) / "tree"
        write_tree(tree, (File(path, written[path]) for path in (_SETTINGS, *sources)))
        for step in _STEPS:
            done = process.run([ruff, *step, "--no-cache", "--quiet", "."], cwd=tree, timeout=_TIMEOUT)
            assert done.code == 0, (done.stdout + done.stderr).decode(errors="replace")
        return {**written, **{path: (tree / path).read_bytes() for path in sources}}
