from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pytest

from backendgen import files
from backendgen.errors import UserError
from backendgen.files import File


def message(error: pytest.ExceptionInfo[UserError]) -> str:
    return str(error.value)


def test_read_text_says_where_the_wrong_byte_is(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_bytes(b"name: orders\ntitle: caf\xe9\n")
    with pytest.raises(UserError) as error:
        files.read_text(path)
    assert message(error) == f"{path}:2:11 is not UTF-8: byte 0xe9 cannot be decoded\n  save the file as UTF-8"


def test_read_refuses_what_is_not_a_small_file(tmp_path: Path) -> None:
    big, fifo = tmp_path / "big", tmp_path / "fifo"
    big.write_bytes(b"x" * 11)
    os.mkfifo(fifo)
    for path, expected in (
        (tmp_path, "is a directory, not a file"),
        (tmp_path / "none", "no such file"),
        (big, "is larger than 10 bytes"),
        (fifo, "is not a regular file"),
    ):
        with pytest.raises(UserError) as error:
            files.read_bytes(path, limit=10)
        assert message(error) == f"{path} {expected}"


def test_write_replaces_whole_files_and_leaves_no_others(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "report.json"
    files.write(path, b"one")
    files.write(path, b"two")
    assert path.read_bytes() == b"two"
    assert [one.name for one in path.parent.iterdir()] == ["report.json"]


def test_write_tree_writes_all_and_sets_the_run_bit(tmp_path: Path) -> None:
    target = tmp_path / "service"
    files.write_tree(target, [File("app/main.py", b"x = 1\n"), File("scripts/run", b"#!/bin/sh\n", executable=True)])
    assert (target / "app/main.py").read_bytes() == b"x = 1\n"
    assert os.access(target / "scripts/run", os.X_OK)
    assert not os.access(target / "app/main.py", os.X_OK)
    assert [one.name for one in tmp_path.iterdir()] == ["service"]


def test_write_tree_refuses_a_directory_in_use(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(UserError, match="is not empty"):
        files.write_tree(tmp_path, [File("a", b"")])
    files.write_tree(tmp_path, [File("a", b"new")], force=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "mine.txt"]


def test_write_tree_refuses_a_file_and_a_dangling_link(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(UserError, match="is a file; name a directory"):
        files.write_tree(tmp_path / "file", [])
    with pytest.raises(UserError, match="is a dangling symbolic link"):
        files.write_tree(tmp_path / "link", [])


def test_write_tree_never_follows_a_link_out_of_the_target(tmp_path: Path) -> None:
    outside, target = tmp_path / "outside", tmp_path / "service"
    outside.mkdir()
    target.mkdir()
    (target / "app").symlink_to(outside)
    with pytest.raises(UserError, match="leads out of the target"):
        files.write_tree(target, [File("app/main.py", b"")], force=True)
    assert not list(outside.iterdir())


def test_a_full_disk_leaves_the_target_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "service"
    files.write_tree(target, [File("a", b"old")])

    def full(self: Path, content: bytes) -> int:
        raise OSError(28, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(UserError) as error:
        files.write_tree(target, [File("a", b"new"), File("b", b"new")], force=True)
    assert message(error) == f"{target} cannot be written: No space left on device; nothing was changed"
    assert [path.name for path in tmp_path.iterdir()] == ["service"]
    assert (target / "a").read_bytes() == b"old"


def test_an_interrupt_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(self: Path, content: bytes) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_bytes", interrupted)
    with pytest.raises(KeyboardInterrupt):
        files.write_tree(tmp_path / "service", [File("a", b"")])
    assert not list(tmp_path.iterdir())


def test_an_existing_directory_stays_the_same_one(tmp_path: Path) -> None:
    """Whoever stands in it, as with `-o .`, must see the new files."""
    target = tmp_path / "service"
    (target / "app").mkdir(parents=True)
    (target / "app" / "main.py").write_text("old")
    (target / "app" / "mine.py").write_text("keep")
    (tmp_path / "link").symlink_to(target)
    before = target.stat().st_ino
    files.write_tree(tmp_path / "link", [File("app/main.py", b"new"), File("docs/a/b.md", b"new")], force=True)
    assert target.stat().st_ino == before and (tmp_path / "link").is_symlink()
    found = {str(path.relative_to(target)): path.read_text() for path in target.rglob("*") if path.is_file()}
    assert found == {"app/main.py": "new", "app/mine.py": "keep", "docs/a/b.md": "new"}
    assert sorted(path.name for path in target.iterdir()) == ["app", "docs"]


@pytest.mark.parametrize("moves", range(6))
def test_an_interrupt_between_two_moves_undoes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moves: int
) -> None:
    target = tmp_path / "service"
    files.write_tree(target, [File("a", b"old"), File("c/d", b"old")])
    rename, done = Path.rename, []

    def interrupted(self: Path, to: Path) -> Path:
        if len(done) == moves:
            raise KeyboardInterrupt
        done.append(to)
        return rename(self, to)

    monkeypatch.setattr(Path, "rename", interrupted)
    with suppress(KeyboardInterrupt):
        files.write_tree(target, [File("a", b"new"), File("b/b/b", b"new"), File("c/d", b"new")], force=True)
    found = {str(path.relative_to(target)): path.read_bytes() for path in target.rglob("*") if path.is_file()}
    new = {"a": b"new", "b/b/b": b"new", "c/d": b"new"}
    assert found == (new if moves == 5 else {"a": b"old", "c/d": b"old"})
    assert sorted(path.name for path in target.iterdir()) == (["a", "b", "c"] if moves == 5 else ["a", "c"])


def test_a_directory_in_the_place_of_a_file_is_kept(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    with pytest.raises(UserError) as error:
        files.write_tree(tmp_path, [File("a", b"new"), File("b", b"new")], force=True)
    assert message(error) == f"{tmp_path} cannot be written: b is a directory; nothing was changed"
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_devices_pipes_and_links_are_written_to_not_replaced(tmp_path: Path) -> None:
    pipe, link, real = tmp_path / "pipe", tmp_path / "link", tmp_path / "real"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    files.write(pipe, b"report")
    assert os.read(reader, 100) == b"report" and pipe.is_fifo()
    os.close(reader)
    link.symlink_to(real)
    files.write(link, b"report")
    assert link.is_symlink() and real.read_bytes() == b"report"
    with pytest.raises(UserError, match="/dev/full cannot be written: No space left on device"):
        files.write(Path("/dev/full"), b"report")
    assert Path("/dev/full").is_char_device()
