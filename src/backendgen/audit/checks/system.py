"""Files and sockets of the machine: who else may use them."""

from __future__ import annotations

import ast
import re
import stat
from collections.abc import Iterator

from backendgen.audit.checks.walk import hit, is_command
from backendgen.audit.registry import Context, check
from backendgen.code.index import Use
from backendgen.code.nodes import unparse
from backendgen.findings.finding import Hit
from backendgen.rules import Confidence

OTHERS_WRITE = 0o002
ANYWHERE = ("0.0.0.0", "::", "")
SERVERS = ("uvicorn.run", "aiohttp.web.run_app", "waitress.serve", "hypercorn.run", "asyncio.start_server")
WRITES = re.compile(r"[wax+]")
SHARED = re.compile(r"^/(?:tmp|var/tmp|dev/shm)/")


@check("BG450")
def foreseeable_temporary_file(context: Context) -> Iterator[Hit]:
    """Temporary files whose names others know first."""
    for use in context.index.calls("tempfile.mktemp", "os.tempnam", "os.tmpnam"):
        yield hit(
            use.module,
            use.call,
            f"{{who}} calls `{unparse(use.call.func)}`, which gives a name and no file: others may make it first",
            "with tempfile.NamedTemporaryFile() as file: ..., or `tempfile.mkstemp()`",
        )
    for use in context.index.calls("open"):
        name = context.index.value(use.argument("file", 0), use.module, use.function)
        mode = context.index.value(use.argument("mode", 1), use.module, use.function)
        if isinstance(name, str) and SHARED.match(name) and isinstance(mode, str) and WRITES.search(mode):
            message = f"{{who}} writes `{name}`, which any user of this machine can make first, as a link"
            fix = "with tempfile.TemporaryDirectory() as folder: ..."
            yield hit(use.module, use.call, message, fix, Confidence.LOW)


@check("BG330")
def file_for_everybody(context: Context) -> Iterator[Hit]:
    """Files that every user of the machine may write."""
    uses = [(use, 1) for use in context.index.calls("os.chmod", "os.fchmod", "os.lchmod")]
    uses += [(use, 0) for use in context.index.methods("chmod") if not context.index.name_of(use.call.func, use.module)]
    for use, position in uses:
        mode = _mode(context, use.argument("mode", position), use)
        if mode is not None and mode & OTHERS_WRITE:
            message = f"{{who}} lets every user of this machine write a file (mode {mode:#o})"
            yield hit(
                use.module, use.call, message, "0o600 for secrets, 0o644 for what others may read, 0o750 for folders"
            )
    for node, module, function in context.index.nodes(ast.Expr):  # who keeps the old mask sets it again
        call = node.value
        if not isinstance(call, ast.Call) or context.index.name_of(call.func, module, function) != "os.umask":
            continue
        if call.args and context.index.value(call.args[0], module, function) == 0:
            message = "{who} lets every user of this machine write all files that are made from now on"
            yield hit(module, call, message, "os.umask(0o077)")


def _mode(context: Context, node: ast.expr | None, use: Use) -> int | None:
    """A mode in numbers, or from the names that `stat` has."""
    value = context.index.value(node, use.module, use.function)
    if isinstance(value, int):
        return value
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        left, right = _mode(context, node.left, use), _mode(context, node.right, use)
        known = [mode for mode in (left, right) if mode is not None]  # one half is enough to know that others write
        return left | right if left is not None and right is not None else max(known, default=None)
    name = context.index.name_of(node, use.module, use.function) if node is not None else ""
    mode = getattr(stat, name.removeprefix("stat."), None) if name.startswith("stat.S_I") else None
    return mode if isinstance(mode, int) else None


@check("BG451")
def bound_to_all(context: Context) -> Iterator[Hit]:
    """Servers that listen on every address of the machine."""
    for use in context.index.calls(*SERVERS):
        host = use.argument("host", 1 if use.name == "asyncio.start_server" else None)
        yield from _listens(context, host, use)
    for use in context.index.methods("run", "bind"):
        if use.name == "run":
            yield from _listens(context, use.argument("host"), use)
        elif use.call.args and isinstance(use.call.args[0], ast.Tuple) and use.call.args[0].elts:
            yield from _listens(context, use.call.args[0].elts[0], use)


def _listens(context: Context, host: ast.expr | None, use: Use) -> Iterator[Hit]:
    value = context.index.value(host, use.module, use.function)
    if value in ANYWHERE and not is_command(use.module.file):
        yield hit(
            use.module,
            use.call,
            "{who} listens on every address of this machine, in every network that it is in",
            'host="127.0.0.1"; give 0.0.0.0 on the command line of the container, where only its own network is',
        )


def _is_asked_for(use: Use) -> bool:
    """Is it under `if settings.debug:`?"""
    asked = [node for node, function in use.module.nodes(ast.If) if function is use.function]
    return any(
        re.search("debug", unparse(node.test), re.IGNORECASE) is not None
        and any(use.call is part for one in node.body for part in ast.walk(one))
        for node in asked
    )


@check("BG401")
def debug_in_code(context: Context) -> Iterator[Hit]:
    """Debug mode, and the file watcher, switched on in the code."""
    uses = [(use, "debug") for use in context.index.calls("fastapi.FastAPI", "starlette.applications.Starlette")]
    uses += [(use, "debug") for use in context.index.methods("run")]
    uses += [(use, "reload") for use in context.index.calls("uvicorn.run")]
    for use, option in uses:
        value = use.argument(option)
        if _is_asked_for(use):
            continue
        if context.index.value(value, use.module, use.function) is True and not is_command(use.module.file):
            yield hit(
                use.module,
                use.call,
                f"{{who}} says `{option}=True` in the code, so production has it too",
                f"{option}=settings.{option}, off by default",
            )
