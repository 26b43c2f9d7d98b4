from __future__ import annotations

from pathlib import Path

import pytest

from backendgen.errors import UserError
from backendgen.rules import Rulebook, parse_card

CARD = """---
title: Tea
severity: high
confidence: low
owasp: [A03:2021]
cwe: [89]
detect: python
since: 0.1.0
aliases: [BG001]
---
Because.

## Fix
Do.

## Bad
```python
## not a heading
tea()  # BG555
```

### Two files
```python app/a.py
from app.b import tea
```
```python app/b.py lines=2
tea = '''
x'''
```

## Good
```sql
SELECT 1;
```
"""


def book(folder: Path, text: str = CARD, name: str = "BG555-tea-time.md") -> Rulebook:
    (folder / "audit").mkdir(exist_ok=True)
    (folder / "audit" / name).write_text(text)
    return Rulebook(folder)


def test_a_card_gives_metadata_sections_and_examples(tmp_path: Path) -> None:
    rule = book(tmp_path)["BG555"]
    assert (rule.title, rule.severity.word, rule.confidence.word, rule.command) == ("Tea", "high", "low", "audit")
    assert (rule.why, rule.fix) == ("Because.", "Do.")
    assert [title for title, _ in rule.sections] == ["Fix", "Bad", "Good"]
    one, two, good = rule.examples
    assert one.bad and one.marked == {("app/main.py", 2)}
    assert [path for path, _ in two.files] == ["app/a.py", "app/b.py"]
    assert two.marked == {("app/b.py", 2)}
    assert not good.bad and good.files[0][0] == "0001_change.sql"
    assert CARD.splitlines()[one.line - 1] == "```python"


def test_rules_are_found_by_id_alias_and_slug(tmp_path: Path) -> None:
    rules = book(tmp_path)
    for word in ("BG555", "bg555", "BG001", "tea-time"):
        assert rules.find(word).id == "BG555"


def test_an_unknown_id_gets_the_ids_that_start_so(tmp_path: Path) -> None:
    rules = book(tmp_path)
    with pytest.raises(UserError) as error:
        rules.find("BG5")
    assert str(error.value) == "there is no rule 'BG5'; these start so:\n  BG555  Tea"
    with pytest.raises(UserError) as error:
        rules.find("BG565")
    assert str(error.value) == "there is no rule 'BG565' (did you mean 'BG555'?); `backendgen rules` lists them"


def test_select_takes_prefixes_and_refuses_unknown_ones(tmp_path: Path) -> None:
    rules = book(tmp_path)
    assert [rule.id for rule in rules.select("audit", ["BG5"])] == ["BG555"]
    with pytest.raises(UserError, match=r"no rule of `backendgen audit` is left to check \(ignore BG55\)"):
        rules.select("audit", (), ["BG55"])
    with pytest.raises(UserError, match=r"no rule of `backendgen migrate-check` is left to check \(select BG555\)"):
        rules.select("migrate", ["BG555"])
    assert rules.select("migrate") == ()
    with pytest.raises(UserError, match="no rule's id starts with 'BG7'"):
        rules.select("audit", ["BG7"])


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("severity: high", "severity: hihg", "severity is one of info, low, medium, high, critical, not 'hihg'"),
        ("title: Tea\n", "", "'title' is missing"),
        ("cwe: [89]", "cwe: [99999]", "cwe 99999 is not in taxonomy.py"),
        ("since: 0.1.0", "sincee: 0.1.0", "unknown key 'sincee' (did you mean 'since'?)"),
        ("detect: python", "detect: magic", "detect is python, flow, semgrep, built-in, {bandit: [Bnnn]}"),
        ("cwe: [89]", "cwe: [89", "the card's front matter is not YAML"),
        ("---\ntitle", "title", "a card is BGnnn-slug.md and starts with YAML between two lines of ---"),
    ],
)
def test_a_broken_card_is_explained(old: str, new: str, expected: str) -> None:
    with pytest.raises(UserError) as error:
        parse_card(CARD.replace(old, new), Path("BG555-tea-time.md"))
    assert expected in str(error.value)


def test_two_cards_cannot_share_an_id(tmp_path: Path) -> None:
    book(tmp_path)
    with pytest.raises(UserError, match=r"BG555 is already the id of BG555-coffee\.md"):
        book(tmp_path, name="BG555-coffee.md")
