"""Finding and reading a project's files: what is left out, what is reported, what never happens."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from backendgen.code.project import Hole, is_test, load
from backendgen.errors import UserError


def tree(root: Path, **files: str | bytes) -> Path:
    for name, content in files.items():
        path = root / name.replace("__", "/").replace("_py", ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def paths(root: Path, *exclude: str) -> list[str]:
    return [file.path for file in load(root, exclude).files]


def test_left_out_are_environments_packages_caches_and_what_gitignore_or_exclude_name(tmp_path: Path) -> None:
    for name in ("app/a.py", "app/build/b.py", "env3/x.py", "node_modules/p/y.py", ".git/z.py", "build/c.py",
                 "gen/d.py", "old/e.py", "app/skip.py", "app/x_pb2.py", "app/note.txt"):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x = 1\n")
    (tmp_path / "env3" / "pyvenv.cfg").write_text("")
    (tmp_path / ".gitignore").write_text("/gen/\n")
    (tmp_path / "app" / ".gitignore").write_text("skip.py\n")
    assert paths(tmp_path, "old/") == ["app/a.py", "app/build/b.py"]


def test_links_are_not_followed_in_circles_or_out_of_the_project(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    root = tmp_path / "root"
    for folder in (outside, root / "app"):
        folder.mkdir(parents=True)
        (folder / "a.py").write_text("x = 1\n")
    (root / "app" / "loop").symlink_to(root)
    (root / "other").symlink_to(root / "app")
    (root / "away").symlink_to(outside)
    (root / "twice.py").symlink_to(root / "app" / "a.py")
    project = load(root)
    assert [file.path for file in project.files] == ["app/a.py"]
    assert [problem.path for problem in project.skipped] == [str(root / "away")]


def test_what_cannot_be_read_or_parsed_is_a_hole_at_its_line(tmp_path: Path) -> None:
    (tmp_path / "latin.py").write_bytes("# -*- coding: latin-1 -*-\nx = 'é'\n".encode("latin-1"))
    (tmp_path / "bom.py").write_bytes(b"\xef\xbb\xbfx = 1\r\ny = 2\r\n")
    (tmp_path / "bytes.py").write_bytes(b"x = 1\ny = '\xff'\n")
    (tmp_path / "coding.py").write_bytes(b"# coding: klingon\n")
    (tmp_path / "broken.py").write_text("x = 1\nif x\n")
    (tmp_path / "binary.py").write_bytes(bytes(range(256)))
    (tmp_path / "huge.py").write_bytes(b"x = 1\n" * 1_000_000)
    (tmp_path / "dangling.py").symlink_to(tmp_path / "nothing.py")
    project = load(tmp_path)
    assert [file.path for file in project.files] == ["bom.py", "latin.py"]
    assert project.holes == (
        Hole("binary.py", "is not utf-8: a byte cannot be decoded", 2),
        Hole("broken.py", "not valid Python: expected ':'", 2, 5),
        Hole("bytes.py", "is not utf-8: a byte cannot be decoded", 2),
        Hole("coding.py", "declares an unknown encoding 'klingon'"),
        Hole("dangling.py", "no such file"),
        Hole("huge.py", "is larger than 5,000,000 bytes"),
    )


def test_one_file_is_a_project_too(tmp_path: Path) -> None:
    tree(tmp_path, a_py="x = 1\n", b_py="x = 1\n")
    assert paths(tmp_path / "a.py") == ["a.py"]


@pytest.mark.parametrize(
    ("name", "message"), [("nowhere", "no such file or directory"), ("", "holds nothing that could be audited")]
)
def test_nothing_to_read_is_an_error(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        load(tmp_path / name)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("tests/a.py", True),
        ("app/test_a.py", True),
        ("conftest.py", True),
        ("app/contest.py", False),
        ("latest/a.py", False),
    ],
)
def test_tests_are_known_by_place_or_name(path: str, expected: bool) -> None:
    assert is_test(path) is expected


def test_a_folder_that_cannot_be_listed_is_a_hole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree(tmp_path, a_py="x = 1\n", closed__b_py="x = 1\n")
    scan = os.scandir

    def guarded(path: str) -> object:
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", guarded)
    project = load(tmp_path)
    assert [file.path for file in project.files] == ["a.py"]
    assert project.holes == (Hole("closed", "the folder cannot be listed: Permission denied"),)
