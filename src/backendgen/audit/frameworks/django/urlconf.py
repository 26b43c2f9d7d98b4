"""What a project's URL configuration builds: `path(...)`, `include(...)` and routers as the values of a run.

The code of the configuration is run (`Construction`), not guessed at: loops, helpers, registries that decorators fill,
routers of the project. Conditions on settings take both branches: a route which another deployment has is there too.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from backendgen.audit.frameworks.construction import Construction
from backendgen.audit.frameworks.django.answers import answer
from backendgen.audit.frameworks.django.applications import Applications
from backendgen.audit.frameworks.django.deferral import plain_assignments
from backendgen.audit.frameworks.django.settings import Settings
from backendgen.audit.frameworks.django.values import (
    PATHS,
    Defaults,
    Registration,
    Registry,
    RouterUrls,
    Wrapped,
    default_routes,
    is_include,
    is_route,
    is_router,
    is_view,
    let_in,
    wraps,
)
from backendgen.audit.frameworks.made import UNKNOWN, Closure, Frame, Made, Place, Value
from backendgen.audit.frameworks.operations import truth
from backendgen.code.nodes import unparse
from backendgen.code.symbols import Class, External, Function, Module, Symbols, Variable

MAX_IMPORTS = 3
_OWN = (ast.IfExp, ast.Compare, ast.Attribute, ast.Yield, ast.YieldFrom, ast.Subscript)


class Urlconf(Construction):
    """Runs URL configurations of one project."""

    def __init__(self, symbols: Symbols) -> None:
        super().__init__(symbols, self._told)
        self.settings = Settings(symbols, self)
        self._level = 0
        self._deferred: set[int] = set()
        self._asked: set[int] = set()
        self._followed: set[int] = set()
        self._yielded: list[Value] = []
        self._lists: dict[tuple[int, ...], list[Value]] = {}
        self.applications = Applications(self)

    def patterns(self, module: Module) -> Value:
        """Return `urlpatterns` of a module, UNKNOWN without them."""
        found = self.run(module).names.get("urlpatterns")
        if found is None:
            found = self.known(self.symbols.lookup("urlpatterns", module))
        return found

    def run(self, module: Module) -> Frame:
        """Run a module, after the modules that it imports: what they register must be there."""
        if id(module) not in self._frames and self._level < MAX_IMPORTS:
            self._level += 1
            for one in self._imported(module):
                if id(one) not in self._frames:
                    self._frames[id(module)] = Frame(module)  # a cycle of imports ends here
                    self.run(one)
                    self._frames.pop(id(module), None)
            self._level -= 1
        if id(module) not in self._frames:
            self._deferred.update(map(id, plain_assignments(module.file.tree.body)))
        return super().run(module)

    def _assignment(self, node: ast.Assign | ast.AnnAssign | ast.AugAssign, frame: Frame) -> None:
        if id(node) not in self._deferred:
            target = node.target if isinstance(node, ast.AugAssign) and not self.is_default else None
            before = self.evaluate(target, frame) if target is not None else None
            known = len(before) if isinstance(before, list | tuple) else 0
            super()._assignment(node, frame)
            if target is not None:
                after = self.evaluate(target, frame)
                let_in(after[known:] if isinstance(after, list | tuple) else after)

    def _class(self, node: ast.ClassDef, frame: Frame) -> None:
        """A class's own statements are read when they are asked for; its decorators may register it."""
        owner = frame.module.class_of.get(id(node))
        if owner is not None:
            frame.names[node.name] = owner
            self._decorated(owner, node.decorator_list, frame)

    def _imported(self, module: Module) -> Iterator[Module]:
        for dotted, name in [*module.imports.values(), *((star, "") for star in module.stars)]:
            inner = self.symbols.module(f"{dotted}.{name}", module) if name else None
            found = inner or self.symbols.module(dotted, module)
            if found is not None and found is not module:
                yield found

    # -- what is known of values ------------------------------------------------------------------------------------

    def known(self, symbol: object) -> Value:
        """Return the value of a symbol; a setting has the value that the settings give it."""
        if isinstance(symbol, External) and symbol.name.startswith("django.conf.settings."):
            return self.settings.get(symbol.name.rpartition(".")[2], symbol)
        if isinstance(symbol, Variable) and symbol.scope is None:
            frame = self.run(symbol.module)
            if id(symbol.value) in self._asked:  # `APPS = [*APPS, "more"]`: the one that was imported
                return self._starred(symbol)
            if symbol.name not in frame.names and symbol.module.definitions.get(symbol.name) == symbol:
                self._asked.add(id(symbol.value))
                frame.names[symbol.name] = self.evaluate(symbol.value, frame)
                self._asked.discard(id(symbol.value))
        return super().known(symbol)  # type: ignore[arg-type]

    def _starred(self, symbol: Variable) -> Value:
        if id(symbol.value) in self._followed:  # modules that import each other's names in a circle
            return UNKNOWN
        self._followed.add(id(symbol.value))
        try:
            return self._imported_by_star(symbol)
        finally:
            self._followed.discard(id(symbol.value))

    def _imported_by_star(self, symbol: Variable) -> Value:
        for dotted in symbol.module.stars:
            source = self.symbols.module(dotted, symbol.module)
            found = self.symbols.lookup(symbol.name, source) if source is not None else None
            if isinstance(found, Variable):
                return self.known(found)
        return UNKNOWN

    def attribute(self, base: Value, name: str, frame: Frame) -> Value:
        """Return an attribute: those of classes and routers are what Django makes them."""
        if isinstance(base, Class):
            return self._of_a_class(base, name, frame)
        if isinstance(base, Made):
            if is_router(base) and not base.member:
                return self._of_router(base, name, frame)
            if isinstance(base.target, External) and name not in base.attributes:
                given = self._of_pattern(base, base.target.name, name)
                if given is not UNKNOWN:
                    return given
        return super().attribute(base, name, frame)

    def _of_a_class(self, base: Class, name: str, frame: Frame) -> Value:
        if name == "as_view":
            return Made(base, self.symbols.bases(base) | {"django.View"}, None, [], {}, {}, None, name)
        if name == "_meta":
            folders = base.module.file.path.rpartition("/")[0].split("/")
            label = next((one for one in reversed(folders) if one != "models"), "")
            name = base.node.name.lower()
            names = {
                "app_label": label,
                "model_name": name,
                "label": f"{label}.{base.node.name}",
                "label_lower": f"{label}.{name}",
            }
            return Made(None, frozenset(), None, attributes=dict(names))
        if name == "__name__":
            return base.node.name
        member = self.symbols.member(base, name)
        if isinstance(member, Function) and any(
            isinstance(one, ast.Name) and one.id == "classmethod" for one in member.node.decorator_list
        ):
            return Closure(member, None, base)
        return super().attribute(base, name, frame)

    def _of_pattern(self, base: Made, target: str, name: str) -> Value:
        """`callback` and `url_patterns` of a `path()`, the fields of a router's Route."""
        if target in PATHS and name in ("callback", "url_patterns"):
            view = base.argument(1, "view")
            if name == "callback":
                return None if is_include(view) else view
            return list(self.included(view)) if is_include(view) else UNKNOWN
        if is_route(base):
            order: tuple[str, ...] = ("url", "mapping", "name", "detail", "initkwargs")
            if target.endswith("DynamicRoute"):
                order = ("url", "name", "detail", "initkwargs")
            return base.argument(order.index(name), name, default=UNKNOWN) if name in order else UNKNOWN
        return UNKNOWN

    def included(self, view: Made) -> Iterator[Value]:
        """Yield what an `include(...)` includes, as far as it is a list."""
        given = view.argument(0, "arg")
        if isinstance(given, tuple) and given and not isinstance(given[0], Made):
            given = given[0]
        if isinstance(given, str):
            given = self.symbols.module(given, view.place.module) if view.place else None
        if isinstance(given, Module):
            given = self.patterns(given)
        if isinstance(given, list | tuple):
            yield from given

    # -- routers ----------------------------------------------------------------------------------------------------

    def _of_router(self, router: Made, name: str, frame: Frame) -> Value:
        if name in ("urls", "get_urls"):
            if " urls" not in router.attributes:
                router.attributes[" urls"] = self._urls(router)  # also what its own `urls` builds upon
                own = self._own_urls(router)
                if own is not None:
                    router.attributes[" urls"] = own
            return router.attributes[" urls"]
        if name == "registry":
            return router.attributes.setdefault("registry", [])
        if name == "routes" and name not in router.attributes:
            own = super().attribute(router, name, frame)
            router.attributes[name] = list(own) if isinstance(own, list | tuple) else default_routes()
        return super().attribute(router, name, frame)

    def _own_urls(self, router: Made) -> list[Value] | None:
        """What a router of the project makes of the routes, by its own `urls` or `get_urls`."""
        for name in ("urls", "get_urls"):
            method = self.symbols.member(router.target, name) if isinstance(router.target, Class) else None
            if isinstance(method, Function):
                given = self.call(Closure(method, self.run(method.module), router), [], {}, router.place)
                return list(given) if isinstance(given, list | tuple) else None
        return None

    def _urls(self, router: Value) -> Value:
        if not isinstance(router, Made):
            return UNKNOWN
        return [RouterUrls(router, router.attributes.setdefault(" registered", []))]

    def _told(self, made: Made) -> None:
        root = made.root
        if not self.is_default:
            let_in([made])
        if made.member and any(one.startswith("ninja") for one in root.kinds):
            root.attributes.setdefault(" told", []).append(made)
        if made.member == "get_routes()" and is_router(
            root
        ):  # `super().get_routes(viewset)`: the routes as they are now
            made.attributes[" routes"] = list(
                self._of_router(root, "routes", self.run(made.place.module)) if made.place else ()
            )
        if not made.member.endswith("register()") or not is_router(root) or made.place is None:
            return
        registered = root.attributes.setdefault(" registered", [])
        prefix, viewset = made.argument(0, "prefix", default=""), made.argument(1, "viewset")
        above = made.receiver.receiver if made.receiver is not None else None
        parent = above.attributes.get(" registration") if isinstance(above, Made) else None
        lookups = made.argument(3, "parents_query_lookups", default=())
        one = Registration(
            prefix if isinstance(prefix, str) else "", viewset, made.place, parent,
            tuple(lookups) if isinstance(lookups, list | tuple) else (), not self.is_default,
        )  # fmt: skip
        made.attributes[" registration"] = one
        registered.append(one)
        root.attributes.setdefault("registry", []).append((prefix, viewset, made.argument(2, "basename")))

    def _registering(
        self, register: Closure, args: list[Value], keywords: dict[str, Value], place: Place | None
    ) -> Value:
        """A router's own `register`: what it appends to the registry by itself, without the library's, is registered."""
        attributes = register.receiver.attributes
        registry, registered = attributes.setdefault("registry", []), attributes.setdefault(" registered", [])
        before, asked = len(registry), len(registered)
        result = super().call(register, args, keywords, place)
        if place is not None and len(registered) == asked:
            for one in registry[before:]:
                if isinstance(one, tuple) and len(one) > 1:
                    registered.append(Registration(one[0] if isinstance(one[0], str) else "", one[1], place))
        return result

    # -- calls and branches -----------------------------------------------------------------------------------------

    def call(self, target: Value, args: list[Value], keywords: dict[str, Value], place: Place | None) -> Value:
        """Return what a call gives; a view that a function of the project wraps stays a view."""
        if isinstance(target, Made) and target.member == "get_urls" and is_router(target.root):
            return self._urls(target.root)  # `super().get_urls()`
        if isinstance(target, Made) and target.member == "get_models" and " models" in target.root.attributes:
            return target.root.attributes[" models"]
        if isinstance(target, Made) and isinstance(target.target, Class) and not target.member:
            called = self.symbols.member(target.target, "__call__")
            target = Closure(called, None, target) if isinstance(called, Function) else target
        if isinstance(target, Made) and target.member == "_replace" and is_route(target.root):
            route = target.root
            return Made(route.target, route.kinds, route.place, route.args, {**route.keywords, **keywords})
        if isinstance(target, Closure) and target.function.node.name == "register" and is_router(target.receiver):
            return self._registering(target, args, keywords, place)
        views = [one for one in args if is_view(one)]
        result = self._generated(target, args, keywords, place)
        if isinstance(target, Closure) and views and place is not None and wraps(result, views[0], target.function):
            return Wrapped(views[0], target.function, place)
        return result

    def _generated(self, target: Value, args: list[Value], keywords: dict[str, Value], place: Place | None) -> Value:
        """What a call gives; of a generator, the list of what it yields."""
        if not isinstance(target, Closure) or not _yields(target.function):
            return super().call(target, args, keywords, place)
        key = (id(target.function.node), *map(id, args))
        if key not in self._lists:
            self._lists[key] = []
            outer, self._yielded = self._yielded, self._lists[key]
            super().call(target, args, keywords, place)
            self._yielded = outer
        return self._lists[key]

    def library(self, name: str, args: list[Value], keywords: dict[str, Value]) -> Value:
        """What calls of libraries give that URL configurations use for themselves."""
        known = answer(self, name, args)
        return super().library(name, args, keywords) if known is UNKNOWN else known

    def dotted(self, name: str) -> Value:
        """Return what a dotted text names."""
        module_name, _, attribute = name.rpartition(".")
        anyone = next(iter(self.symbols.modules.values()))
        module = self.symbols.module(module_name, anyone)
        if module is None:
            return External(name)
        found = self.run(module).names.get(attribute)
        return found if found is not None else self.known(self.symbols.lookup(attribute, module))

    def _if(self, node: ast.If, frame: Frame) -> bool:
        if self._asks_settings(node.test, frame):
            known = truth(self.evaluate(node.test, frame))
            for body, wanted in ((node.body, True), (node.orelse, False)):
                with self.by_default(known is wanted):
                    self._block(body, frame)
            return False
        return super()._if(node, frame)

    def evaluate(self, node: ast.expr, frame: Frame) -> Value:
        """Return the value of an expression; conditions on settings are not known, registries are dictionaries."""
        if not isinstance(node, _OWN):
            return super().evaluate(node, frame)
        if isinstance(node, ast.IfExp):
            return self._conditional(node, frame)
        if isinstance(node, ast.Attribute) and node.attr == "urls" and unparse(node.value) == "super()":
            return self._urls(self.evaluate(ast.Name("self", ast.Load()), frame))
        if isinstance(node, ast.Yield | ast.YieldFrom) and node.value is not None:
            given = self.evaluate(node.value, frame)
            many = isinstance(node, ast.YieldFrom) and isinstance(given, list | tuple)
            self._yielded.extend(given if many else [given])
            return None
        if isinstance(node, ast.Compare) and len(node.ops) == 1 and isinstance(node.ops[0], ast.Is | ast.Eq):
            sides = [self.evaluate(one, frame) for one in (node.left, node.comparators[0])]
            if all(isinstance(one, External) for one in sides):  # `type(view) is str`
                return sides[0] == sides[1]
        if isinstance(node, ast.Subscript):
            base = self.evaluate(node.value, frame)
            if isinstance(base, Made) and "dict" in base.kinds and base.args and isinstance(base.args[0], dict):
                base = base.args[0]
            if isinstance(base, dict):
                return self._item(base, self.evaluate(node.slice, frame))
        return super().evaluate(node, frame)

    def _item(self, base: dict[object, Value], key: Value) -> Value:
        if not isinstance(key, str | int):
            return UNKNOWN
        if key not in base and isinstance(base, Defaults):
            base[key] = base.made()
        return base.get(key, UNKNOWN if key in base or not isinstance(base, Registry) else [])

    def _conditional(self, node: ast.IfExp, frame: Frame) -> Value:
        if not self._asks_settings(node.test, frame):
            return super().evaluate(node, frame)
        known = truth(self.evaluate(node.test, frame))
        both: list[Value] = []
        for branch, wanted in ((node.body, True), (node.orelse, False)):
            with self.by_default(known is wanted):
                both.append(self.evaluate(branch, frame))
                if not self.is_default:
                    let_in(both[-1])
        lists = [one for one in both if isinstance(one, list | tuple)]
        if lists:
            return [one for part in lists for one in part]
        return both[1] if known is False or both[0] is UNKNOWN or both[0] is None else both[0]

    def _asks_settings(self, test: ast.expr, frame: Frame) -> bool:
        for node in ast.walk(test):
            if isinstance(node, ast.Name):
                found = self.symbols.lookup(node.id, frame.module)
                if isinstance(found, External) and found.name == "django.conf.settings":
                    return True
        return False


def _yields(function: Function) -> bool:
    """Is this a generator?"""
    lines = function.module.file.lines[function.node.lineno - 1 : function.node.end_lineno]
    return any("yield" in line for line in lines) and any(
        isinstance(one, ast.Yield | ast.YieldFrom) for one in ast.walk(function.node)
    )
