"""Permission and throttle classes of Django REST framework: which ones a view has, and what they check."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from backendgen.audit.frameworks.django.urlconf import Urlconf
from backendgen.audit.frameworks.django.views import Answer
from backendgen.audit.frameworks.made import Made, Value
from backendgen.audit.frameworks.outcomes import roles_in
from backendgen.audit.service import Guard, Limit, Scope
from backendgen.code.nodes import plain_name, unparse
from backendgen.code.symbols import Class, External, Function, Module, Symbol, Variable

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
BOTH = frozenset({401, 403})
KNOWN: dict[str, tuple[bool, bool, tuple[str, ...]]] = {  # refuses, only writes, roles
    "AllowAny": (False, False, ()),
    "BasePermission": (False, False, ()),
    "IsAuthenticated": (True, False, ()),
    "IsAdminUser": (True, False, ("staff",)),
    "IsAuthenticatedOrReadOnly": (True, True, ()),
    "DjangoModelPermissions": (True, False, ("model permissions",)),
    "DjangoModelPermissionsOrAnonReadOnly": (True, True, ("model permissions",)),
    "DjangoObjectPermissions": (True, False, ("model permissions",)),
}
OF_OBJECT = re.compile(r"Update|Delete|Detail|Retrieve|Destroy|SingleObject")
ON_OBJECT = frozenset({"retrieve", "update", "partial_update", "destroy"})


@dataclass(frozen=True, slots=True)
class Permission:
    """What a permission class does. `on_object`: it only judges an object that `get_object` found."""

    name: str
    refuses: bool
    only_writes: bool = False
    on_object: bool = False
    roles: tuple[str, ...] = ()
    is_known: bool = True


class Permissions:
    """Reads what views of Django REST framework declare."""

    def __init__(self, urlconf: Urlconf) -> None:
        self.urlconf = urlconf
        self.symbols = urlconf.symbols
        self._defaults: dict[str, tuple[Symbol, ...]] = {}
        self._judged: dict[int, Permission] = {}

    def guards(self, answer: Answer) -> Iterator[Guard]:
        """Yield the guards that an answer's permission classes are."""
        scope, permissions = self._declared(answer)
        for one in permissions:
            if not one.refuses or (one.only_writes and answer.method in SAFE):
                continue
            if one.on_object and not self.gets_object(answer):
                continue
            yield Guard(one.name, scope, BOTH if one.is_known else frozenset(), one.roles)

    def limits(self, answer: Answer) -> Iterator[Limit]:
        """Yield the throttles of an answer."""
        rates = self.urlconf.settings.get("REST_FRAMEWORK")
        rates = rates.get("DEFAULT_THROTTLE_RATES") if isinstance(rates, dict) else None
        for scope, symbol in self._throttles(answer):
            name = symbol.name.rpartition(".")[2] if isinstance(symbol, External | Class) else ""
            key = {"AnonRateThrottle": "anon", "UserRateThrottle": "user"}.get(name, "")
            if name == "ScopedRateThrottle" and answer.view is not None:
                member = self.symbols.member(answer.view, "throttle_scope")
                key = (
                    str(member.value.value)
                    if isinstance(member, Variable) and isinstance(member.value, ast.Constant)
                    else ""
                )
                if not key:
                    continue
            rate = rates.get(key) if isinstance(rates, dict) else None
            yield Limit(name, scope, rate if isinstance(rate, str) else "")

    # -- which ones -------------------------------------------------------------------------------------------------

    def _declared(self, answer: Answer) -> tuple[Scope, list[Permission]]:
        for decorator in answer.decorators:
            if _is_external(decorator.symbol, "rest_framework.decorators.permission_classes") and decorator.call:
                given = decorator.call.args[0] if decorator.call.args else None
                if given is not None:
                    return "route", list(self.of(given, decorator.place.module, decorator.place.scope))
        if answer.view is None:
            return "settings", list(self._default("DEFAULT_PERMISSION_CLASSES"))
        if answer.action:
            given = _of_action(answer.handler)
            if given is not None:
                return "route", list(self.of(given, answer.handler.module, None))
        chosen = self._chosen(answer)
        if chosen is not None:
            return "class", chosen
        member = self.symbols.member(answer.view, "permission_classes")
        if isinstance(member, Variable):
            return "class", list(self.of(member.value, member.module, member.scope))
        inherited = next((one for one in sorted(self.symbols.bases(answer.view)) if not _is_plain(one)), None)
        if inherited is not None:
            return "class", [Permission(inherited.rpartition(".")[2], True, is_known=False)]
        return "settings", list(self._default("DEFAULT_PERMISSION_CLASSES"))

    def _default(self, name: str) -> Iterator[Permission]:
        for symbol in self.default(name):
            yield self.judged(symbol)

    def default(self, name: str) -> tuple[Symbol, ...]:
        """Return the classes that a setting of Django REST framework names."""
        if name not in self._defaults:
            settings = self.urlconf.settings.get("REST_FRAMEWORK")
            listed = settings.get(name) if isinstance(settings, dict) else None
            found = [self.urlconf.dotted(one) if isinstance(one, str) else one for one in listed or ()]
            self._defaults[name] = tuple(one for one in found if isinstance(one, Class | External))
        return self._defaults[name]

    def _chosen(self, answer: Answer) -> list[Permission] | None:
        """What `get_permissions` chooses for an action, by running it for that action; None when it does not say."""
        view = answer.view
        method = self.symbols.member(view, "get_permissions") if view is not None else None
        if not isinstance(method, Function) or view is None:
            return None
        request = Made(None, frozenset(), None, attributes={"method": answer.method})
        instance = Made(view, self.symbols.bases(view), None)
        instance.attributes.update({"action": answer.action or answer.method.lower(), "request": request})
        result = self.urlconf.call(
            self.urlconf.attribute(instance, "get_permissions", self.urlconf.run(view.module)), [], {}, None
        )
        if isinstance(result, list | tuple):
            return [one for value in result for one in [self._of_value(value)] if one is not None]
        replaced = instance.attributes.get("permission_classes")
        if isinstance(replaced, list | tuple):
            return [one for value in replaced for one in [self._of_value(value)] if one is not None]
        return None

    def _of_value(self, value: Value) -> Permission | None:
        target = value.target if isinstance(value, Made) else value
        return (
            self.judged(target)
            if isinstance(target, Class | External)
            else Permission("get_permissions", True, is_known=False)
        )

    def _throttles(self, answer: Answer) -> Iterator[tuple[Scope, Symbol]]:
        for decorator in answer.decorators:
            if _is_external(decorator.symbol, "rest_framework.decorators.throttle_classes") and decorator.call:
                for given in decorator.call.args:
                    yield from (("route", one) for one in self.symbols_in(given, decorator.place.module))
                return
        member = self.symbols.member(answer.view, "throttle_classes") if answer.view is not None else None
        if isinstance(member, Variable):
            yield from (("class", one) for one in self.symbols_in(member.value, member.module))
        else:
            yield from (("settings", one) for one in self.default("DEFAULT_THROTTLE_CLASSES"))

    def symbols_in(self, node: ast.expr, module: Module) -> Iterator[Symbol]:
        """Yield the classes that a list names."""
        if isinstance(node, ast.List | ast.Tuple | ast.Set):
            for one in node.elts:
                yield from self.symbols_in(one, module)
        elif isinstance(node, ast.BinOp):
            yield from self.symbols_in(node.left, module)
            yield from self.symbols_in(node.right, module)
        else:
            found = self.symbols.value(node, module)
            if isinstance(found, Variable):
                yield from self.symbols_in(found.value, found.module)
            elif isinstance(found, Class | External):
                yield found

    # -- what they check --------------------------------------------------------------------------------------------

    def of(self, node: ast.expr, module: Module, scope: Function | None, hops: int = 0) -> Iterator[Permission]:
        """Yield the permissions that an expression lists: all of them must hold."""
        if isinstance(node, ast.List | ast.Tuple | ast.Set):
            for one in node.elts:
                yield from self.of(one, module, scope, hops)
        elif isinstance(node, ast.Starred):
            yield from self.of(node.value, module, scope, hops)
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.BitAnd):
            yield from self.of(node.left, module, scope, hops)
            yield from self.of(node.right, module, scope, hops)
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            yield self._either(
                unparse(node),
                [*self.of(node.left, module, scope, hops)],
                [*self.of(node.right, module, scope, hops)],
            )
        elif isinstance(node, ast.UnaryOp):
            yield Permission(unparse(node)[:60], True)
        elif isinstance(node, ast.Call):
            yield from self.of(node.func, module, scope, hops + 1)
        elif hops < 10:
            found = self.symbols.value(node, module, scope)
            if isinstance(found, Variable):
                yield from self.of(found.value, found.module, found.scope, hops + 1)
            elif isinstance(found, Class | External):
                yield self.judged(found)
            elif not (isinstance(node, ast.Constant) and node.value is None):
                yield Permission(unparse(node)[:60], True, is_known=False)

    def _either(self, name: str, left: list[Permission], right: list[Permission]) -> Permission:
        """`A | B` lets through whom one of them lets through."""
        sides = [[one for one in side if one.refuses] for side in (left, right)]
        roles = tuple(role for side in sides for one in side for role in one.roles) if all(sides) else ()
        return Permission(
            name[:60], all(sides), any(all(one.only_writes for one in side) for side in sides),
            any(all(one.on_object for one in side) for side in sides), roles,
        )  # fmt: skip

    def judged(self, symbol: Symbol) -> Permission:
        """Return what a permission class does."""
        if isinstance(symbol, External):
            name = symbol.name.rpartition(".")[2]
            if symbol.name.startswith("rest_framework.permissions.") and name in KNOWN:
                refuses, only_writes, roles = KNOWN[name]
                return Permission(name, refuses, only_writes, False, roles)
            return Permission(name, True, is_known=False)
        if not isinstance(symbol, Class):
            return Permission("", True, is_known=False)
        key = id(symbol.node)
        if key not in self._judged:
            self._judged[key] = self._of_class(symbol)
        return self._judged[key]

    def _of_class(self, owner: Class) -> Permission:
        name = owner.name
        inherited = [self.judged(External(base)) for base in sorted(self.symbols.bases(owner))]
        base = next((one for one in inherited if one.refuses), None)
        check = self.symbols.member(owner, "has_permission")
        on_object = self.symbols.member(owner, "has_object_permission")
        if isinstance(check, Function):
            returned = list(_returned(check))
            if any(not _is_true(one) for one in returned):
                if all(_is_true(one) or _calls_super(one) for one in returned) and base is None:
                    return Permission(name, isinstance(on_object, Function), False, True)
                return Permission(name, True, "SAFE_METHODS" in unparse(check.node), False, _roles(check))
            if isinstance(on_object, Function):
                return Permission(name, True, False, True, _roles(on_object))
            return Permission(name, False)
        if base is not None:
            return replace(base, name=name)
        if isinstance(on_object, Function):
            only_writes = "SAFE_METHODS" in unparse(on_object.node)
            return Permission(
                name, any(not _is_true(one) for one in _returned(on_object)), only_writes, True, _roles(on_object)
            )
        return Permission(name, False)

    def gets_object(self, answer: Answer) -> bool:
        """Does an answer look for one object, and judge it?"""
        if not answer.handler.node.body:
            if answer.action:
                return answer.action in ON_OBJECT
            bases = self.symbols.bases(answer.view) if answer.view is not None else ()
            return any(OF_OBJECT.search(base.rpartition(".")[2]) for base in bases)
        called = {plain_name(call.func) for call in answer.handler.module.calls_in(answer.handler)}
        looks = bool(called & {"get_object", "check_object_permissions"})
        return looks or (answer.action in ON_OBJECT and "super" in called)


def is_rest(answer: Answer, bases: frozenset[str]) -> bool:
    """Does Django REST framework answer?"""
    if answer.view is None:
        return any(_is_external(one.symbol, "rest_framework.decorators.api_view") for one in answer.decorators)
    return any(base.startswith(("rest_framework", "drf_", "dj_rest_auth")) for base in bases)


def _is_external(symbol: object, name: str) -> bool:
    return isinstance(symbol, External) and symbol.name == name


def _is_plain(base: str) -> bool:
    """Is this a class that says nothing about permissions of its own?"""
    return (
        not base.startswith(("drf_", "dj_rest_auth", "knox", "rest_framework_simplejwt", "djoser")) or "Mixin" in base
    )


def _of_action(handler: Function) -> ast.expr | None:
    for decorator in handler.node.decorator_list:
        if isinstance(decorator, ast.Call):
            for word in decorator.keywords:
                if word.arg == "permission_classes":
                    return word.value
    return None


def _returned(function: Function) -> Iterator[ast.expr]:
    for node in ast.walk(function.node):
        if isinstance(node, ast.Return):
            yield node.value if node.value is not None else ast.Constant(None)
        elif isinstance(node, ast.Raise) and "NotImplemented" not in unparse(node):
            yield ast.Constant(False)


def _is_true(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is True


def _calls_super(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and unparse(node.func).startswith("super().")


def _roles(function: Function) -> tuple[str, ...]:

    text = [node for node in ast.walk(function.node) if isinstance(node, ast.Return) and node.value is not None]
    return tuple(dict.fromkeys(role for node in text if node.value is not None for role in roles_in(node.value)))
