"""The files beside the code that say how a service is built, deployed, called and shown: which they are, by name and by
content.

Most are known by their names. OpenAPI documents, compose files and GitHub's workflows are known by what they hold: their
names are anybody's choice. So are templates and nginx's configurations: much else is called .html and .conf.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

Kind = Literal[
    "openapi", "compose", "dockerfile", "requirements", "manifest", "lock", "env", "commands", "template", "nginx",
    "workflow",
]  # fmt: skip

MANIFESTS = frozenset({"pyproject.toml", "setup.cfg", "Pipfile", "environment.yml", "environment.yaml"})
LOCKS = frozenset({"poetry.lock", "uv.lock", "pdm.lock", "Pipfile.lock", "pylock.toml", "conda-lock.yml"})
COMMANDS = frozenset({"Procfile", ".python-version", "runtime.txt"})
_TREE = (".yaml", ".yml", ".json")
_DOCKERFILE = re.compile(r"(?:Docker|Container)file(?:[._-][\w.-]+)?|[\w.-]+\.(?:docker|container)file", re.IGNORECASE)
_REQUIREMENTS = re.compile(r"(?:[\w.-]+[-_.])?(?:requirements|constraints)(?:[-_.][\w.-]+)?\.(?:txt|in|pip)")
_ENV = re.compile(r"\.env(?:\.[\w.-]+)?|\.?[\w-]+\.env")
_COMPOSE = re.compile(r"(?:docker-)?compose(?:[._-][\w.-]+)?\.ya?ml", re.IGNORECASE)
_OPENAPI = re.compile(
    rb"""(?:^|[{,])\s*["']?(?:openapi["']?\s*:\s*["']?3\.|swagger["']?\s*:\s*["']?2\.)""", re.MULTILINE
)
_SERVICES = re.compile(rb"^services:[ \t]*(?:#.*)?$.*^[ \t]+(?:image|build):", re.MULTILINE | re.DOTALL)
_COMPOSE_KEYS = re.compile(
    rb"^(?!services|version|name|volumes|networks|configs|secrets|include|x-)[A-Za-z]", re.MULTILINE
)
_JOBS = re.compile(rb"^ {0,4}jobs:", re.MULTILINE)
_TRIGGERS = re.compile(rb"""^ {0,4}(?:on|'on'|"on"):""", re.MULTILINE)
_MARKUP = re.compile(r"\.x?html?(?:\.(?:j2|jinja2?|tmpl|template))?$|\.jinja2?$", re.IGNORECASE)
_TAG = re.compile(
    rb"\{%-?\s*(?:if|for|block|extends|include|load|import|from|macro|set|with|url|trans|csrf_token|autoescape)\b"
)
_SERVER = re.compile(r"\.(?:conf|nginx|vhost)(?:\.[\w-]+)*$", re.IGNORECASE)
_NGINX_BLOCK = re.compile(rb"^[ \t]*(?:server|location\b[^\n{}]*)\s*\{", re.MULTILINE)
_NGINX_LINE = re.compile(
    rb"^[ \t]*(?:listen|server_name|\w+_pass|alias|root|return|rewrite|try_files)[ \t][^\n]*;", re.MULTILINE
)
_NO_PROGRAM = re.compile(
    r"\.(?:md|rst|txt|py|sh|ya?ml|json|toml|dockerignore|j2|jinja2?|tmpl|template)$", re.IGNORECASE
)


@dataclass(frozen=True)
class Document:
    """A text file that is no Python: `path` is relative to the project's root, with forward slashes."""

    path: str
    location: Path
    text: str
    kind: Kind

    @cached_property
    def lines(self) -> list[str]:
        """The lines, without their ends."""
        return self.text.split("\n")

    @property
    def name(self) -> str:
        """The file's name without its folders."""
        return self.path.rpartition("/")[2]

    def line_of(self, words: str, start: int = 0) -> int:
        """Return the first line after `start` that holds these words, or else the first line of all."""
        return next((number for number, line in enumerate(self.lines[start:], start + 1) if words in line), 1)


def may_be_document(name: str) -> bool:
    """Tell by its name alone whether a file may be one: then its content decides."""
    return (
        kind_of(name) is not None or name.lower().endswith(_TREE) or bool(_MARKUP.search(name) or _SERVER.search(name))
    )


def kind_of(name: str, content: bytes = b"") -> Kind | None:
    """Tell what a file is. The names of YAML and JSON files say little: without their content they are nothing."""
    if name in MANIFESTS:
        return "manifest"
    if name in LOCKS:
        return "lock"
    if name in COMMANDS:
        return "commands"
    if _REQUIREMENTS.fullmatch(name):
        return "requirements"
    if _DOCKERFILE.fullmatch(name) and not _NO_PROGRAM.search(name):
        return "dockerfile"
    if _ENV.fullmatch(name) and not _NO_PROGRAM.search(name):
        return "env"
    lower = name.lower()
    if _MARKUP.search(name):
        return "template" if _TAG.search(content) else None
    if _SERVER.search(name):
        return "nginx" if _NGINX_BLOCK.search(content) and _NGINX_LINE.search(content) else None
    if not lower.endswith(_TREE):
        return None
    if _COMPOSE.fullmatch(name) or (not lower.endswith(".json") and _is_compose(content)):
        return "compose"
    if not lower.endswith(".json") and _JOBS.search(content) and _TRIGGERS.search(content):
        return "workflow"
    return "openapi" if _OPENAPI.search(content) else None


def _is_compose(content: bytes) -> bool:
    return b"services:" in content and bool(_SERVICES.search(content)) and not _COMPOSE_KEYS.search(content)
