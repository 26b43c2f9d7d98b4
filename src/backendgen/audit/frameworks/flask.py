"""Flask, Quart and what is built on them: blueprints, class-based views, Flask-RESTful, RESTX, Smorest, APIFlask."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from backendgen.audit.frameworks.construction import Construction, required
from backendgen.audit.frameworks.dependencies import Attached, Dependencies
from backendgen.audit.frameworks.made import Closure, Made, Place, Value, elements, handler_of
from backendgen.audit.frameworks.outcomes import Outcomes
from backendgen.audit.frameworks.routers import guards_of, head_end, limits_of
from backendgen.audit.service import Endpoint, Parameter, Source, elsewhere
from backendgen.code.project import is_test
from backendgen.code.symbols import Class, Function, Module, Symbols, Variable
from backendgen.findings.finding import Location

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
VERBS = ("get", "post", "put", "patch", "delete")
HTTP_METHODS = (*VERBS, "head", "options", "trace")
VARIABLE = re.compile(r"<(?:(\w+)(?:\([^<>]*\))?:)?(\w+)>")
CONVERTED = {"int": "int", "float": "float", "uuid": "uuid.UUID", "any": "typing.Literal"}
LOCATIONS: dict[str, Source] = {
    "json": "body", "query": "query", "querystring": "query", "form": "form", "files": "file", "headers": "header",
    "cookies": "cookie", "path": "path",
}  # fmt: skip
READERS = frozenset({"arguments", "use_args", "use_kwargs", "input"})  # Smorest, webargs, APIFlask
ANSWERERS = {"response": 1, "output": 0, "marshal_with": 0, "marshal_list_with": 0, "alt_response": 1}


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as it is registered: its methods when they are given, the view behind it, and what wraps that."""

    path: str
    methods: tuple[str, ...]
    view: Value
    place: Place


@dataclass(eq=False, slots=True)
class Scaffold:
    """An application, blueprint, API or namespace."""

    name: str
    prefix: str = ""
    is_application: bool = False
    attached: list[Attached] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    parts: list[tuple[Scaffold, str]] = field(default_factory=list)
    is_joined: bool = True

    def join(self, prefix: str, path: str) -> str:
        """Applications and blueprints put a slash between prefix and rule, an Api puts nothing."""
        return f"{prefix.rstrip('/')}/{path.lstrip('/')}" if prefix and path and self.is_joined else prefix + path


class Flask:
    """Reads one project. Use `endpoints`."""

    def __init__(self, symbols: Symbols) -> None:
        self.symbols = symbols
        self.outcomes = Outcomes(symbols)
        self.dependencies = Dependencies(symbols, self.outcomes)
        self.construction = Construction(symbols, self._told)
        self._scaffolds: dict[int, tuple[Made, Scaffold]] = {}
        self._everywhere: list[Attached] = []

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Return every endpoint with all that guards it, in order of file and line."""
        modules = [one for one in self.symbols.modules.values() if not is_test(one.file.path)]
        if not any(MENTIONS.search(one.file.text) for one in modules):
            return ()
        for module in modules:
            self.construction.run(module)
        functions = [one for module in modules for one in module.functions if one.outer is None and _builds(one)]
        for is_asking in (False, True):  # what asks for nothing first: it may call the others with what they ask for
            for function in functions:
                given = self._meant(function)
                if is_asking or not set(required(function)) - set(given):
                    self.construction.uncalled(function, given)
        found = dict.fromkeys(self._expanded())
        return tuple(sorted(found, key=lambda one: (one.location.path, one.location.line, one.path, one.method)))

    def _meant(self, function: Function) -> dict[str, Value]:
        """A function that a program looks for (`load(app)` of a plug-in) is given the application that there is."""
        made = next((made for made, scaffold in self._scaffolds.values() if scaffold.is_application), None)
        return {one.arg: made for one in function.parameters if made is not None and one.arg in ("app", "application")}

    # -- what is built ----------------------------------------------------------------------------------------------

    def _told(self, made: Made) -> None:
        """Hear of an object or call of a library."""
        if not made.member:
            self._object(made)
            return
        holder = self._holder(made)
        if holder is not None and made.place is not None:
            self._action(holder[0], holder[1], made)

    def _object(self, made: Made) -> None:
        kinds = made.kinds
        if kinds & (APPLICATIONS | BLUEPRINTS | APIS | NAMESPACES):
            self._scaffold(made)
        elif kinds & LIMITERS and elements(made.argument(-1, "default_limits", default=())):
            rates = [one for one in elements(made.argument(-1, "default_limits", default=())) if isinstance(one, str)]
            if rates:
                self._everywhere.append(Attached("application", "Limiter", frozenset({429}), rate=rates[0]))

    def _scaffold(self, made: Made) -> Scaffold:
        known = self._scaffolds.get(id(made))
        if known is not None:
            return known[1]
        kinds = made.kinds
        name = made.argument(0, "name", "import_name")
        scaffold = Scaffold(name if isinstance(name, str) else "", is_application=bool(kinds & APPLICATIONS))
        self._scaffolds[id(made)] = (made, scaffold)
        if kinds & BLUEPRINTS:
            scaffold.prefix = _text(made.argument(5, "url_prefix"))
        elif kinds & APIS:
            scaffold.name, scaffold.is_joined = "", False
            scaffold.prefix = _text(made.argument(-1, "prefix"))
            if not scaffold.prefix and any("restful" in one for one in kinds):
                scaffold.prefix = _text(made.argument(1, "prefix"))
            self._attach(made.argument(-1, "decorators"), scaffold, made)
            self._joins(made.argument(0, "app", "blueprint", "spec_plugin"), scaffold)
        elif kinds & NAMESPACES:
            scaffold.prefix, scaffold.is_joined = _namespace_path(made), False
            self._attach(made.argument(-1, "decorators"), scaffold, made)
        return scaffold

    def _joins(self, whole: Value, part: Scaffold) -> None:
        """An Api is given the application or blueprint that it is a part of."""
        if isinstance(whole, Made) and id(whole) in self._scaffolds:
            parts = self._scaffolds[id(whole)][1].parts
            if all(one is not part for one, _ in parts):
                parts.append((part, part.prefix))

    def _holder(self, made: Made) -> tuple[Scaffold, str] | None:
        """The scaffold that a member belongs to, and the way from there."""
        one: Made | None = made
        while one is not None:
            known = self._scaffolds.get(id(one))
            if known is not None and one is not made:
                return known[1], made.member[len(one.member) :].lstrip(".")
            one = one.receiver
        return None

    def _action(self, scaffold: Scaffold, member: str, made: Made) -> None:
        name, _, rest = member.partition("(")
        if rest == ")":
            self._called(scaffold, name, made)
        elif rest == ")()" and (name in ("route", "resource", *VERBS, "websocket")) and made.args:
            self._routed(scaffold, name, made)

    def _called(self, scaffold: Scaffold, name: str, made: Made) -> None:
        """Something that is done to an application, blueprint, API or namespace."""
        if name == "add_url_rule":
            view = made.argument(2, "view_func")
            scaffold.rules.append(Rule(_text(made.argument(0, "rule")), _methods(made), view, _place(made)))
        elif name in ("register_blueprint", "register_api", "add_namespace"):
            self._included(scaffold, made, "path" if name == "add_namespace" else "url_prefix")
        elif name == "namespace":
            part = Scaffold(scaffold.name, _namespace_path(made), is_joined=False)
            self._scaffolds[id(made)] = (made, part)
            self._attach(made.argument(-1, "decorators"), part, made)
            scaffold.parts.append((part, part.prefix))
        elif name in ("add_resource", "_register_view"):
            for path in made.args[1:]:
                scaffold.rules.append(Rule(_text(path), (), made.argument(0, "resource"), _place(made)))
        elif name == "init_app":
            self._joins(made.argument(0, "app"), scaffold)
        elif name in ("before_request", "before_websocket", "before_app_request") and made.args:
            self._before(scaffold, name, made.args[0])

    def _routed(self, scaffold: Scaffold, name: str, made: Made) -> None:
        """`@app.route("/orders")` was put on a function or class."""
        call = made.receiver
        if call is None:
            return
        methods = (name.upper(),) if name in (*VERBS, "websocket") else _methods(call)
        paths = [one for one in call.args if isinstance(one, str)] or [_text(call.argument(0, "rule"))]
        is_resource = name == "resource" or isinstance(made.args[0], Class)
        for path in paths if is_resource else paths[:1]:
            scaffold.rules.append(Rule(path, methods, made.args[0], _place(call)))

    def _included(self, scaffold: Scaffold, made: Made, word: str) -> None:
        given = made.argument(0, "blueprint", "ns", "api")
        if not isinstance(given, Made) or id(given) not in self._scaffolds:
            return
        part = self._scaffolds[id(given)][1]
        prefix = made.argument(1 if word == "path" else -1, word)
        scaffold.parts.append((part, prefix if isinstance(prefix, str) else part.prefix))

    def _before(self, scaffold: Scaffold, name: str, function: Value) -> None:
        found, wraps = handler_of(function)
        if not isinstance(found, Closure):
            return
        is_application = scaffold.is_application or name == "before_app_request"
        scope = found.function
        one = Attached("application" if is_application else "router", scope.name, self.outcomes.of(scope), target=scope)
        guards = [one, *(self.dependencies.wrapper(wrap, one.scope) for wrap in wraps)]
        (self._everywhere if name == "before_app_request" else scaffold.attached).extend(guards)

    def _attach(self, decorators: Value, scaffold: Scaffold, made: Made) -> None:
        """`Api(decorators=[login_required])`: around every resource of it."""
        if decorators is None or made.place is None or not isinstance(made.place.node, ast.Call):
            return
        for keyword in made.place.node.keywords:
            if keyword.arg == "decorators" and isinstance(keyword.value, ast.List | ast.Tuple):
                places = [Place(one, made.place.module, made.place.scope) for one in keyword.value.elts]
                scaffold.attached.extend(self.dependencies.wrapper(one, "router") for one in places)

    # -- endpoints --------------------------------------------------------------------------------------------------

    def _expanded(self) -> Iterator[Endpoint]:
        scaffolds = [scaffold for _, scaffold in self._scaffolds.values()]
        reached: set[int] = set()
        for scaffold in scaffolds:
            if scaffold.is_application:
                yield from self._under(scaffold, "", [], reached, (), True)
        parts = {id(part) for scaffold in scaffolds for part, _ in scaffold.parts}
        for tops_only in (True, False):
            for scaffold in scaffolds:
                if id(scaffold) not in reached and not (tops_only and id(scaffold) in parts):
                    yield from self._under(scaffold, scaffold.prefix, [], reached, (), False)

    def _under(
        self,
        scaffold: Scaffold,
        prefix: str,
        above: list[Attached],
        reached: set[int],
        trail: tuple[int, ...],
        mounted: bool,
    ) -> Iterator[Endpoint]:
        if id(scaffold) in trail or len(trail) > 20:
            return
        reached.add(id(scaffold))
        attached = [*above, *scaffold.attached, *(self._everywhere if not trail else ())]
        for rule in scaffold.rules:
            yield from self._endpoints_of(rule, _path(scaffold.join(prefix, rule.path)), attached, scaffold, mounted)
        for part, at in scaffold.parts:
            yield from self._under(part, scaffold.join(prefix, at), attached, reached, (*trail, id(scaffold)), mounted)

    def _endpoints_of(
        self, rule: Rule, path: str, attached: list[Attached], scaffold: Scaffold, mounted: bool
    ) -> Iterator[Endpoint]:
        found, wraps = handler_of(rule.view)
        view = found if isinstance(found, Class) else None
        if isinstance(found, Made):
            owner = found.root.target
            view = owner if found.member == "as_view()" and isinstance(owner, Class) else None
        around = [*attached, *(self.dependencies.wrapper(one, "route") for one in wraps)]
        if view is None:
            handler = (
                found.function
                if isinstance(found, Closure)
                else elsewhere("view", rule.place.module, rule.place.node.lineno)
            )
            for method in rule.methods or ("GET",):
                yield self._endpoint(rule, method, path, handler, around, scaffold, mounted, None, wraps)
            return
        around += self._of_view(view)
        for method, function in self._handlers(view, rule.methods):
            more = [*around, *self._of_method(view, function, method)]
            yield self._endpoint(
                rule, method, path, function, more, scaffold, mounted, view, self._decorators(function)
            )

    def _handlers(self, view: Class, given: tuple[str, ...]) -> Iterator[tuple[str, Function]]:
        """The methods of a class-based view that answer: one for each verb, or `dispatch_request` for all."""
        verbs = [(name.upper(), self.symbols.member(view, name)) for name in HTTP_METHODS]
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
        rule: Rule,
        method: str,
        path: str,
        handler: Function,
        attached: list[Attached],
        scaffold: Scaffold,
        mounted: bool,
        view: Class | None,
        wraps: tuple[Place, ...],
    ) -> Endpoint:
        every = [*attached, Attached("body", handler.name, self.outcomes.of(handler), target=handler)]
        call = rule.place.node
        end = head_end(handler, call) if isinstance(call, ast.Call) else call.lineno
        location = Location(rule.place.module.file.path, call.lineno, call.col_offset + 1, end)
        return Endpoint(
            method, path, handler, location, scaffold.name, tuple(_parameters(handler, rule.path, path, wraps)),
            guards=tuple(dict.fromkeys(guards_of(every))), limits=tuple(dict.fromkeys(limits_of(every))),
            response=_response(wraps) or handler.node.returns, mounted=mounted, framework="Flask", view=view,
        )  # fmt: skip


def _builds(function: Function) -> bool:
    """May a function that nothing calls build a part of an application?"""
    first = function.node.lineno - 1
    text = "\n".join(function.module.file.lines[first : function.node.end_lineno])
    return ACTIONS.search(text) is not None


def _text(value: Value) -> str:
    return value if isinstance(value, str) else ""


def _place(made: Made) -> Place:
    assert made.place is not None  # only calls are told
    return made.place


def _methods(made: Made) -> tuple[str, ...]:
    """The methods that a rule lists; none when it leaves that to the view."""
    listed = made.argument(-1, "methods")
    return tuple(dict.fromkeys(one.upper() for one in elements(listed) if isinstance(one, str)))


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


def _parameters(handler: Function, rule: str, path: str, wraps: tuple[Place, ...]) -> Iterator[Parameter]:
    """A handler's parameters: variables of the path, and what decorators read from the request."""
    kinds = {name: CONVERTED.get(converter, "") for converter, name in VARIABLE.findall(rule)}
    in_path = set(re.findall(r"{(\w+)", path))
    read = [source for wrap in wraps for source in _read(wrap)]
    own = handler.parameters
    for argument in own[1:] if handler.owner is not None and own else own:
        if argument.arg in in_path:
            yield Parameter(
                argument.arg,
                "path",
                argument.annotation,
                handler.module,
                argument.lineno,
                None,
                None,
                kinds.get(argument.arg, ""),
            )
        elif read:
            yield Parameter(argument.arg, read.pop(0), None, handler.module, argument.lineno)


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
