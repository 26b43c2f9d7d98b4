"""The documents beside the code: how they are found, and what is read from them."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from backendgen.code import compose, dependencies, dockerfile, dotenv, openapi, settings, settings_reading
from backendgen.code.configuration import Configuration
from backendgen.code.documents import Document, kind_of
from backendgen.code.project import Hole, load
from backendgen.code.symbols import Symbols

OPENAPI = "openapi: 3.0.3\ninfo: {title: Shop, version: '1'}\npaths: {}\n"


def document(path: str, text: str) -> Document:
    kind = kind_of(path.rpartition("/")[2], text.encode())
    assert kind is not None
    return Document(path, Path(path), text, kind)


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("anything.yml", OPENAPI, "openapi"),
        ("api.json", '{"info": {}, "swagger": "2.0"}', "openapi"),
        ("package.json", '{"dependencies": {"openapi-types": "3.0.0"}}', None),
        ("stack.yaml", "version: '3'\nservices:\n  a:\n    image: x\n", "compose"),
        ("values.yaml", "replicas: 1\nservices:\n  a:\n    image: x\n", None),
        ("docker-compose.prod.yml", "services: {}\n", "compose"),
        ("ci.yml", "name: x\non: push\njobs: {}\n", "workflow"),
        ("ci.yml", "'on':\n  push:\njobs: {}\n", "workflow"),
        ("pipeline.yml", "jobs:\n- job: build\n", None),
        ("Dockerfile.api", "", "dockerfile"),
        ("api.dockerfile", "", "dockerfile"),
        ("Dockerfile.md", "", None),
        ("Dockerfile.j2", "", None),
        ("requirements-dev.txt", "", "requirements"),
        ("dev-requirements.in", "", "requirements"),
        ("notes.txt", "", None),
        (".env.production", "", "env"),
        ("app.env", "", "env"),
        (".env.py", "", None),
        ("poetry.lock", "", "lock"),
        ("pyproject.toml", "", "manifest"),
    ],
)
def test_documents_are_known_by_name_or_by_content(name: str, content: str, kind: str | None) -> None:
    assert kind_of(name, content.encode()) == kind


def test_a_project_of_documents_alone_is_read_in_the_same_walk(tmp_path: Path) -> None:
    for name, text in {
        "api/openapi.yaml": OPENAPI,
        "Dockerfile": "FROM scratch\n",
        "tests/openapi.yaml": OPENAPI,
        "ignored/.env": "A=1\n",
        ".gitignore": "ignored/\n",
        "data.json": "[1]",
        "node_modules/x/Dockerfile": "FROM x\n",
        ".github/compose.yml": "services: {}\n",
        ".github/scripts/label.py": "",
        ".github/workflows/label.py": "",
        ".github/workflows/ci.yml": "on: push\njobs: {}\n",
        ".hidden/Dockerfile": "FROM x\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "link.yaml").symlink_to(tmp_path / "nothing.yaml")
    (tmp_path / "bytes.yaml").write_bytes(b"openapi: 3.0.0\nx: \xff\n")
    (tmp_path / "huge.json").write_bytes(b'{"openapi": "3.0.0", "x": "' + b"y" * 5_000_000 + b'"}')
    project = load(tmp_path)
    assert [(one.path, one.kind) for one in project.documents] == [
        ("Dockerfile", "dockerfile"),
        (".github/workflows/ci.yml", "workflow"),
        ("api/openapi.yaml", "openapi"),
    ]
    assert project.files == ()
    assert project.holes == (
        Hole("bytes.yaml", "is not UTF-8: byte 0xff cannot be decoded", 2, 4),
        Hole("huge.json", "is larger than 5,000,000 bytes"),
    )
    assert [one.path for one in load(tmp_path / "Dockerfile").documents] == ["Dockerfile"]


def test_a_document_that_is_not_in_its_format_is_a_hole_when_it_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("openapi: 3.0.0\npaths: {\n")
    (tmp_path / "compose.yaml").write_text("services:\n{% if x %}\n  a: {}\n")
    (tmp_path / "pyproject.toml").write_text("[project\n")
    project = load(tmp_path)
    read = Configuration(project.documents, Symbols(project))
    assert read.holes == ()
    assert (read.openapi, read.compose, read.manifests) == ((), (), ())
    assert [(one.path, one.line, one.message.split(":")[0]) for one in read.holes] == [
        ("a.yaml", 3, "not valid YAML"),
        ("compose.yaml", 2, "a template, or not valid YAML"),
        ("pyproject.toml", 1, "not valid TOML"),
    ]  # fmt: skip


def test_openapi_follows_references_in_circles_and_takes_security_from_above() -> None:
    text = """\
openapi: 3.1.0
info: {title: Shop, version: '1'}
servers: [{url: "https://shop.example.org/v1/"}]
security: [{bearer: []}]
paths:
  /orders/{id}:
    parameters: [{$ref: "#/components/parameters/Id"}]
    get: {responses: {"200": {$ref: "#/components/responses/One"}}}
    post:
      security: [{}]
      requestBody: {content: {application/json: {schema: {$ref: "#/components/schemas/Node"}}}}
      parameters: [{name: id, in: path, schema: {type: string}}]
      responses: {}
components:
  parameters:
    Id: {name: id, in: path, schema: {type: integer}}
  responses:
    One: {description: One, content: {application/json: {schema: {type: array, items: {$ref: "#/components/schemas/Node"}}}}}
  schemas:
    Node:
      type: object
      properties:
        next: {$ref: "#/components/schemas/Node"}
        loop: {$ref: "#/components/schemas/Loop"}
        gone: {$ref: "#/components/schemas/Nowhere"}
    Loop: {$ref: "#/components/schemas/Loop"}
"""
    api = openapi.load(text, "a.yaml")
    assert api is not None and api.version == (3, 1) and api.base == "/v1"
    get, post = api.operations
    assert (get.name, get.line, get.is_open, get.security) == (
        "GET /orders/{id}",
        8,
        False,
        (frozenset({("bearer", ())}),),
    )
    assert (post.line, post.is_open) == (9, True)
    assert [(one.name, one.line, one.schema.word("type")) for one in get.parameters] == [("id", 7, "integer")]
    assert [one.schema.word("type") for one in post.parameters] == ["string"]
    assert [(one.name, one.line) for one in api.inputs if "." not in one.name] == [
        ("id of GET /orders/{id}", 16),
        ("Node", 20),
        ("id of POST /orders/{id}", 12),
    ]
    assert openapi.load("openapi: 3.0.0\n", "a.yaml") is None
    assert openapi.load("[1]", "a.json") is None


def test_dockerfiles_with_heredocs_continuations_and_arguments() -> None:
    text = """\
# syntax=docker/dockerfile:1
ARG VERSION=3.14
FROM --platform=$BUILDPLATFORM python:${VERSION}-slim AS base
# a comment
RUN apt-get update && \\
    # inside
    apt-get install -y x

ENV A=1 B="two words" \\
    C='x'
ENV OLD style value
FROM base
COPY <<EOF /etc/x
FROM nothing
EOF
RUN <<-"END" sh
	echo USER root
	END
USER ${USER:-app}
CMD ["a", "b c"]
"""
    read = dockerfile.read(text, "Dockerfile")
    first, last = read.stages
    assert (first.image, first.name, first.line, last.image, last.line) == ("python:3.14-slim", "base", 3, "base", 12)
    assert [(one.keyword, one.line, one.end_line) for one in first.instructions] == [
        ("RUN", 5, 7),
        ("ENV", 9, 10),
        ("ENV", 11, 11),
    ]
    assert first.instructions[0].text == "apt-get update && apt-get install -y x"
    assert first.instructions[1].pairs == (("A", "1"), ("B", "two words"), ("C", "x"))
    assert first.instructions[2].pairs == (("OLD", "style value"),)
    assert [one.keyword for one in last.instructions] == ["COPY", "RUN", "USER", "CMD"]
    assert last.instructions[0].heredoc == "FROM nothing"
    assert last.instructions[3].command == ("a", "b c")
    assert read.lineage(last) == (last, first)


def test_compose_ports_environment_and_volumes_in_every_form() -> None:
    text = """\
services:
  app:
    image: ${IMAGE:-shop:1}
    ports:
      - "8000"
      - "127.0.0.1:8001:80/tcp"
      - "[::1]:8002:80"
      - "${PORT:-8003}:80"
      - "${ADDRESS}:8004:80"
      - {target: 80, published: 8005, host_ip: 10.0.0.1}
    environment: [A=1, B, "C=x=y"]
    volumes: ["./a:/b:ro", "named:/c", "/anonymous", {source: /d, target: /e}]
"""
    [one] = compose.load(text, "compose.yaml").containers
    assert one.image == "shop:1"
    assert [(port.address, port.published, port.target, port.line) for port in one.ports] == [
        ("127.0.0.1", "8001", "80", 6), ("::1", "8002", "80", 7), ("", "8003", "80", 8), ("$ADDRESS", "8004", "80", 9),
        ("10.0.0.1", "8005", "80", 10),
    ]  # fmt: skip
    assert [(each.name, each.value) for each in one.environment] == [("A", "1"), ("B", None), ("C", "x=y")]
    assert [(each.source, each.target) for each in one.volumes] == [("./a", "/b"), ("named", "/c"), ("/d", "/e")]


def test_requirements_with_hashes_urls_indexes_and_continuations() -> None:
    text = """\
-r base.txt  # others
--extra-index-url https://pypi.example.org/simple
Django[argon2] == 5.2.1 ; python_version > "3"  # why
a_b.c>=1,<2 \\
    --hash=sha256:aa
x @ git+https://github.com/e/x@0123456789abcdef0123456789abcdef01234567
git+ssh://git@github.com/e/y.git@v1#egg=Why
-e .
https://example.org/z.tar.gz#sha256=aa
"""
    read = dependencies.manifest(document("requirements.txt", text))
    assert [(one.name, one.line, one.pinned, one.revision, one.is_hashed) for one in read.requirements] == [
        ("django", 3, "5.2.1", "", False), ("a-b-c", 4, "", "", True),
        ("x", 6, "", "0123456789abcdef0123456789abcdef01234567", False),
        ("why", 7, "", "v1", False), ("", 9, "", "", True),
    ]  # fmt: skip
    assert [(one.role, one.url) for one in read.indexes] == [("extra", "https://pypi.example.org/simple")]


def test_manifests_and_locks_of_every_tool() -> None:
    uv = dependencies.manifest(
        document(
            "pyproject.toml",
            '[project]\nname = "a"\ndependencies = [\n  "x>=1",\n  "y",\n]\n'
            '[dependency-groups]\ndev = ["pytest", {include-group = "x"}]\n'
            '[tool.uv.sources]\ny = { git = "https://github.com/e/y", tag = "v1" }\n',
        )
    )
    assert [(one.name, one.line, one.versions, one.url, one.revision, one.group) for one in uv.requirements] == [
        ("x", 4, ">=1", "", "", ""), ("y", 10, "", "git+https://github.com/e/y", "v1", ""), ("pytest", 8, "", "", "", "dev"),
    ]  # fmt: skip
    poetry = dependencies.manifest(
        document(
            "pyproject.toml",
            '[tool.poetry.dependencies]\npython = "^3.12"\nA_b = "1.2"\nc = {version = "^2", extras = ["x"]}\n',
        )
    )
    assert [(one.name, one.line, one.pinned, one.versions) for one in poetry.requirements] == [
        ("a-b", 3, "1.2", "==1.2"),
        ("c", 4, "", "^2"),
    ]
    pipfile = dependencies.manifest(
        document("Pipfile", '[packages]\nflask = "*"\n[[source]]\nurl = "http://x/simple"\nverify_ssl = false\n')
    )
    assert [(one.name, one.versions) for one in pipfile.requirements] == [("flask", "*")]
    assert [(one.role, one.line) for one in pipfile.indexes] == [("index", 4), ("trusted", 4)]
    cfg = dependencies.manifest(
        document("setup.cfg", "[options]\ninstall_requires =\n    x>=1\n    y\npython_requires = >=3.9\n")
    )
    assert [(one.name, one.line) for one in cfg.requirements] == [("x", 3), ("y", 4)]
    lock = dependencies.lock(document("uv.lock", 'version = 1\n\n[[package]]\nname = "Django"\nversion = "5.2.1"\n'))
    assert (lock.versions, lock.lines) == ({"django": "5.2.1"}, {"django": 4})
    pipenv = dependencies.lock(
        document("Pipfile.lock", '{\n  "default": {\n    "django": {\n      "version": "==3.2.1"\n    }\n  }\n}')
    )
    assert (pipenv.versions, pipenv.lines) == ({"django": "3.2.1"}, {"django": 3})


def test_environment_files_with_quotes_and_comments() -> None:
    text = '# c\nexport A=1 # why\nB="x # y"\nC=\'z\'\nD=\n E = a#b\nnot a line\nF="two\nlines"\n'
    assert [(one.name, one.value, one.line) for one in dotenv.read(text)] == [
        ("A", "1", 2), ("B", "x # y", 3), ("C", "z", 4), ("D", "", 5), ("E", "a#b", 6), ("F", "two\nlines", 8),
    ]  # fmt: skip


def project(tmp_path: Path, files: dict[str, str]) -> Symbols:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return Symbols(load(tmp_path))


BASE = 'INSTALLED_APPS = ["a"]\nROOT_URLCONF = "x"\nMIDDLEWARE = ["one"]\n'


def test_settings_resolve_imports_branches_helpers_and_the_environment(tmp_path: Path) -> None:
    symbols = project(
        tmp_path,
        {
            "site/settings/__init__.py": "",
            "site/settings/base.py": BASE
            + 'import os\nDEBUG = False\nHOST = os.environ.get("HOST", "x")\nKNOWN = os.environ["K"]\n',
            "site/settings/production.py": """\
from .base import *
from site.tools import flag

MIDDLEWARE = ["zero", *MIDDLEWARE]
MIDDLEWARE.append("two")
if DEBUG:
    SECURE = False
else:
    SECURE = not DEBUG
if KNOWN:
    EITHER = 1
else:
    EITHER = 2
FLAG = flag("FLAG", default=True)
LATER = bool(int(os.getenv("LATER", "0")))
""",
            "site/settings/dev.py": "from .production import *\nDEBUG = True\n",
            "site/tools.py": "import os\ndef flag(name, default):\n    return os.environ.get(name, default)\n",
        },
    )
    [one] = settings.production(symbols)
    assert (one.module.file.path, one.is_sure, one.is_open) == ("site/settings/production.py", True, False)
    assert one.texts("MIDDLEWARE") == (frozenset({"zero", "one", "two"}), True)
    assert [(name, one.only(name).value, one.only(name).is_default) for name in ("DEBUG", "SECURE", "HOST", "FLAG")] == [  # type: ignore[union-attr]
        ("DEBUG", False, False), ("SECURE", True, False), ("HOST", "x", True), ("FLAG", True, True),
    ]  # fmt: skip
    assert [value.value for value in one.of("EITHER")] == [1, 2]
    assert one.only("KNOWN") is None
    assert one.only("NOWHERE").value is settings_reading.ABSENT  # type: ignore[union-attr]
    assert (one.of("HOST")[0].path, one.of("HOST")[0].line) == ("site/settings/base.py", 6)


def test_settings_that_something_unknown_may_override_are_open(tmp_path: Path) -> None:
    symbols = project(
        tmp_path,
        {
            "site/settings.py": BASE + "try:\n    from local_settings import *\nexcept ImportError:\n    pass\n",
            "site/wsgi.py": 'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "site.settings")\n',
        },
    )
    [one] = settings.production(symbols)
    assert (one.is_sure, one.is_open, one.only("DEBUG")) == (True, True, None)


def test_settings_in_a_circle_end(tmp_path: Path) -> None:
    symbols = project(
        tmp_path,
        {"a/settings/prod.py": "from .base import *\n" + BASE, "a/settings/base.py": "from .prod import *\n" + BASE},
    )
    assert [one.module.file.path for one in settings.production(symbols)] == ["a/settings/prod.py"]


def test_a_large_document_is_read_in_time(tmp_path: Path) -> None:
    paths = "".join(
        f"  /p{n}/{{id}}:\n    get:\n      responses:\n        '200': {{description: x}}\n" for n in range(5_000)
    )
    started = time.perf_counter()
    api = openapi.load(f"openapi: 3.0.0\ninfo: {{}}\npaths:\n{paths}", "a.yaml")
    assert api is not None and len(api.operations) == 5_000
    assert time.perf_counter() - started < 10
