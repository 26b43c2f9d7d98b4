"""What the data-flow engine proves and what it follows: one statement of Python each, judged at one sink."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent, indent

import pytest

from backendgen.audit.engines.own import describe
from backendgen.audit.flow.rules import analyse
from backendgen.code.project import load
from backendgen.config import Config
from backendgen.findings.finding import Hit
from backendgen.rules import Confidence, Rulebook

RULES = tuple(rule for rule in Rulebook().select("audit") if rule.detect.kind == "flow")
VIEW = """
import ast, base64, configparser, html, io, json, os, re, urllib.parse
from pathlib import Path
from uuid import UUID
from flask import Flask, redirect, request

app = Flask(__name__)
ALLOWED = ("a", "b")
HOSTS = {"example.com"}

@app.route("/view")
def view():
    x = request.args["x"]
"""


def hits(folder: Path, **files: str) -> list[tuple[str, int]]:
    """The rules and lines that are reported in a project of these files."""
    return sorted((rule, hit.location.line) for rule, hit in flows(folder, **files))


def flows(folder: Path, **files: str) -> list[tuple[str, Hit]]:
    """The hits with their rules' ids."""
    for name, text in files.items():
        (folder / f"{name}.py").write_text(dedent(text), encoding="utf-8")
    context = describe(load(folder), Config())
    return [(rule.id, hit) for rule, hit in analyse(context.symbols, context.service, RULES).hits]


def run(folder: Path, body: str) -> set[str]:
    """The rules that a view with this body breaks; `x` is from the query string."""
    return {rule for rule, _ in hits(folder, app=VIEW + indent(dedent(body), "    "))}


FOLLOWED = {
    "a list by index": "parts = ['a', x]\neval(parts[1])",
    "the end of a list": "parts = ['a', x]\neval(parts[-1])",
    "a list after pop": "parts = ['a', x]\nparts.pop(0)\neval(parts[0])",
    "a dictionary by key": "parts = {}\nparts['b'] = x\neval(parts['b'])",
    "an unknown key": "parts = {'a': '1', 'b': x}\neval(parts[os.environ['KEY']])",
    "unpacking": "first, *rest = ['a', 'b', x]\neval(rest[0])",
    "a branch that may run": "y = '1'\nif os.environ.get('A'):\n    y = x\neval(y)",
    "a loop that is left": "y = '1'\nfor name in request.form:\n    if name:\n        y = name\n        break\neval(y)",
    "base64 there and back": "eval(base64.b64decode(base64.b64encode(x.encode())).decode())",
    "a text put together": "eval('%s + %d' % (x, 1))",
    "format": "eval('{0} + {y}'.format(1, y=x))",
    "join": "eval(' '.join(['a', x]))",
    "a comprehension": "eval(''.join(each for each in [x]))",
    "a slice": "eval(('ab' + x)[2:])",
    "StringIO": "eval(io.StringIO(x).read())",
    "a configuration's key": (
        "config = configparser.ConfigParser()\nconfig.add_section('s')\nconfig.set('s', 'a', '1')\n"
        "config.set('s', 'b', x)\neval(config.get('s', 'b'))"
    ),
    "a match on a constant": "match 'AB'[1]:\n    case 'A':\n        y = '1'\n    case 'B':\n        y = x\neval(y)",
    "json": "eval(json.loads(x)['name'])",
    "a pattern's group": "eval(re.search('name=(.*)', x).group(1))",
    "a spread list": "eval(*[x])",
    "a file's name": "eval(request.files['f'].filename)",
    "a header's name": "for name, value in request.headers.items():\n    eval(name)",
}
HARMLESS = {
    "the other index": "parts = ['a', x]\neval(parts[0])",
    "the other key": "parts = {'a': '1', 'b': x}\neval(parts['a'])",
    "what pop left": "parts = [x, 'a']\nparts.pop(0)\neval(parts[0])",
    "a branch that cannot run": "n = 106\ny = '1' if 7 * 18 + n > 200 else x\neval(y)",
    "a text that is known": "y = 'never'\nif 'sometimes' in y:\n    y = x\neval(y)",
    "the other configuration's key": (
        "config = configparser.ConfigParser()\nconfig.add_section('s')\nconfig.set('s', 'a', '1')\n"
        "config.set('s', 'b', x)\neval(config.get('s', 'a'))"
    ),
    "another case": "match 'AB'[0]:\n    case 'A':\n        y = '1'\n    case 'B' | 'C':\n        y = x\neval(y)",
    "membership": "if x not in ALLOWED:\n    return ''\neval(x)",
    "a number": "eval(f'1 + {int(x)}')",
    "a UUID": "eval(str(UUID(x)))",
    "letters and digits": "if not x.isalnum():\n    return ''\neval(x)",
    "a strict pattern": "if not re.fullmatch('[a-z]+', x):\n    return ''\neval(x)",
    "a strict group": "eval(re.search('name=([a-z]+)', x).group(1))",
    "what is not a letter removed": "eval(re.sub('[^a-z]', '', x))",
    "equality": "if x == 'a' or x == 'b':\n    eval(x)",
    "a quoted literal": 'if not x.startswith("\'") or not x.endswith("\'") or "\'" in x[1:-1]:\n    return \'\'\neval(x)',
    "the fixed path of a route": "eval(request.path.split('/')[1])",
}
GUARDED = {
    "dots refused behind a folder": "if '..' in x:\n    return ''\nopen('/srv/files/' + x)",
    "relative and without dots": "if '..' in x or x.startswith('/'):\n    return ''\nopen(os.path.join('/srv', x))",
    "contained after resolving": (
        "path = (Path('/srv') / x).resolve()\nif not path.is_relative_to('/srv'):\n    return ''\nopen(path)"
    ),
    "an address of a known host": "if urllib.parse.urlparse(x).netloc not in HOSTS:\n    return ''\nreturn redirect(x)",
    "an address without a host": "if urllib.parse.urlparse(x).netloc:\n    return ''\nreturn redirect(x)",
    "a path of this site": "if not x.startswith('/') or x.startswith('//'):\n    return ''\nreturn redirect(x)",
    "an address put together anew": (
        "parts = urllib.parse.urlsplit(x)\nreturn redirect(urllib.parse.urlunsplit(('', '', parts.path, '', '')))"
    ),
    "escaped HTML": "return '<b>' + html.escape(x)",
    "data, not HTML": "return {'name': x}",
}
UNGUARDED = {
    "dots refused before an absolute path wins": (
        "if '..' in x:\n    return ''\nopen(os.path.join('/srv', x))",
        "BG106",
    ),
    "resolved, but not asked where it is": ("open((Path('/srv') / x).resolve())", "BG106"),
    "a prefix of the host": ("if not x.startswith('https://example.com'):\n    return ''\nreturn redirect(x)", "BG114"),
    "a host somewhere in it": ("if 'example.com' not in x:\n    return ''\nreturn redirect(x)", "BG114"),
    "two slashes": ("if not x.startswith('/'):\n    return ''\nreturn redirect(x)", "BG114"),
    "a pattern without an end": ("if not re.match('[a-z]+', x):\n    return ''\neval(x)", "BG111"),
    "decoded after it was escaped": ("return html.unescape(html.escape(x))", "BG113"),
    "escaped for something else": ("os.system('ls ' + html.escape(x))", "BG105"),
}


@pytest.mark.parametrize("body", FOLLOWED.values(), ids=FOLLOWED)
def test_data_is_followed(tmp_path: Path, body: str) -> None:
    assert "BG111" in run(tmp_path, body)


@pytest.mark.parametrize("body", [*HARMLESS.values(), *GUARDED.values()], ids=[*HARMLESS, *GUARDED])
def test_what_is_proved_is_not_reported(tmp_path: Path, body: str) -> None:
    assert run(tmp_path, body) == set()


@pytest.mark.parametrize(("body", "rule"), UNGUARDED.values(), ids=UNGUARDED)
def test_what_only_looks_like_a_guard(tmp_path: Path, body: str, rule: str) -> None:
    assert rule in run(tmp_path, body)


def test_a_wrapper_in_another_file(tmp_path: Path) -> None:
    found = flows(
        tmp_path,
        wrapper="""
        class Wanted:
            def __init__(self, request):
                self.request = request

            def text(self, name):
                return self.request.args.get(name)

            def constant(self, name):
                return "1"
        """,
        app="""
        import os
        from flask import request
        from wrapper import Wanted

        def view():
            wanted = Wanted(request)
            os.system(wanted.constant("x"))
            os.system(wanted.text("x"))
        """,
    )
    assert [(rule, hit.location.line) for rule, hit in found] == [("BG105", 9)]
    assert [(step.location.path, step.location.line) for step in found[0][1].steps] == [("app.py", 9), ("app.py", 9)]


def test_any_class_that_a_factory_may_choose(tmp_path: Path) -> None:
    found = hits(
        tmp_path,
        things="""
        class Careful:
            def run(self, text):
                return "1"

        class Careless:
            def run(self, text):
                return text
        """,
        app="""
        import os
        import things
        from flask import request

        def make(name):
            return getattr(things, name)()

        def view():
            os.system(make(os.environ["KIND"]).run(request.args["x"]))
            os.system(things.Careful().run(request.args["x"]))
        """,
    )
    assert found == [("BG105", 10)]


def test_a_project_s_own_escaping_is_recognised_by_what_it_does(tmp_path: Path) -> None:
    escaping = """
    def escape(text):
        made = ""
        for each in text:
            if each.isalnum() or each in "_-":
                made += each
            else:
                made += f"&#{ord(each)};"
        return made

    def copied(text):
        made = ""
        for each in text:
            made += each
        return made
    """
    app = """
    from flask import Flask, request
    from escaping import copied, escape

    app = Flask(__name__)

    @app.get("/a")
    def a():
        return escape(request.args["x"])

    @app.get("/b")
    def b():
        return copied(request.args["x"])
    """
    assert hits(tmp_path, escaping=escaping, app=app) == [("BG113", 13)]


def test_one_guard_for_several_sinks_is_said_once(tmp_path: Path) -> None:
    body = "open(x)\nos.remove(x)"
    ((rule, hit),) = flows(tmp_path, app=VIEW + indent(body, "    "))
    assert (rule, hit.location.line) == ("BG106", 14)
    assert hit.message.endswith("the same again on line 15")


FRAMEWORKS = {
    "django": (
        "import os\nfrom django.http import JsonResponse\ndef view(request):\n    os.system(request.META['HTTP_X'])\n"
        "    os.system(request.META['REMOTE_ADDR'])\n"
    ),
    "django class": (
        "import os\nfrom django.views.generic import ListView\nclass Items(ListView):\n"
        "    def get_queryset(self):\n        os.system(self.request.GET['x'])\n"
    ),
    "rest framework": (
        "import os\nfrom rest_framework.views import APIView\nclass Items(APIView):\n"
        "    def post(self, request):\n        os.system(request.data['x'])\n"
    ),
    "aiohttp": "import os\nfrom aiohttp import web\nasync def view(request):\n    os.system((await request.json())['x'])\n",
    "starlette": (
        "import os\nfrom starlette.requests import Request\nasync def view(request: Request):\n"
        "    os.system(request.query_params['x'])\n"
    ),
    "tornado": (
        "import os\nimport tornado.web\nclass View(tornado.web.RequestHandler):\n    def get(self):\n"
        "        os.system(self.get_argument('x'))\n"
    ),
    "graphene": (
        "import os\nimport graphene\nclass Query(graphene.ObjectType):\n    def resolve_x(root, info, name):\n"
        "        os.system(name)\n"
    ),
    "http.server": (
        "import os\nfrom http.server import BaseHTTPRequestHandler\nclass View(BaseHTTPRequestHandler):\n"
        "    def do_GET(self):\n        os.system(self.path)\n"
    ),
}


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_requests_of_every_framework(tmp_path: Path, name: str) -> None:
    text = FRAMEWORKS[name]
    line = text[: text.index("os.system")].count("\n") + 1
    assert hits(tmp_path, app=text) == [("BG105", line)]


def test_cycles_and_depth_have_an_end(tmp_path: Path) -> None:
    nested = "x" + "[x]" * 300
    assert (
        run(
            tmp_path,
            f"y = {nested}\nfor a in x:\n    for b in a:\n        for c in b:\n            x = x + c\nreturn {{}}",
        )
        == set()
    )
    found = hits(
        tmp_path,
        app="""
        import os
        from flask import request
        from other import g
        def f(x):
            os.system(x)
            return g(x)
        f(request.args["x"])
        """,
        other="from app import f\ndef g(x):\n    return f(x) or g(x)\n",
    )
    assert found == [("BG105", 6)]


def test_properties_that_read_what_an_object_has_by_their_own_names(tmp_path: Path) -> None:
    found = hits(
        tmp_path,
        app="""
        import os
        from flask import request
        class Given(dict):
            @property
            def name(self):
                return self["name"] or self.alias
            @property
            def alias(self):
                return self.get("alias") or self.name
        def run(given: Given):
            if given.name:
                os.system(request.args["x"])
        """,
    )
    assert found == [("BG105", 13)]


def test_what_a_queue_runs(tmp_path: Path) -> None:
    found = flows(
        tmp_path,
        tasks="""
        import os
        from celery import shared_task

        @shared_task
        def sent(name):
            os.system(name)

        @shared_task(bind=True)
        def kept(self, name, size):
            os.system(name)
            os.system(size)
        """,
        app="""
        from flask import request
        from tasks import kept, sent

        def view():
            sent.delay(request.args["name"])
            kept.apply_async(args=["a"], kwargs={"size": request.args["size"]})
        """,
    )
    sure = {hit.location.line: hit.confidence for rule, hit in found if rule == "BG105"}
    assert sure == {7: None, 11: Confidence.LOW, 12: None}
