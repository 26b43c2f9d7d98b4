"""Sources that are declared or listed before they are read: arguments of a request's parser, members of an archive."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from backendgen.audit.flow.values import HARMLESS, TEXT, Origin, Value, tainted
from backendgen.code.nodes import unparse
from backendgen.code.symbols import External, Variable

if TYPE_CHECKING:
    from backendgen.audit.flow.frame import Frame

PARSES = frozenset(
    f"{package}.reqparse.RequestParser.parse_args" for package in ("flask_restful", "flask_restx", "flask_restplus")
)
TEXTS = frozenset({"str", "text_type", "unicode", "dict", "list"})  # types that leave what is sent as it is
ARCHIVES = frozenset({"tarfile.TarFile", "zipfile.ZipFile"})
ITERATED = "tarfile.TarFile"
CONTENTS = frozenset({  # what is in a member; a file that `extract` of zipfile puts into the folder that it was told
    "zipfile.ZipFile.open", "zipfile.ZipFile.read", "zipfile.ZipFile.extract", "tarfile.TarFile.extractfile",
})  # fmt: skip
NAMES = frozenset({"getnames", "namelist"})
MEMBERS = frozenset({"getmembers", "infolist"})


def arguments(frame: Frame, node: ast.Call) -> Value:
    """What `parser.parse_args()` gives: the arguments that `add_argument` declares beside it, harmless by type or choice."""
    assert isinstance(node.func, ast.Attribute)
    parser = unparse(node.func.value)
    symbol = frame.engine.symbols.resolve(node.func.value, frame.module, frame.function)
    if isinstance(node.func.value, ast.Name) and node.func.value.id in frame.names and frame.function is not None:
        scope: ast.AST = frame.function.node
    elif isinstance(symbol, Variable):
        scope, parser = symbol.module.file.tree, parser.rpartition(".")[2]
    else:
        return Value()
    return Value(items=dict(_declared(scope, parser)))


def _declared(scope: ast.AST, parser: str) -> list[tuple[str, Value]]:
    found = []
    for each in ast.walk(scope):
        if not (isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute) and each.args):
            continue
        if each.func.attr != "add_argument" or unparse(each.func.value) != parser:
            continue
        options = {keyword.arg: keyword.value for keyword in each.keywords}
        flag = options.get("dest", each.args[0])
        if not isinstance(flag, ast.Constant) or not isinstance(flag.value, str):
            continue
        kind = unparse(options["type"]).rpartition(".")[2] if "type" in options else "str"
        origin = Origin("request", f"the request's argument `{flag.value}`")
        safe = TEXT if kind not in ("dict", "list") else frozenset[str]()
        is_open = kind in TEXTS and "choices" not in options
        found.append((flag.value, tainted(origin, safe=safe) if is_open else HARMLESS))
    return found


def members(kind: object, method: str) -> Value | None:
    """What listing the members of an archive from outside gives: whoever packed it chose their names."""
    if not isinstance(kind, External) or kind.name not in ARCHIVES:
        return None
    if method in NAMES:
        return Value(items={"[]": _name()})
    return Value(items={"[]": member()}) if method in MEMBERS else None


def is_sent(archive: Value) -> bool:
    """Is an archive surely from a request, and not only a parameter that may be?"""
    return any(taint.origin.kind == "request" for taint in archive.taints)


def member() -> Value:
    """One member: its name, and where a link of it leads."""
    return Value(items=dict.fromkeys(("name", "filename", "path", "linkname"), _name()))


def _name() -> Value:
    return tainted(Origin("request", "the name of an archive's member"), safe=TEXT)
