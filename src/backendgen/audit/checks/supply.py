"""What a service is made of: unpinned and abandoned packages, other sources than the index, ends of life."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from pathlib import PurePosixPath

from backendgen.audit.checks.images import is_development
from backendgen.audit.lifetimes import ABANDONED, BASES, CODENAMES, DJANGO, IMAGES, PYTHON
from backendgen.audit.registry import Context, check
from backendgen.code.dependencies import Manifest, Requirement
from backendgen.findings.finding import Hit, Location
from backendgen.rules import Confidence, Severity

RELEASE = re.compile(r"v?\d+(?:\.\d+)+\S*")
MAIN = re.compile(
    r"(?:^|/)(?:requirements(?:[-_.](?:prod|production|base|main|app|common))?|(?:prod|production|base|main|common))\.txt$"
    r"|(?:^|/)(?:pyproject\.toml|Pipfile|environment\.ya?ml)$"
)
COMMIT = re.compile(r"[0-9a-f]{7,40}")
OWN_INDEXES = re.compile(
    r"^https://(?:pypi\.org|files\.pythonhosted\.org|download\.pytorch\.org|pypi\.nvidia\.com|www\.piwheels\.org)/"
)
SET_ASIDE = re.compile(
    r"(?:^|[/._-])(?:dev|development|tests?|testing|docs?|lint|ci|local|constraints|benchmarks?|examples?|build)(?:[/._-]|$)"
)
PIP_OPTIONS = re.compile(r"--(extra-index-url|trusted-host|index-url)[=\s]+[\"']?([^\s\"']+)")
SHOWN = 4


def _is_set_aside(path: str) -> bool:
    return SET_ASIDE.search(path) is not None


def _locked(context: Context, path: str) -> bool:
    """Does a lock file stand beside a manifest, or above it (a workspace)?"""
    above = {str(folder) for folder in PurePosixPath(path).parents}
    return any(str(PurePosixPath(one.path).parent) in above for one in context.configuration.of("lock"))


def _is_application(context: Context) -> bool:
    """Does it run somewhere: has it routes, settings of Django, or an image that starts something?"""
    starts = (
        one
        for file in context.configuration.dockerfiles
        for stage in file.stages
        for one in stage.of("CMD", "ENTRYPOINT")
    )
    return bool(context.service.endpoints) or any(True for _ in starts)


@check("BG430")
def dependency_not_pinned(context: Context) -> Iterator[Hit]:
    """What an application installs without a lock file: each build may get other versions."""
    if not _is_application(context):
        return
    pinned = {
        (str(PurePosixPath(file.path).parent), one.name)
        for file in context.configuration.manifests for one in file.requirements if one.pinned
    }  # fmt: skip
    for file in context.configuration.manifests:
        folder = str(PurePosixPath(file.path).parent)
        if not MAIN.search(file.path) or _is_set_aside(file.path) or _locked(context, file.path):
            continue
        if re.search(r"^classifiers\s*=", _text(context, file.path), re.MULTILINE):  # published: others install it
            continue
        loose = [
            one for one in file.requirements
            if not one.group and not one.pinned and not one.url and (folder, one.name) not in pinned
        ]  # fmt: skip
        bare = [one for one in loose if one.versions in ("", "*")]
        chosen = bare or loose
        if not chosen:
            continue
        names = ", ".join(one.name for one in chosen[:SHOWN]) + (
            f" and {len(chosen) - SHOWN} more" if len(chosen) > SHOWN else ""
        )
        what = "any version at all" if bare else "a range of versions"
        yield Hit(
            Location(file.path, chosen[0].line),
            f"{file.path} takes {what} of {names}, and no lock file says which: what was tested is not what "
            "is deployed",
            "uv lock   # or: pip-compile --generate-hashes, poetry lock", file.path,
            confidence=None if bare else Confidence.LOW,
        )  # fmt: skip


@check("BG431")
def second_index(context: Context) -> Iterator[Hit]:
    """A second index beside the public one: whoever registers a private name there is installed."""
    for file in context.configuration.manifests:
        for one in file.indexes:
            if one.role == "extra" and not (
                file.path.endswith("pyproject.toml") and "[tool.uv" in _text(context, file.path)
            ):
                yield _second(file.path, one.line, one.url)
    for docker in context.configuration.dockerfiles:
        for stage in docker.stages:
            for run in stage.of("RUN", "ENV"):
                for option, url in PIP_OPTIONS.findall(run.text):
                    if option == "extra-index-url":
                        yield _second(docker.path, run.line, url)


def _text(context: Context, path: str) -> str:
    return context.configuration.by_path[path].text


def _second(path: str, line: int, url: str) -> Hit:
    return Hit(
        Location(path, line), f"packages come from `{url}` and from the public index, whichever has the higher version",
        "--index-url <one index that mirrors the public one>   # or uv, which asks the indexes in order", url,
        confidence=Confidence.LOW if OWN_INDEXES.match(url) else None,
    )  # fmt: skip


@check("BG432")
def source_without_revision(context: Context) -> Iterator[Hit]:
    """Packages from a repository's branch or from an address, without a commit or hash."""
    for file in context.configuration.manifests:
        if _locked(context, file.path):
            continue
        for one in file.requirements:
            wrong = _moving(one)
            if wrong:
                yield Hit(
                    Location(file.path, one.line), f"`{one.name or one.url}` is {wrong}: it can be another one tomorrow",
                    f"{one.name or 'package'} @ {one.url.partition('#')[0]}{'' if one.revision else '@<commit>'}", one.name,
                    severity=Severity.LOW if one.revision else None,
                    confidence=Confidence.LOW if RELEASE.fullmatch(one.revision) else None,
                )  # fmt: skip


def _moving(one: Requirement) -> str:
    if one.is_hashed or not one.url or one.url.startswith("file:"):
        return ""
    if one.url.startswith(("git", "hg+", "svn+", "bzr+")):
        if COMMIT.fullmatch(one.revision):
            return ""
        return (
            f"the tag or branch `{one.revision}` of a repository"
            if one.revision
            else "the newest commit of a repository"
        )
    return "a file at an address, without a hash" if one.url.startswith("http") else ""


@check("BG433")
def abandoned_library(context: Context) -> Iterator[Hit]:
    """Libraries for security that nobody mends any more."""
    seen: set[str] = set()
    for file in context.configuration.manifests:
        text = _text(context, file.path)
        if _is_set_aside(file.path) or "# via" in text or "--hash=" in text:  # compiled: what others ask for is in it
            continue
        for one in file.requirements:
            if one.name in ABANDONED and one.name not in seen and not one.group:
                seen.add(one.name)
                became, instead = ABANDONED[one.name]
                yield Hit(Location(file.path, one.line), f"`{one.name}` {became}", f"use {instead}", one.name)


@check("BG434")
def end_of_life(context: Context) -> Iterator[Hit]:
    """Interpreters, frameworks and base images that get no security fixes any more."""
    today = date.today()
    images = [
        (file.path, stage.line, stage.image)
        for file in context.configuration.dockerfiles
        for stage in file.stages
        if not is_development(file.path)
    ]
    images += [
        (file.path, one.line_of("image"), one.image)
        for file in context.configuration.compose
        for one in file.containers
        if not is_development(file.path)
    ]
    seen: set[tuple[str, str]] = set()
    for path, line, image in images:
        for what, version, end in _of_image(image):
            if end < today and (path, image) not in seen:
                seen.add((path, image))
                yield _ended(path, line, f"`{image}`: {what} {version}", end)
    for document in context.configuration.of("commands"):
        found = re.search(r"(?:python-)?(\d+\.\d+)(?:\.\d+)?", document.text)
        if document.name != "Procfile" and found and PYTHON.get(found[1], today) < today:
            yield _ended(document.path, 1, f"Python {found[1]}", PYTHON[found[1]])
    yield from _of_django(context, today)


def _ended(path: str, line: int, what: str, end: date) -> Hit:
    message = f"{what} has had no security fixes since {end:%B %Y}"
    return Hit(Location(path, line), message, "move to a version that is supported", what)


def _of_image(image: str) -> Iterator[tuple[str, str, date]]:
    name, _, tag = image.partition("@")[0].rpartition("/")[2].partition(":")
    if name in IMAGES:
        what, ends = IMAGES[name]
        words = re.split(r"[-_]", tag)
        version = CODENAMES.get(words[0], words[0])
        numbers = version.split(".")
        for candidate in (".".join(numbers[:2]), numbers[0]):
            if candidate in ends:
                yield what, candidate, ends[candidate]
                break
    for word in tag.split("-")[1:]:
        if word in CODENAMES and CODENAMES[word] in BASES["debian"][1]:
            yield "Debian", word, BASES["debian"][1][CODENAMES[word]]
        elif word.startswith("alpine") and word[6:] in BASES["alpine"][1]:
            yield "Alpine", word[6:], BASES["alpine"][1][word[6:]]


def _of_django(context: Context, today: date) -> Iterator[Hit]:
    """Django as a lock file fixes it, else as a manifest pins it."""
    places = [
        (one.path, one.lines.get("django", 1), one.versions["django"])
        for one in context.configuration.locks
        if "django" in one.versions
    ]
    if not places:
        places = [
            (file.path, one.line, _series(one.versions))
            for file in context.configuration.manifests
            for one in file.requirements
            if one.name == "django" and not _is_set_aside(file.path)
        ]
    for path, line, version in places:
        series = ".".join(version.split(".")[:2])
        if series in DJANGO and DJANGO[series] < today:
            yield _ended(path, line, f"Django {series}", DJANGO[series])


def _series(versions: str) -> str:
    """The series that a specifier keeps to, empty when it lets newer ones in."""
    found = re.fullmatch(r"\s*(?:={2,3}|~=)\s*(\d+\.\d+)(?:\.[\d*]+)*\s*", versions)
    if found:
        return found[1]
    below = re.search(r"<\s*(\d+)\.(\d+)", versions)
    if below:
        lower = re.search(r">=?\s*(\d+\.\d+)", versions)
        return lower[1] if lower and int(below[2]) > 0 and lower[1].split(".")[0] == below[1] else ""
    return ""


@check("BG435")
def index_without_tls(context: Context) -> Iterator[Hit]:
    """Packages fetched without TLS, or from a host whose certificate is not looked at."""
    for file in context.configuration.manifests:
        for one in file.indexes:
            if one.role == "trusted" or _is_clear(one.url):
                yield _clear(file, one.line, one.url)
        for requirement in file.requirements:
            if _is_clear(requirement.url.removeprefix("git+")):
                yield _clear(file, requirement.line, requirement.url)
    for docker in context.configuration.dockerfiles:
        for run in (one for stage in docker.stages for one in stage.of("RUN", "ENV")):
            for option, url in PIP_OPTIONS.findall(run.text):
                if (option == "trusted-host" and not _is_local(f"http://{url}")) or (
                    option != "trusted-host" and _is_clear(url)
                ):
                    yield Hit(Location(docker.path, run.line), _unsafe(url), "https://...", url)


def _is_clear(url: str) -> bool:
    return url.startswith("http://") and not _is_local(url)


def _is_local(url: str) -> bool:
    return re.match(r"https?://(?:localhost|127\.|\[::1\]|host\.docker\.internal)", url) is not None


def _unsafe(url: str) -> str:
    return f"packages come from `{url}` without a look at its certificate: whoever is on the way chooses the code"


def _clear(file: Manifest, line: int, url: str) -> Hit:
    return Hit(Location(file.path, line), _unsafe(url), "https://...", url)
