"""Mapped classes of SQLAlchemy, SQLModel, Flask-SQLAlchemy, Django and their kin: columns, foreign keys, relationships."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from backendgen.code.nodes import last
from backendgen.code.symbols import Class, Module, Symbols, Variable

COLUMNS = frozenset({"Column", "mapped_column", "deferred"})
RELATIONS = frozenset({"relationship", "Relationship", "dynamic_loader"})
DJANGO_RELATIONS = frozenset({"ForeignKey", "OneToOneField", "ManyToManyField", "ParentalKey", "ForeignKeyField"})
MANAGERS = frozenset({"objects", "query", "all_objects", "_default_manager"})
DJANGO_USER = "User"  # the table of `django.contrib.auth.models.User`, whose class no project has
DJANGO_BASES = ("django.db.models.Model", "django.db.models.base.Model", "django.contrib.auth.models.AbstractUser",
                "django.contrib.auth.base_user.AbstractBaseUser", "django.contrib.auth.models.AbstractBaseUser",
                "tortoise.models.Model", "beanie.Document", "mongoengine.Document")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Column:
    """`target` is the table or class that a foreign key names; `unique` and `primary` as they are declared."""

    name: str
    target: str = ""
    unique: bool = False
    primary: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A mapped class. `relations` are attributes that load rows of another class; `eager` those that load at once."""

    name: str
    model: Class = field(repr=False)
    columns: tuple[Column, ...] = ()
    relations: frozenset[str] = frozenset()
    eager: frozenset[str] = frozenset()
    django: bool = False

    def column(self, name: str) -> Column | None:
        """The column of that name."""
        return next((each for each in self.columns if each.name == name), None)

    @property
    def names(self) -> frozenset[str]:
        """All columns' names."""
        return frozenset(each.name for each in self.columns)


class Tables:
    """The mapped classes of a project, each read once."""

    def __init__(self, symbols: Symbols) -> None:
        self.symbols = symbols
        self._known: dict[int, Table | None] = {}
        self._by_name: dict[str, Table] | None = None

    def of(self, owner: Class | None) -> Table | None:
        """Return the table that a class maps, None when it maps none."""
        if owner is None:
            return None
        key = id(owner.node)
        if key not in self._known:
            self._known[key] = None
            self._known[key] = self._read(owner)
        return self._known[key]

    def named(self, name: str) -> Table | None:
        """Return the mapped class whose table has this name: what an SQL text speaks of."""
        if self._by_name is None:
            self._by_name = {}
            for module in self.symbols.modules.values():
                for one in module.classes:
                    table = self.of(one)
                    if table is not None:
                        self._by_name.setdefault(self._table_name(one).lower(), table)
        return self._by_name.get(name.lower())

    def _table_name(self, owner: Class) -> str:
        given = owner.module.members.get(id(owner.node), {}).get("__tablename__")
        if isinstance(given, Variable) and isinstance(given.value, ast.Constant):
            return str(given.value.value)
        return owner.name.lower()

    def _read(self, owner: Class) -> Table | None:
        columns: dict[str, Column] = {}
        relations: set[str] = set()
        eager: set[str] = set()
        django = any(base in DJANGO_BASES or base.endswith(".models.Model") for base in self.symbols.bases(owner))
        is_sqlmodel = _is_table(owner.node)
        mapped = django or is_sqlmodel
        for one in self.symbols.lineage(owner):
            for name, member in one.module.members.get(id(one.node), {}).items():
                if name == "__tablename__":
                    mapped = True
                if not isinstance(member, Variable) or name.startswith("__"):
                    continue
                call = member.value if isinstance(member.value, ast.Call) else None
                made = last(call.func) if call else ""
                if made in RELATIONS or _annotates_relation(member):
                    relations.add(name)
                    if call is not None and _text(call, "lazy") in ("joined", "selectin", "subquery", "immediate"):
                        eager.add(name)
                    continue
                column = _column(name, member, call, made, is_sqlmodel=is_sqlmodel, django=django)
                if column is not None:
                    columns.setdefault(name, column)
                    mapped = mapped or made in COLUMNS
                    if made in DJANGO_RELATIONS:
                        relations.add(name)
        has_columns = any(each for each in columns.values()) and mapped
        if not has_columns:
            return None
        return Table(owner.name.rpartition(".")[2], owner, tuple(columns.values()), frozenset(relations),
                     frozenset(eager), django)  # fmt: skip


def _is_table(node: ast.ClassDef) -> bool:
    return any(
        each.arg == "table" and isinstance(each.value, ast.Constant) and each.value.value is True
        for each in node.keywords
    )


def _column(
    name: str, member: Variable, call: ast.Call | None, made: str, *, is_sqlmodel: bool, django: bool
) -> Column | None:
    annotated = member.annotation is not None and last(member.annotation) == "Mapped"
    is_django = django and (made.endswith("Field") or made in DJANGO_RELATIONS)
    if made not in COLUMNS and not annotated and not is_django and not (is_sqlmodel and member.annotation is not None):
        return None
    if call is None:
        return Column(name)
    return Column(
        name,
        _target(call, made),
        _is_true(call, "unique"),
        _is_true(call, "primary_key"),
    )


def _target(call: ast.Call, made: str) -> str:
    """What a foreign key refers to: `user` of "user.id", `User` of a class."""
    if made in DJANGO_RELATIONS:
        first = call.args[0] if call.args else next((each.value for each in call.keywords if each.arg == "to"), None)
        if isinstance(first, ast.Constant):
            return str(first.value).rpartition(".")[2]
        return last(first) if first is not None else ""
    given = _text(call, "foreign_key")
    if given:
        return given.rpartition(".")[0].rpartition(".")[2]
    for part in [*call.args, *(each.value for each in call.keywords)]:
        for node in ast.walk(part):
            if isinstance(node, ast.Call) and last(node.func) == "ForeignKey" and node.args:
                first = node.args[0]
                if isinstance(first, ast.Constant):
                    return str(first.value).rpartition(".")[0].rpartition(".")[2]
                return last(first.value) if isinstance(first, ast.Attribute) else ""
    return ""


def _annotates_relation(member: Variable) -> bool:
    """`items: Mapped[list["Item"]]` without a column: a relationship all the same."""
    return isinstance(member.value, ast.Call) and last(member.value.func) in ("association_proxy", "backref")


def _text(call: ast.Call, name: str) -> str:
    value = next((each.value for each in call.keywords if each.arg == name), None)
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else ""


def _is_true(call: ast.Call, name: str) -> bool:
    value = next((each.value for each in call.keywords if each.arg == name), None)
    return isinstance(value, ast.Constant) and value.value is True


def schema_fields(symbols: Symbols, owner: Class) -> dict[str, tuple[ast.expr | None, Module]]:
    """The fields of a Pydantic model, dataclass or TypedDict, with their annotations."""
    found: dict[str, tuple[ast.expr | None, Module]] = {}
    for one in symbols.lineage(owner):
        for name, member in one.module.members.get(id(one.node), {}).items():
            if not isinstance(member, Variable) or member.annotation is None or last(member.annotation) == "ClassVar":
                continue
            if not name.startswith("_") and name != "model_config":
                found.setdefault(name, (member.annotation, member.module))
    return found
