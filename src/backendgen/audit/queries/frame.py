"""One function followed: statements in order, expressions to what they come from. Branches are joined, loops run once."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

from backendgen.audit.flow.values import place
from backendgen.audit.queries.model import (
    NOTHING,
    NOWHERE,
    USER,
    Access,
    Lazy,
    Query,
    Root,
    Roots,
    Statement,
    Value,
    Write,
    either,
)
from backendgen.code.symbols import Class, External, Function, Variable

if TYPE_CHECKING:
    from backendgen.audit.queries.trace import Tracer

ACTIVITY = frozenset({
    "is_active", "active", "disabled", "is_disabled", "verified", "is_verified", "email_verified",
    "is_email_verified",
    "banned", "is_banned", "blocked", "is_blocked", "deleted", "is_deleted", "deleted_at", "is_authenticated",
    "is_anonymous", "sub", "error", "user_id", "id", "email", "username", "hashed_password", "password",
    "confirmed", "blocked_at",
})  # fmt: skip
PARTS: dict[str, str] = {
    "path_params": "path", "view_args": "path", "match_info": "path", "resolver_match": "path",
    "query_params": "query", "args": "query", "GET": "query", "query": "query", "rel_url": "query", "values": "query",
    "headers": "header", "META": "header", "authorization": "header", "cookies": "cookie", "COOKIES": "cookie",
    "json": "body", "get_json": "body", "form": "body", "POST": "body", "data": "body", "get_data": "body",
    "body": "body",
    "FILES": "body", "files": "body", "stream": "body", "post": "body", "get": "body",
}  # fmt: skip
NO_PARTS = frozenset({
    "app", "url", "base_url", "method", "client", "path", "full_path", "remote_addr", "host", "scheme", "url_for",
    "url_root", "endpoint", "blueprint", "content_type", "content_length", "LANGUAGE_CODE", "htmx", "add_task",
    "build_absolute_uri", "is_secure", "get_full_path", "get_host", "accepts", "receive", "send", "scope", "is_json",
    "encoding", "environ", "version", "versioning_scheme", "receive_json", "receive_text", "send_json", "accept",
    "set_cookie", "delete_cookie", "status_code", "is_disconnected", "close",
})  # fmt: skip
NO_QUESTION = frozenset({"isinstance", "bool", "str", "len", "getattr", "hasattr", "int", "set", "list"})
NO_ROLE = re.compile(r"(?:^|_)ids?$|(?:^|\.)(?:exists|count|filter|get|first|items|keys|values|append|add)$")
EQUIPMENT = frozenset({
    "db", "database", "db_session", "pool", "redis", "limiter", "settings", "config", "engine", "client",
    "logger", "log",
    "cache", "storage", "app", "http", "http_client", "translator", "tracer", "metrics", "broker", "queue",
    "sessionmaker",
})  # fmt: skip
Binding = dict[str, Value]
EACH = "<each>"  # marks what a loop over rows gives


class Frame:
    """A function with what its parameters are. `run` gives what it returns; `access` what it did."""

    def __init__(self, tracer: Tracer, function: Function, given: Binding, depth: int = 0) -> None:
        self.tracer = tracer
        self.function = function
        self.module = function.module
        self.names: Binding = dict(given)
        self.depth = depth
        self.access = Access()
        self.loops = 0
        self.privileged = False
        self.implied: Roots = NOWHERE  # what chose the branch: `if body["admin"]: admin = True`
        self.result: Value | None = None
        self._inverse: set[int] = set()  # comparisons that refuse the caller's own: `if user == current_user: raise`

    def run(self) -> Value:
        """Follow the body."""
        self.block(self.function.node.body)
        return self.result or NOTHING

    # -- statements -------------------------------------------------------------------------------------------------

    def block(self, body: list[ast.stmt]) -> None:
        """Follow statements in order."""
        for node in body:
            follow = _STATEMENTS.get(type(node))
            if follow is not None:
                follow(self, node)

    def branches(self, *blocks: list[ast.stmt], privileged: int | None = None) -> None:
        """Follow blocks of which one runs; afterwards a name is what any of those that go on made of it.

        `privileged` is the number of the block that only some users reach.
        """
        before, after, outer = dict(self.names), [], self.privileged
        for number, block in enumerate(blocks):
            self.names = dict(before)
            self.privileged = outer or number == privileged
            self.block(block)
            if not (block and isinstance(block[-1], ast.Return | ast.Raise | ast.Continue | ast.Break)):
                after.append(self.names)
        self.privileged = outer
        self.names = dict(after[0]) if after else before
        for names in after[1:]:
            for key, value in names.items():
                known = self.names.get(key)
                self.names[key] = value if known is None else either(known, value)

    def _assign(self, node: ast.Assign) -> None:
        value = self.value(node.value)
        for target in node.targets:
            self.bind(target, value, node.value)

    def _annotated(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.bind(node.target, self.typed(self.value(node.value), node.annotation), node.value)

    def _augmented(self, node: ast.AugAssign) -> None:
        self.bind(node.target, either(self.value(node.target), self.value(node.value)), node.value)

    def _expression(self, node: ast.Expr) -> None:
        self.value(node.value)

    def _return(self, node: ast.Return) -> None:
        if node.value is not None:
            value = self.value(node.value)
            self.result = value if self.result is None else either(self.result, value)

    def _if(self, node: ast.If) -> None:
        chosen, implied, before = self.test(node.test, node.body, node.orelse), self.implied, self.privileged
        if isinstance(node.test, ast.Name | ast.Attribute | ast.Subscript):
            self.implied = frozenset(root for root in self.value(node.test).roots if root.kind == "body")
        self.branches(node.body, node.orelse, privileged=chosen)
        self.implied, self.privileged = implied, before

    def _assert(self, node: ast.Assert) -> None:
        self.value(node.test)

    def _for(self, node: ast.For | ast.AsyncFor) -> None:
        self.bind(node.target, self.element(node.iter), node.iter)
        self.loops += 1
        self.branches(node.body, [])
        self.loops -= 1
        self.block(node.orelse)

    def _while(self, node: ast.While) -> None:
        self.value(node.test)
        self.loops += 1
        self.branches(node.body, [])
        self.loops -= 1

    def _with(self, node: ast.With | ast.AsyncWith) -> None:
        for item in node.items:
            value = self.value(item.context_expr)
            if item.optional_vars is not None:
                self.bind(item.optional_vars, value, item.context_expr)
        self.block(node.body)

    def _try(self, node: ast.Try) -> None:
        self.block(node.body)
        self.branches([], *(handler.body for handler in node.handlers))
        self.block(node.orelse)
        self.block(node.finalbody)

    def _match(self, node: ast.Match) -> None:
        self.value(node.subject)
        self.branches([], *(case.body for case in node.cases))

    def _raise(self, node: ast.Raise) -> None:
        if node.exc is not None:
            self.value(node.exc)

    def _nested(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """A function defined here sees what is known here; it runs sooner or later."""
        inner = self.module.function_of.get(id(node))
        if inner is not None:
            own = {each.arg for each in inner.parameters}
            frame = Frame(
                self.tracer, inner, {key: one for key, one in self.names.items() if key not in own}, self.depth + 1
            )
            if self.depth < self.tracer.deepest:
                frame.run()
                self.access = self.access.plus(frame.access, self.loops, privileged=self.privileged)

    def bind(self, target: ast.expr, value: Value, source: ast.expr | None = None) -> None:
        """Give a target its value; an attribute of a row is a write."""
        if USER in value.roots and not self.access.knows:
            self.access = self.access.plus(Access(knows=True))
        if isinstance(target, ast.Name):
            self.names[target.id] = Value(self.implied) if self.implied and isinstance(source, ast.Constant) else value
        elif isinstance(target, ast.Tuple | ast.List):
            for position, element in enumerate(target.elts):
                held = value.held(str(position))
                self.bind(element, held if held is not None else value, source)
        elif isinstance(target, ast.Starred):
            self.bind(target.value, value, source)
        elif isinstance(target, ast.Attribute):
            self._set_attribute(target, value)
        elif isinstance(target, ast.Subscript) and isinstance(target.value, ast.Name):
            known = self.names.get(target.value.id, NOTHING)
            if isinstance(target.slice, ast.Constant):
                self.names[target.value.id] = with_entry(known, str(target.slice.value), value)
            else:
                self.names[target.value.id] = either(known, Value(value.roots))

    def _set_attribute(self, target: ast.Attribute, value: Value) -> None:
        base = self.value(target.value)
        if isinstance(target.value, ast.Name) and target.value.id in self.names:
            self.names[target.value.id] = with_entry(base, target.attr, value)
        self.changed(base, target, "update", ((target.attr, value.roots),))

    def changed(
        self, base: Value, node: ast.expr, verb: str, columns: tuple[tuple[str, Roots], ...] = (),
        whole: tuple[Value, ...] = (),
    ) -> None:  # fmt: skip
        """Note a write of each table that a row may be of."""
        for root in base.roots:
            if root.kind == "row":
                model = base.kind if base.kind is not None and self.tracer.tables.of(base.kind) else None
                self.note(Write(verb, root.name, model, place(self.function.path, node), self.function, columns, whole))  # type: ignore[arg-type]

    def note(self, write: Write) -> None:
        """Remember a write."""
        self.access = self.access.plus(Access(writes=(write,)))

    # -- tests ------------------------------------------------------------------------------------------------------

    def test(self, test: ast.expr, body: list[ast.stmt], orelse: list[ast.stmt]) -> int | None:
        """A test on what the user is, with a branch that refuses, is a role; rows compared with the user are checked.

        Return which branch is for users with a role: 0 for `if user.is_admin:`, 1 for `if not user.is_admin:`.
        """
        if body and isinstance(body[-1], ast.Raise):
            self._inverse |= {id(each) for each in _conjuncts(test) if _is_equality(each)}
        if USER not in self.value(test).roots:
            return None
        roles = frozenset(self._role_words(test))
        if roles and (refuses(body) or refuses(orelse)):
            self.access = self.access.plus(Access(roles=roles))
        if not roles:
            return None
        return 1 if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not) else 0

    def _role_words(self, test: ast.expr) -> Iterator[str]:
        compared = {
            id(part)
            for node in ast.walk(test)
            if isinstance(node, ast.Compare)
            and any(self._speaks_of_rows(one) for one in (node.left, *node.comparators))
            for part in ast.walk(node)
        }
        for node in ast.walk(test):
            word = self._role_word(node) if id(node) not in compared else ""
            if word and word not in ACTIVITY and not NO_ROLE.search(word):
                yield word

    def _role_word(self, node: ast.AST) -> str:
        """The attribute of the user that is tested, or what is asked about the user: `is_admin`, `has_permission`."""
        if isinstance(node, ast.Attribute):
            return node.attr if USER in self.value(node.value).roots else ""
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            return str(node.slice.value) if USER in self.value(node.value).roots else ""
        if isinstance(node, ast.Call) and any(USER in self.value(one).roots for one in node.args):
            return "" if isinstance(node.func, ast.Name) and node.func.id in NO_QUESTION else ast.unparse(node.func)
        return ""

    def _speaks_of_rows(self, node: ast.expr) -> bool:
        value = self.value(node)
        return value.has("row", "path", "body", "query") and USER not in value.roots

    def compared(self, left: Value, right: Value) -> None:
        """A row compared with the user."""
        tables = {
            root.name
            for one, other in ((left, right), (right, left))
            for root in one.roots
            if root.kind in ("row", "path") and USER in other.roots and one.roots != other.roots
        }
        if tables:
            self.access = self.access.plus(Access(checked=frozenset(tables)))

    # -- expressions ------------------------------------------------------------------------------------------------

    def value(self, node: ast.expr) -> Value:
        """What is known of an expression."""
        follow = _EXPRESSIONS.get(type(node))
        if follow is not None:
            return follow(self, node)
        roots: Roots = NOWHERE
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                roots |= self.value(child).roots
        return Value(roots)

    def _constant(self, node: ast.Constant) -> Value:
        return Value(text=node.value) if isinstance(node.value, str) else NOTHING

    def _name(self, node: ast.Name) -> Value:
        known = self.names.get(node.id)
        if known is not None:
            return known
        if any(each.arg == node.id for each in self.function.parameters):
            return NOTHING
        return self.tracer.symbol(self.tracer.symbols.value(node, self.module, self.function))

    def _attribute(self, node: ast.Attribute) -> Value:
        if not self.is_local(node):
            found = self.tracer.symbols.value(node, self.module, self.function)
            if isinstance(found, Variable | External):
                known = self.tracer.symbol(found)
                if known != NOTHING:
                    return known
            manager = self.tracer.manager(self.tracer.symbols.value(node.value, self.module, self.function), node.attr)
            if manager is not None:
                return Value(statement=manager)
        return self.attribute(self.value(node.value), node)

    def attribute(self, base: Value, node: ast.Attribute) -> Value:
        """An attribute of a value: of a request, a body, a row, the user, or an instance."""
        held = base.held(node.attr)
        if held is not None:
            return held
        if base.statement is not None:
            return base
        for root in base.roots:
            if root.kind == "request":
                return part_of_request(node.attr)
        if base.kind is not None:
            member = self.tracer.symbols.member(base.kind, node.attr)
            if isinstance(member, Function) and is_property(member):
                return self.tracer.call(self, member, {member.parameters[0].arg: base} if member.parameters else {})
            if isinstance(member, Variable):
                table = self.tracer.tables.of(base.kind)
                if table is not None:
                    self._loaded(base, table.relations - table.eager, node)
                    return Value(base.roots)
                known = self.tracer.symbol(member)
                if known != NOTHING:
                    return either(known, Value(base.roots)) if base.roots else known
                return self.typed(Value(named(base.roots, node.attr)), member.annotation, member.module)
        if node.attr in EQUIPMENT and base.roots == {USER}:
            return NOTHING
        return Value(named(base.roots, node.attr))

    def _loaded(self, base: Value, relations: frozenset[str], node: ast.Attribute) -> None:
        """A relationship of a row in a loop over rows, that the query did not load with them."""
        statement = base.row
        if not self.loops or statement is None or node.attr not in relations or node.attr in statement.eager:
            return
        if statement.opaque or base.held(EACH) is None:
            return
        lazy = Lazy(statement.table, node.attr, place(self.function.path, node), self.function, statement)
        self.access = self.access.plus(Access(lazy=(lazy,)))

    def _subscript(self, node: ast.Subscript) -> Value:
        base = self.value(node.value)
        self.value(node.slice)
        if base.statement is not None:
            if isinstance(node.slice, ast.Slice):
                return replace(base, statement=replace(base.statement, limited=True))
            return self.executed(base.statement, node, many=False)
        if isinstance(node.slice, ast.Constant):
            held = base.held(str(node.slice.value))
            return held if held is not None else Value(named(base.roots, str(node.slice.value)), row=base.row)
        return Value(base.roots, base.kind, row=base.row)

    def _call(self, node: ast.Call) -> Value:
        from backendgen.audit.queries.calls import called

        return called(self, node)

    def _await(self, node: ast.Await | ast.Starred | ast.YieldFrom) -> Value:
        return self.value(node.value)

    def _yield(self, node: ast.Yield) -> Value:
        value = self.value(node.value) if node.value is not None else NOTHING
        self.result = value if self.result is None else either(self.result, value)
        return NOTHING

    def _walrus(self, node: ast.NamedExpr) -> Value:
        value = self.value(node.value)
        self.bind(node.target, value, node.value)
        return value

    def _compare(self, node: ast.Compare) -> Value:
        sides = [self.value(node.left), *(self.value(each) for each in node.comparators)]
        for left, right in pairwise(sides):
            if id(node) not in self._inverse:
                self.compared(left, right)
        return Value(frozenset().union(*(each.roots for each in sides)))

    def _either(self, node: ast.BoolOp) -> Value:
        values = [self.value(each) for each in node.values]
        result = values[0]
        for each in values[1:]:
            result = either(result, each)
        return result

    def _choice(self, node: ast.IfExp) -> Value:
        self.value(node.test)
        return either(self.value(node.body), self.value(node.orelse))

    def _dict(self, node: ast.Dict) -> Value:
        result = NOTHING
        for key, each in zip(node.keys, node.values, strict=True):
            value = self.value(each)
            if isinstance(key, ast.Constant):
                result = with_entry(result, str(key.value), value)
            elif key is None:
                result = replace(value, roots=result.roots | value.roots, holds=result.holds + value.holds, dumped=True)
            else:
                result = Value(result.roots | value.roots, result.kind, result.holds, dumped=result.dumped)
        return result

    def _sequence(self, node: ast.Tuple | ast.List | ast.Set) -> Value:
        values = [self.value(each) for each in node.elts]
        roots = frozenset[Root]().union(*(each.roots for each in values))
        return Value(roots, holds=tuple((str(position), each) for position, each in enumerate(values)))

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> Value:
        before = dict(self.names)
        for each in node.generators:
            self.bind(each.target, self.element(each.iter), each.iter)
        self.loops += len(node.generators)
        for each in node.generators:
            for test in each.ifs:
                self.value(test)
        parts = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        values = [self.value(part) for part in parts]
        self.loops -= len(node.generators)
        self.names = before
        last = values[-1]
        return Value(frozenset[Root]().union(*(each.roots for each in values)), last.kind, last.holds, row=last.row)

    def _lambda(self, node: ast.Lambda) -> Value:
        self.value(node.body)
        return NOTHING

    def _formatted(self, node: ast.FormattedValue) -> Value:
        return Value(self.value(node.value).roots)

    # -- queries ----------------------------------------------------------------------------------------------------

    def executed(self, statement: Statement, node: ast.expr, *, many: bool) -> Value:
        """Note that a statement runs; return the rows. Rows that only the caller's own credentials find are the user's."""
        location = statement.location or place(self.function.path, node)
        query = Query(statement, location, self.function, many, self.loops, self.privileged)
        self.access = self.access.plus(Access(queries=(query,)))
        if statement.verb in ("update", "delete"):
            self.note(Write(statement.verb, statement.table, statement.model, location, self.function))
        roots: set[Root] = {Root("row", statement.table)}
        terms = [each for each in statement.terms if each.roots]
        if len(terms) == 1 and all(root.kind in ("user", "header", "cookie") for root in terms[0].roots):
            roots.add(USER)
        return Value(frozenset(roots), statement.model, row=statement)

    def element(self, node: ast.expr) -> Value:
        """What a loop over an expression gives each time."""
        value = self.value(node)
        if value.statement is not None:
            value = self.executed(value.statement, node, many=True)
        if value.row is not None:
            return Value(value.roots, value.kind, ((EACH, NOTHING),), row=value.row)
        return replace(value, holds=(), statement=None, text=None, itself=None)

    # -- types ------------------------------------------------------------------------------------------------------

    def typed(self, value: Value, annotation: ast.expr | None, module: object = None) -> Value:
        """The value as an instance of what an annotation says, when nothing better is known."""
        if annotation is None or value.kind is not None or value.statement is not None:
            return value
        found = self.tracer.types.of(annotation, module or self.module)  # type: ignore[arg-type]
        kind = found.kind if isinstance(found.kind, Class) else None
        if kind is None:
            return value
        return replace(value, kind=kind)

    def is_local(self, node: ast.expr) -> bool:
        """Does a dotted name begin with a local one?"""
        while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
            node = node.func if isinstance(node, ast.Call) else node.value
        return isinstance(node, ast.Name) and node.id in self.names


def _conjuncts(test: ast.expr) -> Iterator[ast.expr]:
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
        for each in test.values:
            yield from _conjuncts(each)
    else:
        yield test


def _is_equality(node: ast.expr) -> bool:
    return isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq | ast.Is)


def refuses(body: list[ast.stmt]) -> bool:
    """Does a block end in refusing: it raises, aborts, or returns an answer with 401, 403 or 404?"""
    for statement in body:
        if isinstance(statement, ast.Raise):
            return True
        if isinstance(statement, ast.Return) and statement.value is not None:
            numbers = {each.value for each in ast.walk(statement.value) if isinstance(each, ast.Constant)}
            words = {each.attr for each in ast.walk(statement.value) if isinstance(each, ast.Attribute)}
            calls = {each.id for each in ast.walk(statement.value) if isinstance(each, ast.Name)}
            if numbers & {401, 403, 404} or any("FORBIDDEN" in word or "UNAUTHORIZED" in word for word in words):
                return True
            if any(name.endswith(("Forbidden", "Unauthorized", "NotFound")) for name in calls):
                return True
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
            func = statement.value.func
            if (func.id if isinstance(func, ast.Name) else getattr(func, "attr", "")) == "abort":
                return True
    return False


def part_of_request(name: str) -> Value:
    """An attribute of a request: a part that the caller chooses, or something that was put there about the caller."""
    kind = PARTS.get(name)
    if kind is not None:
        return Value(frozenset({Root(kind)}))  # type: ignore[arg-type]
    return NOTHING if name in NO_PARTS else Value(frozenset({USER}))


def named(roots: Roots, name: str) -> Roots:
    """The roots of an attribute or entry: a body's is that field."""
    return frozenset(
        Root(root.kind, name) if root.kind in ("body", "query", "path") and not root.name else root for root in roots
    )


def with_entry(value: Value, name: str, entry: Value) -> Value:
    """The value with an attribute or entry that is known."""
    holds = (*((key, each) for key, each in value.holds if key != name), (name, entry))
    return replace(value, holds=holds)


def is_property(function: Function) -> bool:
    """Is reading the attribute a call?"""
    return any(
        "property" in (each.id if isinstance(each, ast.Name) else getattr(each, "attr", ""))
        for each in function.node.decorator_list
    )


_STATEMENTS: dict[type, Callable[..., None]] = {
    ast.Assign: Frame._assign, ast.AnnAssign: Frame._annotated, ast.AugAssign: Frame._augmented, ast.Expr: Frame._expression,
    ast.Return: Frame._return, ast.If: Frame._if, ast.Assert: Frame._assert, ast.For: Frame._for, ast.AsyncFor: Frame._for,
    ast.While: Frame._while, ast.With: Frame._with, ast.AsyncWith: Frame._with, ast.Try: Frame._try, ast.Match: Frame._match,
    ast.Raise: Frame._raise, ast.FunctionDef: Frame._nested, ast.AsyncFunctionDef: Frame._nested,
}  # fmt: skip
_EXPRESSIONS: dict[type, Callable[..., Value]] = {
    ast.Constant: Frame._constant, ast.Name: Frame._name, ast.Attribute: Frame._attribute, ast.Subscript: Frame._subscript,
    ast.Call: Frame._call, ast.Await: Frame._await, ast.Starred: Frame._await, ast.Yield: Frame._yield,
    ast.YieldFrom: Frame._await, ast.NamedExpr: Frame._walrus, ast.Compare: Frame._compare, ast.BoolOp: Frame._either,
    ast.IfExp: Frame._choice, ast.Dict: Frame._dict, ast.Tuple: Frame._sequence, ast.List: Frame._sequence,
    ast.Set: Frame._sequence, ast.ListComp: Frame._comprehension, ast.SetComp: Frame._comprehension,
    ast.GeneratorExp: Frame._comprehension, ast.DictComp: Frame._comprehension, ast.Lambda: Frame._lambda,
    ast.FormattedValue: Frame._formatted,
}  # fmt: skip
