"""The questions that a spec may leave open, in one table: a stable code, what is at stake, the choices, the default."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from backendgen.errors import Problem
from backendgen.spec.model import Assumption


@dataclass(frozen=True, slots=True)
class Question:
    """An open question; the texts are `str.format` templates over the user's own names."""

    code: str
    message: str
    choices: tuple[str, ...]
    taken: str


# S1xx: who may.  S2xx: what a write may do.  S3xx: speed.  S4xx: sections that are absent.
QUESTIONS = {
    question.code: question
    for question in (
        Question(
            "S101",
            "{path}: no `allow` for {actions}",
            ("allow: user", "allow: public", "allow: [a role or a policy]"),
            "{taken}",
        ),
        Question(
            "S102",
            "{path}: anybody may {action} without signing in",
            ("allow: user", "allow: [a role or a policy]", "allow: public"),
            "as written: public",
        ),
        Question(
            "S103",
            "{path}: {who} may read the rows of '{table}' that belong to others through {column}",
            ("a policy `own: {condition}` and `allow: own`", "as written"),
            "as written",
        ),
        Question(
            "S104",
            "auth.default_role is absent: who registers has no role",
            ("default_role: one of {roles}", "no role"),
            "no role",
        ),
        Question(
            "S105",
            "auth.policies.{policy}: no action allows it",
            ("allow: {policy}", "remove it"),
            "it does nothing",
        ),
        Question(
            "S201",
            "{path}: the caller may set {column}, which is money",
            ("{paste}", "allow: [a role]", "as written"),
            "as written",
        ),
        Question(
            "S202",
            "{path}: the caller may create rows in the name of another user through {column}",
            ('set: {{{column}: ":user_id"}}', "a policy or a role in `allow`", "as written"),
            "as written",
        ),
        Question(
            "S203",
            "{path}: '{table}' has no `version` column, so two updates at once overwrite each other",
            ("version int NOT NULL DEFAULT 1", "the last write wins"),
            "the last write wins",
        ),
        Question(
            "S204",
            "{path}: no column of '{table}' can be changed, so there is no update",
            ("a column that is no key and not given by the server", "no update"),
            "no update",
        ),
        Question(
            "S301",
            "{path}: no index begins with '{column}', so sorting by it reads the whole table",
            ("CREATE INDEX {index} ON {table} ({keys});", "no index"),
            "no index",
        ),
        Question(
            "S302",
            "no index begins with the foreign key {table} ({columns}), so deletes from '{parent}' and joins read all of it",
            ("CREATE INDEX {index} ON {table} ({columns});", "no index"),
            "no index",
        ),
        Question(
            "S401",
            "auth is absent: users register with an address and a password, tokens last 15m and 30d",
            ("an `auth` section", "auth: off"),
            "auth: {{}}",
        ),
        Question(
            "S402",
            "rate_limits is absent: callers are limited all the same",
            ("a `rate_limits` section", "rate_limits: off"),
            "60/minute per address, 600/minute per user, 5/minute per login",
        ),
    )
}


class Placed(Protocol):
    """Anything with a position."""

    @property
    def line(self) -> int:
        """The 1-based line."""

    @property
    def column(self) -> int:
        """The 1-based column."""


@dataclass(frozen=True, slots=True)
class Place:
    """A position in a named file."""

    path: str
    line: int
    column: int


@dataclass(slots=True)
class Notes:
    """Collects what is wrong and what was left open while a spec is read, so that all of it is told at once."""

    path: str
    problems: list[Problem] = field(default_factory=list)
    assumptions: list[Assumption] = field(default_factory=list)

    def error(self, at: Placed, message: str, hint: str = "") -> None:
        """Add an error."""
        path = at.path if isinstance(at, Place) else self.path
        self.problems.append(Problem(message, path, at.line, at.column, hint))

    def ask(self, code: str, at: Placed, **names: object) -> None:
        """Add an open question with the default that is taken; `names` fill its texts."""
        question = QUESTIONS[code]
        path = at.path if isinstance(at, Place) else self.path
        choices = tuple(choice.format(**names) for choice in question.choices)
        message, taken = question.message.format(**names), question.taken.format(**names)
        self.assumptions.append(Assumption(code, message, choices, taken, at.line, at.column, path))
