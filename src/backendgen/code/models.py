"""The tables and columns that Python models map: SQLAlchemy (declarative, Core), SQLModel, Django and its kin."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from backendgen.code.nodes import last

_COLUMN_CALLS = frozenset({"Column", "mapped_column", "deferred"})
_NO_COLUMNS = frozenset({
    "relationship", "Relationship", "synonym", "association_proxy", "column_property", "query_expression", "composite",
    "dynamic_loader", "backref", "hybrid_property",
})  # fmt: skip
_DJANGO_NO_COLUMNS = frozenset({"ManyToManyField", "GenericForeignKey", "GenericRelation", "TaggableManager"})
_DJANGO_KEYS = frozenset({"ForeignKey", "OneToOneField", "ParentalKey", "ForeignKeyField"})
_TABLE_OF_META = ("db_table", "table_name", "table")
_ROOTS = frozenset({"Model", "Base", "DeclarativeBase", "SQLModel", "object", "MappedAsDataclass"})


@dataclass(frozen=True, slots=True)
class MappedColumn:
    """A column that a model reads and writes. `nullable`: the model may write NULL; None when it does not say."""

    name: str
    line: int
    nullable: bool | None = None
    filled: bool = False  # the model gives it a value when the code gives none


@dataclass(frozen=True, slots=True)
class Model:
    """What maps a table. `complete` is False when more columns may come from classes of other files.

    `inserts` is False when something else says whether rows are inserted through it.
    """

    name: str
    table: str
    line: int
    columns: tuple[MappedColumn, ...]
    complete: bool = True
    inserts: bool = True

    def column(self, name: str) -> MappedColumn | None:
        """Return the mapping of the named column, or None."""
        return next((each for each in self.columns if each.name == name), None)


def models(tree: ast.Module, path: str) -> Iterator[Model]:
    """Yield the models of a module; `path` tells Django's app label."""
    classes: dict[str, ast.ClassDef] = {}
    for node in _statements(tree):
        if isinstance(node, ast.ClassDef):
            classes[node.name] = node
        elif isinstance(node, ast.Assign | ast.AnnAssign | ast.Return | ast.Expr) and isinstance(node.value, ast.Call):
            yield from _of_call(node.value)
    for node in classes.values():
        yield from _of_class(node, classes, path)


def _statements(tree: ast.Module) -> Iterator[ast.stmt]:
    """Every statement of a module, also inside classes, functions and branches."""
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        for name in ("body", "orelse", "finalbody", "handlers", "cases"):
            for each in getattr(node, name, ()):
                pending.append(each)
                if isinstance(each, ast.stmt):
                    yield each


def _of_class(node: ast.ClassDef, classes: Mapping[str, ast.ClassDef], path: str) -> Iterator[Model]:
    lineage = _lineage(node, classes)
    body = [statement for each in lineage for statement in each.body]
    bases = {last(base) for each in lineage for base in each.bases} - {each.name for each in lineage}
    meta = _meta(node)
    named = _constant_of(node.body, "__tablename__")
    is_sqlmodel = any(word.arg == "table" and _is(word.value, True) for word in node.keywords)
    if named or is_sqlmodel:
        table = _in_schema(named or node.name.lower(), _schema_of(node.body))
        columns = _unique(_sqlalchemy_columns(body, is_sqlmodel))
        complete = not bases - _ROOTS - {"Base", "SQLModel"}
        yield Model(node.name, table, node.lineno, columns, complete)
        return
    django = [each for each in _django_columns(body) if each]
    given = next((value for key in _TABLE_OF_META if (value := meta.get(key))), None)
    if meta.get("abstract") is True or meta.get("proxy") is True or not (django or given):
        return
    key = (
        ()
        if any(each.name == "id" or _is_primary(body, each) for each in django)
        else (MappedColumn("id", node.lineno, False, True),)
    )
    label = meta.get("app_label") or _app_label(path)
    table = given if isinstance(given, str) else f"{label}_{node.name.lower()}"
    yield Model(node.name, table.replace('"', ""), node.lineno, _unique((*key, *django)), not bases - _ROOTS)


def _lineage(node: ast.ClassDef, classes: Mapping[str, ast.ClassDef]) -> list[ast.ClassDef]:
    """Return a class and its bases of the same file."""
    found: dict[str, ast.ClassDef] = {}
    pending = [node]
    while pending:
        each = pending.pop()
        if each.name not in found:
            found[each.name] = each
            pending += [classes[name] for base in each.bases if (name := last(base)) in classes]
    return list(found.values())


def _unique(columns: Iterable[MappedColumn]) -> tuple[MappedColumn, ...]:
    found: dict[str, MappedColumn] = {}
    for column in columns:
        found.setdefault(column.name, column)
    return tuple(found.values())


def _sqlalchemy_columns(body: Iterable[ast.stmt], is_sqlmodel: bool) -> Iterator[MappedColumn]:
    for statement in body:
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target, value, annotation = statement.targets[0], statement.value, None
        elif isinstance(statement, ast.AnnAssign):
            target, annotation = statement.target, statement.annotation
            value = statement.value if statement.value is not None else ast.Constant(value=None)
        else:
            continue
        if not isinstance(target, ast.Name) or target.id.startswith("__"):
            continue
        call = last(value.func) if isinstance(value, ast.Call) else ""
        if isinstance(value, ast.Call) and call in _COLUMN_CALLS:
            inner = (
                value.args[0] if call == "deferred" and value.args and isinstance(value.args[0], ast.Call) else value
            )
            yield _column_of_call(inner, target.id, annotation)
        elif annotation is None or call in _NO_COLUMNS or last(annotation) == "ClassVar":
            continue
        elif is_sqlmodel or last(annotation) == "Mapped":
            yield _annotated(value, target.id, annotation)


def _column_of_call(call: ast.Call, attribute: str, annotation: ast.expr | None) -> MappedColumn:
    first = call.args[0] if call.args else None
    name = first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else _word(call, "name")
    given = _keyword(call, "nullable")
    nullable: bool | None = None
    if isinstance(given, ast.Constant):
        nullable = bool(given.value)
    elif _is(_keyword(call, "primary_key"), True):
        nullable = False
    elif annotation is not None:
        nullable = _is_optional(annotation)
    elif last(call.func) == "Column":
        nullable = True
    filled = any(
        _keyword(call, each) is not None for each in ("default", "server_default", "default_factory", "onupdate")
    )
    return MappedColumn(name or attribute, call.lineno, nullable, filled)


def _annotated(value: ast.expr, attribute: str, annotation: ast.expr) -> MappedColumn:
    name, filled = "", False
    if isinstance(value, ast.Call):
        column = _keyword(value, "sa_column")
        if isinstance(column, ast.Call):
            return replace(_column_of_call(column, attribute, None), line=annotation.lineno)
        filled = any(_keyword(value, each) is not None for each in ("default", "default_factory"))
        extra = _keyword(value, "sa_column_kwargs")
        if isinstance(extra, ast.Dict):
            given = next((each for key, each in zip(extra.keys, extra.values, strict=True) if _is(key, "name")), None)
            name = given.value if isinstance(given, ast.Constant) and isinstance(given.value, str) else ""
    return MappedColumn(name or attribute, annotation.lineno, _is_optional(annotation), filled)


def _is_optional(annotation: ast.expr) -> bool:
    return any(
        (isinstance(each, ast.Name | ast.Attribute) and last(each) == "Optional")
        or (isinstance(each, ast.BinOp) and (_is(each.right, None) or _is(each.left, None)))
        or (isinstance(each, ast.Constant) and isinstance(each.value, str) and "None" in each.value)
        for each in ast.walk(annotation)
    )


def _of_call(node: ast.Call) -> Iterator[Model]:
    first = node.args[0] if node.args else None
    if last(node.func) != "Table" or not (isinstance(first, ast.Constant) and isinstance(first.value, str)):
        return
    columns = tuple(
        _column_of_call(each, "", None)
        for each in node.args
        if isinstance(each, ast.Call) and last(each.func) == "Column"
    )
    named = tuple(column for column in columns if column.name)
    if named:
        complete = len(named) == len(columns) and not any(isinstance(each, ast.Starred) for each in node.args)
        yield Model(first.value, _in_schema(first.value, _word(node, "schema")), node.lineno, named, complete)


def _django_columns(body: Iterable[ast.stmt]) -> Iterator[MappedColumn]:
    for statement in body:
        if not (isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Call)):
            continue
        call, target = statement.value, statement.targets[0]
        kind = last(call.func)
        if not isinstance(target, ast.Name) or kind in _DJANGO_NO_COLUMNS:
            continue
        if not (kind.endswith("Field") or kind in _DJANGO_KEYS) or not isinstance(call.func, ast.Attribute | ast.Name):
            continue
        if isinstance(call.func, ast.Attribute) and last(call.func.value) in (
            "forms",
            "serializers",
            "form",
            "filters",
        ):
            continue
        name = _word(call, "db_column") or _word(call, "column_name") or _word(call, "source_field")
        if not name:
            name = f"{target.id}_id" if kind in _DJANGO_KEYS else target.id
        nullable = _is(_keyword(call, "null"), True)
        filled = any(_keyword(call, each) is not None for each in ("default", "db_default", "auto_now", "auto_now_add"))
        filled = filled or (kind.endswith(("CharField", "TextField", "SlugField")) and not nullable)
        yield MappedColumn(name, statement.lineno, nullable, filled)


def _is_primary(body: Iterable[ast.stmt], column: MappedColumn) -> bool:
    return any(
        isinstance(each, ast.Assign)
        and each.lineno == column.line
        and isinstance(each.value, ast.Call)
        and _is(_keyword(each.value, "primary_key"), True)
        for each in body
    )


def _meta(node: ast.ClassDef) -> dict[str, object]:
    inner = next((each for each in node.body if isinstance(each, ast.ClassDef) and each.name == "Meta"), None)
    return {
        each.targets[0].id: each.value.value
        for each in (inner.body if inner else ())
        if isinstance(each, ast.Assign)
        and isinstance(each.targets[0], ast.Name)
        and isinstance(each.value, ast.Constant)
    }


def _app_label(path: str) -> str:
    """The folder of models.py, or of the package `models`."""
    parts = PurePosixPath(path).parts[:-1]
    while parts and parts[-1] == "models":
        parts = parts[:-1]
    return parts[-1] if parts else ""


def _schema_of(body: Iterable[ast.stmt]) -> str:
    for statement in body:
        if isinstance(statement, ast.Assign) and last(statement.targets[0]) == "__table_args__":
            for each in ast.walk(statement.value):
                if isinstance(each, ast.Dict):
                    for key, value in zip(each.keys, each.values, strict=True):
                        if _is(key, "schema") and isinstance(value, ast.Constant) and isinstance(value.value, str):
                            return value.value
    return ""


def _in_schema(table: str, schema: str) -> str:
    return f"{schema}.{table}" if schema and schema != "public" else table


def _constant_of(body: Iterable[ast.stmt], name: str) -> str:
    for statement in body:
        target = statement.targets[0] if isinstance(statement, ast.Assign) else getattr(statement, "target", None)
        value = getattr(statement, "value", None)
        if isinstance(target, ast.Name) and target.id == name and isinstance(value, ast.Constant):
            return value.value if isinstance(value.value, str) else ""
    return ""


def _keyword(call: ast.Call, name: str) -> ast.expr | None:
    return next((each.value for each in call.keywords if each.arg == name), None)


def _word(call: ast.Call, name: str) -> str:
    value = _keyword(call, name)
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else ""


def _is(node: ast.expr | None, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value == value and type(node.value) is type(value)
