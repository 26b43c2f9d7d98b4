"""Whatever lies in a folder: findings at their places, or an error that says what is wrong. Never a traceback."""

from __future__ import annotations

import random
import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backendgen import audit
from backendgen.config import Config
from backendgen.files import MAX_TEXT_BYTES
from backendgen.findings.finding import Report
from backendgen.report import renderer
from backendgen.rules import Rulebook

RULEBOOK = Rulebook()
FLAW = """import os
from flask import Flask, request
app = Flask(__name__)
@app.get("/x")
def x():
    os.system(request.args["x"])
    return ""
"""
FOUND = "BG105"


def write(folder: Path, files: dict[str, str | bytes]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def check(path: Path, *select: str) -> Report:
    report = audit.audit(path, Config(confidence="low", select=select), RULEBOOK)
    assert not report.failures
    return report


def places(report: Report) -> list[str]:
    return [f"{one.rule_id} {one.location.path}:{one.location.line}" for one in report.findings]


STARS = {f"m{number}.py": "".join(f"from m{other} import *\n" for other in range(40)) for number in range(40)}


@pytest.mark.parametrize(
    "files",
    [
        pytest.param(
            {"b.py": "from typing import Annotated\nfrom fastapi import Depends, FastAPI\napp = FastAPI()\n"
                     "A = Annotated[A, Depends(str)]\n@app.get('/')\ndef f(a: A): return a\n"},
            id="an alias of itself"),
        pytest.param(
            {"b.py": "from fastapi import FastAPI\nclass C:\n    debug = C.debug == 1\napp = FastAPI(debug=C.debug)\n"},
            id="a class's variable made of itself"),
        pytest.param({"b.py": "a = 'aaaa'\n" + "a = a + a\n" * 60 + "import os\nos.system(a)\n"}, id="a doubled text"),
        pytest.param(
            {"b.py": "from fastapi import APIRouter, FastAPI\nr0 = APIRouter()\n@r0.get('/')\ndef f(): return 1\n"
                     + "".join(f"r{i + 1} = APIRouter(prefix='/p')\n" + f"r{i + 1}.include_router(r{i})\n" * 4
                               for i in range(15))},
            id="routers that hold one another many times"),
        pytest.param(
            {"p/__init__.py": "", "manage.py": "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'p.s')\n",
             "p/s.py": "from .base import *\nROOT_URLCONF = 'p.urls'\nMIDDLEWARE = ['x']\n"
                       + "MIDDLEWARE = MIDDLEWARE + MIDDLEWARE\n" * 60,
             "p/base.py": "from .s import *\nAPPS = APPS\n",
             "p/urls.py": "from django.urls import include, path\nfrom .urls import *\nfrom .more import *\n"
                          "urlpatterns = urlpatterns + [path('', include('p.urls'))]\n"
                          "urlpatterns += [path('a/', include(urlpatterns))] * 2\nurlpatterns += urlpatterns\n",
             "p/more.py": "from .urls import *\nurlpatterns = [*urlpatterns, *urlpatterns]\n"},
            id="settings and URLs that include themselves"),
        pytest.param({"b.py": "x" * 200_000 + " = 'password'\n"}, id="a name without an end"),
        pytest.param({"b.py": "import requests\nrequests.get('/', timeout=1e6**64)\n"}, id="a number too large"),
        pytest.param(
            {"b.py": "from fastapi import Depends, FastAPI\napp = FastAPI()\ndef d0(): pass\n"
                     + "".join(f"def d{i + 1}({', '.join(f'a{j}=Depends(d{i})' for j in range(10))}): pass\n"
                               for i in range(20))
                     + "@app.get('/', dependencies=[Depends(d20)])\ndef f(a=Depends(d20)): pass\n"},
            id="dependencies that each ask ten times for the next"),
        pytest.param(
            {"b.py": "from flask import Flask, request\napp = Flask('b')\n"
                     + "".join(f"class C{i}:\n    def m(self, x):\n        a = C{(i * 7 + 1) % 50}().m(x)\n"
                               f"        b = C{(i * 3 + 2) % 50}().m([x, a])\n"
                               "        self.y = {'a': a, 'b': b, 'x': x}\n        return self.y\n" for i in range(50))
                     + "@app.get('/q')\ndef q(): return C1().m(request.args['x'])['a']['b']\n"},
            id="classes that hold what each other returns"),
        pytest.param({**STARS, "b.py": "from m0 import *\nnowhere()\n"}, id="stars that import each other"),
    ],
)  # fmt: skip
def test_code_without_an_end(tmp_path: Path, files: dict[str, str | bytes]) -> None:
    report = check(write(tmp_path, {"a.py": FLAW, **files}), FOUND, "BG901", "BG301")
    assert f"{FOUND} a.py:6" in places(report)


def lines_of(size: int, line: str, *, head: str = "", tail: str = "") -> str:
    """Text of about so many bytes: a line again and again, with its number."""
    left, parts = size, [head]
    for number in range(size):
        parts.append(line.replace("N", str(number)))
        left -= len(parts[-1])
        if left <= 0:
            break
    return "".join([*parts, tail])


WEB = "from fastapi import FastAPI\napp = FastAPI()\n"
SHAPES: dict[str, tuple[str, Callable[[int], str]]] = {
    "one line of numbers": ("b.py", lambda size: lines_of(size, "N, ", head="x = [", tail="]\n")),
    "one line of statements": ("b.py", lambda size: lines_of(size, "xN = f(N); ", tail="\n")),
    "one dictionary": ("b.py", lambda size: lines_of(size, " 'keyN': {'password': 'xN'},\n", head="X = {\n", tail="}\n")),
    "functions": ("b.py", lambda size: lines_of(size, "def fN(a, b):\n    return g(a, b, N)\n")),
    "methods": ("b.py", lambda size: lines_of(size, "    def fN(self, a): return self.f1(a)\n", head="class C:\n")),
    "routes": ("b.py", lambda size: lines_of(size, "@app.get('/xN')\ndef fN(a: str): return print(a)\n", head=WEB)),
    "decorators": ("b.py", lambda size: lines_of(size, "@deco(N)\n", tail="def f(): pass\n")),
    "sums": ("b.py", lambda size: lines_of(size, f"xN = {'+'.join('a' * 1900)}\n")),
    "assignments": ("b.py", lambda size: lines_of(size, "  xN = x + xN\n", head="def f(x):\n")),
    "texts side by side": ("b.py", lambda size: lines_of(size, " 'select N from t '\n", head="x = (\n", tail=")\n")),
    "one formatted string": ("b.py", lambda size: lines_of(size, "select {aN} from t\n", head="x = f'''", tail="'''\n")),
    "new syntax": ("b.py", lambda size: lines_of(size, "x = f'{a['b']}N'\n")),
    "excepts": ("b.py", lambda size: lines_of(size, "try: x\nexcept A, BN: pass\n")),
    "ignores": ("b.py", lambda size: lines_of(size, "x = N # backendgen: ignore[BG103] why\n")),
    "other tools' ignores": ("b.py", lambda size: lines_of(size, "eval(xN) # nosec B307 why\n")),
    "SQL on one line": ("b.py", lambda size: lines_of(size, "select aN;", head="c.execute('", tail="')\n")),
    "a template": ("b.html", lambda size: lines_of(size, "<p>{{ xN|safe }}</p>\n")),
    "comments that never end": ("b.html", lambda size: lines_of(size, "<!-- {# N ")),
    "a contract": ("openapi.yaml", lambda size: lines_of(size, "  /xN: {get: {responses: {'200': {description: a}}}}\n",
                                                         head="openapi: 3.0.0\npaths:\n")),
    "aliases of aliases": ("openapi.yaml", lambda size: "openapi: 3.0.0\nx-0: &a0 {type: object}\n" + "".join(
        f"x-{each + 1}: &a{each + 1} {{properties: {{p: *a{each}, q: *a{each}, r: *a{each}}}}}\n" for each in range(60))
        + "components: {schemas: {A: *a60}}\npaths: {/x: {get: {responses: {'200': {description: *a60}}}}}\n"),
    "a deep contract": ("openapi.json", lambda size: '{"openapi": "3.0.0", "paths": ' + '{"a":' * (size // 6) + "1"
                                                    + "}" * (size // 6 + 1)),
    "requirements": ("requirements.txt", lambda size: lines_of(size, "pkgN==1.N\n")),
    "one requirement": ("requirements.txt", lambda size: "a" * size),
    "an environment file": (".env", lambda size: lines_of(size, "SECRET_KEYN=abcdefN\n")),
    "a Dockerfile": ("Dockerfile", lambda size: lines_of(size, "ENV AN=$A1$AN\nRUN make N && \\\n true\n", head="FROM x\n")),
    "an nginx configuration": ("nginx.conf", lambda size: lines_of(size, "location /xN { proxy_pass http://a; }\n",
                                                                  head="http { server {\n", tail="}}\n")),
    "a compose file": ("docker-compose.yml", lambda size: lines_of(size, " sN: {image: x, environment: {A: N}}\n",
                                                                   head="services:\n")),
}  # fmt: skip
PER_FILE = 10.0


def seconds(folder: Path, size: int, shape: str) -> float:
    """Audit a file of this shape beside one with a flaw, and return the CPU seconds; the flaw is always found."""
    name, made = SHAPES[shape]
    write(folder, {"a.py": FLAW, name: made(size)})
    start = time.process_time()
    assert (folder / name).stat().st_size < MAX_TEXT_BYTES
    report = check(folder, *OWN, "BG901")
    assert f"{FOUND} a.py:6" in places(report)
    return time.process_time() - start


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
def test_large_files_take_no_longer_than_ten_seconds(tmp_path: Path, shape: str) -> None:
    assert seconds(tmp_path, 4_800_000, shape) < PER_FILE


@pytest.mark.parametrize("shape", ["routes", "ignores", "excepts", "one formatted string", "a deep contract"])
def test_time_grows_as_files_do(tmp_path: Path, shape: str) -> None:
    """Of what once took the square. Eight times as much takes 64 times as long then."""
    seconds(tmp_path, 10_000, shape)
    small, large = seconds(tmp_path, 30_000, shape), seconds(tmp_path, 240_000, shape)
    assert large < 24 * small + 0.2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (lines_of(1_300_000, "f(N, N)\n"), "was not analysed: holds more than 400,000 words and signs"),
        ("x = f'" + "{a}" * 60_000 + "'\n", "was not analysed: a formatted string has more than 10,000 fields"),
        (WEB + "".join(f"@app.get('/{each}')\ndef f{each}(): pass\n" for each in range(10_001)),
         "was analysed only in part: the project has more than 10,000 routes"),
        (WEB + "for each in range(301):\n    app.add_api_route(f'/{each}', print)\n",
         "was analysed only in part: of a loop, 300 rounds were followed"),
        (WEB + "for a in range(200):\n    for b in range(200):\n        app.add_api_route(f'/{a}/{b}', print)\n",
         "was analysed only in part: building its applications takes more than 20,000 steps"),
    ],
)  # fmt: skip
def test_what_a_bound_leaves_out_is_said(tmp_path: Path, text: str, said: str) -> None:
    report = check(write(tmp_path, {"a.py": FLAW, "b.py": text}), FOUND, "BG901", "BG301")
    assert f"{FOUND} a.py:6" in places(report)
    assert [one.message.startswith(f"b.py {said}") for one in report.findings if one.rule_id == "BG901"] == [True]


def test_a_path_that_is_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(write(tmp_path, {"a.py": FLAW}))
    for _ in range(45):
        Path("d" * 100).mkdir()
        monkeypatch.chdir("d" * 100)
    monkeypatch.chdir(tmp_path)
    report = check(tmp_path, FOUND, "BG901")
    assert f"{FOUND} a.py:6" in places(report)
    assert [one.message[-18:] for one in report.findings if one.rule_id == "BG901"] == ["File name too long"]


def test_a_mistake_of_ours_is_no_clean_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def mistaken(_: object) -> list[object]:
        raise RecursionError

    monkeypatch.setitem(audit.CHECKS.functions, "BG301", mistaken)
    report = audit.audit(write(tmp_path, {"a.py": FLAW}), Config(select=("BG301", FOUND)), RULEBOOK)
    assert places(report) == [f"{FOUND} a.py:6"]
    assert [str(one).partition(" (")[0] for one in report.failures] == ["BG301 could not be judged"]


def test_a_name_gives_a_terminal_no_orders(tmp_path: Path) -> None:
    (tmp_path / "a\n\x1b[31mb.py").write_text(FLAW)
    report = check(tmp_path, FOUND)
    for format, path in (("text", "a\ufffd\ufffd[31mb.py"), ("github", "file=a%0A\ufffd[31mb.py,line=6")):
        text = renderer(format, colour=False)(report, RULEBOOK)
        assert path in text
        assert "\x1b" not in text


EXAMPLES = [(name, text) for rule in RULEBOOK if rule.command == "audit" for example in rule.examples
            for name, text in example.files]  # fmt: skip
WORDS = ("", "*", "(", ")", "None", "self", ":=", "@", "\n", "\x00", "\ufeff", "1e999", "lambda: 0")
OWN = tuple(rule.id for rule in RULEBOOK if rule.command == "audit" and rule.detect.kind in ("python", "flow"))


def mutated(chance: random.Random, folder: Path) -> None:
    """Write some of the cards' examples with words taken out, doubled, swapped, or cut off."""
    for number in range(6):
        name, text = chance.choice(EXAMPLES)
        words = re.findall(r"\w+|\s+|[^\w\s]", text)
        for _ in range(chance.randint(0, 5)):
            place = chance.randrange(len(words))
            words[place] = chance.choice(("", words[place] * 2, chance.choice(words), chance.choice(WORDS)))
        cut = chance.randrange(len(words)) if chance.random() < 0.2 else len(words)
        write(folder, {chance.choice((name, f"p{number}/{name}")): "".join(words[:cut])})


def judge(seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        mutated(random.Random(seed), write(Path(folder), {"sound.py": FLAW}))
        report = check(Path(folder), *OWN, "BG901")
        assert f"{FOUND} sound.py:6" in places(report)


@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**32))
def test_mutated_examples_end_no_run(seed: int) -> None:
    judge(seed)


@pytest.mark.slow
@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**32))
def test_many_mutated_examples_end_no_run(seed: int) -> None:
    judge(seed)
