"""The names that a naming convention of the metadata gives to constraints and indexes which have none."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from backendgen import files
from backendgen.code.parse import Unparsable
from backendgen.errors import UserError
from backendgen.migrate.readers.constants import constant
from backendgen.migrate.readers.evaluate import Evaluator
from backendgen.migrate.readers.sqlalchemy import truncated
from backendgen.migrate.readers.values import Call, Class, Method, Module, Text

_KEY_OF = {
    "PrimaryKeyConstraint": "pk", "UniqueConstraint": "uq", "CheckConstraint": "ck", "ForeignKeyConstraint": "fk",
    "Index": "ix",
}  # fmt: skip
_KEY_OF_TYPE = {"primary": "pk", "unique": "uq", "check": "ck", "foreignkey": "fk"}
_DEFAULT = {"ix": "ix_%(column_0_label)s"}

Convention = Mapping[str, str]


def convention_of(versions: Path, evaluator: Evaluator) -> Convention:
    """Return the naming convention of `target_metadata` in the env.py of a versions folder, SQLAlchemy's own without one."""
    for folder in (versions, *list(versions.parents)[:3]):
        path = folder / "env.py"
        if not files.is_file(path):
            continue
        try:
            module = evaluator.load(path)
        except (Unparsable, UserError):
            return _DEFAULT
        if module is None:
            return _DEFAULT
        found = _assigned(module, evaluator) or evaluator.within(module, partial(_of_target, module.names))
        return _DEFAULT | _texts(found)
    return _DEFAULT


def _of_target(names: dict[str, Any], evaluator: Evaluator) -> Any:
    return _convention(evaluator.value(ast.Name("target_metadata", ast.Load()), names), evaluator, 8)


def _assigned(module: Module, evaluator: Evaluator) -> Any:
    """Return what `target_metadata.naming_convention = ...` gives."""
    for node in module.tree.body:
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Attribute) and target.attr == "naming_convention" for target in node.targets
        ):
            return evaluator.within(module, partial(_value, node.value, module.names))
    return None


def _value(node: ast.expr, names: dict[str, Any], evaluator: Evaluator) -> Any:
    return evaluator.value(node, names)


def _convention(value: Any, evaluator: Evaluator, depth: int) -> Any:
    """Follow `Base.metadata`, declarative_base(metadata=...) and registry(...) to the MetaData."""
    if not depth:
        return None
    match value:
        case Call(last="MetaData", kwargs=kwargs):
            return kwargs.get("naming_convention")
        case list() if value:
            return _convention(value[0], evaluator, depth - 1)
        case Class():
            return _convention(_metadata(value, evaluator), evaluator, depth - 1)
        case Call(kwargs={"metadata": metadata}):
            return _convention(metadata, evaluator, depth - 1)
        case Call(kwargs={"cls": Class() as own}):
            return _convention(own, evaluator, depth - 1)
        case Call(receiver=receiver) | Method(receiver=receiver):
            return _convention(receiver, evaluator, depth - 1)
        case _:
            return None


def _metadata(owner: Class, evaluator: Evaluator) -> Any:
    found = evaluator.member(owner, "metadata")
    if found is not None:
        return found
    return next((base for base in owner.bases if isinstance(base, Class | Call)), None)


def _texts(found: Any) -> dict[str, str]:
    if not isinstance(found, Mapping):
        return {}
    return {key: each.value for key, each in found.items() if isinstance(each, Text) and each.whole}


# ---- names filled in


def named(call: Call, convention: Convention) -> Call:
    """Return an operation with the names that Alembic would give."""
    match call.last:
        case "create_table":
            return _table(call, convention)
        case "create_unique_constraint" | "create_check_constraint" | "create_primary_key" | "create_foreign_key":
            key = {"u": "uq", "c": "ck", "p": "pk", "f": "fk"}[call.last[7]]
            columns = {"uq": 2, "ck": -1, "pk": 2, "fk": 3}[key]
            words = ("local_cols",) if key == "fk" else ("columns",)
            table = _word(call.arg(1, "table_name", "source_table"))
            referred = _word(call.arg(2, "referent_table")) if key == "fk" else ""
            remote = call.arg(4, "remote_cols") if key == "fk" else []
            given = call.arg(0, "constraint_name")
            made = _name(convention, key, given, table, call.arg(columns, *words), referred, remote)
            return _with_first(call, "constraint_name", made)
        case "create_index":
            columns, table = call.arg(2, "columns"), _word(call.arg(1, "table_name"))
            return _with_first(call, "index_name", _name(convention, "ix", call.arg(0, "index_name"), table, columns))
        case "drop_constraint":
            key = _KEY_OF_TYPE.get(_word(call.arg(2, "type_")), "")
            given, table = call.arg(0, "constraint_name"), _word(call.arg(1, "table_name"))
            return _with_first(call, "constraint_name", _name(convention, key, given, table, [])) if given else call
        case _:
            return call


def _with_first(call: Call, word: str, made: Text | None) -> Call:
    if made is None:
        return call
    if call.args:
        return replace(call, args=(made, *call.args[1:]))
    return replace(call, kwargs={**call.kwargs, word: made})


def _table(call: Call, convention: Convention) -> Call:
    """Name what stands in create_table; keys and unique columns become constraints of the table to carry a name."""
    table = _word(call.arg(0, "table_name"))
    parts: list[Any] = []
    for part in call.args[1:]:
        if isinstance(part, Call) and part.last == "Column":
            parts.append(replace(part, args=tuple(_foreign_key(each, part, table, convention) for each in part.args)))
        else:
            parts.append(_constraint(part, table, convention) if isinstance(part, Call) else part)
    columns = [each for each in parts if isinstance(each, Call) and each.last == "Column"]
    keys = [_column(each) for each in columns if each.kwargs.get("primary_key") is True]
    has_key = any(isinstance(each, Call) and each.last == "PrimaryKeyConstraint" for each in parts)
    if keys and all(keys) and not has_key:
        made = _name(convention, "pk", None, table, [Text(each) for each in keys])
        if made is not None:
            parts.append(Call("sqlalchemy.PrimaryKeyConstraint", tuple(map(Text, keys)), {"name": made}))
    return replace(call, args=(*call.args[:1], *parts))


def _constraint(part: Call, table: str, convention: Convention) -> Call:
    key = _KEY_OF.get(part.last)
    if key is None or key == "ix":
        return part
    columns: Any = part.arg(0, "columns") if key == "fk" else list(part.args)
    targets = part.arg(1, "refcolumns") if key == "fk" else []
    first = _word(targets[0]) if isinstance(targets, list | tuple) and targets else ""
    referred, _, remote = first.rpartition(".")
    made = _name(convention, key, part.kwargs.get("name"), table, columns, referred, [Text(remote)])
    return part if made is None else replace(part, kwargs={**part.kwargs, "name": made})


def _foreign_key(part: Any, column: Call, table: str, convention: Convention) -> Any:
    if not isinstance(part, Call) or part.last not in ("ForeignKey", "CheckConstraint"):
        return part
    referred, _, remote = _word(part.arg(0, "column")).rpartition(".")
    key, columns = ("fk" if part.last == "ForeignKey" else "ck"), [Text(_column(column))]
    made = _name(convention, key, part.kwargs.get("name"), table, columns, referred, [Text(remote)])
    return part if made is None else replace(part, kwargs={**part.kwargs, "name": made})


def _name(
    convention: Convention, key: str, given: Any, table: str, columns: Any, referred: str = "", remote: Any = ()
) -> Text | None:
    """Return the name by the convention, None where the given one stays or the convention has no say."""
    pattern = convention.get(key)
    if pattern is None or not table or (given is not None and "%(constraint_name)s" not in pattern):
        return None
    if given is None and "%(constraint_name)s" in pattern:
        return None
    if given is not None and not isinstance(given, Text):
        return None  # op.f(): final
    bare = table.rpartition(".")[2]
    names = [_column(each) for each in columns] if isinstance(columns, list | tuple) else []
    targets = [_word(each) for each in remote] if isinstance(remote, list | tuple) else []
    tokens: dict[str, str] = {
        "table_name": bare, "referred_table_name": referred.rpartition(".")[2], "constraint_name": _word(given),
        "column_0_name": "".join(names[:1]), "column_0_key": "".join(names[:1]), "column_0N_name": "".join(names),
        "column_0_N_name": "_".join(names), "column_0_label": f"{bare}_{''.join(names[:1])}",
        "column_0_N_label": f"{bare}_" + f"_{bare}_".join(names), "referred_column_0_name": "".join(targets[:1]),
        "referred_column_0_N_name": "_".join(targets),
    }  # fmt: skip
    if "column_0" in pattern and not all(names or [""]):
        return None
    try:
        return Text(truncated(pattern % tokens))
    except (KeyError, ValueError, TypeError):
        return None


def _column(value: Any) -> str:
    if isinstance(value, Call):
        value = value.kwargs.get("name", value.args[0] if value.args else None)
    return _word(value)


def _word(value: Any) -> str:
    if isinstance(value, Call) and value.last == "f" and value.args:
        value = value.args[0]
    plain = constant(value)
    return plain if isinstance(plain, str) else ""
