"""What calls of Python's and of Django's libraries give, as far as URL configurations use them to build routes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backendgen.audit.frameworks.django.values import Defaults, Registry, is_include, is_path, is_route
from backendgen.audit.frameworks.made import UNKNOWN, Frame, Made, Value
from backendgen.code.symbols import Class, External, Module

if TYPE_CHECKING:
    from backendgen.audit.frameworks.django.urlconf import Urlconf

PATTERNS = frozenset({"django.urls.URLPattern", "django.urls.resolvers.URLPattern"})


def answer(urlconf: Urlconf, name: str, args: list[Value]) -> Value:
    """Return what a call gives, UNKNOWN when URL configurations do not use it for themselves."""
    for told in (_of_objects, _of_lists, _of_django):
        known = told(urlconf, name, args)
        if known is not UNKNOWN:
            return known
    return urlconf.applications.answer(name, args)


def _of_objects(urlconf: Urlconf, name: str, args: list[Value]) -> Value:
    """Attributes and types of what is known."""
    if name in ("getattr", "builtins.getattr") and len(args) > 1 and isinstance(args[1], str):
        found = urlconf.attribute(args[0], args[1], Frame(next(iter(urlconf.symbols.modules.values()))))
        is_known = not isinstance(found, External) and found is not UNKNOWN
        return found if is_known or len(args) < 3 else args[2]
    if name == "hasattr" and len(args) == 2 and isinstance(args[0], Made) and isinstance(args[1], str):
        has = _has(args[0], args[1]) if is_path(args[0]) else urlconf.applications.has(args[0], args[1])
        return UNKNOWN if has is None else has
    if name == "hasattr" and len(args) == 2 and isinstance(args[0], Module | Class) and isinstance(args[1], str):
        return urlconf.symbols.attribute(args[0], args[1]) is not None
    if name == "type" and len(args) == 1 and isinstance(args[0], str | int | list | dict | Class):
        return External("type" if isinstance(args[0], Class) else type(args[0]).__name__)
    if name in ("isinstance", "issubclass") and len(args) == 2:
        return _is_a(urlconf, args[0], args[1])
    return UNKNOWN


def _has(pattern: Made, name: str) -> bool | None:
    """Which attributes tell the `path()` of an `include()` from one of a view."""
    included = is_include(pattern.argument(1, "view"))
    return {"url_patterns": included, "callback": not included}.get(name)


def _is_a(urlconf: Urlconf, value: Value, kind: Value) -> Value:
    """`isinstance` and `issubclass` of what is known."""
    target = value.target if isinstance(value, Made) else value
    if isinstance(target, Class) and isinstance(kind, Class | External):
        above = urlconf.symbols.lineage(target) if isinstance(kind, Class) else urlconf.symbols.bases(target)
        found = kind in above if isinstance(kind, Class) else kind.name in above
        return True if found else UNKNOWN if isinstance(kind, External) else False
    if isinstance(target, External) and isinstance(kind, External):
        return True if target == kind else False if is_route(value) else UNKNOWN
    return UNKNOWN


def _of_lists(_: Urlconf, name: str, args: list[Value]) -> Value:
    """Lists and dictionaries made of others."""
    if name == "sorted" and args and isinstance(args[0], list | tuple):
        return list(args[0])
    if name in ("collections.OrderedDict", "collections.defaultdict"):
        given = args[0] if args and isinstance(args[0], dict | list) else {}
        if name.endswith("defaultdict"):
            return Defaults(list if args and args[0] == External("list") else Registry)
        return dict(given)
    if name == "functools.reduce" and len(args) > 1 and isinstance(args[1], list | tuple):
        return [one for part in args[1] if isinstance(part, list | tuple) for one in part]
    if name in ("itertools.chain", "itertools.chain.from_iterable"):
        parts = args[0] if name.endswith("iterable") and args and isinstance(args[0], list | tuple) else args
        return [one for part in parts if isinstance(part, list | tuple) for one in part]
    return UNKNOWN


def _of_django(urlconf: Urlconf, name: str, args: list[Value]) -> Value:
    """Patterns that Django makes of patterns, and what it imports by name."""
    if name.endswith("import_string") and args and isinstance(args[0], str):
        return urlconf.dotted(args[0])
    if name.endswith("urlpatterns.format_suffix_patterns") and args:
        return args[0]
    if name.endswith("i18n.i18n_patterns"):
        return [_made("path", ["{language}/", _made("include", [list(args)])])]
    if name == "django.conf.urls.static.static" and args and isinstance(args[0], str) and "//" not in args[0]:
        return [_made("re_path", [f"^{args[0].lstrip('/')}(?P<path>.*)$", External("django.views.static.serve")])]
    if name in ("django.conf.urls.static.static", "django.contrib.staticfiles.urls.staticfiles_urlpatterns"):
        return []
    if name in PATTERNS and len(args) > 1 and isinstance(args[0], Made) and isinstance(args[0].target, External):
        kind = "re_path" if args[0].target.name.endswith(".RegexPattern") else "path"
        return _made(kind, [args[0].argument(0, "route", "regex"), args[1]])
    if name == "django.conf.urls.patterns":
        return [one for one in args if isinstance(one, Made)]
    return UNKNOWN


def _made(name: str, args: list[Value]) -> Made:
    """What a call of `django.urls` makes."""
    return Made(External(f"django.urls.{name}"), frozenset({f"django.urls.{name}"}), None, args)
