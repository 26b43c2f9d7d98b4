"""What one source file says of tables: SQL texts, models, and names side by side. Pure: a file's bytes in, its words out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from backendgen.code import schemas
from backendgen.code.literals import HOLE, Literal, in_python, in_text
from backendgen.code.models import Model, models
from backendgen.code.parse import Unparsable, parse
from backendgen.code.sources import Source

_WORD = re.compile(rb"[0-9a-z_\x80-\xff]+")
_QUERY = re.compile(
    rb"\bselect\s|\binsert\s+(?:\w+\s+){0,3}?into\s|\breplace\s+into\s|\bupdate\s+\S+\s+(?:as\s+)?(?:\S+\s+){0,2}?(?:set|join)\s"
    rb"|\bdelete\s+from\s|\bmerge\s+into\s|\bcopy\s+\S"
)
_MAPPING = re.compile(rb"__tablename__|\bTable\(|\bModel\b|\bSQLModel\b|\bMeta\b")
_SQL = re.compile(
    r"(?is)(?:\s++|(?:--|#)[^\n]*+\n|(?>/\*.*?\*/)|\()*+"
    r"(?:select|insert\s+(?:\w+\s+){0,3}?into|replace\s+into|update|delete\s+from|with|merge\s+into|copy|explain)\b"
)
_SQLC = re.compile(r"(?m)^--\s*name:\s*\w+\s+:[a-z]+\s*$")
_DBT = re.compile(r"""\{\{\s*(?:ref|source)\((?:[^(){}]*,\s*)?['"](\w+)['"]\s*\)\s*\}\}""")
_TEMPLATE = re.compile(r"\{%[^%]{0,2000}%\}|\{#[^#]{0,2000}#\}")
_TEMPLATE_VALUE = re.compile(r"\{\{[^{}]{0,500}\}\}")


@dataclass(frozen=True, slots=True)
class Uses:
    """What a file holds: `texts` look like SQL, the parts that are known at run time only marked by HOLE.

    `names_columns`: what runs is made from the file (by sqlc), and names the columns in place of `*`. `inserted` are the
    tables that calls insert rows into. `text` is the file's own, for names side by side, empty where the tree says more.
    """

    texts: tuple[Literal, ...] = ()
    models: tuple[Model, ...] = ()
    names_columns: bool = False
    inserted: frozenset[str] = frozenset()
    text: str = ""


def forms(table: str) -> tuple[str, ...]:
    """Return how a table may be named in lower case: as it is, and as the class OrderItem of `shop_order_item`."""
    bare = table.rpartition(".")[2].lower()
    parts = bare.split("_")
    return tuple(dict.fromkeys([bare, *("".join(parts[start:]) for start in range(len(parts)))]))


def may_use(source: Source, names: frozenset[bytes], classes: frozenset[bytes]) -> bool:
    """Tell by a file's bytes alone whether it may use a table: `names` are the tables', `classes` their models'."""
    lower = source.content.lower()
    if not source.path.endswith(".py"):
        return not names.isdisjoint(_WORD.findall(lower))
    mapping = _MAPPING.search(source.content) is not None
    if not mapping and not _QUERY.search(lower):
        return False
    words = frozenset(_WORD.findall(lower))
    return not words.isdisjoint(names) or (mapping and not words.isdisjoint(classes))


def uses(source: Source, root: str = "") -> Uses:
    """Read a file. Accepts any bytes: what is not UTF-8 is read as far as it is, what is not Python by its quotes.

    `root` is the name of the code's folder: Django tells a model's table by the folder that it is in.
    """
    text = source.content.decode("utf-8", "replace").replace("\r\n", "\n").replace(HOLE, " ")
    language = source.path.rpartition(".")[2]
    if language == "sql":
        return Uses((Literal(_without_templates(text), 1),), names_columns=_SQLC.search(text) is not None)
    if language == "prisma":
        return Uses(models=tuple(schemas.prisma(text)))
    if language == "py":
        try:
            tree = parse(text)
            found = tuple(_queries(in_python(tree))) if _QUERY.search(source.content.lower()) else ()
            mapped = tuple(models(tree, f"{root}/{source.path}")) if _MAPPING.search(source.content) else ()
            return Uses(found, mapped)
        except (Unparsable, RecursionError):
            return Uses(tuple(_queries(in_text(text, language))), text=text)
    queries = tuple(_queries(in_text(text, language)))
    if language == "rs":
        tables = tuple(schemas.diesel(text))
        return Uses(queries, tables, inserted=schemas.diesel_inserts(text), text="" if tables else text)
    return Uses(queries, text=text)


def _queries(literals: Iterator[Literal]) -> Iterator[Literal]:
    return (literal for literal in literals if _SQL.match(literal.text))


def _without_templates(text: str) -> str:
    """Keep the lines: dbt's ref and source are the table, other values are holes, blocks are nothing."""
    text = _DBT.sub(r"\1", text)
    text = _TEMPLATE_VALUE.sub(lambda value: HOLE + "\n" * value[0].count("\n"), text)
    return _TEMPLATE.sub(lambda block: "\n" * block[0].count("\n"), text)
