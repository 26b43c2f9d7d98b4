"""How sure a finding is: what sound projects write on purpose is doubtful, and hidden by default."""

from __future__ import annotations

from pathlib import Path

import pytest
from apps import report

from backendgen.rules import Confidence

HASHES = """
import hashlib

def of_mail(email: str) -> str:
    return hashlib.md5(email.lower().encode()).hexdigest()

def of_person(email: str, password: str) -> str:
    return hashlib.md5(f"{email}:{password}".encode()).hexdigest()
"""
DEFAULTS = """
def remembered(key: str, _known: dict = {}) -> str:
    _known[key] = key
    return key

def listed(key: str, found: list = []) -> list:
    found.append(key)
    return found
"""
LOADERS = """
import yaml

def full(text: str) -> object:
    return yaml.full_load(text)

def unsafe(text: str) -> object:
    return yaml.unsafe_load(text)
"""
WRITES = """
from fastapi import Depends, FastAPI, HTTPException
from shop.rules import check_permission

app = FastAPI()

def caller(token: str) -> str:
    if not token:
        raise HTTPException(401)
    return token

@app.get("/mine")
def mine(user: str = Depends(caller)) -> str:
    return user

@app.post("/asked")
def asked(name: str) -> None:
    check_permission(name)
    app.state.orders.create(name)

@app.post("/conversion")
def convert(amount: float) -> float:
    return amount / 100

@app.post("/unasked")
def unasked(name: str) -> None:
    app.state.orders.create(name)
"""
TOKENS = """
import jwt

def issuer(token: str) -> str:
    unverified = jwt.decode(token, options={"verify_signature": False})
    return unverified["iss"]

def subject(token: str) -> str:
    claims = jwt.decode(token, options={"verify_signature": False})
    return claims["sub"]
"""
COOKIES = """
from flask import Flask, make_response

app = Flask(__name__)

@app.post("/sign-in")
def sign_in(token: str) -> object:
    answer = make_response("")
    answer.set_cookie("session_token", token)
    answer.set_cookie("is_session_token", "true")
    return answer
"""
AMOUNTS = """
from django.db import models

class Feeding(models.Model):
    amount = models.FloatField()

    class Meta:
        ordering = ["-id"]

class Payment(models.Model):
    amount = models.FloatField()
"""

REDIRECTS = """
from flask import Flask, redirect, request

app = Flask(__name__)

@app.get("/back")
def back() -> object:
    return redirect(request.headers.get("Referer"))

@app.get("/named")
def named() -> object:
    return redirect(request.args["next"])
"""


@pytest.mark.parametrize(
    ("rule", "text", "expected"),
    [
        ("BG201", HASHES, {5: "low", 8: "medium"}),
        ("BG518", DEFAULTS, {3: "low", 7: "high"}),
        ("BG114", REDIRECTS, {8: "low", 12: "high"}),
        ("BG109", LOADERS, {5: "low", 8: "medium"}),
        ("BG202", TOKENS, {5: "low", 9: "high"}),
        ("BG227", COOKIES, {9: "medium", 10: "low"}),
        ("BG516", AMOUNTS, {5: "low", 11: "medium"}),
        ("BG301", WRITES, {16: "low", 21: "low", 25: "high"}),
    ],
)
def test_what_is_done_on_purpose_is_doubtful(tmp_path: Path, rule: str, text: str, expected: dict[int, str]) -> None:
    outcome = report(tmp_path, {"main.py": text}, select=(rule,), confidence="low")
    assert {one.location.line: one.confidence.name.lower() for one in outcome.findings} == expected


def test_what_a_file_does_over_and_over_is_said_once(tmp_path: Path) -> None:
    def calls(count: int) -> str:
        functions = (f"def f{n}():\n    return requests.get('https://a.org')\n" for n in range(count))
        return "import requests\n\n" + "".join(functions)

    outcome = report(tmp_path, {"app/a.py": calls(4), "app/b.py": calls(3)}, select=("BG502",))
    shown = [one for one in outcome.findings if one.confidence is not Confidence.LOW]
    places = [(one.location.path, one.location.line) for one in shown]
    assert places == [("app/a.py", 4), ("app/b.py", 4), ("app/b.py", 6), ("app/b.py", 8)]
    assert shown[0].message.endswith("until there are none; 3 times more in this file")
    assert [step.location.line for step in shown[0].steps] == [6, 8, 10]
    assert not shown[1].steps


def test_errors_of_one_kind_may_be_told(tmp_path: Path) -> None:
    handler = """
from fastapi import FastAPI, HTTPException

app = FastAPI()

@app.get("/a")
def a():
    try:
        buy()
    except Exception as error:
        if isinstance(error, OutOfStock):
            raise HTTPException(409, str(error))
        raise HTTPException(500, {told})
"""
    files = {"a.py": handler.replace("{told}", "str(error)"), "b.py": handler.replace("{told}", "'no'")}
    outcome = report(tmp_path, files, select=("BG505",))
    shown = [one for one in outcome.findings if one.confidence is not Confidence.LOW]
    assert [(one.location.path, one.location.line) for one in shown] == [("a.py", 13)]
