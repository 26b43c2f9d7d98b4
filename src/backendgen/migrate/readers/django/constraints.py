"""Indexes and constraints of models as statements, named when they are run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from backendgen.migrate.readers.django.columns import index_name, split_name
from backendgen.migrate.readers.django.expressions import condition, index_key, quoted
from backendgen.migrate.readers.django.fields import origin
from backendgen.migrate.readers.django.state import Model, State, digest
from backendgen.migrate.readers.sqlalchemy import Dynamic
from backendgen.migrate.readers.values import Call

_METHODS = {
    "BloomIndex": "bloom", "BrinIndex": "brin", "BTreeIndex": "btree", "GinIndex": "gin", "GistIndex": "gist",
    "HashIndex": "hash", "SpGistIndex": "spgist",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement that names a table and columns, which may be renamed before it is run.

    Without a `name` it has the one that Django makes of them with an `ending`. `inline` is its form in CREATE TABLE.
    `operation` is the place among the migration's operations of the one that made it.
    """

    template: str
    table: str
    columns: tuple[str, ...] = ()
    ending: str = ""
    name: str = ""
    parent: str = ""
    parent_columns: tuple[str, ...] = ()
    inline: str = ""
    operation: int = 0

    @property
    def named(self) -> str:
        """Its name."""
        if self.parent and not self.ending:
            return index_name(self.table, self.columns, f"_fk_{split_name(self.parent)[1]}_{self.parent_columns[0]}")
        return self.name or index_name(self.table, self.columns, self.ending)

    @property
    def sql(self) -> str:
        """Its SQL with the present names."""
        parts = {
            "{table}": quoted(self.table), "{name}": quoted(self.named), "{columns}": _list(self.columns),
            "{parent}": quoted(self.parent), "{parent_columns}": _list(self.parent_columns),
        }  # fmt: skip
        text = self.template
        for mark, value in parts.items():
            text = text.replace(mark, value)
        return text

    def with_table(self, old: str, new: str) -> Statement:
        """Return it for a table that has been renamed."""
        return replace(
            self,
            table=new if self.table == old else self.table,
            parent=new if self.parent == old else self.parent,
        )

    def with_column(self, table: str, old: str, new: str) -> Statement:
        """Return it for a column that has been renamed."""
        columns = tuple(new if each == old else each for each in self.columns)
        parents = tuple(new if each == old else each for each in self.parent_columns)
        return replace(
            self,
            columns=columns if self.table == table else self.columns,
            parent_columns=parents if self.parent == table else self.parent_columns,
        )


def _list(columns: tuple[str, ...]) -> str:
    return ", ".join(map(quoted, columns))


def index_statement(index: Call, model: Model, state: State, *, concurrently: bool = False) -> Statement:
    """Return CREATE INDEX for an Index. Raises Dynamic when its class is not known."""
    kind = origin(index)
    if kind != "Index" and kind not in _METHODS:
        raise Dynamic(f"{index.last} is an index of a package")
    using = f" USING {_METHODS[kind]}" if kind in _METHODS else ""
    fields = _strings(index.kwargs.get("fields"))
    keys, columns = [], []
    operators = _strings(index.kwargs.get("opclasses"))
    for position, each in enumerate(fields):
        column = state.column(model, each.removeprefix("-"))
        columns.append(column)
        parts = [quoted(column), *operators[position : position + 1], *(["DESC"] if each.startswith("-") else [])]
        keys.append(" ".join(parts))
    keys += [index_key(each, model, state) for each in index.args]
    template = (
        f"CREATE INDEX {'CONCURRENTLY ' if concurrently else ''}{{name}} ON {{table}}{using} ({', '.join(keys)})"
        f"{_include(index, model, state)}{_where(index, model, state)}"
    )
    return Statement(template, state.table(model), tuple(columns), name=name_of_index(index, model, state))


def name_of_index(index: Call, model: Model, state: State) -> str:
    """Return an index's name, made like Index.set_name_with_model when it has none."""
    named = index.kwargs.get("name")
    if isinstance(named, str) and named:
        return named
    table = split_name(state.table(model))[1]
    fields = _strings(index.kwargs.get("fields"))
    columns = [state.column(model, each.removeprefix("-")) for each in fields] or ["expr"]
    ordered = [f"-{column}" if each.startswith("-") else column for each, column in zip(fields, columns, strict=False)]
    made = f"{table[:11]}_{columns[0][:7]}_{digest(table, *ordered, 'idx', length=6)}_idx"
    return f"D{made[1:]}" if made[0] == "_" or made[0].isdigit() else made


def constraint_statement(constraint: Call, model: Model, state: State) -> Statement:
    """Return what adds a constraint, with its form in CREATE TABLE if it has one. Raises Dynamic."""
    name, kind = name_of(constraint), origin(constraint)
    table = state.table(model)
    if kind == "CheckConstraint":
        given = constraint.kwargs.get("condition", constraint.kwargs.get("check"))
        body = f"CHECK ({condition(given, model, state)})"
    elif kind == "UniqueConstraint":
        names = _strings(constraint.kwargs.get("fields"))
        columns = tuple(state.column(model, each) for each in names)
        if _needs_index(constraint):
            return _unique_index(constraint, name, columns, model, state)
        distinct = constraint.kwargs.get("nulls_distinct")
        nulls = " NULLS DISTINCT" if distinct is True else " NULLS NOT DISTINCT" if distinct is False else ""
        body = f"UNIQUE{nulls} ({_list(columns)}){_deferrable(constraint)}"
        if nulls:
            return Statement(f"ALTER TABLE {{table}} ADD CONSTRAINT {{name}} {body}", table, columns, name=name)
    elif kind == "ExclusionConstraint":
        body = _exclusion(constraint, model, state)
    else:
        raise Dynamic(f"{constraint.last} is a constraint of a package")
    inline = f"CONSTRAINT {quoted(name)} {body}"
    return Statement(f"ALTER TABLE {{table}} ADD {inline}".replace("{columns}", ""), table, name=name, inline=inline)


def name_of(made: Call) -> str:
    """Return the name of a constraint. Raises Dynamic when it is no constant."""
    named = made.kwargs.get("name")
    if not isinstance(named, str) or not named:
        raise Dynamic("its name is not a constant")
    return named


def is_index(constraint: Call) -> bool:
    """Whether a constraint is a unique index in the database."""
    return origin(constraint) == "UniqueConstraint" and _needs_index(constraint)


def _needs_index(constraint: Call) -> bool:
    return bool(constraint.args or any(constraint.kwargs.get(word) for word in ("condition", "include", "opclasses")))


def _unique_index(constraint: Call, name: str, columns: tuple[str, ...], model: Model, state: State) -> Statement:
    operators = _strings(constraint.kwargs.get("opclasses"))
    keys = [" ".join([quoted(column), *operators[at : at + 1]]) for at, column in enumerate(columns)]
    keys += [index_key(each, model, state) for each in constraint.args]
    nulls = " NULLS NOT DISTINCT" if constraint.kwargs.get("nulls_distinct") is False else ""
    where = _where(constraint, model, state)
    included = _include(constraint, model, state)
    template = f"CREATE UNIQUE INDEX {{name}} ON {{table}} ({', '.join(keys)}){included}{nulls}{where}"
    return Statement(template, state.table(model), columns, name=name)


def _exclusion(constraint: Call, model: Model, state: State) -> str:
    pairs = constraint.kwargs.get("expressions")
    given = [each for each in pairs if isinstance(each, tuple) and len(each) == 2] if isinstance(pairs, tuple) else []
    keys = [f"{index_key(each, model, state)} WITH {_operator(operator)}" for each, operator in given]
    method = constraint.kwargs.get("index_type")
    where = constraint.kwargs.get("condition")
    return (
        f"EXCLUDE USING {method if isinstance(method, str) else 'GIST'} ({', '.join(keys)})"
        f"{_include(constraint, model, state)}"
        f"{f' WHERE ({condition(where, model, state)})' if where is not None else ''}{_deferrable(constraint)}"
    )


_OPERATORS = {
    "EQUAL": "=", "NOT_EQUAL": "<>", "CONTAINS": "@>", "CONTAINED_BY": "<@", "OVERLAPS": "&&", "FULLY_LT": "<<",
    "FULLY_GT": ">>", "NOT_LT": "&>", "NOT_GT": "&<", "ADJACENT_TO": "-|-",
}  # fmt: skip


def _operator(value: Any) -> str:
    return value if isinstance(value, str) else _OPERATORS.get(getattr(value, "name", "").rpartition(".")[2], "=")


def _deferrable(constraint: Call) -> str:
    mode = getattr(constraint.kwargs.get("deferrable"), "name", "").rpartition(".")[2]
    return f" DEFERRABLE INITIALLY {mode}" if mode in ("DEFERRED", "IMMEDIATE") else ""


def _include(made: Call, model: Model, state: State) -> str:
    columns = tuple(state.column(model, each) for each in _strings(made.kwargs.get("include")))
    return f" INCLUDE ({_list(columns)})" if columns else ""


def _where(made: Call, model: Model, state: State) -> str:
    given = made.kwargs.get("condition")
    return f" WHERE {condition(given, model, state)}" if given is not None else ""


def _strings(value: Any) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, tuple) else []
