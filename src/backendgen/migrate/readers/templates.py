"""Placeholders in SQL files, filled so that the statements around them parse.

Known are `{{ .Go }}` and `{{ jinja }}`, `{% jinja blocks %}`, `${flyway}` and `#{ruby}`, and psql's `:name`, `:'name'` and
`:"name"` (psql manual, SQL Interpolation). A placeholder without a value is read as the last word in it: `${db_schema}` is
`db_schema`. Tags that only steer a template are left out, so that all of its branches are read; where that is no SQL, the
statement is one that was not understood.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from backendgen.sql.lexer import replace_parameters

_PLACEHOLDER = re.compile(r"\{\{[^{}]{0,1000}\}\}|\$\{[^{}\n]*\}|#\{[^{}\n]*\}")
_JINJA = re.compile(r"\{%.{0,1000}?%\}|\{#.{0,1000}?#\}", re.DOTALL)
_STEERS = re.compile(
    r"\{\{-?\s*(?:if|else|end|range|with|define|block|template|break|continue|/\*|!|#|/|\$\w+\s*:?=)(?![\w.])"
)
_ARRAY = re.compile(r"\{\{[^(){}.|]*,[^(){}.|]*\}\}")
_DEFAULT = re.compile(r":?-\s*([^}]+?)\s*\}$")
_WORD = re.compile(r"[A-Za-z_]\w*")
_QUOTED_VARIABLE = re.compile(r"""(?<=[\s(,=.]):(['"])([A-Za-z_]\w*)\1""")
_VARIABLE_SET = re.compile(r"^[ \t]*\\set[ \t]+(\w+)[ \t]+(\S.*?)[ \t]*$", re.MULTILINE)


def fill(text: str, values: Mapping[str, str] | None = None, placeholder: re.Pattern[str] | None = None) -> str:
    """Fill a text's placeholders; each line stays where it was.

    `values` are by lower-case name. `placeholder` is what this project writes, its first group the name; without one, all
    that is known is a placeholder.
    """
    known = values or {}
    if placeholder is not None:
        return placeholder.sub(lambda found: known.get(found[1].strip().lower(), _word(found[1])), text)
    if "{%" in text:
        text = _JINJA.sub(_lines, text)
    if "{{" in text or "${" in text or "#{" in text:
        text = _PLACEHOLDER.sub(lambda found: _filled(found, known), text)
    return text


def fill_variables(text: str) -> str:
    """Fill psql's variables, with the values that the text itself gives them (`\\set`) or with their names."""
    if ":" not in text:
        return text
    given = ((found[1], found[2].strip("'\"")) for found in _VARIABLE_SET.finditer(text))
    values = {name: value for name, value in given if not value.startswith("`")}  # what a shell command prints
    text = _QUOTED_VARIABLE.sub(lambda found: f"{found[1]}{values.get(found[2], found[2])}{found[1]}", text)
    return replace_parameters(text, lambda name: values.get(name, name))


def _filled(found: re.Match[str], values: Mapping[str, str]) -> str:
    tag = found[0]
    if _ARRAY.fullmatch(tag):  # '{{1,2}}'
        return tag
    if _STEERS.match(tag):
        return _lines(found)
    content = tag[2:-1].rstrip("}- ").lstrip("- ")
    given = values.get(content.strip().lower())
    default = _DEFAULT.search(tag) if tag[0] == "$" else None
    written = given if given is not None else default[1] if default else _word(content)
    return written + "\n" * tag.count("\n")


def _word(content: str) -> str:
    """Return the word that stands for a placeholder: the last one before its filters."""
    if content.strip().lower() == "flyway:defaultschema":
        return "public"
    words = _WORD.findall(content.partition("|")[0])
    return words[-1].lower() if words else "t"


def _lines(found: re.Match[str]) -> str:
    return " " + "\n" * found[0].count("\n")
