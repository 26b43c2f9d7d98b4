"""Is our inventory of endpoints the framework's own table of routes?

    python benchmarks/inventory.py CHECKOUT app.main:app
    python benchmarks/inventory.py CHECKOUT 'app:create_app("testing")' --python VENV/bin/python --env SECRET_KEY=x

The application is imported in a process of its own, by the Python of an environment that has what it needs; backendgen
itself reads the files of the checkout and imports nothing. What frameworks add by themselves (HEAD, OPTIONS, static files,
pages of documentation) and what packages outside of the checkout answer is left out on both sides. What a setting
decides about (`optional`) may be there or not.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from pathlib import Path

TABLE = r'''
import importlib, inspect, json, os, sys

def leaf(function):
    while True:
        inner = getattr(function, "__wrapped__", None) or getattr(function, "func", None)
        if inner is None or inner is function:
            return function
        function = inner

def where(function):
    """The file of what answers."""
    function = getattr(function, "view_class", None) or leaf(function)
    try:
        return os.path.realpath(inspect.getsourcefile(inspect.unwrap(function)) or "")
    except TypeError:
        try:
            return os.path.realpath(inspect.getsourcefile(type(function)) or "")
        except TypeError:
            return ""

def flask(app):
    for rule in app.url_map.iter_rules():
        if rule.endpoint.rpartition(".")[2] == "static":
            continue
        view = app.view_functions.get(rule.endpoint)
        methods = ["WEBSOCKET"] if getattr(rule, "is_websocket", False) else rule.methods or ["GET"]
        for method in methods:
            yield method, rule.rule, where(view)

def starlette(routes, prefix=""):
    for route in routes:
        if hasattr(route, "original_router"):  # FastAPI since 0.130 keeps included routers as they are
            yield from starlette(route.original_router.routes, prefix + route.include_context.prefix)
            continue
        path = prefix + getattr(route, "path", "")
        inner = getattr(route, "routes", None)
        if inner is None and hasattr(route, "app") and not hasattr(route, "endpoint"):
            inner = getattr(route.app, "routes", None)
        if inner is not None and not hasattr(route, "endpoint"):
            yield from starlette(inner, path)
        elif hasattr(route, "endpoint"):
            kind = type(route).__name__
            methods = ["WEBSOCKET"] if "WebSocket" in kind else route.methods
            endpoint = route.endpoint
            if methods is None:
                names = ("get", "post", "put", "patch", "delete", "head", "options")
                methods = [name.upper() for name in names if hasattr(endpoint, name)] or ["*"]
            if getattr(route, "name", "") in ("openapi", "swagger_ui_html", "swagger_ui_redirect", "redoc_html"):
                continue
            for method in methods:
                yield method, path, where(endpoint)

def aiohttp(app):
    for route in app.router.routes():
        resource = route.resource
        kind = type(resource).__name__
        if resource is None or kind == "StaticResource":
            continue
        handler = route.handler
        names = ("get", "post", "put", "patch", "delete", "head", "options")
        methods = [route.method]
        if inspect.isclass(handler):
            methods = [name.upper() for name in names if hasattr(handler, name)]
        for method in methods:
            yield method, resource.canonical, where(handler)

def routes(app):
    names = {f"{one.__module__.split('.')[0]}.{one.__name__}" for one in type(app).__mro__}
    if "flask.Flask" in names or "quart.Quart" in names or hasattr(app, "url_map"):
        return flask(app)
    if "aiohttp.Application" in names:
        return aiohttp(app)
    while not hasattr(app, "routes") and hasattr(app, "app"):
        app = app.app
    return starlette(app.routes)

sys.path.insert(0, os.getcwd())
first, target = sys.argv[1:3]
out, sys.stdout = sys.stdout, sys.stderr
names = {}
exec(first, names)
module, _, expression = target.partition(":")
scope = {**names, **vars(importlib.import_module(module))} if module else names
app = eval(expression, scope)
if inspect.iscoroutine(app):
    import asyncio
    app = asyncio.run(app)
elif inspect.isfunction(app):
    app = app()
json.dump(sorted(set(routes(app))), out)
'''
VARIABLE = re.compile(r"<(?:\w+(?:\([^<>]*\))?:)?(\w+)>|{(\w+)(?::[^{}]*(?:{[^{}]*}[^{}]*)*)?}")
AUTOMATIC = frozenset({"HEAD", "OPTIONS"})


def plain(path: str) -> str:
    """A path with `{name}` for what varies, whatever converts it."""
    return VARIABLE.sub(lambda found: f"{{{found[1] or found[2]}}}", path) or "/"


def by_framework(options: argparse.Namespace, root: Path) -> set[tuple[str, str]]:
    """Ask the application itself, in a process of its own."""
    environment = {**os.environ, **dict(one.split("=", 1) for one in options.env)}
    environment["PYTHONPATH"] = os.pathsep.join(options.path)
    command = [options.python, "-c", TABLE, options.first, options.app]
    done = subprocess.run(
        command, check=False, cwd=options.cwd or root, env=environment, capture_output=True, text=True, timeout=600
    )
    if done.returncode:
        sys.exit(f"the application could not be imported:\n{done.stderr[-3000:]}")
    inside = os.path.realpath(root) + os.sep
    found = set()
    for method, path, file in json.loads(done.stdout[done.stdout.index("[") :]):
        if method in AUTOMATIC:
            continue
        if file.startswith(inside) and "/site-packages/" not in file.removeprefix(inside):
            found.add((method, plain(path)))
        elif options.verbose:
            print(f"  elsewhere: {method} {path}  {file}")
    return found


def by_us(root: Path) -> dict[tuple[str, str], tuple[str, bool]]:
    """Read the files."""
    from backendgen.audit.engines.own import describe
    from backendgen.code.project import load
    from backendgen.config import Config

    endpoints = describe(load(root), Config()).service.endpoints
    return {
        (one.method, plain(one.path)): (f"{one.location.path}:{one.location.line}", one.optional)
        for one in endpoints
        if one.method not in AUTOMATIC and one.mounted and not one.is_elsewhere
    }


def main() -> None:
    """Print what differs, and a line of figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path)
    parser.add_argument("app", help="module:expression that gives the application")
    parser.add_argument("--python", default=sys.executable, help="the Python of an environment that can import it")
    parser.add_argument("--env", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--first", default="", metavar="CODE", help="what runs before the import")
    parser.add_argument("--cwd", type=Path, help="where it runs; the checkout without it")
    parser.add_argument("--path", action="append", default=[], help="more places to import from")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    theirs, ours = by_framework(options, options.checkout), by_us(options.checkout)
    missing, extra = (
        sorted(theirs - set(ours)),
        sorted(name for name, (_, optional) in ours.items() if not optional and name not in theirs),
    )
    for method, path in missing:
        print(f"  missing: {method} {path}")
    for method, path in extra:
        print(f"  extra: {method} {path}  {ours[method, path][0]}")
    name = options.checkout.resolve().name
    print(f"{name}: {len(theirs)} routes, {len(ours)} by us, {len(missing)} missing, {len(extra)} extra")


if __name__ == "__main__":
    main()
