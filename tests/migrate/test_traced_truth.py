"""Our tables of locks and rewrites against what PostgreSQL 18 and 16 do: cards, labelled cases, generated forms."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from lab import EXCEPTIONS, Lab, excepted
from statements import ALTERS, OTHERS, RETYPES, SCHEMA
from test_locks import SCHEMA as SMALL_SCHEMA
from test_locks import TRACED

from backendgen.migrate.trace import scratch
from backendgen.rules import Rule, Rulebook
from backendgen.sql.replay import Schema

CASES = Path(__file__).parents[2].parent / "shared" / "cases"
RULES = [rule for rule in Rulebook() if rule.command == "migrate"]
ONLY_18 = re.compile(r"(?i)virtual|not enforced|enforced|not null \w+( not valid)?$|set expression")
GENERATED = [pytest.param(ALTERS, id="alter"), pytest.param(RETYPES, id="type"), pytest.param(OTHERS, id="other")]
QUICK = settings(
    max_examples=350, derandomize=True, database=None, deadline=None, phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
LONG = settings(QUICK, max_examples=8000, derandomize=False, phases=[Phase.generate, Phase.shrink])


@pytest.fixture(scope="module", params=[18, 16])
def server(request: pytest.FixtureRequest) -> Iterator[Lab]:
    with scratch.throw_away(request.param) as admin:
        session = scratch.Session(admin, 20)
        yield Lab(session, request.param, Schema())
        session.close()


@pytest.fixture
def lab(server: Lab) -> Lab:
    server.clear()
    return server


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_the_statements_of_a_card(rule: Rule, lab: Lab) -> None:
    wrong = []
    for example in rule.examples:
        lab.clear()
        for name, text in sorted(example.files):
            if name.endswith(".sql"):
                wrong += [(sql, found) for sql, found in lab.run(text) if found and not excepted(sql)]
    assert wrong == []


@pytest.mark.parametrize("name", ["eugene.jsonl", "squawk.jsonl"])
def test_the_statements_of_labelled_cases(name: str, lab: Lab) -> None:
    if not (CASES / name).exists():
        pytest.skip("the labelled cases are not beside this checkout")
    wrong, ran = [], 0
    for line in (CASES / name).read_text(encoding="utf-8").splitlines():
        lab.clear()
        for sql, found in lab.run(json.loads(line)["sql"]):
            ran += 1
            if found and not excepted(sql):
                wrong.append((sql, found))
    assert wrong == []
    assert ran > 50


def test_each_lock_that_the_manual_table_lists(lab: Lab) -> None:
    if lab.version < 18:
        pytest.skip("the list was traced on 18")
    lab.set_up(SMALL_SCHEMA)
    compared = {statement: lab.compare(statement) for statement, _ in TRACED}
    assert {statement: found for statement, found in compared.items() if found != []} == {}


@pytest.mark.parametrize("statements", GENERATED)
def test_generated_statements(statements: st.SearchStrategy[str], lab: Lab) -> None:
    _agree(lab, statements, QUICK)


@pytest.mark.slow
@pytest.mark.parametrize("statements", GENERATED)
def test_many_generated_statements(statements: st.SearchStrategy[str], lab: Lab) -> None:
    _agree(lab, statements, LONG)


def _agree(lab: Lab, statements: st.SearchStrategy[str], profile: settings) -> None:
    lab.set_up(SCHEMA)
    ran: set[str] = set()

    @profile
    @given(statements)
    def agree(sql: str) -> None:
        found = lab.compare(sql)
        if found is not None:
            ran.add(sql)
        assert not found or excepted(sql), (sql, found)

    agree()
    assert len(ran) > 80, "too few statements of the vocabulary are valid"


@pytest.mark.parametrize(("pattern", "reason", "example"), EXCEPTIONS, ids=[example for _, _, example in EXCEPTIONS])
def test_an_exception_is_still_one(pattern: str, reason: str, example: str, lab: Lab) -> None:
    if lab.version < 18 and ONLY_18.search(example):
        pytest.skip("new in 18")
    lab.set_up(SCHEMA)
    assert re.search(pattern, example) and reason
    assert lab.compare(example), "it agrees now: remove the exception"
