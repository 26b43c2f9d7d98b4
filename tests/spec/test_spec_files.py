"""A schema in .sql files beside the spec."""

from __future__ import annotations

from pathlib import Path

import pytest

from backendgen.errors import UserError
from backendgen.spec.load import load

NOTES = "CREATE TABLE notes (id int PRIMARY KEY, title text NOT NULL)"


def write(folder: Path, *names: str) -> Path:
    listed = ", ".join(names)
    path = folder / "spec.yaml"
    path.write_text(
        f"backendgen: 1\nservice: {{name: x}}\nauth: {{}}\nrate_limits: {{}}\nschema: [{listed}]\n"
        "api: {resources: {notes: {list: {allow: user}}}}\n",
        encoding="utf-8",
    )
    return path


def refused(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        load(path)
    return str(caught.value)


def test_files_are_read_in_order(tmp_path: Path) -> None:
    (tmp_path / "db").mkdir()
    (tmp_path / "db" / "a.sql").write_text(f"{NOTES} -- without a semicolon;\n")
    (tmp_path / "b.sql").write_text("CREATE INDEX notes_by_title ON notes (title);\n")
    spec = load(write(tmp_path, "db/a.sql", "b.sql"))
    assert list(spec.schema.tables) == ["users", "notes"]
    assert [index.name for index in spec.schema.tables["notes"].indexes] == ["notes_pkey", "notes_by_title"]
    assert spec.ddl == f"{NOTES} -- without a semicolon;\n;\nCREATE INDEX notes_by_title ON notes (title);\n"


def test_errors_are_in_the_files(tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text(f"{NOTES};\n\nDROP TABLE notes;\n")
    (tmp_path / "b.sql").write_text("\n  CREATE INDX x;\nCREATE INDEX y ON notes (tilte);")
    lines = refused(write(tmp_path, "a.sql", "b.sql")).splitlines()
    assert lines[0] == f"{tmp_path}/a.sql:3:1 schema: DROP TABLE cannot be part of a spec's schema"
    assert lines[2:] == [
        f'{tmp_path}/b.sql:2:10 schema: syntax error at or near "INDX"',
        f"{tmp_path}/b.sql:3:1 schema: index 'y' names column 'tilte', which table 'notes' does not have "
        "(did you mean 'title'?)",
    ]


def test_a_warning_is_in_the_file_too(tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text(f"{NOTES};\n")
    (tmp_path / "b.sql").write_text("CREATE TABLE tags (\n  id int PRIMARY KEY,\n  note_id int REFERENCES notes\n);\n")
    (asked,) = load(write(tmp_path, "a.sql", "b.sql")).assumptions
    assert (asked.code, asked.path, asked.line) == ("S302", f"{tmp_path}/b.sql", 3)


@pytest.mark.parametrize("name", ["../outside.sql", "/etc/outside.sql", "link.sql", "db/../../outside.sql"])
def test_nothing_outside_the_folder_is_read(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "service"
    folder.mkdir()
    (tmp_path / "outside.sql").write_text(NOTES)
    (folder / "link.sql").symlink_to(tmp_path / "outside.sql")
    assert refused(write(folder, name)) == (
        f"{folder}/spec.yaml:5:10 schema: '{name}' is outside the spec's folder\n  keep the .sql files beside the spec"
    )


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "folder.sql").mkdir()
    (tmp_path / "latin.sql").write_bytes(b"-- caf\xe9\n")
    (tmp_path / "large.sql").write_bytes(b"-" * 1_000_001)
    spec = write(tmp_path, "absent.sql", "folder.sql", "latin.sql", "large.sql", "notes.txt")
    assert refused(spec).splitlines() == [
        f"{spec}:5:10 schema: 'absent.sql' no such file",
        f"{spec}:5:22 schema: 'folder.sql' is a directory, not a file",
        f"{spec}:5:45 schema: 'large.sql' is larger than 1,000,000 bytes",
        f"{spec}:5:56 schema: expected a .sql file beside the spec, found 'notes.txt'",
        f"{tmp_path}/latin.sql:1:7 is not UTF-8: byte 0xe9 cannot be decoded",
        "  save the file as UTF-8",
    ]
