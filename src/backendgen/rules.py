"""Rules as cards: one Markdown file holds a rule's metadata, its reason, its fix and its examples.

A card's file name starts with its id (`BG103-sql-built-from-strings.md`), so that one card can be read without the others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

from backendgen import files, resources, taxonomy
from backendgen.errors import Problem, UserError, did_you_mean

CARD_NAME = re.compile(r"(BG\d{3})-([a-z0-9-]+)\.md")
MARK = re.compile(r"(?:#|--|//)\s*((?:BG\d{3}[\s,]*)+)$")
FENCE = re.compile(r"^```(\S*)[ \t]*([^\n]*)\n(.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)
DETECTION = re.compile(r"^```yaml (?:flow|semgrep)\n.*?^```\n+", re.MULTILINE | re.DOTALL)

DetectKind = Literal["python", "flow", "bandit", "semgrep", "built-in"]


class Severity(IntEnum):
    """How bad it is when it happens."""

    INFO = 0
    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4

    @property
    def word(self) -> str:
        """The name as it is written in cards, options and reports."""
        return self.name.lower()


class Confidence(IntEnum):
    """How sure it is: `high` is proven or unambiguous."""

    LOW = 0
    MEDIUM = 1
    HIGH = 2

    @property
    def word(self) -> str:
        """The name as it is written in cards, options and reports."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Example:
    """A small project that must, or must not, be reported: `files` are (path, text), `marked` the (path, line)s."""

    bad: bool
    files: tuple[tuple[str, str], ...]
    marked: frozenset[tuple[str, int]]
    line: int


@dataclass(frozen=True, slots=True)
class Detect:
    """What finds it: our `python` check, our `flow` engine, or patterns for another engine (bandit ids; semgrep YAML).

    `mentions`: a file that holds none of these words is not given to bandit. `documents`: the kinds of documents that
    semgrep matches the patterns in; without any, Python files.
    """

    kind: DetectKind
    tests: tuple[str, ...] = ()
    mentions: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()
    data: Any = field(default=None, hash=False)


@dataclass(frozen=True, slots=True)
class Rule:
    """One card. `why`, `fix` and the sections are Markdown; `supersedes` are rules that it replaces on the same line.

    `peers` are bandit's tests and semgrep's rules that say the same: comments that hide those hide this one.
    """

    id: str
    slug: str
    command: str
    title: str
    severity: Severity
    confidence: Confidence
    detect: Detect
    since: str
    why: str
    fix: str
    sections: tuple[tuple[str, str], ...]
    examples: tuple[Example, ...]
    owasp: tuple[str, ...] = ()
    api: tuple[str, ...] = ()
    cwe: tuple[int, ...] = ()
    aliases: tuple[str, ...] = ()
    supersedes: tuple[str, ...] = ()
    peers: tuple[str, ...] = ()
    path: str = ""

    @property
    def text(self) -> str:
        """The card as people read it: reason, then every section, without the front matter."""
        return "\n\n".join([self.why, *(f"## {title}\n{body}" for title, body in self.sections)]).strip()


class Rulebook:
    """All cards of the tool and of a project's own `.backendgen/rules/`, each read when it is first asked for."""

    def __init__(self, *folders: Path) -> None:
        self._paths: dict[str, Path] = {}
        for folder in folders or (resources.directory("rules"),):
            for path in _cards(folder):
                named = CARD_NAME.fullmatch(path.name)
                if not named:
                    raise UserError(Problem("a card is named BGnnn-words-with-hyphens.md", str(path)))
                if named[1] in self._paths:
                    raise UserError(Problem(f"{named[1]} is already the id of {self._paths[named[1]].name}", str(path)))
                self._paths[named[1]] = path
        self._rules: dict[str, Rule] = {}

    @property
    def ids(self) -> tuple[str, ...]:
        """All ids, in order."""
        return tuple(sorted(self._paths))

    def __iter__(self) -> Iterator[Rule]:
        return (self[rule_id] for rule_id in self.ids)

    def __contains__(self, rule_id: str) -> bool:
        return rule_id in self._paths

    def __getitem__(self, rule_id: str) -> Rule:
        if rule_id not in self._rules:
            path = self._paths[rule_id]
            self._rules[rule_id] = parse_card(files.read_text(path), path)
        return self._rules[rule_id]

    @cached_property
    def aliases(self) -> dict[str, str]:
        """Old id -> present id."""
        return {alias: rule.id for rule in self for alias in rule.aliases}

    def find(self, text: str) -> Rule:
        """Return the rule with this id, alias or slug. Raises UserError that names the ids that come closest."""
        wanted = text.strip().upper()
        if wanted in self:
            return self[wanted]
        if wanted in self.aliases:
            return self[self.aliases[wanted]]
        for rule_id, path in self._paths.items():
            if path.stem[len(rule_id) + 1 :] == text.strip().lower():
                return self[rule_id]
        starts = [rule_id for rule_id in self.ids if wanted and rule_id.startswith(wanted)]
        named = [rule_id for rule_id, path in self._paths.items() if wanted and wanted.lower() in path.stem.lower()]
        for found, how in ((starts, "start so"), (named, "are called so")):
            if found:
                listed = "\n".join(f"  {rule_id}  {self[rule_id].title}" for rule_id in found)
                raise UserError(f"there is no rule '{text}'; these {how}:\n{listed}")
        raise UserError(f"there is no rule '{text}'{did_you_mean(wanted, self.ids)}; `backendgen rules` lists them")

    def select(self, command: str, select: Iterable[str] = (), ignore: Iterable[str] = ()) -> tuple[Rule, ...]:
        """Return a command's rules whose ids start with a word of `select` (all without one) and with none of `ignore`.

        Raises UserError for a word that no id starts with, and when no rule is left: nothing would be checked.
        """
        return tuple(self[rule_id] for rule_id in self.select_ids(command, select, ignore))

    def select_ids(self, command: str, select: Iterable[str] = (), ignore: Iterable[str] = ()) -> tuple[str, ...]:
        """Return the ids that `select` would return rules of, without reading their cards."""
        chosen, dropped = self.prefixes(select), self.prefixes(ignore)
        left = tuple(
            rule_id
            for rule_id in self.ids
            if self._paths[rule_id].parent.name in (command, "process")
            and (not chosen or rule_id.startswith(chosen))
            and not (dropped and rule_id.startswith(dropped))
        )
        if not left and (chosen or dropped):
            words = ", ".join(
                f"{verb} {' '.join(which)}" for verb, which in (("select", chosen), ("ignore", dropped)) if which
            )
            name = command.replace("migrate", "migrate-check")
            raise UserError(f"no rule of `backendgen {name}` is left to check ({words})")
        return left

    def prefixes(self, words: Iterable[str]) -> tuple[str, ...]:
        """Return words that select rules as ids begin, aliases resolved. Raises UserError for one that no id begins with."""
        prefixes = tuple(self.aliases.get(word.upper(), word.upper()) if word.upper() not in self else word.upper()
                         for word in words if word.strip())  # fmt: skip
        wrong = [Problem(f"no rule's id starts with '{prefix}'{did_you_mean(prefix, self.ids)}")
                 for prefix in prefixes if not any(rule_id.startswith(prefix) for rule_id in self.ids)]  # fmt: skip
        if wrong:
            raise UserError(*wrong)
        return prefixes


def _cards(folder: Path) -> list[Path]:
    walked = files.walk(folder)
    return sorted(
        Path(inside, name) for inside, _, names in walked for name in names if name[:2] == "BG" and name[-3:] == ".md"
    )


F = TypeVar("F", bound=Callable[..., Any])


class Checks(Generic[F]):
    """The functions behind a command's `detect: python` cards. Used as a decorator: `@check("BG301")`."""

    def __init__(self) -> None:
        self.functions: dict[str, F] = {}

    def __call__(self, rule_id: str) -> Callable[[F], F]:
        """Register a function under the rule that it serves. Raises ValueError when the rule has one already."""

        def register(function: F) -> F:
            if rule_id in self.functions:
                raise ValueError(f"{rule_id} has two checks")
            self.functions[rule_id] = function
            return function

        return register


def parse_card(text: str, path: Path) -> Rule:
    """Parse one card. Raises UserError with every mistake in it."""
    named = CARD_NAME.fullmatch(path.name)
    parts = re.match(r"---\n(.*?)\n---\n(.*)", text, re.DOTALL)
    if not named or not parts:
        raise UserError(Problem("a card is BGnnn-slug.md and starts with YAML between two lines of ---", str(path), 1))
    head = _front_matter(parts[1], path)
    if not isinstance(head, dict):
        raise UserError(Problem("the card's front matter is not a mapping", str(path), 1))
    problems = _head_problems(head, path)
    if problems:
        raise UserError(*problems)
    body, first_line = parts[2], text[: parts.start(2)].count("\n") + 1
    why, sections = _sections(DETECTION.sub("", body))  # what engines read is not for people
    detect = _detect(head["detect"], body)
    return Rule(
        id=named[1], slug=named[2], command=path.parent.name, title=head["title"],
        severity=Severity[head["severity"].upper()], confidence=Confidence[head["confidence"].upper()],
        detect=detect, since=str(head["since"]), why=why,
        fix=next((text for title, text in sections if title in ("Fix", "Do instead")), ""),
        sections=sections, examples=tuple(_examples(body, first_line, named[1], path)),
        owasp=tuple(head.get("owasp", ())), api=tuple(head.get("api", ())), cwe=tuple(head.get("cwe", ())),
        aliases=tuple(head.get("aliases", ())), supersedes=tuple(head.get("supersedes", ())),
        peers=tuple(head.get("peers", ())), path=str(path),
    )  # fmt: skip


def _front_matter(text: str, path: Path) -> Any:
    """Return the YAML of a card's head. Most heads are plain texts, and to load yaml takes longer than to read them."""
    lines = [_PLAIN.fullmatch(line) or _LIST.fullmatch(line) for line in text.split("\n")]
    if all(line and line["value"].lower() not in _NO_TEXT for line in lines):
        return {line["key"]: line["value"] if line.re is _PLAIN else _items(line["value"]) for line in lines if line}
    import yaml

    try:
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)) or {}
    except yaml.YAMLError as error:
        raise UserError(Problem(f"the card's front matter is not YAML: {error}", str(path), 1)) from error


def _items(value: str) -> list[str | int]:
    return [int(item) if item.isdigit() else item for item in value.split(", ")]


_LIST = re.compile(r"(?P<key>[a-z]+): \[(?P<value>(?:(?:[A-Z]{1,3}\d+(?::\d+)?|[1-9]\d*)(?:, (?!\])|(?=\])))+)\]")
_PLAIN = re.compile(
    r"(?P<key>[a-z]+): (?P<value>[A-Za-z](?:[^:#\"{}\[\]\\&*!|>%@`]*[^:#\"{}\[\]\\&*!|>%@`\s])?|\d+\.\d+\.\d+)"
)
_NO_TEXT = frozenset({"y", "n", "yes", "no", "true", "false", "on", "off", "null"})
_HEAD = {"title", "severity", "confidence", "owasp", "api", "cwe", "detect", "since", "aliases", "supersedes", "peers"}


def _head_problems(head: dict[str, Any], path: Path) -> list[Problem]:
    wrong = [f"unknown key '{key}'{did_you_mean(str(key), _HEAD)}" for key in head if key not in _HEAD]
    wrong += [
        f"'{key}' is missing" for key in ("title", "severity", "confidence", "detect", "since") if key not in head
    ]
    for key, scale in (("severity", Severity), ("confidence", Confidence)):
        if str(head.get(key, "low")).upper() not in scale.__members__:
            wrong.append(f"{key} is one of {', '.join(scale.__members__).lower()}, not '{head[key]}'")
    for key, known in (("owasp", taxonomy.OWASP), ("api", taxonomy.API), ("cwe", taxonomy.CWE)):
        wrong += [f"{key} {entry} is not in taxonomy.py" for entry in head.get(key, ()) if entry not in known]
    detect = head.get("detect", "python")
    if detect not in ("python", "flow", "semgrep", "built-in") and not _is_foreign(detect):
        wrong.append(
            "detect is python, flow, semgrep, built-in, {bandit: [Bnnn]}, {bandit: [Bnnn], mentions: [word]} or"
            f" {{semgrep: [kind]}} with kinds of documents: {', '.join(_kinds())}"
        )
    return [Problem(message, str(path), 1) for message in wrong]


def _is_foreign(written: Any) -> bool:
    """Does it name tests of bandit, or the kinds of documents that semgrep's patterns are for?"""
    if not isinstance(written, dict) or not all(
        isinstance(listed, list) and listed and all(isinstance(one, str) and one for one in listed)
        for listed in written.values()
    ):
        return False
    if set(written) == {"semgrep"}:
        return set(written["semgrep"]) <= set(_kinds())
    return {"bandit"} <= set(written) <= {"bandit", "mentions"}


def _kinds() -> tuple[str, ...]:
    from typing import get_args

    from backendgen.code.documents import Kind

    return get_args(Kind)


def _detect(written: Any, body: str) -> Detect:
    if isinstance(written, dict) and "bandit" in written:
        return Detect("bandit", tuple(written["bandit"]), mentions=tuple(written.get("mentions", ())))
    kind: DetectKind = "semgrep" if isinstance(written, dict) else written
    documents = tuple(written["semgrep"]) if isinstance(written, dict) else ()
    code = next(
        (code for language, info, code in FENCE.findall(body) if (language, info.strip()) == ("yaml", kind)), ""
    )
    if not code:
        return Detect(kind, documents=documents)
    import yaml

    return Detect(kind, documents=documents, data=yaml.safe_load(code))


def _sections(body: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Split at `## ` headings that are not inside a fence."""
    fences = [match.span() for match in FENCE.finditer(body)]
    heads = [match for match in re.finditer(r"^## (.+)$", body, re.MULTILINE)
             if not any(start < match.start() < end for start, end in fences)]  # fmt: skip
    ends = [match.start() for match in heads[1:]] + [len(body)]
    sections = tuple((head[1].strip(), body[head.end() : end].strip()) for head, end in zip(heads, ends, strict=True))
    return body[: heads[0].start() if heads else len(body)].strip(), sections


def _examples(body: str, first_line: int, rule_id: str, path: Path) -> Iterator[Example]:
    """Each fence under Bad or Good is an example; those that name a path form one, up to the next `###` heading."""
    bad: bool | None = None
    project: list[tuple[str, str, frozenset[int]]] = []
    started = 0

    def whole() -> Iterator[Example]:
        if project and bad is not None:
            marked = frozenset((name, line) for name, _, lines in project for line in lines)
            yield Example(bad, tuple((name, code) for name, code, _ in project), marked, started)
        project.clear()

    heading = re.compile(r"^(##|###) (.+)$", re.MULTILINE)
    pieces = sorted([*FENCE.finditer(body), *heading.finditer(body)], key=lambda match: match.start())
    inside = 0
    for piece in pieces:
        if piece.start() < inside:
            continue
        if piece.re is heading:
            yield from whole()
            if piece[1] == "##":
                bad = {"Bad": True, "Good": False}.get(piece[2].strip())
            continue
        inside = piece.end()
        if bad is None:
            continue
        line = first_line + body[: piece.start()].count("\n")
        info, code = piece[2].split(), piece[3]
        lines = _marked_lines(code, rule_id, next((word[6:] for word in info if word.startswith("lines=")), ""))
        name = next((word for word in info if "=" not in word), "")
        if not name:
            yield from whole()
            default = {"sql": "0001_change.sql", "python": "app/main.py"}.get(piece[1])
            if default is None:
                raise UserError(Problem(f"a {piece[1] or 'plain'} fence must name its file", str(path), line))
            yield Example(bad, ((default, code),), frozenset((default, number) for number in lines), line)
            continue
        started = started if project else line
        project.append((name, code, lines))
    yield from whole()


def _marked_lines(code: str, rule_id: str, listed: str) -> frozenset[int]:
    marks = {number for number, line in enumerate(code.split("\n"), 1)
             if (mark := MARK.search(line.rstrip())) and rule_id in mark[1]}  # fmt: skip
    return frozenset(marks | {int(number) for number in listed.split(",") if number})
