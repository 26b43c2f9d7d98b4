"""A few valid rows for tables that have none, so that what depends on rows happens: scans that fail, values to compute.

Two rows are alike but for their keys (a new UNIQUE fails), and one has NULL wherever it may (SET NOT NULL fails).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from backendgen.migrate.trace.scratch import Refused, Session

_COLUMNS = """
SELECT a.attnum, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull OR t.typnotnull,
    a.atthasdef OR a.attidentity <> '' OR a.attgenerated <> '', coalesce(b.typcategory, t.typcategory)::text,
    coalesce(b.typname, t.typname), (SELECT array_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_catalog.pg_enum e
    WHERE e.enumtypid = coalesce(b.oid, t.oid))
FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_catalog.pg_type b ON b.oid = t.typbasetype
WHERE a.attrelid = {oid} AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""
_KEYS = """
SELECT conkey, confrelid, confkey FROM pg_catalog.pg_constraint WHERE conrelid = {oid} AND contype = 'f'
"""
_UNIQUE = """
SELECT DISTINCT k FROM pg_catalog.pg_index i, pg_catalog.unnest(i.indkey::int[]) k WHERE i.indrelid = {oid} AND i.indisunique
"""
_CHECKS = """
SELECT conname, conkey, pg_catalog.pg_get_constraintdef(oid) FROM pg_catalog.pg_constraint
WHERE conrelid = {oid} AND contype = 'c'
"""
_VIOLATED = re.compile(r'check constraint "(.+)"')
_STRING, _NUMBER = re.compile(r"'((?:[^']|'')*)'"), re.compile(r"(?<![\w'.])-?\d+(?:\.\d+)?")
_ATTEMPTS = 12
_BY_TYPE: Mapping[str, str] = {
    "uuid": "00000000-0000-0000-0000-00000000000{k}", "json": "{{}}", "jsonb": "{{}}", "xml": "<a/>", "bytea": "\\x0{k}",
    "tsvector": "a{k}", "tsquery": "a{k}", "macaddr": "08:00:2b:01:02:0{k}", "macaddr8": "08:00:2b:01:02:03:04:0{k}",
    "point": "(0,{k})", "box": "(0,0),(1,{k})", "circle": "<(0,0),{k}>", "money": "{k}", "cidr": "10.0.{k}.0/24",
    "pg_lsn": "0/{k}", "time": "10:0{k}", "timetz": "10:0{k}+00", "char": "{k}", "vector": "[1,2,{k}]",
}  # fmt: skip
_BY_CATEGORY: Mapping[str, str] = {
    "N": "{k}", "B": "true", "S": "{k}", "D": "2000-01-0{k}", "T": "{k} days", "I": "10.0.0.{k}", "A": "{{}}", "R": "empty",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Column:
    number: int
    name: str
    type: str
    required: bool
    filled: bool
    category: str
    kind: str
    labels: tuple[str, ...]
    unique: bool
    refers: str  # the query of a referenced value, `{k}` its number

    def value(self, number: int, given: Mapping[str, str]) -> str:
        """Return the SQL of its n-th value."""
        number = number if self.unique else 1
        if self.refers:
            return self.refers.format(k=number - 1)
        if self.name in given:
            text = given[self.name]
        elif self.labels:
            text = self.labels[(number - 1) % len(self.labels)]
        elif self.category == "V":
            return f"B'{number % 2}'::{self.type}"
        else:
            text = (_BY_TYPE.get(self.kind) or _BY_CATEGORY.get(self.category, "{k}")).format(k=number)
        return f"'{text.replace(chr(39), chr(39) * 2)}'::{self.type}"


def seed(session: Session, oids: Iterable[int], names: Mapping[int, str], *, inside: bool = False) -> frozenset[str]:
    """Give rows to the tables that have none, parents of foreign keys first; return the tables that hold rows then.

    `inside`: a transaction is open and must stay so.
    """
    filled: dict[int, bool] = {}
    for oid in oids:
        _fill(session, oid, names, filled, inside)
    return frozenset(names[oid] for oid, has_rows in filled.items() if has_rows)


def _fill(session: Session, oid: int, names: Mapping[int, str], filled: dict[int, bool], inside: bool) -> None:
    if oid in filled or oid not in names:
        return
    filled[oid] = False  # a cycle of foreign keys ends here
    table = sql_name(names[oid])
    try:
        if session.run(f"SELECT 1 FROM {table} LIMIT 1"):
            filled[oid] = True
            return
        keys = [(tuple(own), parent, tuple(theirs)) for own, parent, theirs in session.run(_KEYS.format(oid=oid))]
        for _, parent, _ in keys:
            _fill(session, parent, names, filled, inside)
        columns = list(_columns(session, oid, keys, names))
        checks = {name: (tuple(numbers or ()), text) for name, numbers, text in session.run(_CHECKS.format(oid=oid))}
    except Refused:
        return
    given: dict[str, str] = {}
    for number, sparse in ((1, False), (2, False), (3, True)):
        filled[oid] |= _inserted(session, table, columns, number, sparse, checks, given, inside)


def _columns(
    session: Session, oid: int, keys: list[tuple[tuple[int, ...], int, tuple[int, ...]]], names: Mapping[int, str]
) -> Iterator[_Column]:
    unique = {row[0] for row in session.run(_UNIQUE.format(oid=oid))}
    refers = {}
    for own, parent, theirs in keys:
        for number, target in zip(own, theirs, strict=True):
            column = session.run(f"SELECT attname FROM pg_attribute WHERE attrelid = {parent} AND attnum = {target}")[
                0
            ][0]
            source = sql_name(names.get(parent, ""))
            refers[number] = f"(SELECT {_quoted(column)} FROM {source} ORDER BY 1 OFFSET {{k}} LIMIT 1)"
    for number, name, kind, required, has_default, category, type_name, labels in session.run(_COLUMNS.format(oid=oid)):
        yield _Column(number, name, kind, required, has_default, category, type_name, tuple(labels or ()),
                      number in unique, refers.get(number, ""))  # fmt: skip


def _inserted(
    session: Session, table: str, columns: list[_Column], number: int, sparse: bool,
    checks: Mapping[str, tuple[tuple[int, ...], str]], given: dict[str, str], inside: bool,
) -> bool:  # fmt: skip
    """Insert one row; where a check objects, try the values that its text names. `given` keeps what was found."""
    tried: set[tuple[str, str]] = set()
    for _ in range(_ATTEMPTS):
        chosen = [column for column in columns if not column.filled and (column.required or not sparse)]
        values = ", ".join(column.value(number, given) for column in chosen)
        row = (
            f"({', '.join(_quoted(column.name) for column in chosen)}) VALUES ({values})"
            if chosen
            else "DEFAULT VALUES"
        )
        try:
            session.attempt(f"INSERT INTO {table} {row}", inside=inside)
        except Refused as refused:
            violated = _VIOLATED.search(refused.message)
            numbers, text = checks.get(violated[1] if violated else "", ((), ""))
            found = next(
                (
                    (column.name, candidate)
                    for column in chosen
                    if column.number in numbers
                    for candidate in _candidates(text)
                    if (column.name, candidate) not in tried
                ),
                None,
            )
            if found is None:
                return False
            tried.add(found)
            given[found[0]] = found[1]
        else:
            return True
    return False


def _candidates(check: str) -> Iterator[str]:
    """Yield values that a check's text suggests."""
    yield from (text.replace("''", "'") for text in _STRING.findall(check))
    for number in _NUMBER.findall(_STRING.sub("", check)):
        yield from (number, str(float(number) + 1).removesuffix(".0"), str(float(number) - 1).removesuffix(".0"))
        if number.isdigit() and int(number) < 1000:
            yield "a" * int(number)


def sql_name(name: str) -> str:
    """Return a relation's name as SQL, whatever its letters."""
    schema, _, table = name.rpartition(".")
    return f"{_quoted(schema or 'public')}.{_quoted(table)}"


def _quoted(word: str) -> str:
    return '"' + word.replace('"', '""') + '"'
