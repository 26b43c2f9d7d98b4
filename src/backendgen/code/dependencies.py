"""What a project installs: requirements files, pyproject.toml, setup.cfg, Pipfile, conda's environment.yml, and lock files.

Sources: https://pip.pypa.io/en/stable/reference/requirements-file-format/, https://packaging.python.org/en/latest/specifications/.
"""

from __future__ import annotations

import configparser
import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from backendgen.code.documents import Document
from backendgen.code.trees import Unreadable, read

_REQUIREMENT = re.compile(
    r"(?P<name>[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?)\s*(?:\[[^\]]*\])?\s*(?:@\s*(?P<url>\S+)|\(?(?P<versions>[^;#)]*)\)?)"
)
_OPTION = re.compile(r"(?:^|\s)(--?[\w-]+)(?:[=\s]+(\S+))?")
_INDEXES = {
    "-i": "index", "--index-url": "index", "--extra-index-url": "extra", "-f": "links", "--find-links": "links",
    "--trusted-host": "trusted",
}  # fmt: skip
_PINNED = re.compile(r"\s*={2,3}\s*([^*,\s]+)\s*")
_EGG = re.compile(r"[#&]egg=([\w.-]+)")
_URL = re.compile(r"(?:git\+|hg\+|svn\+|bzr\+)?(?:https?|ssh|git|file)://|git@")


@dataclass(frozen=True, slots=True)
class Requirement:
    """One thing to install. `versions` is the specifier as it is written, `url` where it comes from when that is no index.

    `revision` is the commit, tag or branch of a version control URL; `group` the extra or group that it belongs to.
    """

    name: str
    line: int
    versions: str = ""
    url: str = ""
    revision: str = ""
    is_hashed: bool = False
    group: str = ""

    @property
    def pinned(self) -> str:
        """The one version that is asked for, empty when there may be several."""
        found = _PINNED.fullmatch(self.versions.partition(";")[0])
        return found[1] if found else ""


@dataclass(frozen=True, slots=True)
class Index:
    """Where packages are taken from: `role` is index, extra, links, or trusted (a host whose certificate is not checked)."""

    role: str
    url: str
    line: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a file asks for, and from where."""

    path: str
    requirements: tuple[Requirement, ...] = ()
    indexes: tuple[Index, ...] = ()


@dataclass(frozen=True, slots=True)
class Lock:
    """What a lock file fixes: names to versions, and the lines of the names."""

    path: str
    versions: dict[str, str]
    lines: dict[str, int]


def normal(name: str) -> str:
    """Return a package's name as all its spellings are compared."""
    return re.sub(r"[-_.]+", "-", name).lower()


def manifest(document: Document) -> Manifest:
    """Read what a file asks for. Raises Unreadable when it is not in its format."""
    if document.kind == "requirements":
        return _requirements(document)
    if document.name == "setup.cfg":
        return _setup_cfg(document)
    if document.name.startswith("environment."):
        return _conda(document)
    table = _toml(document.text)
    requirements = _pipfile(table, document) if document.name == "Pipfile" else _pyproject(table, document)
    return Manifest(document.path, tuple(requirements), tuple(_sources(table, document)))


def lock(document: Document) -> Lock:
    """Read what a lock file fixes. Raises Unreadable when it is not in its format."""
    if document.name == "conda-lock.yml":
        packages = read(document.text, document.path).get("package")
        listed = [{key: one.text for key, one in node.entries.items()} for node in (packages.items if packages else [])]
    elif document.name == "Pipfile.lock":
        listed = [
            {"name": name, "version": str(table(one).get("version", "")).lstrip("=")}
            for name, one in table(_json(document.text).get("default")).items()
        ]
    else:
        content = _toml(document.text)
        listed = [one for key in ("package", "packages") for one in tables(content.get(key))]
    versions = {normal(str(one["name"])): str(one.get("version", "")) for one in listed if one.get("name")}
    lines: dict[str, int] = {}
    for number, line in enumerate(document.lines, 1):
        named = re.match(r"""\s*(?:- )?["']?(?:name["']?\s*[=:]\s*["']?)?([\w.-]+)["']?\s*(?:$|:\s*\{)""", line)
        if named and normal(named[1]) in versions:
            lines.setdefault(normal(named[1]), number)
    return Lock(document.path, versions, lines)


def requirement(text: str, line: int, group: str = "") -> Requirement | None:
    """Read one requirement of PEP 508, or a bare URL. None when it is neither."""
    text = text.strip()
    if _URL.match(text):
        egg = _EGG.search(text)
        return _from_url(normal(egg[1]) if egg else "", text, line, group)
    found = _REQUIREMENT.match(text)
    if not found:
        return None
    if found["url"]:
        return _from_url(normal(found["name"]), found["url"], line, group)
    return Requirement(normal(found["name"]), line, (found["versions"] or "").strip(), group=group)


def _from_url(name: str, url: str, line: int, group: str) -> Requirement:
    address = url.partition("#")[0].partition(" ")[0]
    scheme, separator, rest = address.partition("://")
    is_versioned = "+" in scheme or address.startswith("git@")
    path = (rest if separator else address.partition(":")[2]).partition("/")[2]
    revision = path.rpartition("@")[2] if is_versioned and "@" in path else ""
    is_hashed = bool(re.search(r"[#&]sha\d+=", url))
    return Requirement(name, line, url=url.split(maxsplit=1)[0], revision=revision, is_hashed=is_hashed, group=group)


def _requirements(document: Document) -> Manifest:
    found: list[Requirement] = []
    indexes: list[Index] = []
    for line, text in _joined(document.lines):
        if not text.startswith("-"):
            bare, *options = re.split(r"\s(?=--[a-z])", text)
            one = requirement(bare, line)
            if one is not None:
                is_hashed = one.is_hashed or any(option.startswith("--hash") for option in options)
                found.append(Requirement(one.name, line, one.versions, one.url, one.revision, is_hashed))
            continue
        for option, value in _OPTION.findall(text):
            if option in _INDEXES:
                indexes.append(Index(_INDEXES[option], value, line))
            elif option in ("-e", "--editable") and _URL.match(value):
                one = requirement(value, line)
                found += [one] if one else []
    return Manifest(document.path, tuple(found), tuple(indexes))


def _joined(lines: list[str]) -> Iterator[tuple[int, str]]:
    """Yield logical lines: continued ones joined, comments taken off."""
    start = 1
    parts: list[str] = []
    for number, line in enumerate(lines, 1):
        start = start if parts else number
        text = re.sub(r"(?:^|\s)#.*$", "", line).rstrip()
        parts.append(text.removesuffix("\\"))
        if not text.endswith("\\"):
            whole = " ".join(part.strip() for part in parts).strip()
            parts = []
            if whole:
                yield start, whole


def _pyproject(content: dict[str, Any], document: Document) -> Iterator[Requirement]:
    project, tool = table(content.get("project")), table(content.get("tool"))
    lists = [("", project.get("dependencies"))]
    lists += list(table(project.get("optional-dependencies")).items())
    lists += list(table(content.get("dependency-groups")).items())
    lists += list(table(table(tool.get("pdm")).get("dev-dependencies")).items())
    uv_sources = table(table(tool.get("uv")).get("sources"))
    for group, written in lists:
        for text in written if isinstance(written, list) else ():
            one = requirement(text, document.line_of(text), group) if isinstance(text, str) else None
            if one is not None:
                source = next((each for name, each in uv_sources.items() if normal(name) == one.name), None)
                yield _with_source(one, table(source), document)
    poetry = table(tool.get("poetry"))
    groups = [("", poetry.get("dependencies")), ("dev", poetry.get("dev-dependencies"))]
    groups += [(name, table(one).get("dependencies")) for name, one in table(poetry.get("group")).items()]
    for group, written in groups:
        for name, one in table(written).items():
            if name != "python":
                yield _named(name, one, document, group)


def _pipfile(content: dict[str, Any], document: Document) -> Iterator[Requirement]:
    for key, group in (("packages", ""), ("dev-packages", "dev")):
        for name, one in table(content.get(key)).items():
            yield _named(name, one, document, group)


def _named(name: str, written: Any, document: Document, group: str) -> Requirement:
    """A requirement of Poetry or Pipenv: a name and its version, or a table."""
    pattern = re.compile(rf"\s*[\"']?{re.escape(name)}[\"']?\s*=")
    line = next((number for number, text in enumerate(document.lines, 1) if pattern.match(text)), 1)
    versions = written if isinstance(written, str) else str(table(written).get("version", ""))
    exact = f"=={versions}" if document.name == "pyproject.toml" and re.fullmatch(r"\d[\w.]*", versions) else versions
    return _with_source(Requirement(normal(name), line, exact, group=group), table(written), document)


def _with_source(one: Requirement, source: dict[str, Any], document: Document) -> Requirement:
    url = source.get("git") or source.get("url") or source.get("file")
    if not isinstance(url, str):
        return one
    revision = next((str(source[key]) for key in ("rev", "ref", "tag", "branch") if source.get(key)), "")
    line = document.line_of(url) if document.line_of(url) != 1 else one.line
    return Requirement(
        one.name, line, one.versions, f"git+{url}" if "git" in source else url, revision, group=one.group
    )


def _sources(content: dict[str, Any], document: Document) -> Iterator[Index]:
    tool = table(content.get("tool"))
    uv, poetry, pdm = (table(tool.get(name)) for name in ("uv", "poetry", "pdm"))
    for one in tables(uv.get("index")):
        role = "index" if one.get("default") or one.get("explicit") else "extra"
        yield Index(role, str(one.get("url", "")), document.line_of(str(one.get("url", ""))))
    written = table(uv.get("pip")).get("extra-index-url", uv.get("extra-index-url", ()))
    for url in written if isinstance(written, list) else ():
        yield Index("extra", str(url), document.line_of(str(url)))
    for one in (*tables(poetry.get("source")), *tables(pdm.get("source")), *tables(content.get("source"))):
        url = str(one.get("url", ""))
        role = "extra" if one.get("priority") in ("supplemental", "secondary") or one.get("secondary") else "index"
        yield Index(role, url, document.line_of(url))
        if one.get("verify_ssl") is False:
            yield Index("trusted", url, document.line_of(url))


def _setup_cfg(document: Document) -> Manifest:
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(document.text, document.path)
    except configparser.Error as error:
        raise Unreadable(f"not in the form of setup.cfg: {str(error).splitlines()[0]}") from error
    written = parser.get("options", "install_requires", fallback="")
    lines = [text.strip() for text in written.split("\n") if text.strip() and not text.strip().startswith("#")]
    found = (requirement(text, document.line_of(text)) for text in lines)
    return Manifest(document.path, tuple(one for one in found if one is not None))


def _conda(document: Document) -> Manifest:
    dependencies = read(document.text, document.path).get("dependencies")
    found = []
    for node in dependencies.items if dependencies else []:
        pip = node.get("pip")
        texts = pip.items if pip else [node]
        found += [requirement(re.sub(r"(?<![=<>!~])=(?!=)", "==", one.text), one.line) for one in texts]
    return Manifest(document.path, tuple(one for one in found if one is not None))


def table(value: Any) -> dict[str, Any]:
    """Return a table, an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def tables(value: Any) -> list[dict[str, Any]]:
    """Return the tables in a list; none of anything else."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _toml(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"at line (\d+), column (\d+)", str(error))
        line, column = (int(place[1]), int(place[2])) if place else (1, 1)
        raise Unreadable(f"not valid TOML: {str(error).partition(' (at ')[0]}", line, column) from error
    except (ValueError, RecursionError) as error:
        raise Unreadable("not valid TOML: nested too deeply, or a number out of range") from error


def _json(text: str) -> dict[str, Any]:
    try:
        return table(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise Unreadable("not valid JSON", getattr(error, "lineno", 1), getattr(error, "colno", 1)) from error
