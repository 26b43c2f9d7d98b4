"""Tables and columns in the schema languages of other stacks, and names side by side where there is no such language."""

from __future__ import annotations

import re
from collections.abc import Iterator

from backendgen.code.models import MappedColumn, Model

_PRISMA_MODEL = re.compile(r"^model[ \t]+(\w+)[ \t]*\{(.*?)(?:^\}|\Z)", re.MULTILINE | re.DOTALL)
_PRISMA_FIELD = re.compile(r"^[ \t]+(\w+)[ \t]+(\w+)(\[\])?(\?)?(.*)$", re.MULTILINE)
_PRISMA_NAME = re.compile(r'@map\(\s*(?:name:\s*)?"([^"]+)"')
_PRISMA_TABLE = re.compile(r'@@map\(\s*(?:name:\s*)?"([^"]+)"')
_PRISMA_SCHEMA = re.compile(r'@@schema\(\s*"([^"]+)"')
_PRISMA_KIND = re.compile(r"^(?:model|view|type)[ \t]+(\w+)", re.MULTILINE)
_DIESEL_TABLE = re.compile(r"table!\s*\{(.*?)(?:^[ \t]*\}\s*^\}|\Z)", re.MULTILINE | re.DOTALL)
_DIESEL_HEAD = re.compile(r'(?:#\[sql_name\s*=\s*"([^"]+)"\]\s*)?([\w.]+)\s*(?:\([^)]*\))?\s*\{')
_DIESEL_COLUMN = re.compile(r'(?:#\[sql_name\s*=\s*"([^"]+)"\]\s*)?(?:r#)?(\w+)\s*->\s*(\w+)')
_COMMENT = re.compile(r"(?:///?|#(?!\[)).*")
_MAPS = re.compile(
    r"(?:pg|mysql|sqlite)Table\(|@Table\b|@Entity\b|[Tt]able_?[Nn]ame|\bToTable\(|\[Table\(|\b(?:from|into|knex)\("
    r"|\$table\b|\.table\(|bun:.table:"
)
_INSERTED = re.compile(r"\binsert_into\(\s*(?:\w+::)*?(\w+)(?:::table|::dsl)?\s*[,)]")
_NEAR, _REGION, _PLACES = 12, 200, 50


def prisma(text: str) -> Iterator[Model]:
    """Yield the models of a Prisma schema: its client names every column of them in each query."""
    kinds = set(_PRISMA_KIND.findall(text))
    for match in _PRISMA_MODEL.finditer(text):
        body = _COMMENT.sub(lambda comment: " " * len(comment[0]), match[2])
        first = text.count("\n", 0, match.start(2)) + 1
        if "@@ignore" in body:
            continue
        columns = []
        for field in _PRISMA_FIELD.finditer(body):
            name, kind, _, optional, rest = field.groups()
            if kind in kinds or re.search(r"(?<!@)@(?:ignore|relation)\b", rest):
                continue
            named = _PRISMA_NAME.search(rest)
            line = first + body.count("\n", 0, field.start())
            filled = "@default" in rest or "@updatedAt" in rest
            columns.append(MappedColumn(named[1] if named else name, line, bool(optional), filled))
        named, schema = _PRISMA_TABLE.search(body), _PRISMA_SCHEMA.search(body)
        table = named[1] if named else match[1]
        if schema and schema[1] != "public":
            table = f"{schema[1]}.{table}"
        yield Model(match[1], table, first, tuple(columns))


def diesel(text: str) -> Iterator[Model]:
    """Yield the tables of diesel's schema.rs: what loads a table selects all of its columns by name."""
    for match in _DIESEL_TABLE.finditer(text):
        body = match[1]
        start = text.count("\n", 0, match.start(1)) + 1
        clean = re.sub(r"(?m)^\s*(?:///.*|use .*;|//.*)$", "", body)
        head = _DIESEL_HEAD.search(clean)
        if head is None:
            continue
        table = head[1] or head[2].removeprefix("public.")
        columns = []
        for column in _DIESEL_COLUMN.finditer(body):
            line = start + body.count("\n", 0, column.start(2))
            columns.append(MappedColumn(column[1] or column[2], line, column[3] == "Nullable"))
        yield Model(table, table, start, tuple(columns), inserts=False)


def diesel_inserts(text: str) -> frozenset[str]:
    """Return the tables that diesel's insert_into names."""
    return frozenset(_INSERTED.findall(text))


def mention(text: str, table: str, column: str = "") -> tuple[int, bool] | None:
    """Find a table's name in quotes and, near it, a column's; return the line, and whether the file maps the table there.

    A column counts in quotes or as a tag; where the table is mapped also as the name of a field, camelCase or not.
    """
    lines = text.split("\n")
    named = re.compile(rf"""["'`:.]{re.escape(table)}["'`,;]""")
    places = [number for number, line in enumerate(lines) if table in line and named.search(line)][:_PLACES]
    if not column:
        found = [(number + 1, bool(_MAPS.search(lines[number]))) for number in places]
        return max(found, key=lambda one: one[1], default=None)
    if not places or (column not in text and _camel(column) not in text):
        return None
    quoted = re.compile(rf"""["'`:]{re.escape(column)}["'`,;]""")
    field = re.compile(rf"\b(?:{re.escape(column)}|{re.escape(_camel(column))})\b\s*[?!]?\s*[:=(;]")
    mapped = [number for number in places if _MAPS.search(lines[number])]
    others = list(_mapping_lines(lines)) if mapped else []
    for start in mapped:
        following = (each for each in others if each > start)
        end = min(next(following, len(lines)), start + _REGION)
        for number in range(start, end):
            if quoted.search(lines[number]) or field.search(lines[number]):
                return number + 1, True
    for start in () if mapped else places:
        for number in range(max(0, start - _NEAR), min(len(lines), start + _NEAR)):
            if quoted.search(lines[number]):
                return number + 1, False
    return None


def _mapping_lines(lines: list[str]) -> Iterator[int]:
    """The lines that begin another mapping."""
    another = re.compile(r"""(?:[Tt]able|@Entity|TableName)\w*\W+["'`]\w""")
    return (number for number, line in enumerate(lines) if another.search(line))


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(other.capitalize() for other in others)
