"""The example histories and their whole reports: line, column, rule, severity."""

from __future__ import annotations

from pathlib import Path

from backendgen import migrate
from backendgen.config import Config
from backendgen.rules import Rulebook

EXAMPLES = Path(__file__).parents[2] / "examples" / "migrations"

UNSAFE = """
0002_orders_of_a_customer.sql:1:1 BG701 high
0002_orders_of_a_customer.sql:2:1 BG704 high
0002_orders_of_a_customer.sql:2:1 BG710 low
0002_orders_of_a_customer.sql:4:1 BG706 high
0003_money.sql:3:1 BG708 high
0003_money.sql:3:1 BG740 info
0003_money.sql:6:1 BG711 medium
0003_money.sql:8:1 BG805 medium
0003_money.sql:9:1 BG702 high
0004_public_id.sql:2:1 BG709 high
0004_public_id.sql:3:1 BG707 high
0004_public_id.sql:4:1 BG804 high
0005_tidy_up.sql:2:1 BG703 low
0005_tidy_up.sql:3:1 BG803 high
0005_tidy_up.sql:4:1 BG802 high
0005_tidy_up.sql:7:1 BG801 high
0005_tidy_up.sql:7:1 BG815 high
"""


def test_unsafe() -> None:
    report = migrate.check(EXAMPLES / "unsafe", Config(), Rulebook())
    lines = [f"{one.location.path}:{one.location.line}:{one.location.column} {one.rule_id} {one.severity.word}"
             for one in report.findings]  # fmt: skip
    assert lines == UNSAFE.split("\n")[1:-1]
    assert [(one.finding.rule_id, one.finding.location.path, one.finding.location.line, one.reason)
            for one in report.ignored] == [("BG806", "0005_tidy_up.sql", 6, "the table has a handful of rows")]  # fmt: skip
    assert report.files == 5


def test_safe_is_clean_at_every_confidence() -> None:
    report = migrate.check(EXAMPLES / "safe", Config(confidence="low"), Rulebook())
    assert report.findings == ()
    assert report.ignored == ()
