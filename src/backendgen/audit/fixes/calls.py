"""Fixes that change a call or a comparison: another function, another keyword."""

from __future__ import annotations

import ast

from backendgen.audit.fixes.site import Site, fixer
from backendgen.code.edits import Edit
from backendgen.code.index import assigned_in
from backendgen.code.symbols import Function, Variable

TIMEOUT = "10"
UNSAFE_YAML = frozenset({"yaml.load", "yaml.unsafe_load", "yaml.full_load"})
VERIFIED = ("verify", "ssl", "verify_ssl")
FLAGS = {"BG227": ("secure", "True"), "BG228": ("httponly", "True"), "BG229": ("samesite", '"lax"')}
DEBUG = ("debug", "reload")
ENTITIES = {"resolve_entities": False, "load_dtd": False, "no_network": True}
SECRETS = {"choice": "choice", "getrandbits": "randbits", "randbytes": "token_bytes"}


@fixer("BG109", "BG110")
def safe_yaml(site: Site) -> list[Edit]:
    """`yaml.safe_load(text)` for the loaders that build objects."""
    for call, function in site.nodes(ast.Call):
        if not isinstance(call.func, ast.Attribute) or site.name_of(call.func, function) not in UNSAFE_YAML:
            continue
        start = site.places.span(call.func)[1] - len(call.func.attr)
        edits = [Edit(start, start + len(call.func.attr), "safe_load")]
        loader = site.without_keyword(call, "Loader")
        if loader:
            return [*edits, loader]
        if len(call.args) == 2 and not call.keywords:
            return [*edits, Edit(site.places.span(call.args[0])[1], site.places.span(call.args[1])[1], "")]
        return edits if len(call.args) == 1 and not call.keywords else []
    return []


@fixer("BG203")
def verified(site: Site) -> list[Edit]:
    """No word about verification: it is on by default."""
    for call, _ in site.nodes(ast.Call):
        for one in call.keywords:
            if one.arg in VERIFIED and isinstance(one.value, ast.Constant) and one.value.value is False:
                edit = site.without_keyword(call, one.arg)
                return [edit] if edit else []
    for assigned, _ in site.nodes(ast.Assign):
        target = assigned.targets[0]
        off = isinstance(assigned.value, ast.Constant) and assigned.value.value is False
        if off and isinstance(target, ast.Attribute) and target.attr == "verify":
            return [site.replaced(assigned.value, "True")]
    return []


@fixer("BG211")
def secret_random(site: Site) -> list[Edit]:
    """The same from the system's own source of randomness."""
    for call, function in site.nodes(ast.Call):
        name = site.name_of(call.func, function)
        if name.startswith("random.") and site.needs("secrets"):
            method = name.removeprefix("random.")
            better = SECRETS.get(method) if not call.keywords else None
            return [site.replaced(call.func, f"secrets.{better}" if better else f"secrets.SystemRandom().{method}")]
    return []


@fixer("BG212")
def random_uuid(site: Site) -> list[Edit]:
    """`uuid4`, which is random."""
    for call, function in site.nodes(ast.Call):
        if site.name_of(call.func, function) == "uuid.uuid1" and isinstance(call.func, ast.Attribute):
            start, end = site.places.span(call)
            return [Edit(site.places.span(call.func)[1] - len("uuid1"), end, "uuid4()")] if start < end else []
    return []


@fixer("BG223")
def constant_time(site: Site) -> list[Edit]:
    """`hmac.compare_digest`, on bytes where the text of a digest is compared."""
    for compare, function in site.nodes(ast.Compare):
        sides = (compare.left, *compare.comparators)
        if len(sides) != 2 or not isinstance(compare.ops[0], ast.Eq | ast.NotEq) or not site.needs("hmac"):
            continue
        is_text = any(_is_hexdigest(site, side, function) for side in sides)
        given = [_never_none(site, side, function, is_text=is_text) for side in sides]
        negated = "not " if isinstance(compare.ops[0], ast.NotEq) else ""
        return [site.replaced(compare, f"{negated}hmac.compare_digest({', '.join(given)})")]
    return []


def _value(site: Site, side: ast.expr, function: Function | None) -> ast.expr:
    """What a local name was assigned, or the expression itself."""
    found = site.context.symbols.lookup(side.id, site.module, function) if isinstance(side, ast.Name) else None
    return found.value if isinstance(found, Variable) else side


def _is_hexdigest(site: Site, side: ast.expr, function: Function | None) -> bool:
    value = _value(site, side, function)
    return isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr == "hexdigest"


def _never_none(site: Site, side: ast.expr, function: Function | None, *, is_text: bool) -> str:
    """A side as an argument: nothing in the place of None, and bytes of a text (which may be any, not only ASCII)."""
    text, value = site.text(side), _value(site, side, function)
    may_lack = isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr == "get"
    if may_lack and isinstance(value, ast.Call) and len(value.args) == 1 and not value.keywords:
        text = f'({text} or "")'
    elif is_text and not isinstance(side, ast.Name | ast.Attribute | ast.Call | ast.Subscript):
        text = f"({text})"
    return f"{text}.encode()" if is_text else text


@fixer(*FLAGS)
def cookie_flag(site: Site) -> list[Edit]:
    """The flag of a cookie that a rule asks for."""
    name, value = FLAGS[site.rule_id]
    for call, _ in site.nodes(ast.Call):
        if isinstance(call.func, ast.Attribute) and call.func.attr in ("set_cookie", "set_signed_cookie"):
            edit = site.with_keyword(call, name, value) if len(call.args) < 6 else None
            return [edit] if edit else []
    return []


@fixer("BG230")
def session_cookie(site: Site) -> list[Edit]:
    """The safe value of a setting of cookies."""
    for call, _ in site.nodes(ast.Call):
        edit = site.with_keyword(call, "https_only", "True")
        return [edit] if edit else []
    assigned = [each.value for each in assigned_in(site.module) if site.is_at(each.node)]
    given = [one.value for call, _ in site.module.calls for one in call.keywords if site.is_at(one.value)]
    for value in (*assigned, *given):
        if isinstance(value, ast.Constant):
            return [site.replaced(value, "True" if value.value is False else '"Lax"')]
    return []


@fixer("BG162")
def plain_xml(site: Site) -> list[Edit]:
    """Entities, DTDs and the network off."""
    for call, _ in site.nodes(ast.Call):
        given = ((one.value, ENTITIES[one.arg]) for one in call.keywords if one.arg in ENTITIES)
        on = [(value, safe) for value, safe in given if isinstance(value, ast.Constant) and value.value is not safe]
        if on:
            return [site.replaced(value, str(safe)) for value, safe in on]
    return []


@fixer("BG401")
def debug_off(site: Site) -> list[Edit]:
    """Debug mode and the file watcher off."""
    for call, _ in site.nodes(ast.Call):
        on = [
            one.value
            for one in call.keywords
            if one.arg in DEBUG and isinstance(one.value, ast.Constant) and one.value.value is True
        ]
        if on:
            return [site.replaced(value, "False") for value in on]
    return []


@fixer("BG502")
def with_timeout(site: Site) -> list[Edit]:
    """A timeout of ten seconds."""
    for call, _ in reversed(list(site.nodes(ast.Call))):  # the innermost: `requests.get(...).json()`
        if any(one.arg is None for one in call.keywords):
            continue
        edit = site.with_keyword(call, "timeout", TIMEOUT)
        return [edit] if edit else []
    return []
