"""Dockerfiles: what images are built from, as whom they run, and what they keep."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from backendgen.audit.checks.credentials import is_real_secret, names_secret
from backendgen.audit.registry import Context, check
from backendgen.code.dockerfile import Dockerfile, Instruction, Stage
from backendgen.findings.finding import Hit, Location
from backendgen.rules import Confidence

DEVELOPMENT = re.compile(
    r"(?:^|[/._-])(?:dev|devel|development|local|tests?|testing|ci|e2e|debug|override|examples?|demos?|samples?|devcontainer|playwright"
    r"|bench|benchmarks?|loadtest|profiling)(?:[/._-]|$)",
    re.IGNORECASE,
)
KNOWN_ROOT = frozenset(
    {"python", "node", "debian", "ubuntu", "alpine", "golang", "rust", "ruby", "php", "openjdk", "eclipse-temurin", "fedora",
     "rockylinux", "almalinux", "centos", "bun"}
)  # fmt: skip
NOT_ROOT = re.compile(
    r"nonroot|non-root|rootless|unprivileged|distroless.*nonroot|postgres|bitnami|chainguard|cgr\.dev", re.IGNORECASE
)
FETCHES = re.compile(r"\b(?:curl|wget)\b")
RUNS = re.compile(r"\s*(?:sudo\s+)?(?:env\s+\S+\s+)?(?:(?:ba|z|da|k)?sh\b|python[\d.]*\b(?!\s+-c|\s+-m\s+json))")
RUNS_FETCHED = re.compile(r"\bsh\s+(?:-c\s+)?[\"']?(?:<\(|\$\()\s*(?:curl|wget)\b[^)]{0,200}")
VERIFIES = re.compile(r"sha(?:256|512)sum|gpg\s+--verify|cosign|minisign|shasum|--checksum")
SERVES = re.compile(
    r"\b(?:uvicorn|gunicorn|hypercorn|daphne|granian|flask|fastapi|django|manage\.py|uwsgi|waitress|celery|aiohttp|python[\d.]*)\b"
)


def is_development(path: str) -> bool:
    """Is this for a developer's machine or a test, by its place or name?"""
    return DEVELOPMENT.search(path) is not None


def built(dockerfile: Dockerfile) -> Iterator[Stage]:
    """The stage that is deployed: the last one that is not for development by its name."""
    stages = [one for one in dockerfile.stages if not is_development(one.name)]
    if stages and not is_development(dockerfile.path):
        yield stages[-1]


@check("BG420")
def container_runs_as_root(context: Context) -> Iterator[Hit]:
    """Final stages that never leave root."""
    for dockerfile in context.configuration.dockerfiles:
        for stage in built(dockerfile):
            lineage = dockerfile.lineage(stage)
            users = [one for part in lineage for one in reversed(list(part.of("USER")))]
            base = lineage[-1].image
            if not users:
                if (
                    NOT_ROOT.search(base)
                    or base == "scratch"
                    or "$" in base
                    or _drops_root(lineage)
                    or not _runs(lineage)
                ):
                    continue
                is_known = (
                    base.partition("@")[0].rpartition("/")[2].partition(":")[0] in KNOWN_ROOT and "lambda" not in base
                )
                yield Hit(
                    Location(dockerfile.path, stage.line),
                    f"the image built from `{base}` has no USER: its process is root, and so is whoever "
                    "breaks into it",
                    "RUN useradd --system --uid 10001 app\nUSER 10001", stage.name or base,
                    confidence=None if is_known else Confidence.LOW,
                )  # fmt: skip
            elif re.fullmatch(r"(?:root|0)(?::\w+)?", users[0].text) and not _drops_root(lineage):
                yield Hit(
                    Location(dockerfile.path, users[0].line),
                    f"the last USER is `{users[0].text}`: the process is root, and so is whoever breaks into it",
                    "USER 10001", stage.name or base,
                )  # fmt: skip


def _runs(lineage: tuple[Stage, ...]) -> bool:
    """Does it start something? Without CMD or ENTRYPOINT it is a tool or a base."""
    return any(True for part in lineage for _ in part.of("CMD", "ENTRYPOINT"))


def _drops_root(lineage: tuple[Stage, ...]) -> bool:
    """Does it change the user when it starts?"""
    text = " ".join(f"{one.text} {one.heredoc}" for part in lineage for one in part.instructions)
    return re.search(r"\b(?:gosu|su-exec|setpriv|runuser|s6-setuidgid|s6-overlay|PUID|chpst)\b", text) is not None


@check("BG421")
def image_not_pinned(context: Context) -> Iterator[Hit]:
    """Base images without a tag, or with one that moves to the next major version."""
    for dockerfile in context.configuration.dockerfiles:
        named = {one.name.lower() for one in dockerfile.stages if one.name}
        for stage in dockerfile.stages:
            wrong = _unpinned(stage.image) if stage.image.lower() not in named else ""
            if wrong and not is_development(dockerfile.path):
                yield Hit(
                    Location(dockerfile.path, stage.line), wrong, f"FROM {_bare(stage.image)}:<version>", stage.image
                )
    for compose in context.configuration.compose:
        for one in compose.containers:
            wrong = _unpinned(one.image) if one.image and one.node.get("build") is None else ""
            if wrong and not is_development(compose.path) and "${" not in one.text("image"):
                yield Hit(
                    Location(compose.path, one.line_of("image")), wrong, f"image: {_bare(one.image)}:<version>", one.name,
                    confidence=Confidence.LOW,
                )  # fmt: skip


def _bare(image: str) -> str:
    return re.sub(r":[^/:]*$", "", image)


def _unpinned(image: str) -> str:
    if image == "scratch" or "@sha256:" in image or "$" in image or not image:
        return ""
    tag = re.search(r":([^/:]+)$", image)
    if tag is None:
        return f"`{image}` has no tag: each build may get another version"
    return f"`{image}` is whatever is newest: each build may get another version" if tag[1] == "latest" else ""


@check("BG422")
def remote_code_in_build(context: Context) -> Iterator[Hit]:
    """Code that is fetched and run, or added, without a look at what it is."""
    for dockerfile in context.configuration.dockerfiles:
        seen: set[str] = set()
        for stage in dockerfile.stages:
            for one in stage.of("RUN", "ADD"):
                wrong = _remote(one)
                if wrong and wrong not in seen:
                    seen.add(wrong)
                    yield Hit(
                        Location(dockerfile.path, one.line, 1, one.end_line), wrong,
                        "ADD --checksum=sha256:<digest> <address> /tmp/file", stage.name or stage.image,
                        confidence=Confidence.MEDIUM if is_development(dockerfile.path) else None,
                    )  # fmt: skip


def _remote(one: Instruction) -> str:
    if one.keyword == "RUN":
        text = f"{one.text}\n{one.heredoc}"
        found = _fetched(text)
        if found and not VERIFIES.search(text):
            return f"what an address answers is run at once, whatever it is: `{' '.join(found.split())[:100]}`"
        return ""
    source = one.text.split()[0] if one.text.split() else ""
    is_checked = any(name == "checksum" for name, _ in one.flags)
    if re.match(r"https?://", source) and not is_checked and not source.endswith(".git"):
        return f"`{source}` is added without a checksum: the build takes whatever that address answers"
    return ""


def _fetched(text: str) -> str:
    """Return the first command that gives what it fetches to an interpreter."""
    for command in re.split(r"[;&\n]+", text):
        parts = command.split("|")
        for left, right in pairwise(parts):
            fetch = FETCHES.search(left)
            if fetch and "://" in left and RUNS.match(right):
                return f"{left[fetch.start() :]}|{right}"
    nested = RUNS_FETCHED.search(text)
    return nested[0] if nested else ""


@check("BG423")
def secret_in_image(context: Context) -> Iterator[Hit]:
    """Secrets in ENV and ARG: they stay in the image's history."""
    for dockerfile in context.configuration.dockerfiles:
        instructions = [*dockerfile.arguments, *(one for stage in dockerfile.stages for one in stage.of("ENV", "ARG"))]
        for one in instructions:
            for name, value in one.pairs:
                if not names_secret(name):
                    continue
                place, fix = Location(dockerfile.path, one.line), f"RUN --mount=type=secret,id={name.lower()} ..."
                if is_real_secret(value):
                    what = f"`{name}` is written into the image: whoever can pull it has it"
                    yield Hit(place, what, f"{fix}\nor give it to the container when it starts", name)
                elif one.keyword == "ARG" and not value and _is_kept(dockerfile, name):
                    what = f"build argument `{name}` is copied into ENV: whoever can pull the image reads it there"
                    yield Hit(place, what, fix, name, confidence=Confidence.MEDIUM)


def _is_kept(dockerfile: Dockerfile, name: str) -> bool:
    """Does an ENV of the stage that is built keep this argument?"""
    stages = [part for stage in dockerfile.stages[-1:] for part in dockerfile.lineage(stage)]
    values = [value for part in stages for one in part.of("ENV") for _, value in one.pairs]
    return any(re.fullmatch(rf"\$\{{?{re.escape(name)}\}}?", value) for value in values)


@check("BG424")
def no_health_check(context: Context) -> Iterator[Hit]:
    """Images of services without a HEALTHCHECK."""
    watched = {
        one.name for file in context.configuration.compose for one in file.containers if one.node.get("healthcheck")
    }
    for dockerfile in context.configuration.dockerfiles:
        for stage in built(dockerfile):
            lineage = dockerfile.lineage(stage)
            starts = [one for part in lineage for one in part.of("CMD", "ENTRYPOINT")]
            serves = any(SERVES.search(one.text) for one in starts) and any(
                True for part in lineage for _ in part.of("EXPOSE")
            )
            if serves and not watched and not any(True for part in lineage for _ in part.of("HEALTHCHECK")):
                what = f"the image that runs `{starts[0].text[:60]}` has no HEALTHCHECK"
                fix = "HEALTHCHECK CMD curl --fail http://127.0.0.1:8000/health   # or Python's urllib"
                yield Hit(Location(dockerfile.path, starts[0].line), what, fix)
