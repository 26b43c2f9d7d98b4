"""`audit --fix`: what it corrects is clean when it is audited again, compiles, and keeps all that stands around it."""

from __future__ import annotations

import ast
import io
import tokenize
from dataclasses import replace
from pathlib import Path

import pytest
from apps import RULEBOOK, written

from backendgen import audit, files
from backendgen.audit import fixes
from backendgen.audit.fixes.site import fixer
from backendgen.config import Config
from backendgen.rules import Example

CASES = [
    pytest.param(rule_id, example, id=f"{rule_id}-line-{example.line}")
    for rule_id in sorted(fixer.functions)
    if rule_id in RULEBOOK
    for example in RULEBOOK[rule_id].examples
    if example.bad
]


def _fix(root: Path, *rules: str) -> fixes.Fixed:
    """Write the fixes of some rules, and return what was written."""
    plan = audit.fix(root, replace(Config(), select=rules, confidence="low"), RULEBOOK)
    if plan.files:
        files.write_tree(plan.root, plan.files, force=True)
    return plan


def _fixed(tmp_path: Path, text: str, *rules: str) -> str:
    root = written(tmp_path, {"app/main.py": text})
    _fix(root, *rules)
    return (root / "app/main.py").read_text(encoding="utf-8")


def _comments(text: str) -> list[str]:
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return [token.string for token in tokens if token.type == tokenize.COMMENT]


@pytest.mark.parametrize(("rule_id", "example"), CASES)
def test_what_is_fixed_is_clean_and_compiles(rule_id: str, example: Example, tmp_path: Path) -> None:
    root = written(tmp_path, dict(example.files))
    settings = replace(Config(), select=(rule_id,), confidence="low")
    before = audit.audit(root, settings, RULEBOOK)
    plan = _fix(root, rule_id)
    assert not plan.unfixed
    corrected = sum(sum(count.values()) for count in plan.counts.values())
    after = audit.audit(root, settings, RULEBOOK)
    assert len(after.findings) == len(before.findings) - corrected
    for name, text in example.files:
        now = (root / name).read_text(encoding="utf-8")
        ast.parse(now)
        assert _comments(now) == _comments(text)


def test_every_fixer_corrects_an_example(tmp_path: Path) -> None:
    idle = set(fixer.functions) & set(RULEBOOK.ids)
    for rule_id in sorted(idle):
        for number, example in enumerate(one for one in RULEBOOK[rule_id].examples if one.bad):
            root = written(tmp_path / f"{rule_id}-{number}", dict(example.files))
            if _fix(root, rule_id).files:
                idle.discard(rule_id)
    assert idle == set()


def test_a_keyword_goes_where_the_others_stand(tmp_path: Path) -> None:
    text = """import requests

one = requests.get("https://a.example")
two = requests.get(
    "https://a.example",  # the address
    headers={},
)
three = requests.get("https://a.example", headers={},)
four = requests.get(
    "https://a.example"  # no comma
)
"""
    assert (
        _fixed(tmp_path, text, "BG502")
        == """import requests

one = requests.get("https://a.example", timeout=10)
two = requests.get(
    "https://a.example",  # the address
    headers={},
    timeout=10,
)
three = requests.get("https://a.example", headers={}, timeout=10,)
four = requests.get(
    "https://a.example"  # no comma
)
"""
    )


def test_sql_gets_the_placeholders_of_its_driver(tmp_path: Path) -> None:
    text = """import sqlite3

import psycopg
from sqlalchemy import text


def lite(connection: sqlite3.Connection, name):
    return connection.execute(f"SELECT id FROM users WHERE name = '{name}' LIMIT {name.size}")


def post(connection: psycopg.Connection, name):
    return connection.execute(f"SELECT id FROM users WHERE note LIKE 'a%' AND name = {name}")


def alchemy(session, name, order):
    session.execute(text(f"UPDATE users SET name = {name}, note = {order.name} WHERE id = {order.id}"))
    session.execute(text(f"SELECT id FROM {name} WHERE id = {order.id}"))
"""
    assert (
        _fixed(tmp_path, text, "BG104")
        == """import sqlite3

import psycopg
from sqlalchemy import text


def lite(connection: sqlite3.Connection, name):
    return connection.execute("SELECT id FROM users WHERE name = ? LIMIT ?", (name, name.size))


def post(connection: psycopg.Connection, name):
    return connection.execute("SELECT id FROM users WHERE note LIKE 'a%%' AND name = %s", (name,))


def alchemy(session, name, order):
    session.execute(text("UPDATE users SET name = :name, note = :name_2 WHERE id = :id"), \
{"name": name, "name_2": order.name, "id": order.id})
    session.execute(text(f"SELECT id FROM {name} WHERE id = {order.id}"))
"""
    )


def test_a_comparison_takes_what_may_be_missing(tmp_path: Path) -> None:
    text = '''"""Hooks."""

from __future__ import annotations

import hashlib
from hmac import new


def check(request, key: bytes, body: bytes) -> bool:
    expected = new(key, body, hashlib.sha256).hexdigest()
    return request.headers.get("X-Signature") == expected  # constant time
'''
    assert (
        _fixed(tmp_path, text, "BG223")
        == '''"""Hooks."""

from __future__ import annotations

import hashlib
import hmac
from hmac import new


def check(request, key: bytes, body: bytes) -> bool:
    expected = new(key, body, hashlib.sha256).hexdigest()
    return hmac.compare_digest((request.headers.get("X-Signature") or "").encode(), expected.encode())  # constant time
'''
    )


def test_a_name_that_means_something_else_stays(tmp_path: Path) -> None:
    text = """import random


def make(secrets):
    token = random.randbytes(16)
    return token, secrets
"""
    assert _fixed(tmp_path, text, "BG211") == text


def test_line_ends_and_the_byte_order_mark_stay(tmp_path: Path) -> None:
    root = written(tmp_path, {"app/main.py": ""})
    path = root / "app/main.py"
    path.write_bytes(b'\xef\xbb\xbfimport yaml\r\n\xc3\xa4 = yaml.load(open("a"), Loader=yaml.Loader)  # \xc3\xb6\r\n')
    _fix(root, "BG109")
    assert path.read_bytes() == b'\xef\xbb\xbfimport yaml\r\n\xc3\xa4 = yaml.safe_load(open("a"))  # \xc3\xb6\r\n'


def test_a_file_that_cannot_be_written_again_is_said(tmp_path: Path) -> None:
    root = written(tmp_path, {"app/main.py": ""})
    path = root / "app/main.py"
    content = b'import yaml\r\nrows = yaml.load(open("a"), Loader=yaml.Loader)\n'
    path.write_bytes(content)
    assert [str(problem) for problem in _fix(root, "BG109").unfixed] == [
        "app/main.py is not changed: its lines end in several ways"
    ]
    assert path.read_bytes() == content
