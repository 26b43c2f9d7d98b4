"""Flask, Quart and what is built on them: blueprints, class-based views, Flask-RESTful, RESTX, Smorest, APIFlask."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import replace

from backendgen.audit.frameworks.construction import Construction
from backendgen.audit.frameworks.dependencies import Attached, Dependencies
from backendgen.audit.frameworks.made import Closure, Made, Place, Value, elements, handler_of
from backendgen.audit.frameworks.outcomes import NONE, Outcomes
from backendgen.audit.frameworks.preprocessors import Branches, taken
from backendgen.audit.frameworks.routers import (
    VERBS,
    Part,
    Reached,
    Route,
    Router,
    Routers,
    build,
    guards_of,
    in_order,
    keyword,
    limits_of,
    location_of,
    methods_of,
    sizes_of,
    text_of,
)
from backendgen.audit.frameworks.sizes import FLASK, of_flask
from backendgen.audit.frameworks.strangers import refusals
from backendgen.audit.service import Endpoint, Parameter, Scope, Source, elsewhere
from backendgen.code.symbols import Class, Function, Module, Symbols, Variable

MENTIONS = re.compile(r"\b(?:from|import) +(?:flask|quart|apiflask)", re.IGNORECASE)
ACTIONS = re.compile(
    r"Flask|Blueprint|\bAPI\b|Api\b|Quart|route|add_url_rule|add_(?:resource|namespace)|before_request|\bapp\b"
)
APPLICATIONS = frozenset({
    "flask.Flask", "flask.app.Flask", "quart.Quart", "quart.app.Quart", "quart_trio.QuartTrio", "apiflask.APIFlask",
    "apiflask.app.APIFlask", "flask_openapi3.OpenAPI",
})  # fmt: skip
BLUEPRINTS = frozenset({
    "flask.Blueprint", "flask.blueprints.Blueprint", "quart.Blueprint", "quart.blueprints.Blueprint",
    "flask_smorest.Blueprint", "flask_smorest.blueprint.Blueprint", "apiflask.APIBlueprint",
    "apiflask.blueprint.APIBlueprint", "flask_openapi3.APIBlueprint",
})  # fmt: skip
APIS = frozenset({
    "flask_restful.Api", "flask_restx.Api", "flask_restx.api.Api", "flask_restplus.Api", "flask_smorest.Api",
})  # fmt: skip
NAMESPACES = frozenset({
    "flask_restx.Namespace", "flask_restx.namespace.Namespace", "flask_restplus.Namespace",
})  # fmt: skip
LIMITERS = frozenset({"flask_limiter.Limiter", "flask_limiter.extension.Limiter"})
VARIABLE = re.compile(r"<(?:(\w+)(?:\([^<>]*\))?:)?(\w+)>")
CONVERTED = {"int": "int", "float": "float", "uuid": "uuid.UUID", "any": "typing.Literal"}
LOCATIONS: dict[str, Source] = {
    "json": "body", "query": "query", "querystring": "query", "form": "form", "files": "file", "headers": "header",
    "cookies": "cookie", "path": "path",
}  # fmt: skip
READERS = frozenset({"arguments", "use_args", "use_kwargs", "input"})  # Smorest, webargs, APIFlask
HOOKS = frozenset({
    "before_request", "before_websocket", "before_app_request", "url_value_preprocessor", "app_url_value_preprocessor",
})  # fmt: skip
ANSWERERS = {"response": 1, "output": 0, "marshal_with": 0, "marshal_list_with": 0, "alt_response": 1}


class Flask:
    """Reads one project. Use `endpoints`."""

    def __init__(self, symbols: Symbols) -> None:
        self.symbols = symbols
        self.outcomes = Outcomes(symbols)
        self.dependencies = Dependencies(symbols, self.outcomes)
        self.construction = Construction(symbols, self._told)
        self.routers = Routers()
        self._everywhere: list[Attached] = []

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Return every endpoint with all that guards it, in order of file and line."""
        if not self.symbols.mentioning(MENTIONS, "flask", "quart"):
            return ()
        self.outcomes.learn_handlers()
        build(self.construction, list(self.symbols.modules.values()), ACTIONS, self._meant)
        size = of_flask(self.symbols)
        self._everywhere += [Attached("application", FLASK, NONE, size=size)] if size else []
        return in_order(
            endpoint for reached in self.routers.reached(self.symbols) for endpoint in self._endpoints_of(reached)
        )

    @property
    def _is_optional(self) -> bool:
        return not self.construction.is_default

    def _meant(self, function: Function) -> dict[str, Value]:
        """A function that a program looks for (`load(app)` of a plug-in) is given the application that there is."""
        made = self.routers.application()
        return {one.arg: made for one in function.parameters if made is not None and one.arg in ("app", "application")}

    # -- what is built ----------------------------------------------------------------------------------------------

    def _told(self, made: Made) -> None:
        """Hear of an object or call of a library."""
        if not made.member:
            self._object(made)
            return
        holder = self.routers.holder(made)
        if holder is None or made.place is None:
            return
        router, member = holder
        name, _, rest = member.partition("(")
        if rest == ")":
            self._called(router, name, made)
        elif rest == ")()" and name in ("route", "resource", "websocket", *VERBS) and made.args:
            self._routed(router, name, made)

    def _object(self, made: Made) -> None:
        kinds = made.kinds
        if kinds & (APPLICATIONS | BLUEPRINTS):
            name, prefix = text_of(made.argument(0, "name", "import_name")), text_of(made.argument(5, "url_prefix"))
            is_application = bool(kinds & APPLICATIONS)
            self.routers.add(made, Router(name, "" if is_application else prefix, is_application, "Flask", True))
        elif kinds & APIS:
            position = 1 if any("restful" in one for one in kinds) else -1
            router = Router("", text_of(made.argument(position, "prefix")))
            self._attach(self.routers.add(made, router), made)
            self._joins(made.argument(0, "app", "blueprint"), router)
        elif kinds & NAMESPACES:
            self._attach(self.routers.add(made, Router(text_of(made.argument(0, "name")), _namespace_path(made))), made)
        elif kinds & LIMITERS:
            rates = [one for one in elements(made.argument(-1, "default_limits")) if isinstance(one, str)]
            limit = Attached("application", "Limiter", frozenset({429}), rate="; ".join(rates))
            self._everywhere += [limit] if rates else []

    def _part(self, router: Router, prefix: str) -> Part:
        return Part(router, prefix, [], self._is_optional)

    def _joins(self, whole: Value, part: Router) -> None:
        """An Api is given the application or blueprint that it is a part of."""
        router = self.routers.of(whole)
        if router is not None:
            router.take(self._part(part, part.prefix))

    def _called(self, router: Router, name: str, made: Made) -> None:
        """Something that is done to an application, blueprint, API or namespace."""
        if name == "add_url_rule":
            view = made.argument(2, "view_func")
            router.routes.append(
                Route(methods_of(made), text_of(made.argument(0, "rule")), view, made, self._is_optional)
            )
        elif name in ("register_blueprint", "register_api", "add_namespace"):
            part = self.routers.of(made.argument(0, "blueprint", "ns", "api"))
            prefix = made.argument(1, "path") if name == "add_namespace" else made.argument(-1, "url_prefix")
            if part is not None:
                router.take(self._part(part, prefix if isinstance(prefix, str) else part.prefix))
        elif name == "namespace":
            part = self.routers.add(made, Router(router.name, _namespace_path(made)))
            self._attach(part, made)
            router.take(self._part(part, part.prefix))
        elif name == "add_resource":
            for path in made.args[1:]:
                router.routes.append(Route((), text_of(path), made.argument(0, "resource"), made, self._is_optional))
        elif name == "init_app":
            self._joins(made.argument(0, "app"), router)
        elif name in HOOKS and made.args:
            self._before(router, name, made.args[0])

    def _routed(self, router: Router, name: str, made: Made) -> None:
        """`@app.route("/orders")` was put on a function or class."""
        call = made.receiver
        if call is None or call.place is None:
            return
        methods = methods_of(call) if name in ("route", "resource") else (name.upper(),)
        paths = [one for one in call.args if isinstance(one, str)] or [text_of(call.argument(0, "rule"))]
        for path in paths if isinstance(made.args[0], Class) else paths[:1]:
            router.routes.append(Route(methods, path, made.args[0], call, self._is_optional))

    def _before(self, router: Router, name: str, function: Value) -> None:
        """Attach a hook that runs before views. One that takes variables of the path is judged at each route."""
        found, wraps = handler_of(function)
        if isinstance(found, Closure):
            asks, everywhere = found.function, "_app_" in f"_{name}"
            scope: Scope = "application" if router.is_application or everywhere else "router"
            takes = taken(asks) if "preprocessor" in name else frozenset[str]()
            statuses = NONE if takes else refusals(self.outcomes, asks)
            one = Attached(scope, asks.name, statuses, target=asks, roles=self.outcomes.asks(asks), takes=takes)
            guards = [one, *(self.dependencies.wrapper(wrap, one.scope) for wrap in wraps)]
            (self._everywhere if everywhere else router.attached).extend(guards)

    def _at(self, reached: Reached, one: Attached) -> Attached:
        """What is attached above a route, as it is for requests to that route."""
        variables = frozenset(name for _, name in VARIABLE.findall(reached.path))
        if not one.takes & variables or not isinstance(one.target, Function):
            return one
        branches = Branches(one.target, _endpoint_of(reached), variables)
        return replace(one, statuses=refusals(self.outcomes, one.target, branches))

    def _attach(self, router: Router, made: Made) -> None:
        """`Api(decorators=[login_required])`: around every resource of it."""
        listed = keyword(made.place, "decorators")
        if made.place is not None and isinstance(listed, ast.List | ast.Tuple):
            places = (Place(one, made.place.module, made.place.scope) for one in listed.elts)
            router.attached.extend(self.dependencies.wrapper(one, "router") for one in places)

    # -- endpoints --------------------------------------------------------------------------------------------------

    def _endpoints_of(self, reached: Reached) -> Iterator[Endpoint]:
        rule = reached.route
        found, wraps = handler_of(rule.view)
        view = found if isinstance(found, Class) else None
        if isinstance(found, Made):
            owner = found.root.target
            view = owner if found.member == "as_view()" and isinstance(owner, Class) else None
        around = [self._at(reached, one) for one in (*self._everywhere, *reached.attached)]
        around += [self.dependencies.wrapper(one, "route") for one in wraps]
        if view is None:
            handler = (
                found.function
                if isinstance(found, Closure)
                else elsewhere("view", rule.place.module, rule.place.node.lineno)
            )
            for method in rule.methods or ("GET",):
                yield self._endpoint(reached, method, handler, around, None, wraps)
            return
        around += self._of_view(view)
        for method, function in self._handlers(view, rule.methods):
            more = [*around, *self._of_method(view, function, method)]
            yield self._endpoint(reached, method, function, more, view, self._decorators(function))

    def _handlers(self, view: Class, given: tuple[str, ...]) -> Iterator[tuple[str, Function]]:
        """The methods of a class-based view that answer: one for each verb, or `dispatch_request` for all."""
        verbs = [(name.upper(), self.symbols.member(view, name)) for name in VERBS]
        found = [(verb, one) for verb, one in verbs if isinstance(one, Function) and (not given or verb in given)]
        if found:
            yield from found
            return
        dispatch = self.symbols.member(view, "dispatch_request")
        function = dispatch if isinstance(dispatch, Function) else elsewhere(view.name, view.module, view.line, view)
        listed = self.symbols.member(view, "methods")
        methods = (
            self.construction.evaluate(listed.value, self.construction.run(listed.module))
            if isinstance(listed, Variable)
            else ()
        )
        for method in given or tuple(one.upper() for one in elements(methods) if isinstance(one, str)) or ("GET",):
            yield method, function

    def _of_view(self, view: Class) -> list[Attached]:
        """What a class-based view has around all its methods: `decorators`, `method_decorators`, its dispatching."""
        found = [self.dependencies.wrapper(one, "class") for one in self._members(view, "decorators")]
        found += [self.dependencies.wrapper(one, "class") for one in self._members(view, "method_decorators")]
        for name in ("dispatch_request", "__init__"):
            dispatch = self.symbols.member(view, name)
            if isinstance(dispatch, Function):
                found.append(Attached("class", dispatch.name, self.outcomes.of(dispatch), target=dispatch))
        return found

    def _members(self, view: Class, name: str) -> Iterator[Place]:
        """The expressions in a class's list, also `[mine, *Base.decorators]` and `Base.decorators + [mine]`."""
        member = self.symbols.member(view, name)
        pending: list[tuple[ast.expr, Module]] = [(member.value, member.module)] if isinstance(member, Variable) else []
        while pending and len(pending) < 100:
            node, module = pending.pop()
            if isinstance(node, ast.List | ast.Tuple):
                pending.extend((one, module) for one in node.elts)
            elif isinstance(node, ast.BinOp):
                pending.extend([(node.left, module), (node.right, module)])
            elif isinstance(node, ast.Dict):
                continue
            else:
                node = node.value if isinstance(node, ast.Starred) else node
                known = self.symbols.resolve(node, module)
                if isinstance(known, Variable) and isinstance(known.value, ast.List | ast.Tuple | ast.BinOp):
                    pending.append((known.value, known.module))
                else:
                    yield Place(node, module, None)

    def _of_method(self, view: Class, function: Function, method: str) -> list[Attached]:
        found = [self.dependencies.wrapper(one, "route") for one in self._decorators(function)]
        listed = self.symbols.member(view, "method_decorators")
        if isinstance(listed, Variable) and isinstance(listed.value, ast.Dict):
            for key, value in zip(listed.value.keys, listed.value.values, strict=True):
                if (
                    isinstance(key, ast.Constant)
                    and key.value == method.lower()
                    and isinstance(value, ast.List | ast.Tuple)
                ):
                    found += [self.dependencies.wrapper(Place(one, listed.module, None), "class") for one in value.elts]
        return found

    def _decorators(self, function: Function) -> tuple[Place, ...]:
        return tuple(Place(one, function.module, function.outer) for one in function.node.decorator_list)

    def _endpoint(
        self,
        reached: Reached,
        method: str,
        handler: Function,
        attached: list[Attached],
        view: Class | None,
        wraps: tuple[Place, ...],
    ) -> Endpoint:
        every = [*attached, Attached("body", handler.name, self.outcomes.of(handler), target=handler)]
        path = _path(reached.path)
        return Endpoint(
            method, path, handler, location_of(reached.route.place, handler), reached.router.name,
            tuple(_parameters(handler, reached.path, wraps)), (), guards_of(every), limits_of(every),
            _response(wraps) or handler.node.returns, reached.mounted, "Flask", view, reached.optional,
            sizes_of(every, self.outcomes),
        )  # fmt: skip


def _endpoint_of(reached: Reached) -> str:
    """The name that Flask gives a route, `orders.index`; empty for what is not a plain function."""
    found, _ = handler_of(reached.route.view)
    given = text_of(reached.route.call.argument(-1, "endpoint"))
    name = given or (found.function.name if isinstance(found, Closure) else "")
    return f"{reached.router.name}.{name}" if name and not reached.router.is_application else name


def _namespace_path(made: Made) -> str:
    """A namespace is found under its `path`, or under its name."""
    path = made.argument(2, "path")
    name = made.argument(0, "name")
    return path if isinstance(path, str) else "/" + name if isinstance(name, str) else ""


def _path(rule: str) -> str:
    """`/orders/<int:id>` as `/orders/{id:int}`."""

    def written(found: re.Match[str]) -> str:
        return f"{{{found[2]}:{found[1]}}}" if found[1] and found[1] not in ("string", "default") else f"{{{found[2]}}}"

    path = re.sub(r"(?<!:)//+", "/", VARIABLE.sub(written, rule))
    return path if path.startswith("/") else "/" + path


def _parameters(handler: Function, rule: str, wraps: tuple[Place, ...]) -> Iterator[Parameter]:
    """A handler's parameters: variables of the path, and what decorators read from the request."""
    kinds = {name: CONVERTED.get(converter, "") for converter, name in VARIABLE.findall(rule)}
    read = [source for wrap in wraps for source in _read(wrap)]
    own, module = handler.parameters, handler.module
    for one in own[1:] if handler.owner is not None and own else own:
        if one.arg in kinds:
            yield Parameter(one.arg, "path", one.annotation, module, one.lineno, kind=kinds[one.arg])
        elif read:
            yield Parameter(one.arg, read.pop(0), None, module, one.lineno)


def _read(wrap: Place) -> Iterator[Source]:
    """`@blp.arguments(Schema, location="query")`: where the value that a decorator hands over comes from."""
    call = wrap.node
    if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute | ast.Name):
        name = call.func.attr if isinstance(call.func, ast.Attribute) else call.func.id
        if name in READERS:
            given = [one.value for one in call.keywords if one.arg == "location"]
            given += [one for one in call.args[1:2] if isinstance(one, ast.Constant)]
            where = given[0].value if given and isinstance(given[0], ast.Constant) else "json"
            yield LOCATIONS.get(str(where), "body")


def _response(wraps: tuple[Place, ...]) -> ast.expr | None:
    """What a decorator says is answered: `@blp.response(200, OrderSchema)`, `@marshal_with(fields)`."""
    for wrap in wraps:
        call = wrap.node
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute | ast.Name):
            name = call.func.attr if isinstance(call.func, ast.Attribute) else call.func.id
            position = ANSWERERS.get(name, -1)
            if 0 <= position < len(call.args):
                return call.args[position]
    return None
