"""Which regular expressions take for ever: what is reported really does, measured on a text that almost fits."""

from __future__ import annotations

import subprocess
import sys

import pytest

from backendgen.audit.checks.patterns import is_catastrophic

SLOW = [
    (r"^(a+)+$", "a" * 40 + "!"),
    (r"^(\w+\s?)*$", "a" * 40 + "!"),
    (r"^(?:.|\w)*$", "a" * 40 + "\n\n"),
    (r"^(\s*\w+\s*)*$", "a" * 40 + "!"),
    (r"^(.+,)*x$", "a,," * 30 + "!"),
    (r"^((?:ab)+)*$", "ab" * 40 + "!"),
    (r"^([a-z]+[a-c])*$", "a" * 40 + "!"),
    (r"x(?:y(\d+\.?)*z)", "xy" + "1" * 40 + "!"),
]
QUICK = [
    r"^\w+(?:\s\w+)*$", r"(a+)+", r"^(?:\w+,)*$", r"^(?:[^\\]|\\.)*$", r"^(a+){1,3}$", r"^(?>a+)*$", r"^(a++)*$",
    r"^(\d+[a-z])*$", r"^(?:a|[ab])*$", r"[", r"(?P<name>x)(?P=name)*", "",
]  # fmt: skip


@pytest.mark.parametrize(("pattern", "text"), SLOW)
def test_reported_patterns_do_not_come_to_an_end(pattern: str, text: str) -> None:
    assert is_catastrophic(pattern)
    program = f"import re; re.match({pattern!r}, {text!r})"
    with pytest.raises(subprocess.TimeoutExpired):
        subprocess.run([sys.executable, "-c", program], timeout=2, check=False)


@pytest.mark.parametrize("pattern", QUICK)
def test_others_are_left_alone(pattern: str) -> None:
    assert not is_catastrophic(pattern)


def test_a_whole_text_must_fit_to_its_end() -> None:
    assert is_catastrophic(r"(a+)+", whole=True)
