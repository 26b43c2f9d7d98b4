"""Access to Django and Django REST framework: views that are opened, defaults, mass assignment, forged requests."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from backendgen.audit.checks.access import is_open, opened
from backendgen.audit.registry import Context, check
from backendgen.audit.service import ANY, WRITES, Endpoint
from backendgen.code.nodes import unparse
from backendgen.code.project import is_test
from backendgen.code.symbols import Class, External, Function, Module, Variable
from backendgen.findings.finding import Hit, Location
from backendgen.rules import Confidence, Severity

REST = "Django REST framework"
PERMISSIONS = "DEFAULT_PERMISSION_CLASSES"
AUTHORITY = re.compile(
    r"(?:is_(?:staff|superuser|admin|verified|approved)|roles?|groups|user_permissions|permissions|password|balance|credits?"
    r"|price|tenant(?:_id)?|(?:email_)?verified|approved)"
)
SESSION = frozenset({302})
IS_FORM = re.compile(r"(?:^|\.)Model(?:Form|Serializer)$|HyperlinkedModelSerializer$")

ASSIGNED = re.compile(r"\b(?:serializer_class|form_class|form|model_form)\s*=\s*((?:\w+\.)*\w+)")
CALLED = re.compile(r"\b(\w+)(?=\((?:[^()]|\([^()]*\))*?(?:\bdata=|\brequest\.(?:POST|data)\b))")


@check("BG370")
def opened_view(context: Context) -> Iterator[Hit]:
    """Views that say themselves that anyone may write through them."""
    found: dict[int, tuple[Variable, list[Endpoint]]] = {}
    for endpoint in context.service.endpoints:
        declared = opened(context, endpoint) if endpoint.method in WRITES else None
        if declared is not None and not is_open(endpoint, context.config.public):
            found.setdefault(id(declared.value), (declared, []))[1].append(endpoint)
    for declared, endpoints in found.values():
        names = ", ".join(f"`{one.name}`" for one in endpoints[:3])
        view = endpoints[0].view
        yield Hit(
            _at(declared.module, declared.value),
            f"`{view.name if view else ''}` lets anyone write: {names}",
            fix="permission_classes = [IsAuthenticated]\n"
            f'or, when it is open on purpose, in the configuration: public = ["{endpoints[0].name}"]',
            symbol=view.name if view else "",
            confidence=Confidence.HIGH if all(one.mounted for one in endpoints) else Confidence.LOW,
        )


@check("BG371")
def default_permissions(context: Context) -> Iterator[Hit]:
    """Settings of Django REST framework that leave views open which say nothing themselves."""
    endpoints = [one for one in context.service.endpoints if one.framework == REST and one.method != ANY]
    settings = list(_settings(context))
    if not endpoints or any(_guards_by_default(module, given) for module, given in settings):
        return
    silent = [
        one
        for one in endpoints
        if not one.guards and _says_nothing(context, one) and not is_open(one, context.config.public)
    ]
    if not silent:
        return
    names = ", ".join(f"`{one.name}`" for one in silent[:3]) + (
        f" and {len(silent) - 3} more" if len(silent) > 3 else ""
    )
    module, given = settings[0] if settings else (None, None)
    where = _at(module, given) if module is not None and given is not None else _installed(context)
    if where is None:
        return
    yield Hit(
        where,
        f"views that declare no permission classes are open to anyone: {names}",
        fix='REST_FRAMEWORK = {"DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"]}\n'
        "and permission_classes = [AllowAny] where a view is open on purpose",
        symbol="REST_FRAMEWORK",
    )


@check("BG372")
def all_fields(context: Context) -> Iterator[Hit]:
    """Forms and serializers through which callers may set every column of a model."""
    filled = _filled(context)
    for module in context.symbols.modules.values():
        if is_test(module.file.path) or "__all__" not in module.file.text or module.file.path.endswith("admin.py"):
            continue
        for owner in module.classes:
            if not any(IS_FORM.search(base) for base in context.symbols.bases(owner)):
                continue
            meta = context.symbols.member(owner, "Meta")
            fields = _of(meta, "fields") if isinstance(meta, Class) and meta.module is module else None
            if fields is None or not isinstance(fields.value, ast.Constant) or fields.value.value != "__all__":
                continue
            model = _of(meta, "model") if isinstance(meta, Class) else None
            target = context.symbols.value(model.value, module) if model is not None else None
            writable = sorted(_writable(context, target, owner, meta)) if isinstance(target, Class) else []
            if meta is None or owner.node.name not in filled:
                continue
            shown = ", ".join(f"`{one}`" for one in writable)
            yield Hit(
                _at(module, fields.value),
                f"callers may set every field through `{owner.name}`" + (f", also {shown}" if writable else ""),
                fix="list the fields that callers may set: fields = [...]"
                + (f", or read_only_fields = {writable!r}" if writable else ""),
                symbol=owner.name,
                severity=Severity.HIGH if writable else Severity.LOW,
                confidence=Confidence.MEDIUM if writable else Confidence.LOW,
            )


@check("BG373")
def forged_requests(context: Context) -> Iterator[Hit]:
    """Views that know their caller by a cookie and accept requests that another website made."""
    for endpoint in context.service.endpoints:
        if endpoint.framework != "Django" or endpoint.method not in {*WRITES, ANY} or endpoint.is_elsewhere:
            continue
        places: list[Function | Class] = [endpoint.handler, *([endpoint.view] if endpoint.view is not None else [])]
        decorators = [(node, one.module) for one in places for node in one.node.decorator_list]
        exempt = next((node for node, module in decorators if _is_exempt(context, node, module)), None)
        by_cookie = [one.name for one in endpoint.guards if one.statuses & SESSION]
        if exempt is None or not by_cookie or any(401 in one.statuses for one in endpoint.guards):
            continue
        yield Hit(
            _at(endpoint.handler.module, exempt),
            f"`{endpoint.name}` ({endpoint.handler.name}) knows its caller by the session cookie (`{by_cookie[0]}`) and is "
            "exempt from the check for forged requests",
            fix="remove csrf_exempt and send the token: the X-CSRFToken header, or {% csrf_token %}",
            symbol=endpoint.name,
        )
    for module in context.symbols.modules.values():
        if "enforce_csrf" not in module.file.text or is_test(module.file.path):
            continue
        for owner in module.classes:
            method = module.members.get(id(owner.node), {}).get("enforce_csrf")
            is_session = any(one.endswith(".SessionAuthentication") for one in context.symbols.bases(owner))
            if is_session and isinstance(method, Function) and _does_nothing(method):
                yield Hit(
                    _at(module, method.node),
                    f"`{owner.name}` authenticates by the session cookie and accepts forged requests",
                    fix="use SessionAuthentication as it is, and send the X-CSRFToken header",
                    symbol=owner.name,
                )


def _is_exempt(context: Context, node: ast.expr, module: Module) -> bool:
    called = node.func if isinstance(node, ast.Call) else node
    found = context.symbols.value(called, module)
    if (
        isinstance(node, ast.Call)
        and isinstance(found, External)
        and found.name.endswith(".method_decorator")
        and node.args
    ):
        return _is_exempt(context, node.args[0], module)
    return isinstance(found, External) and found.name == "django.views.decorators.csrf.csrf_exempt"


def _does_nothing(method: Function) -> bool:
    return all(
        isinstance(one, ast.Pass | ast.Expr)
        or (isinstance(one, ast.Return) and (one.value is None or _is_none(one.value)))
        for one in method.node.body
    ) and not any(isinstance(one, ast.Call) for one in ast.walk(ast.Module(method.node.body, [])))


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


# -- settings of Django REST framework ------------------------------------------------------------------------------------


def _settings(context: Context) -> Iterator[tuple[Module, ast.expr]]:
    for module in context.symbols.modules.values():
        if "REST_FRAMEWORK" in module.file.text and not is_test(module.file.path):
            for holder in (module.definitions, *module.members.values()):
                found = holder.get("REST_FRAMEWORK")
                if isinstance(found, Variable):
                    yield module, found.value


def _guards_by_default(module: Module, given: ast.expr) -> bool:
    """Do the settings name permissions that refuse, or are they not a plain dictionary?"""
    if not isinstance(given, ast.Dict):
        return True
    for key, value in zip(given.keys, given.values, strict=True):
        if key is None:
            return True
        if isinstance(key, ast.Constant) and key.value == PERMISSIONS:
            names = value.elts if isinstance(value, ast.List | ast.Tuple) else None
            if names is None:
                return True
            return any(not str(getattr(one, "value", "")).endswith(".AllowAny") for one in names)
    return f'"{PERMISSIONS}"]' in module.file.text or f"'{PERMISSIONS}']" in module.file.text


def _installed(context: Context) -> Location | None:
    for module in context.symbols.modules.values():
        found = module.definitions.get("INSTALLED_APPS")
        if isinstance(found, Variable) and not is_test(module.file.path) and "rest_framework" in module.file.text:
            return Location(module.file.path, found.line, 1, found.line)
    return None


def _says_nothing(context: Context, endpoint: Endpoint) -> bool:
    if endpoint.view is None:
        return not any("permission_classes" in unparse(one) for one in endpoint.handler.node.decorator_list)
    names = ("permission_classes", "get_permissions", "check_permissions")
    return all(context.symbols.member(endpoint.view, name) is None for name in names)


# -- forms and serializers ------------------------------------------------------------------------------------------------


def _of(owner: object, name: str) -> Variable | None:
    if not isinstance(owner, Class):
        return None
    found = owner.module.members.get(id(owner.node), {}).get(name)
    return found if isinstance(found, Variable) else None


def _writable(context: Context, model: Class, owner: Class, meta: object) -> Iterator[str]:
    """The fields of a model that no caller should set, and that this form or serializer lets him set."""
    read_only = _of(meta, "read_only_fields")
    kept = (
        {one.value for one in ast.walk(read_only.value) if isinstance(one, ast.Constant)}
        if read_only is not None
        else set()
    )
    given = _of(meta, "extra_kwargs")
    if given is not None and isinstance(given.value, ast.Dict):
        for key, options in zip(given.value.keys, given.value.values, strict=True):
            if isinstance(key, ast.Constant) and "_only" in unparse(options):
                kept.add(key.value)  # somebody thought of it
    names: dict[str, Variable] = {}
    for one in context.symbols.lineage(model):
        for name, member in one.module.members.get(id(one.node), {}).items():
            if isinstance(member, Variable) and isinstance(member.value, ast.Call):
                names.setdefault(name, member)
    if any(
        base.endswith(("AbstractUser", "AbstractBaseUser", "PermissionsMixin")) for base in context.symbols.bases(model)
    ):
        yield from (one for one in ("is_staff", "is_superuser") if one not in kept and one not in names)
    for name, member in names.items():
        own = context.symbols.member(owner, name)
        is_declared = isinstance(own, Variable) and "read_only=True" in unparse(own.value)
        is_fixed = re.search(r"editable=False|auto_now", unparse(member.value)) is not None
        if AUTHORITY.fullmatch(name) and name not in kept and not is_declared and not is_fixed:
            yield name


def _filled(context: Context) -> frozenset[str]:
    """The names of what endpoints that write fill from the request, in their views or handlers."""
    places = [one.view or one.handler for one in context.service.endpoints if one.method in {*WRITES, ANY}]
    texts = [_text(place) for place in {id(place.node): place for place in places}.values()]
    assigned = (name for text in texts for dotted in ASSIGNED.findall(text) for name in dotted.split("."))
    return frozenset([*assigned, *(name for text in texts for name in CALLED.findall(text))])


def _text(place: Class | Function) -> str:
    lines = place.module.file.lines
    return "\n".join(lines[place.node.lineno - 1 : place.node.end_lineno])


def _at(module: Module, node: ast.expr | ast.stmt) -> Location:
    return Location(module.file.path, node.lineno, node.col_offset + 1, node.lineno)
