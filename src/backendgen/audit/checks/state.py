"""What outlives a call that should not: defaults that are changed, output nobody reads, tasks without an end."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from backendgen.audit.checks.walk import hit, is_command, own_nodes
from backendgen.audit.registry import Context, check
from backendgen.code.nodes import unparse
from backendgen.code.symbols import External, Function
from backendgen.findings.finding import Hit
from backendgen.rules import Confidence

CHANGES = frozenset(
    {"append", "extend", "insert", "add", "update", "setdefault", "pop", "remove", "clear", "popitem", "discard"}
)
TASKS = frozenset({"celery.shared_task"})


@check("BG518")
def default_changed(context: Context) -> Iterator[Hit]:
    """Defaults that are made once and changed by every call."""
    for module in context.index.modules:
        for function in module.functions:
            for name, default in _mutable_defaults(function):
                change = next((node for node in own_nodes(function) if _changes(node, name)), None)
                if change is not None and not _is_replaced(function, name):
                    yield hit(
                        module,
                        change,
                        f"`{function.name}` changes `{name}`, whose default `{unparse(default)}` is made once: "
                        "what one request puts in, the next one finds",
                        f"{name}=None, and `{name} = list({name} or ())` in the function",
                        Confidence.LOW if name.startswith("_") else None,  # no caller gives it: kept on purpose
                    )


def _mutable_defaults(function: Function) -> Iterator[tuple[str, ast.expr]]:
    arguments = function.node.args
    plain = [*arguments.posonlyargs, *arguments.args]
    pairs = [
        *zip(plain[len(plain) - len(arguments.defaults) :], arguments.defaults, strict=True),
        *((one, default) for one, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if default),
    ]
    for argument, default in pairs:
        is_call = isinstance(default, ast.Call) and unparse(default) in ("list()", "dict()", "set()")
        if is_call or isinstance(default, ast.List | ast.Dict | ast.Set):
            yield argument.arg, default


def _changes(node: ast.AST, name: str) -> bool:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CHANGES:
        return isinstance(node.func.value, ast.Name) and node.func.value.id == name
    targets = (
        node.targets
        if isinstance(node, ast.Assign | ast.Delete)
        else [node.target]
        if isinstance(node, ast.AugAssign)
        else []
    )
    return any(
        (isinstance(target, ast.Subscript) and isinstance(target.value, ast.Name) and target.value.id == name)
        or (isinstance(node, ast.AugAssign) and isinstance(target, ast.Name) and target.id == name)
        for target in targets
    )


def _is_replaced(function: Function, name: str) -> bool:
    """Does the function take a copy first?"""
    return any(
        isinstance(node, ast.Assign)
        and any(isinstance(target, ast.Name) and target.id == name for target in node.targets)
        for node in own_nodes(function)
    )


@check("BG522")
def printed(context: Context) -> Iterator[Hit]:
    """`print` where requests are answered."""
    seen: set[int] = set()
    for endpoint in context.service.endpoints:
        function = endpoint.handler
        if id(function.node) in seen or is_command(function.module.file):
            continue
        seen.add(id(function.node))
        for call in function.module.calls_in(function):
            if context.symbols.value(call.func, function.module, function) == External("print"):
                message = f"`{endpoint.name}` ({function.name}) prints: without level, time and request"
                yield hit(function.module, call, message, "logger.info(...)")


@check("BG523")
def endless_task_retry(context: Context) -> Iterator[Hit]:
    """Celery tasks that are tried again for ever."""
    for module in context.index.modules:
        for function in module.functions:
            for decorator in function.node.decorator_list:
                if not isinstance(decorator, ast.Call):
                    continue
                name = context.index.name_of(decorator.func, module)
                if name not in TASKS and not unparse(decorator.func).endswith(".task"):
                    continue
                for one in decorator.keywords:
                    if one.arg in ("max_retries", "retry_kwargs") and _is_endless(one.value):
                        message = (
                            f"the task `{function.name}` is tried again for ever: what cannot succeed stays queued"
                        )
                        yield hit(module, decorator, message, "max_retries=5, retry_backoff=True")


def _is_endless(value: ast.expr) -> bool:
    if isinstance(value, ast.Dict):
        return any(
            isinstance(key, ast.Constant) and key.value == "max_retries" and _is_endless(given)
            for key, given in zip(value.keys, value.values, strict=True)
        )
    return isinstance(value, ast.Constant) and value.value is None
