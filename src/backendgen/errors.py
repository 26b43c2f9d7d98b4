"""Errors that a user can act on. Everything else is a bug and may show a traceback."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, and where: printed as `path:line:column message`."""

    message: str
    path: str = ""
    line: int = 0
    column: int = 0
    hint: str = ""

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.path, self.line, self.column) if part)
        text = f"{place} {self.message}" if place else self.message
        return f"{text}\n  {self.hint}" if self.hint else text


class UserError(Exception):
    """Bad input, bad usage, or a missing tool. The command line prints every problem and exits with 2."""

    def __init__(self, *problems: Problem | str) -> None:
        self.problems: tuple[Problem, ...] = tuple(
            problem if isinstance(problem, Problem) else Problem(problem) for problem in problems
        )
        super().__init__("\n".join(str(problem) for problem in self.problems))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ` (did you mean 'x'?)` for the closest known word, or nothing."""
    from difflib import get_close_matches

    words = {known_word.casefold(): known_word for known_word in sorted(known, reverse=True)}
    close = get_close_matches(word.casefold(), words, n=1, cutoff=0.6)
    return f" (did you mean '{words[close[0]]}'?)" if close else ""
