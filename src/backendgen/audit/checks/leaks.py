"""What is taken and not given back: sessions, connections, tasks, threads."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from backendgen.audit.checks.names import named
from backendgen.audit.checks.walk import hit, is_command, own_nodes
from backendgen.audit.registry import Context, check
from backendgen.code.index import Use
from backendgen.code.nodes import unparse
from backendgen.code.symbols import External, Function
from backendgen.findings.finding import Hit
from backendgen.rules import Confidence

CONNECTS = (
    "psycopg2.connect", "psycopg.connect", "pymysql.connect", "MySQLdb.connect", "sqlite3.connect",
    "mysql.connector.connect", "pyodbc.connect", "asyncpg.connect", "socket.create_connection",
    "smtplib.SMTP", "smtplib.SMTP_SSL", "ftplib.FTP",
)  # fmt: skip
SESSIONS = frozenset({"sqlalchemy.orm.Session", "sqlmodel.Session", "sqlalchemy.ext.asyncio.AsyncSession"})
FACTORIES = frozenset({"sqlalchemy.orm.sessionmaker", "sqlalchemy.ext.asyncio.async_sessionmaker"})
TASKS = ("asyncio.create_task", "asyncio.ensure_future")
LOOPS = frozenset({"asyncio.get_event_loop", "asyncio.get_running_loop", "asyncio.new_event_loop"})
ENGINES = (
    "sqlalchemy.create_engine", "sqlalchemy.ext.asyncio.create_async_engine", "sqlmodel.create_engine",
    "pymongo.MongoClient", "motor.motor_asyncio.AsyncIOMotorClient", "psycopg_pool.ConnectionPool",
    "psycopg_pool.AsyncConnectionPool", "asyncpg.create_pool", "redis.ConnectionPool",
)  # fmt: skip
CLIENTS = (
    "httpx.Client",
    "httpx.AsyncClient",
    "requests.Session",
    "aiohttp.ClientSession",
    "redis.Redis",
    "boto3.client",
)
CACHED = re.compile(r"cache|singleton|once|lifespan|contextmanager")
GIVES_BACK = frozenset({"close", "aclose", "quit", "shutdown", "remove", "__exit__"})


@check("BG508")
def never_closed(context: Context) -> Iterator[Hit]:
    """Connections and files that a function opens and forgets."""
    for use in context.index.calls(*CONNECTS):
        name = _forgotten(use)
        if name and not is_command(use.module.file):
            yield hit(
                use.module,
                use.call,
                f"{{who}} opens `{name}` and never closes it: each call leaves a connection behind, until "
                "there are none",
                f"with closing({unparse(use.call.func)}(...)) as {name}: ...",
            )
    for use in context.index.calls("open"):
        name = _forgotten(use)
        if name:
            message = f"{{who}} opens the file `{name}` and never closes it"
            yield hit(use.module, use.call, message, f"with open(...) as {name}: ...", Confidence.LOW)


@check("BG514")
def session_leaked(context: Context) -> Iterator[Hit]:
    """Database sessions that are not closed, or only when all goes well."""
    factories = {
        named(each.target)
        for each in context.index.assigned()
        if isinstance(each.value, ast.Call) and named(each.value.func) in ("sessionmaker", "async_sessionmaker")
    }
    for use in context.index.named(*sorted(factories), "Session", "AsyncSession"):
        if use.function is None or is_command(use.module.file):  # a command ends, and its connections with it
            continue
        if _is_session(context, use.call, use.function):
            for node in own_nodes(use.function):
                target = node.targets[0] if isinstance(node, ast.Assign) and node.value is use.call else None
                if isinstance(target, ast.Name) and isinstance(node, ast.Assign):
                    yield from _leak(use.function, node, target.id)


def _is_session(context: Context, call: ast.Call, function: Function) -> bool:
    made = context.symbols.value(call.func, function.module, function)
    if isinstance(made, External):
        return made.name in SESSIONS and any(_is_engine(context, one, function) for one in _given(call))
    value = getattr(made, "value", None)
    if isinstance(value, ast.Call):
        return context.index.name_of(value.func, made.module) in FACTORIES  # type: ignore[union-attr]  # a Variable
    return False


def _given(call: ast.Call) -> list[ast.expr]:
    return [*call.args[:1], *(one.value for one in call.keywords if one.arg == "bind")]


def _is_engine(context: Context, node: ast.expr, function: Function) -> bool:
    """Is this an engine, with a pool? On a connection that is there already a session takes none."""
    found = context.symbols.value(node, function.module, function)
    value = getattr(found, "value", None)
    if isinstance(value, ast.Call):
        return context.index.name_of(value.func, found.module) in ENGINES  # type: ignore[union-attr]  # a Variable
    return False


def _leak(function: Function, node: ast.Assign, name: str) -> Iterator[Hit]:
    kept = _fate(function, name)
    fix = f"with ...() as {name}:\n    yield {name}" if kept == "yielded" else f"with ...() as {name}: ..."
    if kept == "yielded" and not _closed_for_sure(function, name):
        message = f"`{function.name}` yields the session `{name}` and closes it only when all goes well, if at all"
        yield hit(
            function.module, node, f"{message}: each error leaves a connection behind, until the pool is empty", fix
        )
    elif kept == "forgotten":
        message = f"`{function.name}` opens the session `{name}` and never closes it"
        yield hit(
            function.module, node, f"{message}: each call may leave a connection behind, until the pool is empty", fix
        )


def _closed_for_sure(function: Function, name: str) -> bool:
    """Is it closed in a `finally`, or used in a `with`?"""
    for node in own_nodes(function):
        if isinstance(node, ast.Try) and any(_closes(part, name) for one in node.finalbody for part in ast.walk(one)):
            return True
        if isinstance(node, ast.withitem) and name in {
            part.id for part in ast.walk(node.context_expr) if isinstance(part, ast.Name)
        }:
            return True
    return False


def _closes(node: ast.AST, name: str) -> bool:
    if not isinstance(node, ast.Call):
        return False
    if isinstance(node.func, ast.Attribute) and node.func.attr in GIVES_BACK:
        return isinstance(node.func.value, ast.Name) and node.func.value.id == name
    return any(isinstance(one, ast.Name) and one.id == name for one in node.args)


def _forgotten(use: Use) -> str:
    """The local name that a call's result is given to, when nothing closes it, keeps it or hands it on."""
    if use.function is None:
        return ""
    for node in own_nodes(use.function):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            value = node.value.value if isinstance(node.value, ast.Await) else node.value
            if value is use.call:
                name = node.targets[0].id
                return name if _fate(use.function, name) == "forgotten" else ""
    return ""


def _fate(function: Function, name: str) -> str:
    """What becomes of a local name: `yielded`, `kept` (closed, returned, handed on, in a `with`), or `forgotten`."""
    nodes = list(ast.walk(function.node))
    if any(isinstance(node, ast.Yield) and node.value is not None and _names(node.value, name) for node in nodes):
        return "yielded"
    return "kept" if any(_keeps(node, name) for node in nodes) else "forgotten"


def _keeps(node: ast.AST, name: str) -> bool:
    """Is this a place that closes a local name or hands it on?"""
    if isinstance(node, ast.Global | ast.Nonlocal):
        return name in node.names
    if isinstance(node, ast.withitem):
        return _names(node.context_expr, name)
    if isinstance(node, ast.Call):
        return _closes(node, name) or any(_is_itself(one.value, name) for one in node.keywords)
    if isinstance(node, ast.Return) and isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Attribute):
        return node.value.func.attr == "cursor" and _is_itself(
            node.value.func.value, name
        )  # which holds its connection
    return isinstance(node, ast.Return | ast.Assign) and node.value is not None and _is_itself(node.value, name)


def _names(node: ast.AST, name: str) -> bool:
    return any(isinstance(part, ast.Name) and part.id == name for part in ast.walk(node))


def _is_itself(node: ast.AST, name: str) -> bool:
    """Is it handed on: the name alone, or in a tuple, list or dictionary, or as an argument?"""
    if isinstance(node, ast.Name):
        return node.id == name
    if isinstance(node, ast.Tuple | ast.List):
        return any(_is_itself(one, name) for one in node.elts)
    if isinstance(node, ast.Dict):
        return any(_is_itself(one, name) for one in node.values)
    return False


@check("BG511")
def thread_per_request(context: Context) -> Iterator[Hit]:
    """Threads and pools that each request starts."""
    for function in _handlers(context):
        for call in function.module.calls_in(function):
            name = context.index.name_of(call.func, function.module, function)
            if name in ("threading.Thread", "multiprocessing.Process"):
                message = (
                    f"{{who}} starts a `{name}` for each request: a thousand requests are a thousand of them, and what "
                )
                message += "they do is lost when the process ends"
                fix = "hand it to a queue (Celery, procrastinate), or to one pool of the application that has a size"
                yield hit(function.module, call, message, fix)
            elif name.startswith("concurrent.futures.") and name.endswith("PoolExecutor"):
                message = f"{{who}} makes a `{name}` for each request"
                fix = "make one for the application, with `max_workers`"
                yield hit(function.module, call, message, fix, Confidence.LOW)


@check("BG512")
def task_not_kept(context: Context) -> Iterator[Hit]:
    """Tasks that nobody holds."""
    for node, module, function in context.index.nodes(ast.Expr):
        call = node.value
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute | ast.Name):
            continue
        if getattr(call.func, "attr", getattr(call.func, "id", "")) not in ("create_task", "ensure_future"):
            continue
        if context.index.name_of(call.func, module, function) in TASKS or _is_loop(
            context, call.func, module, function
        ):
            yield hit(
                module,
                call,
                f"{{who}} starts a task with `{unparse(call.func)}` and does not keep it: the loop holds "
                "it weakly, "
                "so it may vanish half-way, and its exception is never seen",
                "tasks.add(task := asyncio.create_task(...))\ntask.add_done_callback(tasks.discard)",
            )


def _is_loop(context: Context, called: ast.expr, module: object, function: Function | None) -> bool:
    if not isinstance(called, ast.Attribute) or function is None:
        return False
    holder = called.value
    if isinstance(holder, ast.Name):
        found = context.symbols.lookup(holder.id, function.module, function)
        holder = getattr(found, "value", holder)
    return isinstance(holder, ast.Call) and context.index.name_of(holder.func, function.module, function) in LOOPS


@check("BG513")
def engine_per_request(context: Context) -> Iterator[Hit]:
    """Pools and engines that each request makes."""
    for function in _handlers(context):
        if any(CACHED.search(unparse(one)) for one in function.node.decorator_list):
            continue
        shared = {name for node in own_nodes(function) if isinstance(node, ast.Global) for name in node.names}
        for call in function.module.calls_in(function):
            name = context.index.name_of(call.func, function.module, function)
            if shared or name not in (*ENGINES, *CLIENTS):
                continue
            is_engine = name in ENGINES
            yield hit(
                function.module,
                call,
                f"{{who}} makes a `{name}` for each request, with connections of its own, shared with nobody",
                "make one when the application starts (lifespan) and hand it out by a dependency",
                None if is_engine else Confidence.LOW,
            )


def _handlers(context: Context) -> list[Function]:
    """The functions that answer requests, and those that fill their parameters, each once."""
    found: dict[int, Function] = {}
    for endpoint in context.service.endpoints:
        for function in (endpoint.handler, *endpoint.dependencies):
            found.setdefault(id(function.node), function)
    return list(found.values())
