"""What generated tests need to make valid rows: a factory for each table, parents first, and wrong values for each field."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from backendgen.scaffold import checks, domains, layout, names, samples
from backendgen.scaffold.domains import Domain
from backendgen.spec.model import Spec
from backendgen.sql.schema import Column, Constraint, Index, Table

USERS = "users"


@dataclass(frozen=True, slots=True)
class Parent:
    """A foreign key that a row needs: (column, column of the parent) pairs, and the parent's factory.

    `given` are values of the parent that its factory would leave NULL: (column, Python expression) pairs.
    """

    factory: str
    columns: tuple[tuple[str, str], ...]
    given: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Factory:
    """How to make a row of a table: `values` are (column, Python expression) pairs; `owned` refer to a user.

    `unsure` are the columns whose values may be refused: a constraint says more than can be told without PostgreSQL.
    """

    table: str
    name: str
    thing: str
    values: tuple[tuple[str, str], ...]
    owned: tuple[str, ...]
    parents: tuple[Parent, ...]
    unsure: frozenset[str]

    @property
    def identifier(self) -> str:
        """The table as arguments of psycopg's Identifier."""
        return ", ".join(layout.string(part) for part in self.table.split(".", 1))


def factories(spec: Spec) -> tuple[Factory, ...]:
    """Return the factories of the resources' tables, of all that they refer to, and of what refers to them."""
    wanted: dict[str, Table] = {}
    for resource in spec.resources:
        _require(resource.table, spec, wanted)
    made = {name: _factory(table, spec) for name, table in wanted.items()}
    deleted = {resource.table.name for resource in spec.resources if resource.action("delete")}
    for table in spec.schema.tables.values():
        if table.name not in wanted and any(key.references in deleted for key in foreign_keys(table)):
            needed = dict(wanted)
            _require(table, spec, needed)
            made |= {name: _factory(one, spec) for name, one in needed.items() if name not in made}
    return tuple(made.values())


def _require(table: Table, spec: Spec, wanted: dict[str, Table]) -> None:
    """Add the table behind the tables that its rows need."""
    if table.name in wanted or (spec.auth is not None and table.name == USERS):
        return
    for key in needed_keys(table):
        other = spec.schema.tables.get(key.references)
        if other is not None and other.name != table.name:
            _require(other, spec, wanted)
    wanted[table.name] = table


def foreign_keys(table: Table) -> tuple[Constraint, ...]:
    """Return the foreign keys of a table."""
    return tuple(constraint for constraint in table.constraints if constraint.kind == "foreign_key")


def needed_keys(table: Table) -> tuple[Constraint, ...]:
    """Return the foreign keys that a row cannot do without."""
    return tuple(key for key in foreign_keys(table) if all(_needed(table.column(name)) for name in key.columns))


def widest(keys: Iterable[Constraint]) -> tuple[Constraint, ...]:
    """Return the keys without those whose columns a wider key has too: the wider one's parent gives them their values."""
    kept: list[Constraint] = []
    for key in sorted(keys, key=lambda key: -len(key.columns)):
        if not set(key.columns) <= {name for wider in kept for name in wider.columns}:
            kept.append(key)
    return tuple(kept)


def _shared(table: Table) -> frozenset[str]:
    """Return the columns of composite foreign keys that other foreign keys have too: not every pair of parents fits."""
    keys = foreign_keys(table)
    return frozenset(
        name
        for key in keys
        for other in keys
        if key is not other and len(key.columns) > 1 and set(key.columns) & set(other.columns)
        for name in key.columns
    )


def _needed(column: Column | None) -> bool:
    return column is not None and column.not_null and column.default is None


def factory_name(table: str, spec: Spec) -> str:
    """Return the name of a table's factory; of two tables with the same singular, the second's is numbered."""
    alike = [other for other in spec.schema.tables if _make(other) == _make(table)]
    number = alike.index(table) if table in alike else 0
    return f"{_make(table)}_{number + 1}" if number else _make(table)


def _make(table: str) -> str:
    return f"make_{names.singular(names.identifier(table)).lower()}"


def _factory(table: Table, spec: Spec) -> Factory:
    owned = tuple(
        key.columns[0] for key in foreign_keys(table) if spec.auth and key.references == USERS and len(key.columns) == 1
    )
    needed = [key for key in needed_keys(table) if not (spec.auth and key.references == USERS)]
    parents = tuple(parent(key, spec) for key in widest(needed))
    referring = {column for one in parents for column, _ in one.columns}
    values = tuple(
        (column.name, value(table, column, spec))
        for column in table.columns
        if required(column) and column.name not in referring and column.name not in owned
    )
    thing = names.phrase(table.name.rpartition(".")[2])
    unsure = _unclear(table) | _alike(table, dict(values), frozenset(owned), referring) | _shared(table)
    return Factory(table.name, factory_name(table.name, spec), thing, values, owned, parents, unsure)


def _unclear(table: Table) -> frozenset[str]:
    """Return the columns of constraints that say more than the factories know of."""
    return frozenset(
        column
        for constraint in table.constraints
        if constraint.kind == "exclude" or (constraint.kind == "check" and not checks.understood(constraint.expression))
        for column in constraint.columns
    )


def _alike(table: Table, values: dict[str, str], owned: frozenset[str], referring: set[str]) -> frozenset[str]:
    """Return the columns of unique keys that may be equal in two rows of the factories."""

    def varies(name: str) -> bool:
        column = table.column(name)
        if column is None or name in owned:
            return False
        if name in referring or column.identity or column.generated:
            return True
        if name in values:
            return bool(_FRESH.search(values[name]))
        return "(" in column.default if column.default is not None else not column.not_null

    unique = [_named(index) for index in table.indexes if index.unique]
    return frozenset(name for columns in unique if not any(map(varies, columns)) for name in columns)


_FRESH = re.compile(r"\b(?:unique\((?:\)|[6-9]|\d\d)|number\(|moment\(\)(?!\[11)|day\(|uuid4\()")


def _named(index: Index) -> tuple[str, ...]:
    keys = tuple(name for name in index.columns if name)
    return keys if len(keys) == len(index.keys) else keys + index.expression_columns


def unsure(factories_: Iterable[Factory]) -> bool:
    """True when there is a row that the factories may fail to make."""
    return any(factory.unsure for factory in factories_)


def value(table: Table, column: Column, spec: Spec) -> str:
    """Return a Python expression for a valid value of a column; a new one at each evaluation where the table wants that."""
    if column.type.name in ("bit", "bit varying") or column.type.name in _UNCARRIED:
        bits = "1" * (column.type.modifiers or (1,))[0]
        return "[]" if column.type.array else layout.string(_UNCARRIED.get(column.type.name, bits))
    values = domains.domain(table, column, spec.schema)
    single = any(column.name in _named(index) for index in table.indexes if index.unique)
    return _distinct(values) if single and _distinct(values) else expression(values, column.name)


# Values of the types that a resource cannot carry, for the parents of its rows.
_UNCARRIED = {
    **dict.fromkeys(("int4range", "int8range", "numrange", "tsrange", "tstzrange", "daterange"), "empty"),
    **dict.fromkeys(("int4multirange", "int8multirange", "nummultirange"), "{}"),
    **dict.fromkeys(("tsmultirange", "tstzmultirange", "datemultirange"), "{}"),
    **dict.fromkeys(("lseg", "box", "path", "polygon", "line"), "((0,0),(1,1))"),
    **dict.fromkeys(("inet", "cidr"), "192.0.2.1"),
    **dict.fromkeys(("money", "oid", "name", "tsquery"), "1"),
    **{"bytea": "\\x00", "interval": "1 day", "time with time zone": "12:00:00Z", "xml": "<a/>", "jsonpath": "$"},
    **{"macaddr": "08:00:2b:01:02:03", "macaddr8": "08:00:2b:01:02:03:04:05", "point": "(0,0)", "circle": "<(0,0),1>"},
}


def _distinct(values: Domain) -> str:
    """Return an expression for the values of the types that are constant otherwise, empty when there is none."""
    match values.kind:
        case "date":
            return "day()"
        case "time":
            return "moment()[11:19]"
        case "numeric" | "float" if not (values.le or values.lt) and (values.ge or values.gt or 0) < 1:
            room = (values.digits or 16) - (values.places or 0)
            return "number()" if room >= 6 else ""
    return ""


def parent(key: Constraint, spec: Spec) -> Parent:
    """Return the parent that a foreign key refers to."""
    table = spec.schema.tables[key.references]
    columns = referenced(key, spec)
    empty = [column for name in columns if (column := table.column(name)) and _is_left_empty(column)]
    given = tuple((column.name, value(table, column, spec)) for column in empty)
    return Parent(factory_name(key.references, spec), tuple(zip(key.columns, columns, strict=True)), given)


def referenced(key: Constraint, spec: Spec) -> tuple[str, ...]:
    """Return the columns that a foreign key refers to: the parent's primary key when it names none."""
    return key.referenced_columns or spec.schema.tables[key.references].primary_key


def _is_left_empty(column: Column) -> bool:
    return not column.not_null and column.default is None and column.generated is None and not column.identity


def required(column: Column) -> bool:
    """True when an INSERT must give the column a value."""
    return column.not_null and column.default is None and column.generated is None and not column.identity


def expression(values: Domain, column: str) -> str:
    """Return a Python expression for a valid value, a new one at each evaluation as far as the domain allows."""
    if values.choices:
        return layout.string(values.choices[0])
    match values.kind:
        case "text":
            return _text(values, column)
        case "integer":
            return _integer(values)
        case "uuid":
            return "str(uuid4())"
        case "timestamptz":
            return "moment()"
        case "timestamp":
            return "moment()[:19]"
        case "json":
            return f"{{{layout.string('note')}: unique()}}"
    return _python(samples.sample(values, column))


def _text(values: Domain, column: str) -> str:
    low, high = values.min_length or 0, values.max_length or domains.MAX_TEXT
    if "email" in column.lower() and high >= 40:
        return 'f"{unique()}@example.com"'
    size = max(low, min(high, 16))
    return "unique()" if size == 16 else f"unique({size})"


def _integer(values: Domain) -> str:
    low, high = int(values.ge or 0), int(values.le or 0)
    if high - low < 100_000 or high < 1_000_000:
        return str(min(max(1, low), high))
    return f"number({max(low, 1)})" if low > 1 else "number()"


def _python(value: samples.Json) -> str:
    if isinstance(value, str):
        return layout.string(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_python, value))}]"
    return repr(value)


def wrong_values(values: Domain, *, nullable: bool) -> tuple[str, ...]:
    """Return Python expressions for values that the field must refuse."""
    return tuple(dict.fromkeys((*_wrong(values), *(() if nullable or values.kind == "json" else ("None",)))))


def _wrong(values: Domain) -> Iterable[str]:
    if values.choices:
        yield '"no such choice"'
    elif values.kind == "text":
        if values.min_length:
            yield '""' if values.min_length == 1 else f'"x" * {values.min_length - 1}'
        yield f'"x" * {(values.max_length or 0) + 1}'
        yield '"\\0"' if not values.min_length or values.min_length <= 1 else f'"\\0" * {values.min_length}'
    elif values.kind in ("integer", "numeric", "float"):
        yield from (str(_below(values, bound)) for bound in (values.ge, values.gt) if bound is not None)
        yield from (str(_above(values, bound)) for bound in (values.le, values.lt) if bound is not None)
        yield '"no number"'
    elif values.kind == "array":
        yield '"no list"'
    elif values.kind == "json":
        yield from ('{"note": "\\0"}', '"x" * 65_536', 'json.loads("[" * 101 + "]" * 101)')
    else:
        yield '"nonsense"'


def _below(values: Domain, bound: Decimal) -> Decimal | int:
    return bound if bound == values.gt else int(bound) - 1


def _above(values: Domain, bound: Decimal) -> Decimal | int:
    return bound if bound == values.lt else int(bound) + 1
