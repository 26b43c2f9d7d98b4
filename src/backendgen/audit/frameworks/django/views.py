"""What answers at a route: the function or class behind its decorators, and the methods that it answers."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from backendgen.audit.frameworks.django.tables import FUNCTIONS, actions_of, methods_of
from backendgen.audit.frameworks.django.values import Wrapped
from backendgen.audit.frameworks.made import Closure, Made, Place, Value
from backendgen.audit.service import ANY, elsewhere
from backendgen.code.nodes import unparse
from backendgen.code.symbols import Class, External, Function, Symbol, Symbols, Variable

HTTP = ("get", "post", "put", "patch", "delete")
RESTRICTING = {
    "django.views.decorators.http.require_GET": ("GET",),
    "django.views.decorators.http.require_POST": ("POST",),
    "django.views.decorators.http.require_safe": ("GET",),
}
LISTING = "django.views.decorators.http.require_http_methods"
API_VIEW = "rest_framework.decorators.api_view"
BODY = frozenset({"POST", "FILES", "body"})


@dataclass(frozen=True, slots=True)
class Decorator:
    """What wraps a view: the symbol that is called or written above it, with the arguments that it got."""

    symbol: Symbol | None
    call: ast.Call | None
    place: Place


@dataclass(frozen=True, slots=True)
class Answer:
    """One method of a route. `action` is the viewset's; `view` the class that answers; `made` what `as_view()` made."""

    method: str
    handler: Function
    view: Class | None = None
    action: str = ""
    made: Made | None = None
    decorators: tuple[Decorator, ...] = ()


class Views:
    """Reads what stands at a route; see `answers`."""

    def __init__(self, symbols: Symbols) -> None:
        self.symbols = symbols

    def unwrapped(self, view: Value) -> tuple[Value, tuple[Decorator, ...]]:
        """Return a view without the decorators that it was called with, and these, outermost first."""
        found: list[Decorator] = []
        while True:
            if isinstance(view, Wrapped):
                outermost = view.by
                while outermost.outer is not None:
                    outermost = outermost.outer
                call = view.place.node if isinstance(view.place.node, ast.Call) else None
                inner = call.func if call is not None and isinstance(call.func, ast.Call) else None
                found.append(Decorator(outermost, inner, view.place))
                view = view.value
            elif (
                isinstance(view, Made)
                and view.place is not None
                and view.args
                and isinstance(view.args[0], Made | Closure | Wrapped)
                and not view.member.endswith("as_view()")
                and not (isinstance(view.target, External) and view.target.name.endswith(".as_view"))
            ):
                written = self.decorator(Place(_function(view.place.node), view.place.module, view.place.scope))
                found.append(Decorator(view.target, written.call, written.place) if view.target else written)
                view = view.args[0]
            elif isinstance(view, Closure):
                wraps = [self.decorator(one) for one in reversed(view.wraps)]
                own = [
                    self.decorator(Place(one, view.function.module, view.function.outer))
                    for one in view.function.node.decorator_list
                ]
                known = {id(one.place.node) for one in own}
                return view, (*found, *(one for one in wraps if id(one.place.node) not in known), *own)
            else:
                return view, tuple(found)

    def decorator(self, place: Place) -> Decorator:
        """Return what a decorator's expression names."""
        node = place.node
        call = node if isinstance(node, ast.Call) else None
        while isinstance(node, ast.Call):
            node = node.func
        return Decorator(self.symbols.value(node, place.module, place.scope), call, place)

    def answers(self, view: Value, place: Place) -> Iterator[Answer]:
        """Yield an answer for each method of what stands at a route."""
        target, decorators = self.unwrapped(view)
        allowed = self._restricted(decorators)
        for one in self._answers(target, place, decorators):
            if allowed is None or one.method in allowed:
                yield one
            elif one.method == ANY:
                for method in allowed:
                    yield Answer(method, one.handler, one.view, one.action, one.made, one.decorators)

    def _answers(self, target: Value, place: Place, decorators: tuple[Decorator, ...]) -> Iterator[Answer]:
        if isinstance(target, Closure):
            for method in self._by_body(target.function, decorators):
                yield Answer(method, target.function, None, "", None, decorators)
        elif isinstance(target, Made) and target.root.target is not None and target.member.endswith("as_view()"):
            owner = target.root.target
            if isinstance(owner, Class):
                yield from self._of_class(owner, target, decorators)
        elif isinstance(target, Made) and isinstance(target.target, External):
            name = target.target.name
            if name.endswith(".as_view"):
                name = name.removesuffix(".as_view")
                yield from self._elsewhere(name, methods_of(name), place, decorators, target)
            else:
                yield from self._elsewhere(name, FUNCTIONS.get(name), place, decorators, target)
        elif isinstance(target, External):
            yield from self._elsewhere(target.name, FUNCTIONS.get(target.name), place, decorators, None)
        elif isinstance(target, Class):  # an instance of a class that is called: a syndication feed, say
            called = self.symbols.member(target, "__call__")
            handler = (
                called if isinstance(called, Function) else elsewhere(target.name, place.module, target.line, target)
            )
            yield Answer(ANY, handler, target, "", None, decorators)
        elif isinstance(target, Made) and isinstance(target.target, Class):
            yield from self._answers(target.target, place, decorators)

    def _elsewhere(
        self,
        name: str,
        methods: tuple[str, ...] | None,
        place: Place,
        decorators: tuple[Decorator, ...],
        made: Made | None,
    ) -> Iterator[Answer]:
        handler = elsewhere(name, place.module, place.node.lineno)
        for method in methods or (ANY,):
            yield Answer(method.upper(), handler, None, "", made, decorators)

    # -- functions --------------------------------------------------------------------------------------------------

    def _restricted(self, decorators: tuple[Decorator, ...]) -> tuple[str, ...] | None:
        """The methods that decorators let through, None when all."""
        allowed: tuple[str, ...] | None = None
        for one in decorators:
            name = one.symbol.name if isinstance(one.symbol, External) else ""
            given: tuple[str, ...] | None = RESTRICTING.get(name)
            if name in (LISTING, API_VIEW):
                listed = one.call.args[0] if one.call is not None and one.call.args else None
                if listed is None and one.call is not None:
                    listed = next(
                        (word.value for word in one.call.keywords if word.arg in ("http_method_names",)), None
                    )
                given = _texts(listed) or (("GET",) if name == API_VIEW else None)
            if given is not None:
                given = tuple(method for method in given if method.lower() in HTTP) or given
                allowed = given if allowed is None else tuple(method for method in allowed if method in given)
        return allowed

    def _by_body(self, function: Function, decorators: tuple[Decorator, ...]) -> tuple[str, ...]:
        """The methods that a function tells apart; all, when it does not ask."""
        if self._restricted(decorators) is not None:
            return (ANY,)
        request = function.parameters[0].arg if function.parameters else "request"
        asked: set[str] = set()
        refused: set[str] = set()
        reads_body = False
        for node in ast.walk(function.node):
            if isinstance(node, ast.If):
                compared = _compared(node.test, request)
                is_other = isinstance(node.test, ast.Compare) and isinstance(node.test.ops[0], ast.NotEq | ast.NotIn)
                if is_other and compared and _refuses(node.body):
                    return tuple(sorted(compared))
            if isinstance(node, ast.Compare):
                asked |= _compared(node, request)
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == request:
                reads_body = reads_body or node.attr in BODY
        if asked or reads_body:
            return tuple(sorted({"GET", *(asked or {"POST"})} - refused))
        return (ANY,)

    # -- classes ----------------------------------------------------------------------------------------------------

    def _of_class(self, owner: Class, made: Made, decorators: tuple[Decorator, ...]) -> Iterator[Answer]:
        actions = made.argument(0, "actions")
        if isinstance(actions, dict):
            yield from self.of_actions(
                owner, {str(key): str(value) for key, value in actions.items()}, made, decorators
            )
            return
        allowed = self.allowed(owner, made)
        handlers = self.handlers(owner)
        for method in HTTP:
            if method in allowed and method in handlers:
                yield Answer(method.upper(), handlers[method], owner, "", made, decorators)
        if not handlers:
            dispatch = self.symbols.member(owner, "dispatch")
            handler = (
                dispatch if isinstance(dispatch, Function) else elsewhere(owner.name, owner.module, owner.line, owner)
            )
            yield Answer(ANY, handler, owner, "", made, decorators)

    def of_actions(
        self, owner: Class, actions: dict[str, str], made: Made | None, decorators: tuple[Decorator, ...]
    ) -> Iterator[Answer]:
        """Yield the answers of a viewset's actions, by their methods."""
        allowed = self.allowed(owner, made)
        for method, action in actions.items():
            if method.lower() in allowed and method.lower() in HTTP:
                member = self.symbols.member(owner, action)
                handler = member if isinstance(member, Function) else elsewhere(action, owner.module, owner.line, owner)
                yield Answer(method.upper(), handler, owner, action, made, decorators)

    def allowed(self, owner: Class, made: Made | None) -> tuple[str, ...]:
        """`http_method_names` of a class."""
        given = made.keywords.get("http_method_names") if made is not None else None
        if isinstance(given, list | tuple):
            return tuple(str(one).lower() for one in given)
        member = self.symbols.member(owner, "http_method_names")
        names = _texts(member.value) if isinstance(member, Variable) else None
        return tuple(name.lower() for name in names) if names else HTTP

    def handlers(self, owner: Class) -> dict[str, Function]:
        """The methods of a class-based view, its own and those that it inherits; a library's are `elsewhere`."""
        found: dict[str, Function] = {}
        for one in self.symbols.lineage(owner):
            members = one.module.members.get(id(one.node), {})
            for method in HTTP:
                member = members.get(method)
                if isinstance(member, Variable) and isinstance(member.value, ast.Name):
                    member = members.get(member.value.id) or self.symbols.member(owner, member.value.id)
                if isinstance(member, Function):
                    found.setdefault(method, member)
        for base in sorted(self.symbols.bases(owner)):
            for method in methods_of(base) or ():
                found.setdefault(method, elsewhere(method, owner.module, owner.line, owner))
        return found

    def has_action(self, owner: Class, action: str) -> bool:
        """Has a viewset this action, of its own or from Django REST framework's classes?"""
        if isinstance(self.symbols.member(owner, action), Function | Variable):
            return True
        return any(action in actions_of(base) for base in self.symbols.bases(owner))


def _function(node: ast.expr) -> ast.expr:
    return node.func if isinstance(node, ast.Call) else node


def _texts(node: ast.expr | None) -> tuple[str, ...]:
    if not isinstance(node, ast.List | ast.Tuple | ast.Set):
        return ()
    return tuple(one.value for one in node.elts if isinstance(one, ast.Constant) and isinstance(one.value, str))


def _compared(node: ast.expr, request: str) -> set[str]:
    """The methods that `request.method == "POST"` or `request.method in (...)` names."""
    if not isinstance(node, ast.Compare) or len(node.ops) != 1:
        return set()
    left = node.left
    if not (isinstance(left, ast.Attribute) and left.attr == "method" and unparse(left.value).endswith(request)):
        return set()
    given = node.comparators[0]
    if isinstance(given, ast.Constant) and isinstance(given.value, str):
        return {given.value} & {name.upper() for name in HTTP}
    return set(_texts(given)) & {name.upper() for name in HTTP}


def _refuses(body: list[ast.stmt]) -> bool:
    """Does a branch answer 405 or 400, or raise?"""
    last = body[-1] if body else None
    if isinstance(last, ast.Raise):
        return True
    if isinstance(last, ast.Return) and last.value is not None:
        text = unparse(last.value)
        return "NotAllowed" in text or "405" in text or "BadRequest" in text or "400" in text
    return False
