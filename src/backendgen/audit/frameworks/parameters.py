"""A FastAPI handler's parameters: from the path, the query, a header, a cookie, the body, a form, or a dependency."""

from __future__ import annotations

import ast
import re

from backendgen.audit.frameworks.dependencies import Attached, Dependencies, parameter_defaults
from backendgen.audit.service import Parameter, Source
from backendgen.code.symbols import Class, External, Function, Module, Symbols

MARKERS: dict[str, Source] = {
    "Path": "path", "Query": "query", "Header": "header", "Cookie": "cookie", "Body": "body", "Form": "form", "File": "file",
}  # fmt: skip
INJECTED = ("Request", "WebSocket", "HTTPConnection", "Response", "BackgroundTasks", "SecurityScopes")
IN_PATH = re.compile(r"{(\w+)(?::\w+)?}")


def is_method(function: Function) -> bool:
    """Does the first parameter stand for the instance or class?"""
    names = [each.id for each in function.node.decorator_list if isinstance(each, ast.Name)]
    return function.owner is not None and "staticmethod" not in names


class Parameters:
    """Reads handlers; see `of`."""

    def __init__(self, symbols: Symbols, dependencies: Dependencies) -> None:
        self.symbols = symbols
        self.dependencies = dependencies

    def of(self, handler: Function, path: str) -> tuple[tuple[Parameter, ...], tuple[Function, ...], list[Attached]]:
        """Return a handler's parameters, the functions that are called for them, and what those refuse."""
        wanted = dict(self.dependencies.of_parameters(handler))
        in_path = set(IN_PATH.findall(path))
        defaults = parameter_defaults(handler)
        parameters = []
        for argument in handler.parameters[1:] if is_method(handler) else handler.parameters:
            plain, extras, module, _ = self.dependencies.unwrapped(argument.annotation, handler.module, handler.outer)
            default = defaults.get(argument.arg)
            source: Source
            if argument.arg in wanted:
                source = "dependency"
            elif argument.arg in in_path:
                source = "path"
            else:
                source = self._marked(handler, default, extras, module) or self._by_type(plain, module)
            target = wanted[argument.arg].target if argument.arg in wanted else None
            parameters.append(Parameter(argument.arg, source, plain, module, argument.lineno, default, target))
        called = tuple(one.target for one in wanted.values() if isinstance(one.target, Function))
        return tuple(parameters), called, list(wanted.values())

    def _marked(
        self, handler: Function, default: ast.expr | None, extras: list[ast.expr], module: Module
    ) -> Source | None:
        for marker, where in [(default, handler.module), *((extra, module) for extra in extras)]:
            if isinstance(marker, ast.Call):
                kind = self.symbols.value(marker.func, where)
                if isinstance(kind, External) and kind.name.startswith("fastapi."):
                    return MARKERS.get(kind.name.rpartition(".")[2])
        return None

    def _by_type(self, annotation: ast.expr | None, module: Module) -> Source:
        """FastAPI's rule: classes that describe an object are the body, everything else is the query."""
        if isinstance(annotation, ast.BinOp):
            sides = (self._by_type(annotation.left, module), self._by_type(annotation.right, module))
            return "body" if "body" in sides else "query"
        if isinstance(annotation, ast.Subscript):
            inner = annotation.slice.elts if isinstance(annotation.slice, ast.Tuple) else [annotation.slice]
            outer = self.symbols.value(annotation.value, module)
            if isinstance(outer, External) and outer.name.rpartition(".")[2] in ("dict", "Dict", "list", "List", "set"):
                return "body"
            return "body" if any(self._by_type(one, module) == "body" for one in inner) else "query"
        target = self.symbols.value(annotation, module) if annotation is not None else None
        if isinstance(target, External):
            name = target.name.rpartition(".")[2]
            if name in INJECTED:
                return "request"
            return "file" if name == "UploadFile" else "body" if name in ("dict", "Dict", "list", "List") else "query"
        if isinstance(target, Class):
            bases = self.symbols.bases(target)
            return "query" if any(base.rpartition(".")[2].endswith("Enum") for base in bases) else "body"
        return "query"
