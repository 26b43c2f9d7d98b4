"""What a function answers: the refusing statuses (401, 403, 423, 429) that it raises or returns, or what it calls does.

This is how guards and limits are recognised: by what they do, not by their names.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from backendgen.audit.frameworks.libraries import ANSWERS, guarding
from backendgen.code.nodes import plain_name
from backendgen.code.symbols import Class, External, Function, Module, Symbol, Symbols, Variable

REFUSALS = frozenset({401, 403, 423, 429, 1008})  # 1008 is a WebSocket's "against the policy"
CLOSINGS = frozenset(
    {1008, 3000, 3003, 4001, 4003, 4401, 4403}
)  # what refuses a WebSocket's caller: unauthorised, forbidden
TOO_OFTEN = frozenset({423, 429})  # an account that is locked after too many attempts answers 423
NAMED = {
    "HTTP_401_UNAUTHORIZED": 401, "HTTP_403_FORBIDDEN": 403, "HTTP_429_TOO_MANY_REQUESTS": 429,
    "HTTP_423_LOCKED": 423, "LOCKED": 423, "UNAUTHORIZED": 401, "FORBIDDEN": 403, "TOO_MANY_REQUESTS": 429,
    "WS_1008_POLICY_VIOLATION": 1008,
}  # fmt: skip
SIGN_IN = 302  # what sends a stranger to the sign-in page refuses him as 401 does
HANDLERS = re.compile(r"add_exception_handler|register_error_handler|exception_handler|(?:app_)?errorhandler")
STATUS_WORD = re.compile(r"status|code", re.IGNORECASE)
FORGED = re.compile(r"csrf|xsrf|nonce|origin|referr?er", re.IGNORECASE)  # refuses forged requests, not strangers
ROLE = re.compile(r"[A-Za-z][\w.: -]{1,59}")
ADMINISTRATOR = re.compile(r"super_?user|(?:^|_)(?:admin|administrator|staff)(?:_|$)", re.IGNORECASE)
ADMINISTRATORS = frozenset({"is_admin", "is_superuser", "is_staff", "is_administrator"})
ROLE_WORD = re.compile(r"role|scope|perm|group|admin|staff|superuser|privilege|level|claim|access|\bis_", re.IGNORECASE)
IDENTITY = re.compile(
    r"user|auth|log(?:ged|in)|sign(?:ed|in)|session|account|identity|member|admin|token|credential|permission",
    re.IGNORECASE,
)
SIGN_IN_PAGE = re.compile(r"log_?-?in|sign_?-?in|authenticat|authoriz", re.IGNORECASE)
MAX_DEPTH = 6

Statuses = frozenset[int]
NONE: Statuses = frozenset()


class Outcomes:
    """Memoised answers; recursion is cut at a cycle and after a few calls."""

    def __init__(self, symbols: Symbols) -> None:
        self.symbols = symbols
        self.handled: dict[int, Statuses] = {}  # id of an exception's class node -> its handler's statuses
        self.sized: dict[int, bool] = {}  # id of a node -> does it answer 413?
        self._functions: dict[int, Statuses] = {}
        self._classes: dict[int, Statuses] = {}

    def learn_handlers(self) -> None:
        """Read the handlers of exceptions: raising an AuthError is answering what its handler answers."""
        for module in self.symbols.modules.values():
            if not HANDLERS.search(module.file.text):
                continue
            for call, scope in module.calls:
                name = plain_name(call.func)
                if name in ("add_exception_handler", "register_error_handler") and len(call.args) == 2:
                    handler = self.symbols.value(call.args[1], module, scope)
                    self._handle(call.args[0], handler, module, scope)
            for function in module.functions:
                for one in function.node.decorator_list:
                    if isinstance(one, ast.Call) and one.args and HANDLERS.fullmatch(plain_name(one.func)):
                        self._handle(one.args[0], function, module, function.outer)

    def _handle(self, raised: ast.expr, handler: Symbol | None, module: Module, scope: Function | None) -> None:
        target = self.symbols.value(raised, module, scope)
        if isinstance(target, Class) and isinstance(handler, Function):
            key = id(target.node)
            self.handled[key] = self.handled.get(key, NONE) | self.of(handler)

    def of(self, function: Function, depth: int = 0) -> Statuses:
        """Return the refusing statuses of a function, what it calls and what is defined in it."""
        key = id(function.node)
        if key not in self._functions:
            if depth > MAX_DEPTH:
                return NONE
            self._functions[key] = NONE
            found = set[int]()
            for node in _walk(function.node):
                if isinstance(node, ast.Raise) and node.exc is not None:
                    found |= self._raised(node.exc, function, depth)
                elif isinstance(node, ast.Return) and node.value is not None:
                    found |= _written(node.value)
                    if isinstance(node.value, ast.Attribute):
                        found |= self._property(node.value, function, depth)
                elif isinstance(node, ast.Call):
                    found |= self._called(node, function, depth)
                elif isinstance(node, ast.Assign) and plain_name(node.targets[0]) == "status_code":
                    found |= _status(node.value)  # `response.status_code = 429`
                elif isinstance(node, ast.If) and _sends_to_sign_in(node):
                    found.add(SIGN_IN)
            self._functions[key] = frozenset(found)
        return self._functions[key]

    def asks(self, function: Function) -> tuple[str, ...]:
        """Return what a function asks of a caller that it knows: what the conditions name under which it answers 403.

        `if not is_admin: abort(403)`, and `if is_admin: ... else: abort(403)`; 401 where one role alone is let through.
        """
        found: dict[str, None] = {}
        for node in _walk(function.node):
            if (
                isinstance(node, ast.If)
                and mentions(node.test, ROLE_WORD)
                and (
                    self._forbids(node.body, function, 0)
                    or self._forbids(node.orelse, function)
                    or (_is_other_role(node.test) and 401 in self.statement(node.body[-1], function))
                )
            ):
                found.update(dict.fromkeys(roles_in(node.test)))
            elif isinstance(node, ast.If) and self._forbids(node.body, function, 0):
                found.update(dict.fromkeys(_asked_by_name(node.test, function)))
        return tuple(found)

    def _forbids(self, body: list[ast.stmt], function: Function, depth: int = 1) -> bool:
        """Does one of these statements answer 403, or one of a condition inside?"""
        return any(
            403 in self.statement(one, function)
            or (
                depth > 0
                and isinstance(one, ast.If)
                and (self._forbids(one.body, function, depth - 1) or self._forbids(one.orelse, function, depth - 1))
            )
            for one in body
        )

    def statement(self, node: ast.stmt, function: Function) -> Statuses:
        """Return the refusing statuses of one simple statement."""
        value = node.exc if isinstance(node, ast.Raise) else getattr(node, "value", None)
        if not isinstance(value, ast.expr) or not isinstance(node, ast.Raise | ast.Return | ast.Expr | ast.Assign):
            return NONE
        found = self._raised(value, function, 0) if isinstance(node, ast.Raise) else NONE
        if isinstance(node, ast.Return):
            found |= _written(value)
            if isinstance(value, ast.Attribute):
                found |= self._property(value, function, 0)
        for one in ast.walk(value):
            if isinstance(one, ast.Call):
                found |= self._called(one, function, 0)
        return found

    def of_class(self, owner: Class, methods: tuple[str, ...] = ()) -> Statuses:
        """Return the refusing statuses of a class's methods (`methods`, or all of them)."""
        found: Statuses = NONE
        for one in self.symbols.lineage(owner):
            for name, member in one.module.members.get(id(one.node), {}).items():
                if isinstance(member, Function) and (not methods or name in methods):
                    found |= self.of(member)
        return found

    def _raised(self, raised: ast.expr, function: Function, depth: int) -> Statuses:
        if isinstance(raised, ast.Call):
            target = self.symbols.value(raised.func, function.module, function)
            written = _written(raised)
        else:
            target, written = self.symbols.value(raised, function.module, function), NONE
        if isinstance(target, Variable):
            return self._raised(target.value, function, depth + 1) if depth < MAX_DEPTH else NONE
        if isinstance(target, Class):
            return written | self.exception(target)
        if isinstance(target, Function):
            return written | self._returned(target, depth)
        if isinstance(target, External) and target.name in ANSWERS:
            return written | {ANSWERS[target.name]}
        return written

    def _returned(self, maker: Function, depth: int) -> Statuses:
        """The statuses of an exception that a function makes: `raise unauthorized("...")`."""
        if depth > MAX_DEPTH:
            return NONE
        found: Statuses = NONE
        for node in _walk(maker.node):
            if isinstance(node, ast.Return) and node.value is not None:
                found |= self._raised(node.value, maker, depth + 1)
        return found

    def exception(self, owner: Class) -> Statuses:
        """The statuses that an exception class stands for: written in it, given to its base, or in its handler."""
        key = id(owner.node)
        if key not in self._classes:
            self._classes[key] = NONE
            found: set[int] = set()
            for one in self.symbols.lineage(owner):
                found |= self.handled.get(id(one.node), NONE)
                for node in ast.walk(one.node):
                    if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
                        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                        if any(STATUS_WORD.search(plain_name(target)) for target in targets):
                            found |= _status(node.value)
                    elif isinstance(node, ast.Call):
                        found |= _written(node)
                    elif isinstance(node, ast.FunctionDef) and node.name == "__init__":
                        found |= _defaults(node)
                if found:
                    break
            found |= {status for name, status in ANSWERS.items() if name in self.symbols.bases(owner)}
            self._classes[key] = frozenset(found)
        return self._classes[key]

    def _called(self, call: ast.Call, function: Function, depth: int) -> Statuses:
        name = plain_name(call.func)
        if name in ("abort", "HTTPException", "Response", "JSONResponse", "PlainTextResponse"):
            return _written(call)
        if name == "close":
            return _closing(call)
        target = self.callee(call, function)
        if isinstance(target, Function):
            return self.of(target, depth + 1)
        if isinstance(target, Class):
            return _written(call)
        if isinstance(target, External):
            answer = ANSWERS.get(target.name)
            return frozenset({answer}) if answer else guarding(target.name) or _sent(call)
        return _sent(call) | (frozenset({401}) if name == "unauthorized" else NONE)

    def _property(self, node: ast.Attribute, function: Function, depth: int) -> Statuses:
        """`return answers.no_token`: an answer that a property of an object of the project makes."""
        made = self._method(node, function)
        return self.of(made, depth + 1) if made is not None else NONE

    def callee(self, call: ast.Call, function: Function) -> Symbol | None:
        """Return what a call calls, also methods of what is known to be an instance of a class of the project."""
        target = self.symbols.value(call.func, function.module, function)
        if isinstance(call.func, ast.Attribute) and not isinstance(target, Function):
            target = self._method(call.func, function) or target
        elif isinstance(call.func, ast.Name) and isinstance(target, Variable):  # `check = Keys(...)`, `check(request)`
            kind = self._kind(call.func, function)
            member = self.symbols.member(kind, "__call__") if isinstance(kind, Class) else None
            target = member if isinstance(member, Function) else target
        return target

    def _method(self, node: ast.Attribute, function: Function) -> Function | None:
        """`self.check()`, `super().check()`, and methods of names whose class is declared or made in the function."""
        owner = function.owner or (function.outer.owner if function.outer else None)
        base = node.value
        kind: object = None
        if isinstance(base, ast.Name) and base.id == "self":
            kind = owner
        elif isinstance(base, ast.Call) and isinstance(base.func, ast.Name) and base.func.id == "super" and owner:
            for one in self.symbols.lineage(owner)[1:]:
                found = one.module.members.get(id(one.node), {}).get(node.attr)
                if isinstance(found, Function):
                    return found
        elif isinstance(base, ast.Name):
            kind = self._kind(base, function)
        elif isinstance(base, ast.Call):
            kind = self._given(base, function)
        member = self.symbols.member(kind, node.attr) if isinstance(kind, Class) else None
        return member if isinstance(member, Function) else None

    def _given(self, call: ast.Call, function: Function, hops: int = 0) -> object:
        """The class of what a call gives: `service()`, by its annotation, or by the call that it returns."""
        maker = self.symbols.value(call.func, function.module, function)
        if not isinstance(maker, Function) or hops > MAX_DEPTH:
            return maker
        if maker.node.returns is not None:
            return self.symbols.value(maker.node.returns, maker.module, maker.outer)
        for node in _walk(maker.node):
            if isinstance(node, ast.Return) and isinstance(node.value, ast.Call):
                return self._given(node.value, maker, hops + 1)
        return None

    def _kind(self, name: ast.Name, function: Function) -> object:
        variable = self.symbols.lookup(name.id, function.module, function)
        if isinstance(variable, Variable):
            if variable.annotation is not None:
                return self.symbols.value(variable.annotation, variable.module, variable.scope)
            if isinstance(variable.value, ast.Call):
                return self.symbols.value(variable.value.func, variable.module, variable.scope)
        for parameter in function.parameters:
            if parameter.arg == name.id and parameter.annotation is not None:
                return self.symbols.value(parameter.annotation, function.module, function.outer)
        return None


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """Like ast.walk over a function's body: no decorators, annotations, defaults, and not what a forged request gets."""
    pending: list[ast.AST] = list(getattr(node, "body", []))
    while pending:
        one = pending.pop()
        yield one
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            pending.extend(one.body)
        elif isinstance(one, ast.If) and mentions(one.test, FORGED):
            pending.extend([one.test, *one.orelse])
        else:
            pending.extend(ast.iter_child_nodes(one))


def _asked_by_name(test: ast.expr, function: Function) -> Iterator[str]:
    """`user = await service.active_superuser(caller)`, `if user is None`: what was called says whom it lets through."""
    names = set(names_in(test))
    for one in ast.walk(function.node):
        if isinstance(one, ast.Assign) and names.intersection(map(plain_name, one.targets)):
            call = one.value.value if isinstance(one.value, ast.Await) else one.value
            if isinstance(call, ast.Call) and ADMINISTRATOR.search(plain_name(call.func)):
                yield plain_name(call.func)


def _is_other_role(test: ast.expr) -> bool:
    """`user.role != "admin"`, `not user.is_superuser`: does everybody else fail?"""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return isinstance(test.operand, ast.Attribute) and test.operand.attr in ADMINISTRATORS
    return (
        isinstance(test, ast.Compare)
        and isinstance(test.left, ast.Attribute)
        and test.left.attr in ("role", "user_role")
        and isinstance(test.ops[0], ast.NotEq)
    )


def roles_in(node: ast.expr) -> tuple[str, ...]:
    """The roles, scopes or permissions that an expression names: texts, `Role.ADMIN`, `user.is_superuser`."""
    found: dict[str, None] = {}
    for one in ast.walk(node):
        if isinstance(one, ast.Constant) and isinstance(one.value, str) and ROLE.fullmatch(one.value):
            found[one.value] = None
        elif isinstance(one, ast.Attribute) and isinstance(one.value, ast.Name) and one.value.id[:1].isupper():
            if one.attr[:1].isupper():
                found[f"{one.value.id}.{one.attr}"] = None
        elif isinstance(one, ast.Attribute | ast.Name):
            name = one.attr if isinstance(one, ast.Attribute) else one.id
            if name.startswith("is_") and ROLE_WORD.search(name[3:]):
                found[name[3:]] = None
    return tuple(found)


def names_in(node: ast.expr) -> Iterator[str]:
    """Yield the names and attributes in an expression."""
    for one in ast.walk(node):
        if isinstance(one, ast.Name | ast.Attribute):
            yield one.id if isinstance(one, ast.Name) else one.attr


def mentions(node: ast.expr, words: re.Pattern[str]) -> bool:
    """Does an expression hold a name or text with one of these words?"""
    texts = [one.value for one in ast.walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    return any(words.search(text) for text in (*names_in(node), *texts))


def _sends_to_sign_in(node: ast.If) -> bool:
    """`if g.user is None: return redirect(url_for("auth.login"))`: a question about the caller, and a way to sign in.

    Where a function's answer is not the view's, it raises: `raise RequestRedirect(url_for("auth.login"))`.
    """
    return mentions(node.test, IDENTITY) and any(map(sends_to_sign_in, [*node.body, *node.orelse]))


def sends_to_sign_in(node: ast.stmt) -> bool:
    """`return redirect(url_for("auth.login"))`, or an exception that does the same."""
    sent = node.value if isinstance(node, ast.Return) else node.exc if isinstance(node, ast.Raise) else None
    return isinstance(sent, ast.Call) and "redirect" in plain_name(sent.func).lower() and mentions(sent, SIGN_IN_PAGE)


def _sent(call: ast.Call) -> Statuses:
    """A status handed to an unknown function: `send({"type": "http.response.start", "status": 429})`, `error(429, ...)`."""
    found: Statuses = NONE
    for argument in call.args:
        if isinstance(argument, ast.Dict):
            for key, value in zip(argument.keys, argument.values, strict=True):
                if isinstance(key, ast.Constant) and key.value == "status":
                    found |= _status(value)
    return found


def _written(node: ast.expr) -> Statuses:
    """The statuses in a call's own arguments: `Problem(401, ...)`, `status_code=HTTPStatus.FORBIDDEN`."""
    found: Statuses = NONE
    pending: list[ast.expr] = [node]
    while pending:
        one = pending.pop()
        if isinstance(one, ast.Await):
            pending.append(one.value)
        elif isinstance(one, ast.Call):
            for argument in one.args:
                found |= _status(argument)
                if isinstance(argument, ast.Call):
                    pending.append(argument)
            for keyword in one.keywords:
                found |= _status(keyword.value)
            if isinstance(one.func, ast.Call):
                pending.append(one.func)
        elif isinstance(one, ast.Tuple):
            for element in one.elts:
                found |= _status(element)
        elif isinstance(one, ast.IfExp):
            pending += [one.body, one.orelse]
    return found


def _closing(call: ast.Call) -> Statuses:
    """`websocket.close(code=1008)`: the code by which a WebSocket refuses its caller."""
    given = [*call.args[:1], *(one.value for one in call.keywords if one.arg in ("code", "reason"))]
    constants = {one.value for one in given if isinstance(one, ast.Constant) and isinstance(one.value, int)}
    return (CLOSINGS & constants) | frozenset[int]().union(*map(_status, given))


def _status(node: ast.expr) -> Statuses:
    if isinstance(node, ast.Constant) and node.value in REFUSALS and isinstance(node.value, int):
        return frozenset({node.value})
    if isinstance(node, ast.Attribute | ast.Name):
        status = NAMED.get(plain_name(node))
        return frozenset({status}) if status else NONE
    if isinstance(node, ast.IfExp):
        return _status(node.body) | _status(node.orelse)
    return NONE


def _defaults(node: ast.FunctionDef) -> Statuses:
    found: Statuses = NONE
    for default in [*node.args.defaults, *(one for one in node.args.kw_defaults if one)]:
        found |= _status(default)
    return found
