"""Every card is a test: each Bad block yields exactly its marked lines, each Good block nothing."""

from __future__ import annotations

import runpy
from dataclasses import replace
from pathlib import Path

import pytest

from backendgen import audit, migrate
from backendgen.config import Config, load
from backendgen.rules import Example, Rule, Rulebook

RULEBOOK = Rulebook()
COMMANDS = {"audit": audit.audit, "migrate": migrate.check}
CASES = [
    pytest.param(rule, example, id=f"{rule.id}-{'bad' if example.bad else 'good'}-line-{example.line}")
    for rule in RULEBOOK
    for example in rule.examples
]


@pytest.mark.parametrize(("rule", "example"), CASES)
def test_example(rule: Rule, example: Example, tmp_path: Path) -> None:
    for name, text in example.files:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    settings = tmp_path / "backendgen.toml"  # only an example that brings one has any
    config = replace(load(tmp_path, settings) if settings.exists() else Config(), select=(rule.id,), confidence="low")
    report = COMMANDS[rule.command](tmp_path, config, RULEBOOK)
    assert not report.failures
    found = {(one.location.path, one.location.line) for one in report.findings if one.rule_id == rule.id}
    assert found == set(example.marked)
    assert bool(example.marked) == example.bad, "a Bad block marks its lines, a Good block marks none"


def test_cards_and_checks_are_a_bijection() -> None:
    wanted = {command: {rule.id for rule in RULEBOOK if rule.command == command and rule.detect.kind == "python"}
              for command in COMMANDS}  # fmt: skip
    judging = {*migrate.CHECKS.functions, *migrate.DOWN_CHECKS.functions}
    assert wanted == {"audit": set(audit.CHECKS.functions), "migrate": judging}


@pytest.mark.parametrize("rule", list(RULEBOOK), ids=lambda rule: rule.id)
def test_a_card_says_why_and_what_to_do(rule: Rule) -> None:
    assert rule.why and len(rule.why.splitlines()) <= 6
    assert rule.fix
    if rule.command != "process":
        assert {example.bad for example in rule.examples} == {True, False}
        assert rule.detect.data is not None or rule.detect.kind not in ("flow", "semgrep")


def test_the_index_is_current() -> None:
    root = Path(__file__).parent.parent
    text = (root / "rules" / "README.md").read_text(encoding="utf-8")
    with_index = runpy.run_path(str(root / "scripts" / "rules_index.py"))["with_index"]
    assert text == with_index(text), "run scripts/snapshots"
