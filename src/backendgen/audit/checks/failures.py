"""What happens when something fails: who gets in, who hears of it, how long it is tried again."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from backendgen.audit.checks.walk import class_of, habits, hit
from backendgen.audit.registry import Context, check
from backendgen.code.index import Use
from backendgen.code.nodes import plain_name, unparse
from backendgen.code.symbols import External, Function, Module
from backendgen.findings.finding import Hit
from backendgen.rules import Confidence

BROAD = frozenset({"Exception", "BaseException"})
DECIDES = re.compile(
    r"^_*(?:is_|has_|can_|check_|verify_|validate_|require_|test_|user_)?(?:\w+_)?(?:authenti\w*|authori[sz]\w*|permission\w*|permitted"
    r"|allowed|admin|owner|access|signature|token|password|credentials?|login|csrf|captcha|otp|session_valid|token_valid)(?:_\w+)?$"
)
ASKS = re.compile(
    r"^_*(?:is|has|can|check|verify|validate|require|authenticate|authorize|authorise|user)_?|(?:_|^)(?:valid|allowed)"
)
RESPONSES = frozenset({
    "HTTPException", "JSONResponse", "ORJSONResponse", "PlainTextResponse", "HTMLResponse", "Response", "JsonResponse",
    "HttpResponse", "HttpResponseServerError", "HttpResponseBadRequest", "jsonify", "abort", "make_response",
    "json_response", "HTTPInternalServerError", "HTTPBadRequest", "APIException",
})  # fmt: skip
TELLING = re.compile(
    r"(?:^|\.)(?:SQLAlchemyError|DatabaseError|OperationalError|ProgrammingError|IntegrityError|DBAPIError|DataError|OSError|IOError"
    r"|KeyError|AttributeError|TypeError|ClientError|BotoCoreError|RequestException|HTTPError|CalledProcessError)$"
)
TRACES = frozenset(
    {"traceback.format_exc", "traceback.format_exception", "traceback.format_tb", "traceback.format_stack"}
)
REQUESTS = frozenset(f"{library}.{method}" for library in ("requests", "httpx") for method in
                     ("get", "post", "put", "patch", "delete", "request"))  # fmt: skip
CHECKED = re.compile(r"raise_for_status|status_code|\.ok\b|is_success|is_error|\.status\b|\.reason\b")


@check("BG503")
def fails_open(context: Context) -> Iterator[Hit]:
    """Checks of who may that say yes when they break."""
    for node, module, function in context.index.nodes(ast.Try):
        if function is None or not DECIDES.match(function.node.name) or not ASKS.search(function.node.name):
            continue
        for handler in node.handlers:
            lets_in = next((one for one in handler.body if _says_yes(one)), None)
            if lets_in is None and _does_nothing(handler) and _is_broad(handler) and _says_yes(function.node.body[-1]):
                lets_in = handler.body[0]
            if lets_in is not None:
                kind = unparse(handler.type) if handler.type else "anything"
                yield hit(
                    module,
                    lets_in,
                    f"`{function.name}` answers True when `{kind}` is raised: who makes it fail is let in",
                    "return False, or let the exception go on: the caller answers 500 and nobody is let in",
                    None if _is_broad(handler) else Confidence.MEDIUM,
                )


def _says_yes(node: ast.stmt) -> bool:
    return isinstance(node, ast.Return) and isinstance(node.value, ast.Constant) and node.value.value is True


def _does_nothing(handler: ast.ExceptHandler) -> bool:
    return all(
        isinstance(one, ast.Pass | ast.Continue) or (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant))
        for one in handler.body
    )


def _is_broad(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(isinstance(kind, ast.Name) and kind.id in BROAD for kind in kinds)


@check("BG504")
def swallowed(context: Context) -> Iterator[Hit]:
    """Errors of every kind that nobody hears of."""
    for node, module, _ in context.index.nodes(ast.Try):
        for handler in node.handlers:
            if _is_broad(handler) and _does_nothing(handler):
                yield hit(
                    module,
                    handler,
                    "{who} passes over every error, a misspelt name and a full disk too: nobody hears of it",
                    "catch what may happen here, and log the rest: `logger.exception(...)`",
                )


@check("BG505")
def error_told(context: Context) -> Iterator[Hit]:
    """Errors' own texts in answers."""
    yield from habits(_told_errors(context))


def _told_errors(context: Context) -> Iterator[Hit]:
    handlers = {id(endpoint.handler.node) for endpoint in context.service.endpoints}
    for node, module, function in context.index.nodes(ast.Try):
        for handler in node.handlers:
            answers = [
                part
                for one in handler.body
                for part in ast.walk(one)
                if _is_answer(part, function is not None and id(function.node) in handlers)
            ]
            names = {handler.name} | _kept(context, handler, module, function)
            narrowed = _narrowed(handler)
            for answer in sorted(answers, key=lambda one: id(one) in narrowed):
                told = _tells(context, answer, names, module, function)
                if told:
                    yield _told(module, answer, handler, told, is_narrowed=id(answer) in narrowed)
                    break


def _narrowed(handler: ast.ExceptHandler) -> set[int]:
    """What runs for errors of one kind: `except Exception as error: if isinstance(error, OutOfStock): ...`."""
    return {
        id(part)
        for node in ast.walk(handler)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Call)
        and unparse(node.test).startswith(f"isinstance({handler.name},")
        for one in node.body
        for part in ast.walk(one)
    }  # fmt: skip


def _is_answer(node: ast.AST, in_handler: bool) -> bool:
    if isinstance(node, ast.Call):
        name = plain_name(node.func)
        return name in RESPONSES
    if not in_handler or not isinstance(node, ast.Return):
        return False
    return isinstance(node.value, ast.Dict | ast.Tuple | ast.JoinedStr | ast.BinOp) or _is_text_of(node.value)


def _is_text_of(node: ast.expr | None) -> bool:
    """`str(error)`, `traceback.format_exc()`: a text that is returned as it is."""
    return isinstance(node, ast.Call) and unparse(node.func).rpartition(".")[2] in ("str", "repr", "format_exc")


def _kept(context: Context, handler: ast.ExceptHandler, module: Module, function: Function | None) -> set[str]:
    """The names that hold a trace: `trace = traceback.format_exc()`."""
    return {target.id for one in handler.body if isinstance(one, ast.Assign) and isinstance(one.value, ast.Call)
            and context.index.name_of(one.value.func, module, function) in TRACES
            for target in one.targets if isinstance(target, ast.Name)}  # fmt: skip


def _tells(context: Context, answer: ast.AST, names: set[str | None], module: Module, function: Function | None) -> str:
    """The text of the error in an answer: `str(error)`, `f"... {error}"`, a trace."""
    for part in ast.walk(answer):
        if isinstance(part, ast.Call):
            if context.index.name_of(part.func, module, function) in TRACES:
                return unparse(part)
            text = unparse(part.func)
            if (
                text in ("str", "repr")
                and part.args
                and isinstance(part.args[0], ast.Name)
                and part.args[0].id in names
            ):
                return unparse(part)
        elif isinstance(part, ast.FormattedValue) and isinstance(part.value, ast.Name) and part.value.id in names:
            return unparse(part.value)
        elif (
            isinstance(part, ast.Attribute)
            and part.attr == "args"
            and isinstance(part.value, ast.Name)
            and part.value.id in names
        ):
            return unparse(part)
    return ""


def _told(module: Module, answer: ast.AST, handler: ast.ExceptHandler, told: str, *, is_narrowed: bool) -> Hit:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type] if handler.type else []
    telling = any(TELLING.search(unparse(kind)) for kind in kinds)
    is_trace = told.startswith("traceback")
    sure = (
        Confidence.HIGH
        if is_trace
        else Confidence.MEDIUM
        if (_is_broad(handler) or telling) and not is_narrowed
        else Confidence.LOW
    )
    return hit(
        module,
        answer,
        f"{{who}} answers with `{told}`, whatever the error says: addresses, statements, paths and names from inside",
        'log it, `logger.exception("...")`, and answer a text of your own: "the order could not be saved"',
        sure,
    )


@check("BG506")
def endless_retry(context: Context) -> Iterator[Hit]:
    """Retries without an end."""
    for module in context.index.modules:
        for function in module.functions:
            for decorator in function.node.decorator_list:
                yield from _retries(context, decorator, module)
    for use in context.index.calls("urllib3.util.retry.Retry", "urllib3.Retry", "urllib3.util.Retry"):
        total = use.argument("total", 0)
        if isinstance(total, ast.Constant) and total.value is None and not use.argument("connect"):
            yield hit(
                use.module,
                use.call,
                "{who} tries again without end (`total=None`)",
                "Retry(total=3, backoff_factor=0.5)",
            )


def _retries(context: Context, decorator: ast.expr, module: Module) -> Iterator[Hit]:
    call = decorator if isinstance(decorator, ast.Call) else None
    name = context.index.name_of(call.func if call else decorator, module)
    given = {one.arg for one in call.keywords} if call else set()
    if None in given:
        return
    if name in ("tenacity.retry", "tenacity.asyncio.retry") and "stop" not in given and not (call and call.args):
        fix = "stop=stop_after_attempt(5) and wait=wait_exponential_jitter()"
    elif name in ("backoff.on_exception", "backoff.on_predicate") and not given & {"max_tries", "max_time"}:
        fix = "max_tries=5, max_time=30"
    else:
        return
    message = (
        "{who} is tried again without end: while the other side is down, callers pile up until this service is down too"
    )
    yield hit(module, decorator, message, fix)


@check("BG507")
def answer_not_checked(context: Context) -> Iterator[Hit]:
    """Answers of other services that are used whatever their status."""
    for use in context.index.methods("json"):
        made = use.call.func.value  # type: ignore[attr-defined]  # a method's call is an attribute's
        made = made.value if isinstance(made, ast.Await) else made
        if isinstance(made, ast.Name) and use.function is not None:
            found = context.symbols.lookup(made.id, use.module, use.function)
            value = getattr(found, "value", None)
            value = value.value if isinstance(value, ast.Await) else value
            made = value if isinstance(value, ast.expr) and getattr(found, "scope", None) is not None else made
        if isinstance(made, ast.Call) and _is_request(context, made, use):
            text = unparse(use.function.node) if use.function else use.module.file.text
            if not CHECKED.search(text):
                yield hit(
                    use.module,
                    use.call,
                    f"{{who}} reads what `{unparse(made.func)}` answers whatever its status: an error passes for data",
                    "response.raise_for_status() before response.json()",
                )


def _is_request(context: Context, call: ast.Call, use: Use) -> bool:
    if context.index.name_of(call.func, use.module, use.function) in REQUESTS:
        return True
    if (
        isinstance(call.func, ast.Attribute)
        and use.function is not None
        and call.func.attr in ("get", "post", "put", "patch")
    ):
        owner = class_of(context, call.func.value, use.function)
        return isinstance(owner, External) and owner.name in ("httpx.AsyncClient", "httpx.Client", "requests.Session")
    return False


@check("BG510")
def lost_in_finally(context: Context) -> Iterator[Hit]:
    """`return` in `finally`: the exception is gone."""
    for node, module, _ in context.index.nodes(ast.Try):
        for leaves in _leaving(node.finalbody, in_loop=False):
            word = type(leaves).__name__.lower()
            message = (
                f"{{who}} has `{word}` in `finally`: an exception that is under way is lost, and nobody hears of it"
            )
            yield hit(module, leaves, message, f"`{word}` after the `try` statement, or in its `else`")


def _leaving(body: list[ast.stmt], *, in_loop: bool) -> Iterator[ast.stmt]:
    for node in body:
        if isinstance(node, ast.Return) or (isinstance(node, ast.Break | ast.Continue) and not in_loop):
            yield node
        elif isinstance(node, ast.For | ast.AsyncFor | ast.While):
            yield from _leaving([*node.body, *node.orelse], in_loop=True)
        elif isinstance(node, ast.If | ast.With | ast.AsyncWith):
            yield from _leaving([*node.body, *getattr(node, "orelse", [])], in_loop=in_loop)
