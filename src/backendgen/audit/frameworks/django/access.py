"""Who may call a Django view: decorators, mixins, what its class does before it answers, permission classes, middleware."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from backendgen.audit.frameworks.dependencies import keyword_roles, rate_of
from backendgen.audit.frameworks.django.permissions import Permissions, is_rest
from backendgen.audit.frameworks.django.refusals import Refusals
from backendgen.audit.frameworks.django.settings import texts
from backendgen.audit.frameworks.django.urlconf import Urlconf
from backendgen.audit.frameworks.django.views import Answer, Decorator, Views
from backendgen.audit.frameworks.libraries import guarding
from backendgen.audit.frameworks.made import Place
from backendgen.audit.frameworks.outcomes import NONE, TOO_OFTEN, Statuses, roles_in
from backendgen.audit.service import Guard, Limit, Scope
from backendgen.code.nodes import unparse
from backendgen.code.symbols import Class, External, Function, Symbol, Variable

BEFORE = ("dispatch", "initial", "setup", "check_permissions", "perform_authentication", "permission_denied")
HOOKS = (
    "get_object", "get_queryset", "form_valid", "get_form", "get_context_data", "get_form_kwargs", "perform_create",
    "perform_update", "perform_destroy", "get_success_url", "get_redirect_url", "render_to_response",
)  # fmt: skip
METHOD_DECORATOR = "django.utils.decorators.method_decorator"
OPEN = ("login_not_required",)
MIDDLEWARE = ("__call__", "process_request", "process_view", "__acall__")
LATER = re.compile(r"\btry[_ -](?:again[_ -])?later|\btoo[_ -]many|\brate[_ -]?limit|\bthrottl", re.IGNORECASE)
ASKS = ("is_authenticated", "is_anonymous", "authorization", "HTTP_AUTHORIZATION", "AnonymousUser")


class Access:
    """Finds guards and limits of an answer."""

    def __init__(self, urlconf: Urlconf, views: Views, refusals: Refusals) -> None:
        self.urlconf = urlconf
        self.symbols = urlconf.symbols
        self.views = views
        self.refusals = refusals
        self.permissions = Permissions(urlconf)
        self._middleware: tuple[list[Guard], list[Limit]] | None = None
        self._decorators: dict[tuple[int, object, Scope], tuple[Guard | None, Limit | None]] = {}
        self._classes: dict[int, tuple[Guard, ...]] = {}
        self._later: dict[int, bool] = {}
        self._bodies: dict[tuple[int | str, int], Statuses] = {}

    def of(self, answer: Answer, above: tuple[Decorator, ...]) -> tuple[tuple[Guard, ...], tuple[Limit, ...]]:
        """Return what refuses callers of an answer. `above` are decorators of what includes its route."""
        guards, limits = list(self.middleware()[0]), list(self.middleware()[1])
        attached: list[tuple[Scope, Decorator]] = [("include", one) for one in above]
        attached += [("route", one) for one in answer.decorators]
        attached += [("class", one) for one in self._of_methods(answer)]
        if any(_last(one.symbol) in OPEN for _, one in attached):
            guards = [one for one in guards if one.name != "LoginRequiredMiddleware"]
        for scope, decorator in attached:
            key = (id(decorator.place.node), decorator.symbol, scope)
            if key not in self._decorators:
                self._decorators[key] = self._decorator(decorator, scope)
            guard, limit = self._decorators[key]
            guards += [guard] if guard else []
            limits += [limit] if limit else []
        if answer.view is not None:
            key_of_class = id(answer.view.node)
            if key_of_class not in self._classes:
                self._classes[key_of_class] = tuple(self._of_class(answer.view))
            guards += self._classes[key_of_class]
        bases = self.symbols.bases(answer.view) if answer.view is not None else frozenset[str]()
        if is_rest(answer, bases):
            guards += self.permissions.guards(answer)
            limits += self.permissions.limits(answer)
        statuses = self._of_body(answer)
        if statuses - TOO_OFTEN:
            guards.append(Guard(answer.handler.name, "body", statuses - TOO_OFTEN))
        if statuses & TOO_OFTEN:
            limits.append(Limit(answer.handler.name, "body"))
        return tuple(dict.fromkeys(guards)), tuple(dict.fromkeys(limits))

    # -- settings ---------------------------------------------------------------------------------------------------

    def middleware(self) -> tuple[list[Guard], list[Limit]]:
        """What the middleware of the settings refuses everywhere."""
        if self._middleware is None:
            guards: list[Guard] = []
            limits: list[Limit] = []
            for name in texts(self.urlconf.settings.get("MIDDLEWARE")):
                known = guarding(name)
                if known:
                    guards.append(Guard(name.rpartition(".")[2], "middleware", known))
                elif name == "axes.middleware.AxesMiddleware":
                    limits.append(Limit("AxesMiddleware", "middleware"))
                else:
                    guards += self._own(name)
            self._middleware = guards, limits
        return self._middleware

    def _own(self, name: str) -> Iterator[Guard]:
        """A middleware of the project guards when it asks who calls, and refuses."""
        target = self.urlconf.dotted(name)
        function = getattr(target, "function", None)
        statuses: Statuses = NONE
        text = ""
        if isinstance(target, Class):
            statuses = self.refusals.of_class(target, MIDDLEWARE)
            text = unparse(target.node)
        elif isinstance(function, Function):
            statuses = self.refusals.of(function)
            text = unparse(function.node)
        looks = self.symbols.member(target, "process_view") if isinstance(target, Class) else None
        asks = looks if isinstance(looks, Function) else None  # it sees what the path names
        of_objects = asks is not None and 403 in statuses and "view_kwargs" in text and "request.user" in text
        if statuses - TOO_OFTEN and (of_objects or any(word in text for word in ASKS)):
            yield Guard(name.rpartition(".")[2], "middleware", statuses - TOO_OFTEN, function=asks)

    # -- decorators -------------------------------------------------------------------------------------------------

    def _of_methods(self, answer: Answer) -> Iterator[Decorator]:
        """`@method_decorator(login_required, name="dispatch")` above a class, and above its methods."""
        if answer.view is None:
            return
        for owner in self.symbols.lineage(answer.view):
            for node in owner.node.decorator_list:
                yield from self._unpacked(Place(node, owner.module, None), answer, on_class=True)
            members = owner.module.members.get(id(owner.node), {})
            for name in ("dispatch", "initial"):
                member = members.get(name)
                for node in member.node.decorator_list if isinstance(member, Function) else ():
                    yield from self._unpacked(Place(node, owner.module, None), answer, on_class=False)
        for node in answer.handler.node.decorator_list:
            yield from self._unpacked(Place(node, answer.handler.module, None), answer, on_class=False)

    def _unpacked(self, place: Place, answer: Answer, *, on_class: bool) -> Iterator[Decorator]:
        node = place.node
        found = self.views.decorator(place)
        if not (isinstance(node, ast.Call) and _name(found.symbol) == METHOD_DECORATOR):
            if not on_class or isinstance(found.symbol, Function):
                yield found
            return
        name = next((word.value for word in node.keywords if word.arg == "name"), None)
        if on_class and isinstance(name, ast.Constant):
            methods = {"dispatch", answer.method.lower(), answer.action, answer.handler.node.name}
            if name.value not in methods:
                return
        for given in node.args[:1]:
            target = self.symbols.value(given, place.module)
            listed = target.value if isinstance(target, Variable) else given
            for one in listed.elts if isinstance(listed, ast.List | ast.Tuple) else [given]:
                yield self.views.decorator(Place(one, place.module, None))

    def _decorator(self, decorator: Decorator, scope: Scope) -> tuple[Guard | None, Limit | None]:
        symbol, call = decorator.symbol, decorator.call
        if isinstance(symbol, Variable):  # `staff = user_passes_test(...)`
            made = self.views.decorator(Place(symbol.value, symbol.module, symbol.scope))
            if isinstance(made.symbol, Variable):
                return None, None
            symbol, call = made.symbol, made.call
        statuses: Statuses = NONE
        roles: tuple[str, ...] = ()
        if isinstance(symbol, External):
            statuses = guarding(symbol.name) or NONE
            if symbol.name.endswith("staff_member_required"):
                roles = ("staff",)
        elif isinstance(symbol, Function):
            statuses = self.refusals.of(symbol)
            roles = self.refusals.outcomes.asks(symbol) if statuses - TOO_OFTEN else ()
        elif isinstance(symbol, Class):
            statuses = self.refusals.of_class(symbol, ("__call__",))
        if call is not None and statuses - TOO_OFTEN:
            roles += keyword_roles(call) + tuple(role for one in call.args for role in roles_in(one))
        name = _last(symbol) or unparse(decorator.place.node)[:60]
        guard = Guard(name, scope, statuses - TOO_OFTEN, tuple(dict.fromkeys(roles))) if statuses - TOO_OFTEN else None
        limit = Limit(name, scope, rate_of(call) if call is not None else "") if statuses & TOO_OFTEN else None
        return guard, limit

    # -- classes and bodies -----------------------------------------------------------------------------------------

    def _of_class(self, view: Class) -> Iterator[Guard]:
        """Mixins of libraries, and what classes of the project do before they answer."""
        for base in sorted(self.symbols.bases(view)):
            known = guarding(base)
            if known and not (base.endswith("UserPassesTestMixin") and self._passes_all(view)):
                yield Guard(base.rpartition(".")[2], "class", known, self._asked(view, base))
        for owner in self.symbols.lineage(view):
            members = owner.module.members.get(id(owner.node), {})
            statuses: Statuses = NONE
            for name in BEFORE:
                member = members.get(name)
                if isinstance(member, Function):
                    statuses |= self.refusals.of(member)
            if statuses - TOO_OFTEN:
                yield Guard(owner.name, "class", statuses - TOO_OFTEN)

    def _passes_all(self, view: Class) -> bool:
        test = self.symbols.member(view, "test_func")
        returned = (
            [one for one in ast.walk(test.node) if isinstance(one, ast.Return)] if isinstance(test, Function) else []
        )
        return bool(returned) and all(
            isinstance(one.value, ast.Constant) and one.value.value is True for one in returned
        )

    def _asked(self, view: Class, base: str) -> tuple[str, ...]:
        if base.endswith("PermissionRequiredMixin"):
            member = self.symbols.member(view, "permission_required")
            return roles_in(member.value) if isinstance(member, Variable) else ()
        if base.endswith("UserPassesTestMixin"):
            member = self.symbols.member(view, "test_func")
            return roles_in_function(member) if isinstance(member, Function) else ()
        return ()

    def _is_own(self, view: Class) -> bool:
        """Does a view look for its object among those of the caller only?"""
        for name in ("get_queryset", "get_object"):
            member = self.symbols.member(view, name)
            if isinstance(member, Function) and "request.user" in _text(member):
                return True
        return False

    def _slowed(self, answer: Answer) -> Statuses:
        """A handler, or a form that it fills, that tells who tries too often to come back later."""
        places: list[Function | Class] = [answer.handler, *([answer.view] if answer.view is not None else [])]
        for call in answer.handler.module.calls_in(answer.handler):
            made = self.symbols.value(call.func, answer.handler.module, answer.handler)
            if isinstance(made, Class):
                places += self.symbols.lineage(made)
        return frozenset({429}) if any(map(self._says_later, places)) else NONE

    def _says_later(self, place: Function | Class) -> bool:
        key = id(place.node)
        if key not in self._later:
            self._later[key] = LATER.search(_text(place)) is not None and any(
                isinstance(node, ast.Constant) and isinstance(node.value, str) and LATER.search(node.value)
                for node in ast.walk(place.node)
            )
        return self._later[key]

    def _of_body(self, answer: Answer) -> Statuses:
        handler = answer.handler
        key = (id(handler.node) if handler.node.body else handler.name, id(answer.view.node) if answer.view else 0)
        if key not in self._bodies:
            statuses = self.refusals.of(answer.handler) if answer.handler.node.body else NONE
            if answer.view is not None and (not answer.handler.node.body or calls(answer.handler, "super")):
                statuses |= self.refusals.of_class(answer.view, HOOKS)
            if answer.view is not None and self.permissions.gets_object(answer) and self._is_own(answer.view):
                statuses |= {404}
            self._bodies[key] = statuses | self._slowed(answer)
        return self._bodies[key]


def _text(place: Function | Class) -> str:
    """The source of a function or class."""
    return "\n".join(place.module.file.lines[place.node.lineno - 1 : place.node.end_lineno])


def calls(function: Function, name: str) -> bool:
    """Does a function call something by this name?"""
    return any(isinstance(call.func, ast.Name) and call.func.id == name for call in function.module.calls_in(function))


def roles_in_function(function: Function) -> tuple[str, ...]:
    """What the answers of a test function ask of a caller."""
    returned = [one.value for one in ast.walk(function.node) if isinstance(one, ast.Return) and one.value is not None]
    return tuple(dict.fromkeys(role for one in returned for role in roles_in(one)))


def _name(symbol: Symbol | None) -> str:
    return symbol.name if isinstance(symbol, External) else ""


def _last(symbol: Symbol | None) -> str:
    if isinstance(symbol, External | Function | Class | Variable):
        return symbol.name.rpartition(".")[2]
    return ""
