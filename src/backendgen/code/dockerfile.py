"""Dockerfiles: stages and their instructions, with continuation lines, heredocs, flags, and ARG and ENV in images' names.

Source: https://docs.docker.com/reference/dockerfile/.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

_DIRECTIVE = re.compile(r"#\s*(\w+)\s*=\s*(\S+)\s*$")
_WORD = re.compile(r"\s*([A-Za-z]+)(?:\s+|$)")
_FLAG = re.compile(r"--([\w.-]+)(?:=(\S+))?\s+")
_HEREDOC = re.compile(r"""<<-?(["']?)([A-Za-z_]\w*)\1""")
_PAIR = re.compile(r"""([\w.-]+)=((?:"(?:\\.|[^"\\])*"|'[^']*'|\\.|[^\s"'\\])*)""")
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?::?([-+?])([^}]*))?\})")


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction: `text` is all after the flags, continued lines joined; `heredoc` the text of its heredocs."""

    keyword: str
    text: str
    line: int
    end_line: int
    flags: tuple[tuple[str, str], ...] = ()
    heredoc: str = ""

    @property
    def command(self) -> tuple[str, ...] | None:
        """The words of the exec form `["a", "b"]`, None for the shell form."""
        try:
            words = json.loads(self.text) if self.text.startswith("[") else None
        except (ValueError, RecursionError):
            return None
        is_form = isinstance(words, list) and all(isinstance(word, str) for word in words)
        return tuple(words) if is_form and words is not None else None

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Names and values of ENV, ARG and LABEL; an ARG without a default has an empty one."""
        if self.keyword == "ENV" and not re.match(r"[\w.-]+=", self.text):
            name, _, value = self.text.partition(" ")
            return ((name, value.strip()),)
        found = tuple((name, _unquoted(value)) for name, value in _PAIR.findall(self.text))
        if self.keyword == "ARG":
            given = {name for name, _ in found}
            bare = (word for word in self.text.split() if "=" not in word and re.fullmatch(r"\w+", word))
            return (*found, *((name, "") for name in bare if name not in given))
        return found


@dataclass(frozen=True, slots=True)
class Stage:
    """What one FROM begins: `image` has its ARGs filled in as far as they have defaults; `name` is that of `AS name`."""

    image: str
    name: str
    line: int
    instructions: tuple[Instruction, ...] = ()

    def of(self, *keywords: str) -> Iterator[Instruction]:
        """Yield the instructions of these kinds."""
        return (one for one in self.instructions if one.keyword in keywords)


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """A Dockerfile: the last stage is what is built unless another is asked for."""

    path: str
    arguments: tuple[Instruction, ...] = ()
    stages: tuple[Stage, ...] = ()

    def lineage(self, stage: Stage) -> tuple[Stage, ...]:
        """Return a stage and those of this file that it is built upon, itself first."""
        order, names = [stage], {one.name.lower(): one for one in self.stages if one.name}
        while order[-1].image.lower() in names and names[order[-1].image.lower()] not in order:
            order.append(names[order[-1].image.lower()])
        return tuple(order)


@dataclass(slots=True)
class _Stage:
    image: str
    name: str
    line: int
    instructions: list[Instruction] = field(default_factory=list)


def read(text: str, path: str) -> Dockerfile:
    """Read a Dockerfile. Accepts any text: what is no instruction is passed over, as it is by no builder."""
    arguments: list[Instruction] = []
    stages: list[_Stage] = []
    defaults: dict[str, str] = {}
    for one in _instructions(text):
        if one.keyword == "FROM":
            image, _, rest = one.text.partition(" ")
            words = rest.split()
            name = words[1] if len(words) > 1 and words[0].lower() == "as" else ""
            stages.append(_Stage(expand(image, defaults), name, one.line))
        elif stages:
            stages[-1].instructions.append(one)
        elif one.keyword == "ARG":
            arguments.append(one)
            defaults.update((name, expand(value, defaults)) for name, value in one.pairs)
    built = tuple(Stage(one.image, one.name, one.line, tuple(one.instructions)) for one in stages)
    return Dockerfile(path, tuple(arguments), built)


def expand(text: str, values: Mapping[str, str]) -> str:
    """Fill in variables that are known, with `:-` and `:+` as shells do; what is not known stays as it is written."""

    def filled(found: re.Match[str]) -> str:
        name, how, word = found[1] or found[2], found[3], found[4] or ""
        if how == "+":
            return word if values.get(name) else ""
        return values.get(name) or (word if how == "-" else found[0])

    return _VARIABLE.sub(filled, text)


def _instructions(text: str) -> Iterator[Instruction]:
    lines = text.split("\n")
    escape = "\\"
    for line in lines:  # directives stand above everything else
        directive = _DIRECTIVE.match(line)
        if not directive:
            break
        if directive[1].lower() == "escape":
            escape = directive[2]
    at = 0
    while at < len(lines):
        first = at
        parts: list[str] = []
        while at < len(lines):
            line = lines[at].rstrip()
            at += 1
            if line.lstrip().startswith("#") or (parts and not line):
                continue
            is_continued = line.endswith(escape)
            parts.append(line[: -len(escape)] if is_continued else line)
            if not is_continued:
                break
        whole = " ".join(part.strip() for part in parts)
        word = _WORD.match(whole)
        if not word:
            continue
        while first < at - 1 and (not lines[first].strip() or lines[first].lstrip().startswith("#")):
            first += 1
        rest, flags = whole[word.end() :], []
        while flag := _FLAG.match(rest):
            flags.append((flag[1], flag[2] or ""))
            rest = rest[flag.end() :]
        heredoc = ""
        if word[1].upper() in ("RUN", "COPY", "ADD"):
            for marker in _HEREDOC.findall(rest):
                inside, at = _heredoc(lines, at, marker[1])
                heredoc += inside
        yield Instruction(word[1].upper(), rest.strip(), first + 1, at, tuple(flags), heredoc)


def _heredoc(lines: list[str], at: int, end: str) -> tuple[str, int]:
    start = at
    while at < len(lines) and lines[at].strip() != end:
        at += 1
    return "\n".join(lines[start:at]), min(at + 1, len(lines))


def _unquoted(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:-1] if value[:1] in "\"'" and value[-1:] == value[:1] else value)
