"""YAML and JSON with lines: merge keys, aliases, broken and hostile texts."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from backendgen.code.trees import Node, Unreadable, read


def plain(node: Node) -> Any:
    value = node.value
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, list) else value


def lines(node: Node) -> Any:
    value = node.value
    if isinstance(value, dict):
        return (node.line, {key: lines(one) for key, one in value.items()})
    return (node.line, [lines(one) for one in value]) if isinstance(value, list) else node.line


def test_yaml_keeps_lines_and_follows_aliases_and_merge_keys() -> None:
    text = "base: &base\n  a: 1\n  b: no\nother:\n  <<: *base\n  a: 2\nsame: *base\n200:\n  - x: 1:30\n"
    node = read(text, "a.yaml")
    assert plain(node) == {
        "base": {"a": 1, "b": "no"}, "other": {"a": 2, "b": "no"}, "same": {"a": 1, "b": "no"}, "200": [{"x": "1:30"}],
    }  # fmt: skip
    assert lines(node)[1]["other"] == (4, {"a": 6, "b": 3})
    assert lines(node)[1]["200"] == (8, [(9, {"x": 9})])


def test_json_with_tabs_and_surrogates_keeps_lines_and_columns() -> None:
    node = read('{\n\t"a": [1.5,\n\t\t2, {"b": "\\ud83d\\ude00\\/"}],\n\t"c": {}, "d": null}', "a.json")
    assert plain(node) == {"a": [1.5, 2, {"b": "😀/"}], "c": {}, "d": None}
    assert lines(node) == (1, {"a": (2, [2, 3, (3, {"b": 3})]), "c": (4, {}), "d": 4})
    found = node.get("c")
    assert found is not None and (found.line, found.column) == (4, 2)


@pytest.mark.parametrize(
    ("name", "text", "place"),
    [
        ("a.yaml", "a: b: c", (1, 5)),
        ("a.yaml", "a:\n  - [\n", (3, 1)),
        ("a.yaml", "a: \x00", (1, 1)),
        ("a.json", '{"a": 1]', (1, 8)),
        ("a.json", '{"a"\n 1}', (2, 2)),
        ("a.json", "[1\n", (2, 1)),
    ],
)
def test_what_cannot_be_read_says_where(name: str, text: str, place: tuple[int, int]) -> None:
    with pytest.raises(Unreadable) as raised:
        read(text, name)
    assert (raised.value.line, raised.value.column) == place


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 50_000, "- " * 50_000, "a: &a [*a, *b]", "&a [*a]", "*a"])
def test_hostile_texts_end_at_once(text: str) -> None:
    for name in ("a.yaml", "a.json"):
        try:
            node = read(text, name)
        except Unreadable:
            continue
        assert sum(1 for _ in node.walk()) <= 200_000


def test_expanding_aliases_are_walked_once() -> None:
    text = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 60))
    assert sum(1 for _ in read(text, "a.yaml").walk()) == 63


def test_json_agrees_with_the_standard_library() -> None:
    chance = random.Random(7)

    def value(depth: int) -> Any:
        kind = chance.randrange(7 if depth else 5)
        if kind == 5:
            return [value(depth - 1) for _ in range(chance.randrange(4))]
        if kind == 6:
            return {f"k{n}": value(depth - 1) for n in range(chance.randrange(4))}
        return [None, True, -3, 1.5e3, 'q"\\\n\té'][kind]

    for _ in range(200):
        made = {"root": value(4)}
        for indent in (None, 2, "\t"):
            assert plain(read(json.dumps(made, indent=indent), "a.json")) == made


def test_mutated_texts_never_raise_anything_else() -> None:
    chance = random.Random(11)
    texts = [
        '{"openapi": "3.1.0", "paths": {"/a": {"get": [1, true, null]}}}',
        "openapi: 3.0.0\npaths:\n  /a: &x\n    get: [1, {a: b}]\n  /b: *x\n",
    ]
    for _ in range(3_000):
        text = list(chance.choice(texts))
        for _ in range(chance.randrange(1, 5)):
            text[chance.randrange(len(text))] = chance.choice("{}[]:,\"'&*-\n\t \\#%@`!|>")
        for name in ("a.json", "a.yaml"):
            try:
                read("".join(text), name)
            except Unreadable as error:
                assert error.line >= 1
