"""The plan: deterministic, pure, complete; what is off leaves nothing behind; odd names give valid Python."""

from __future__ import annotations

import ast
import bz2
import io
import json
import re
import socket
import tarfile
import time
from pathlib import Path

import pytest
from scaffold_specs import SPECS, spec, tree

from backendgen import __version__
from backendgen.resources import directory
from backendgen.scaffold import plan


def test_the_same_spec_gives_the_same_bytes() -> None:
    assert plan(spec("orders")) == plan(spec("orders"))


def test_planning_writes_and_prints_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    loaded = spec("orders")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(socket, "socket", None)
    monkeypatch.setattr(time, "time", None)
    plan(loaded)
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr() == ("", "")


def test_the_record_holds_spec_version_and_pristine_files() -> None:
    files = tree("orders")
    assert files[".backendgen/spec.yaml"].content == SPECS["orders"].read_bytes()
    assert files[".backendgen/version"].content == f"{__version__}\n".encode()
    packed = io.BytesIO(bz2.decompress(files[".backendgen/pristine.tar.bz2"].content))
    with tarfile.open(fileobj=packed) as archive:
        members = archive.getmembers()
        stored = {member.name: archive.extractfile(member) for member in members}
        contents = {name: handle.read() for name, handle in stored.items() if handle}
    assert contents == {path: f.content for path, f in files.items() if not path.startswith(".backendgen/")}
    assert {(member.mtime, member.uid, member.gid, member.uname) for member in members} == {(0, 0, 0, "")}


@pytest.mark.parametrize("name", SPECS)
def test_every_python_file_compiles_and_every_template_is_resolved(name: str) -> None:
    for path, file in tree(name).items():
        if path.endswith(".py"):
            ast.parse(file.content, path)
        if not path.startswith(".backendgen/"):
            text = file.content.decode()
            assert "{%" not in text, path
            assert "_resource_" not in path
            assert text == "" or text.endswith("\n"), path


def test_only_scripts_are_executable() -> None:
    assert {path for path, file in tree("orders").items() if file.executable} == {
        path for path in tree("orders") if path.startswith("scripts/")
    }


LEFT_BEHIND = re.compile(
    r"app[./](auth|rate_limit|idempotency)\b|rate.?limit|idempotency|joserfc|redis|\bcaller\b", re.I
)


def test_what_is_off_leaves_nothing_behind() -> None:
    files = tree("off")
    assert not [path for path in files if re.search("auth|rate_limit|idempotency", path)]
    found = [
        f"{path}: {line}"
        for path, file in files.items()
        if path.endswith((".py", ".toml", ".json", ".example", ".sql"))
        and path.startswith(("app/", "migrations/", "py"))
        for line in file.content.decode().splitlines()
        if LEFT_BEHIND.search(line) and not line.lstrip().startswith(("#", '"""', "`"))
    ]
    assert [line for line in found if "import" in line or "Depends" in line or "app." in line] == []


def test_migrations_are_numbered_and_linked() -> None:
    files = tree("orders")
    revisions = sorted(path for path in files if path.startswith("migrations/versions/"))
    numbers = [Path(path).name[:4] for path in revisions]
    assert numbers == [f"{number:04}" for number in range(1, len(numbers) + 1)]
    previous = "None"
    for path, number in zip(revisions, numbers, strict=True):
        text = files[path].content.decode()
        assert f"down_revision = {previous}\n" in text
        name = Path(path).stem
        assert {f"migrations/sql/{name}.up.sql", f"migrations/sql/{name}.down.sql"} <= files.keys()
        previous = f'"{number}"'
    assert revisions[-1].endswith("_schema.py")
    down = files[f"migrations/sql/{numbers[-1]}_schema.down.sql"].content.decode()
    assert down.splitlines() == [
        "DROP TABLE payments;",
        "DROP TABLE order_items;",
        "DROP TABLE orders;",
        "DROP TABLE products;",
        "DROP TABLE customers;",
        "DROP TYPE order_status;",
    ]


@pytest.mark.parametrize("name", SPECS)
def test_the_contract_names_every_operation_once(name: str) -> None:
    document = json.loads(tree(name)["app/openapi.json"].content)
    ids = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(ids) == len(set(ids))
    wanted = sum(len(resource.actions) for resource in spec(name).resources)
    tagged = {resource.name for resource in spec(name).resources}
    paths = document["paths"].values()
    assert sum(1 for path in paths for operation in path.values() if set(operation["tags"]) & tagged) == wanted


def test_the_share_of_verbatim_templates_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    root = directory("templates")
    verbatim = [path for path in root.rglob("*.py") if "__pycache__" not in path.parts]
    rendered = list(root.rglob("*.py.jinja"))
    lines = [line for path in rendered for line in path.read_text("utf-8").splitlines()]
    tags = sum(line.count("{%") for line in lines)
    share, density = len(verbatim) / (len(verbatim) + len(rendered)), 100 * tags / len(lines)
    with capsys.disabled():
        print(f"\ntemplates: {share:.0%} of .py files verbatim, {density:.1f} block tags per 100 lines of .py.jinja")
    assert verbatim
    assert rendered
