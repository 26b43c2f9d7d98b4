"""Whatever is written, the answer is a Spec or a UserError."""

from __future__ import annotations

import contextlib
import copy
import random
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backendgen.errors import UserError
from backendgen.spec.load import load_text

ORDERS = (Path(__file__).parents[2] / "examples" / "orders" / "spec.yaml").read_text(encoding="utf-8")
KEYS = [*sorted(set("".join(c if c.isalnum() or c == "_" else " " for c in ORDERS).split())), "<<", "all", "~", "*", ""]
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(KEYS),
    st.sampled_from(
        ["CREATE TABLE a (id int PRIMARY KEY);", "id = :user_id", "1/second", "15m", "off", "../a.sql", "a.sql"]
    ),
)
TREES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=20,
)


def survive(text: str | bytes) -> None:
    with contextlib.suppress(UserError):
        load_text(text, Path("spec.yaml"))


@given(st.binary(max_size=300))
@settings(max_examples=300, deadline=None)
def test_any_bytes(data: bytes) -> None:
    survive(data)


@given(st.text(alphabet="ab:-[]{}&*!|>'\"%@`#,?\n\t \\0x~<", max_size=60))
@settings(max_examples=500, deadline=None)
def test_any_yaml_punctuation(text: str) -> None:
    survive(text)


@given(TREES)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_tree(tree: object) -> None:
    survive(yaml.safe_dump(tree))


@given(st.integers(0, 2**32), TREES)
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_mutated_spec(seed: int, graft: object) -> None:
    """One to three keys or items of the orders spec are deleted, renamed, swapped or replaced."""
    choose = random.Random(seed)
    tree = yaml.safe_load(ORDERS)
    for _ in range(choose.randint(1, 3)):
        _mutate(tree, choose, graft)
    survive(yaml.safe_dump(tree, sort_keys=False))


def _mutate(tree: Any, choose: random.Random, graft: object) -> None:
    places = list(_places(tree))
    holder, key = choose.choice(places)
    match choose.choice(("delete", "rename", "swap", "replace", "replace")):
        case "delete":
            del holder[key]
        case "rename" if isinstance(holder, dict):
            holder[choose.choice(KEYS)] = holder.pop(key)
        case "swap":
            other, name = choose.choice(places)
            if name in other if isinstance(other, dict) else name < len(other):
                holder[key] = yaml.safe_load(yaml.safe_dump(other[name]))
        case _:
            holder[key] = copy.deepcopy(graft)


def _places(node: Any) -> list[tuple[Any, Any]]:
    found = []
    pairs = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in list(pairs):
        found.append((node, key))
        found += _places(value)
    return found


@given(st.integers(0, 2**32))
@settings(max_examples=200, deadline=None)
def test_a_spec_with_damaged_text(seed: int) -> None:
    """A few characters of the orders spec are lost, doubled or exchanged, mostly inside its SQL."""
    choose = random.Random(seed)
    text = list(ORDERS)
    for _ in range(choose.randint(1, 4)):
        at = choose.randrange(len(text))
        match choose.randrange(3):
            case 0:
                del text[at : at + choose.randint(1, 30)]
            case 1:
                text.insert(at, choose.choice("();'\"$:,\n\t \\-*/%@\x00é"))
            case _:
                other = choose.randrange(len(text))
                text[at], text[other] = text[other], text[at]
    survive("".join(text))
