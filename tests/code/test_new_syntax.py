"""Syntax that is newer than the interpreter: rewritten, its meaning and lines kept."""

from __future__ import annotations

import ast
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backendgen.code.nodes import unparse
from backendgen.code.parse import Unparsable, older, parse


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ('x = f"a{d["b"]} {y!r:>{w}}" "c"\n', "x = f'''a{d[\"b\"]} {y!r:{w}}c'''\n"),
        ('x = f"{r"\\d".join(a)}"\n', "x = f'{s.join(a)}'\n"),
        ('x = (f"a{d["b"]}"\n     f"{y}" "z")\n', "x = f'''a{d[\"b\"]}{y}z'''\n"),
        ("def f[T: int](x: T) -> T: ...\n", "def f(x: T) -> T: ...\n"),
        ("class A[T, *U](B): ...\n", "class A(B): ...\n"),
        ("type X[T] = list[T]\n", "X = list[T]\n"),
        ("def f():\n    type P = int\n    return P\n", "def f():\n    P = int\n    return P\n"),
        ("try: ...\nexcept A, B: ...\n", "try: ...\nexcept (A, B): ...\n"),
        ("lazy import json\nlazy from a import b\n", "import json\nfrom a import b\n"),
    ],
)
@pytest.mark.skipif(sys.version_info >= (3, 12), reason="newer interpreters read most of it themselves")
def test_rewritten_to_the_same_meaning(text: str, meaning: str) -> None:
    assert ast.dump(parse(text)).replace("Constant(value='\\\\d')", "Name(id='s', ctx=Load())") == ast.dump(
        ast.parse(meaning)
    )


def test_lines_stay() -> None:
    text = 'def f[\n    T,\n](x):\n    y = f"{\n        d["a"]  # why\n    }"\n    return execute(f"{d["b"]}")\n'
    calls = [node for node in ast.walk(parse(text)) if isinstance(node, ast.Call)]
    assert [call.lineno for call in calls] == [7]
    names = {node.lineno for node in ast.walk(parse(text)) if isinstance(node, ast.Name) and node.id == "d"}
    assert names == {5, 7}


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("x = 1\ndef f(:\n", "not valid Python: invalid syntax", 2),
        ("x = 1\ny = '\0'\n", "holds a NUL byte, which Python refuses", 2),
        ("x = " + "-" * 100_000 + "1", "nested too deeply to be parsed", 1),
        ("x = " + "(" * 400 + ")" * 400, "not valid Python: too many nested parentheses", 1),
    ],
)
def test_what_is_no_python_says_where(text: str, message: str, line: int) -> None:
    with pytest.raises(Unparsable) as caught:
        parse(text)
    assert (caught.value.message, caught.value.line) == (message, line)


PIECES = st.sampled_from(
    ['f"{', '}"', "f'''", '{d["a"]}', "def f[T](", "):", "type X", "=", "\n", "    ", "except A, B:", "try:", "x", "(",
     ")", "[", "]", '"', "'", "\\", "{", "}", "{{", "#", "lazy import a", "class A[T]:", "pass", "é",
     "\t", "match x:", "case [1, *_]:", "\0", "\r"]
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=25).map("".join)))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        assert isinstance(parse(text), ast.Module)
    except Unparsable as error:
        assert error.message and error.line >= 1 and error.column >= 1


def test_an_older_spelling_keeps_lines_and_strings() -> None:
    text = 'def f[T](x):\n    try: ...\n    except A, B:\n        return t"a {f"{x["b"]}"}"\nlazy import json\n'
    assert older(text) == (
        'def f   (x):\n    try: ...\n    except (A, B):\n        return f"a {f"{x["b"]}"}"\nimport      json\n'
    )
    assert older("x = 1\n") is None


def test_what_only_newer_interpreters_can_write_is_told_by_its_words() -> None:
    tree = parse('x = f"{re.split(r"^\\s*-", line)[-1]}, "\n')
    assert isinstance(tree.body[0], ast.Assign)
    words = unparse(tree.body[0].value)
    assert "line" in words and "split" in words
