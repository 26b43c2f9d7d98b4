"""Compares our list of a Django project's endpoints with the routes that Django itself has.

    python benchmarks/inventory_django.py compare PROJECT ROUTES.json     # in backendgen's environment
    python benchmarks/inventory_django.py routes SETTINGS > ROUTES.json   # in the project's folder and environment

The second imports the project: in an environment and a process of its own. A class answers the methods that it defines;
for a plain function Django knows no methods, so only its path is compared. Format suffixes of Django REST framework are
left out. What a setting decides about (`optional`) may be there or not.
"""

from __future__ import annotations

import json
import re
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

METHODS = ("get", "post", "put", "patch", "delete")


def routes(settings: str) -> list[list[str]]:
    """Every route of a project as [method, path, view, file of the view]; `*` for a function."""
    import os

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", settings)
    sys.path.insert(0, ".")
    import django
    from django.urls import get_resolver

    django.setup()
    return list(_walk(get_resolver(), ""))


def _walk(resolver: Any, prefix: str) -> Any:
    from django.urls import URLResolver

    for one in resolver.url_patterns:
        path = prefix + _text(one.pattern)
        if isinstance(one, URLResolver):
            yield from _walk(one, path)
        elif not re.search(r"\{format\}|<drf_format_suffix", path):
            where, methods = _answering(one.callback)
            for method in methods:
                yield [method, "/" + path.lstrip("/"), *where]


def _text(pattern: Any) -> str:
    from django.contrib.admindocs.views import simplify_regex
    from django.urls.resolvers import LocalePrefixPattern, RegexPattern

    if isinstance(pattern, LocalePrefixPattern):
        return "{language}/"
    text = str(pattern)
    if isinstance(pattern, RegexPattern):
        text = simplify_regex(text).lstrip("/")
        text = re.sub(r"\\(.)", r"\1", text)
    return re.sub(r"<(?:[^<>:]+:)?([^<>]+)>", r"{\1}", text)


def _answering(callback: Any) -> tuple[tuple[str, str], list[str]]:
    view = callback
    while True:
        found = getattr(view, "view_class", None) or getattr(view, "cls", None)
        if found is not None or not hasattr(view, "__wrapped__"):
            break
        view = view.__wrapped__
    target = found or view
    name = f"{target.__module__}.{getattr(target, '__qualname__', type(target).__name__)}"
    file = getattr(sys.modules.get(target.__module__), "__file__", "") or ""
    if found is None:
        return (name, file), ["*"]
    given = {**getattr(view, "view_initkwargs", {}), **(getattr(view, "initkwargs", None) or {})}
    allowed = [one.lower() for one in given.get("http_method_names", found.http_method_names)]
    actions = getattr(view, "actions", None)
    methods = [one for one in METHODS if one in allowed and (one in actions if actions else hasattr(found, one))]
    nothing = [] if actions else ["*"]  # a viewset whose `http_method_names` let none of the route's actions through
    return (name, file), [one.upper() for one in methods] or nothing


def compare(project: Path, listed: list[list[str]]) -> str:
    """Say how many routes both have, and which only one has."""
    from backendgen.audit.frameworks.django import Django
    from backendgen.code.project import load
    from backendgen.code.symbols import Symbols

    ours: dict[str, set[str]] = defaultdict(set)
    sure: set[str] = set()
    for one in Django(Symbols(load(project))).endpoints():
        if one.mounted:
            path = re.sub(r"{(\w+):(?!path})\w+}", r"{\1}", one.path).replace(":path}", "}")
            ours[path].add(one.method)
            sure |= set() if one.optional else {path}
    below = {path.removesuffix("{rest}") for path in ours if path.endswith("{rest}")}
    theirs: dict[str, set[str]] = defaultdict(set)
    views = {}
    elsewhere = 0
    for method, path, view, file in listed:
        if path not in ours and "site-packages" in file and any(path.startswith(one) for one in below):
            elsewhere += 1
        else:
            theirs[path].add(method)
            views[path] = view
    both, missing, extra, methods = 0, [], [], []
    for path in sorted(set(theirs) | set(ours)):
        if path.endswith("{rest}") and path not in theirs:
            continue
        if path not in ours:
            missing.append(f"{','.join(sorted(theirs[path]))} {path} {views[path]}")
        elif path not in theirs:
            if path in sure:
                extra.append(f"{','.join(sorted(ours[path]))} {path}")
        elif "*" not in theirs[path] and theirs[path] != ours[path]:
            methods.append(f"{path} {views[path]}: they {sorted(theirs[path])}, we {sorted(ours[path])}")
        else:
            both += 1
    total = len(theirs)
    lines = [
        f"{project}: {total} paths of Django, {both} equal, {elsewhere} routes of libraries below {len(below)} includes"
    ]
    for title, found in (("missing", missing), ("extra", extra), ("other methods", methods)):
        lines += [f"  {title}: {len(found)}", *(f"    {one}" for one in found)]
    return "\n".join(lines)


if __name__ == "__main__":
    if sys.argv[1] == "routes":
        found = routes(sys.argv[2])
        json.dump(found, sys.stdout, indent=0)
    else:
        sys.setrecursionlimit(30_000)
        print(compare(Path(sys.argv[2]), json.loads(Path(sys.argv[3]).read_text())))
