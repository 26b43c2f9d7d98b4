"""What the rules about locks, keys and partitions say beyond their cards: versions, transactions, once in a migration."""

from __future__ import annotations

from pathlib import Path

import pytest
from on_disk import write

from backendgen import migrate
from backendgen.config import Config
from backendgen.rules import Rulebook

RULEBOOK = Rulebook()
PARTITIONED = """
CREATE TABLE events (id bigint, day int) PARTITION BY RANGE (day);
CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (0) TO (10);
"""
ENUM = "CREATE TYPE mood AS ENUM ('a'); CREATE TABLE t (id bigint PRIMARY KEY, m mood);"


def found(tmp_path: Path, files: dict[str, str], *rules: str, pg_version: int = 14) -> list[str]:
    config = Config(select=rules, confidence="low", pg_version=pg_version)
    report = migrate.check(write(tmp_path, files), config, RULEBOOK)
    return [f"{one.location.path}:{one.location.line} {one.rule_id} {one.severity.word} {one.confidence.word}"
            for one in report.findings]  # fmt: skip


@pytest.mark.parametrize(
    ("statement", "rule", "refused_in", "taken_in"),
    [
        ("ALTER TABLE events ADD FOREIGN KEY (id) REFERENCES users (id) NOT VALID;", "BG717", 17, 18),
        ("ALTER TABLE events ADD EXCLUDE (day WITH =);", "BG717", 16, 17),
        ("ALTER TABLE events DETACH PARTITION events_1;", "BG727", 14, 13),
        ("BEGIN;ALTER TYPE mood ADD VALUE 'b';COMMIT;", "BG729", 11, 12),
        ("BEGIN;CREATE TYPE n AS ENUM ('x');ALTER TYPE n ADD VALUE 'y';SELECT 'y'::n;COMMIT;", "BG729", 16, 17),
    ],
)
def test_the_version_decides(tmp_path: Path, statement: str, rule: str, refused_in: int, taken_in: int) -> None:
    files = {"1_init.sql": PARTITIONED + ENUM, "2_change.sql": statement}
    assert [one.split()[1] for one in found(tmp_path / "a", files, rule, pg_version=refused_in)] == [rule]
    assert found(tmp_path / "b", files, rule, pg_version=taken_in) == []


def test_a_runner_that_is_not_known_makes_it_doubtful(tmp_path: Path) -> None:
    """Without BEGIN, whether two statements share a transaction is the runner's affair."""
    statements = "ALTER TABLE a ADD COLUMN x int;\nALTER TABLE b ADD COLUMN x int;\nCREATE INDEX i ON b (x);"
    assert found(tmp_path / "a", {"change.sql": statements}, "BG713", "BG714") == [
        "change.sql:2 BG714 low low",
        "change.sql:3 BG713 high low",
    ]
    wrapped = {"change.sql": f"BEGIN;\n{statements}\nCOMMIT;"}
    assert found(tmp_path / "b", wrapped, "BG713", "BG714") == [
        "change.sql:3 BG714 low low",
        "change.sql:4 BG713 high high",
    ]


def test_a_stronger_lock_on_the_same_table_counts(tmp_path: Path) -> None:
    text = """BEGIN;
CREATE INDEX i ON t (a);
ALTER TABLE t ADD COLUMN b int;
CREATE INDEX j ON t (b);
COMMIT;
BEGIN;
CREATE INDEX k ON t (a);
CREATE INDEX l ON t (b);
COMMIT;
"""
    assert found(tmp_path, {"1_change.sql": text}, "BG713") == ["1_change.sql:4 BG713 high high"]


def test_the_order_of_other_transactions_is_a_guess(tmp_path: Path) -> None:
    text = "BEGIN;\nCREATE INDEX i ON a (x);\nCREATE INDEX j ON b (x);\nCOMMIT;"
    assert found(tmp_path, {"1_change.sql": text}, "BG714") == ["1_change.sql:3 BG714 low low"]


def test_dropped_tables_wait_for_nobody(tmp_path: Path) -> None:
    files = {
        "1_init.sql": "CREATE TABLE a (id bigint); CREATE TABLE b (id bigint); CREATE TABLE c (id bigint);",
        "2_drop.sql": "BEGIN;\nALTER TABLE a ADD COLUMN x int;\nDROP TABLE a;\nCREATE INDEX i ON b (id);\nCOMMIT;",
        "3_more.sql": "BEGIN;\nDROP TABLE b;\nALTER TABLE c ADD COLUMN x int;\nCOMMIT;",
    }
    assert found(tmp_path, files, "BG713", "BG714") == []


def test_only_the_keys_that_nobody_locked_yet_are_told(tmp_path: Path) -> None:
    files = {
        "1_init.sql": """CREATE TABLE p (id bigint PRIMARY KEY);
CREATE TABLE a (id bigint, p_id bigint CONSTRAINT a_p REFERENCES p (id));
CREATE TABLE b (id bigint, p_id bigint CONSTRAINT b_p REFERENCES p (id));""",
        "2_drop.sql": "BEGIN;\nALTER TABLE a DROP CONSTRAINT a_p;\nALTER TABLE b DROP CONSTRAINT b_p;\nCOMMIT;",
    }
    assert found(tmp_path, files, "BG715") == ["2_drop.sql:2 BG715 low high"]


def test_a_do_block_is_a_transaction_by_itself(tmp_path: Path) -> None:
    text = """-- +goose NO TRANSACTION
-- +goose Up
-- +goose StatementBegin
DO $$
BEGIN
    LOCK TABLE t IN SHARE MODE;
    UPDATE t SET a = 1 WHERE id = 1;
END $$;
-- +goose StatementEnd
"""
    config = Config(select=("BG725",), confidence="low")
    (one,) = migrate.check(write(tmp_path, {"1_lock.sql": text}), config, RULEBOOK).findings
    assert one.message.startswith("LOCK TABLE blocks writes of t")


def test_the_fix_of_an_attached_partition_has_its_bounds(tmp_path: Path) -> None:
    init = PARTITIONED + "CREATE TABLE old (id bigint, day int);"
    for bounds, condition in (
        ("FROM (10) TO (MAXVALUE)", "day IS NOT NULL AND day >= 10"),
        ("FROM (10) TO (20)", "day IS NOT NULL AND day >= 10 AND day < 20"),
        ("IN (1, 2)", "day IS NOT NULL AND day IN (1, 2)"),
    ):
        folder = write(tmp_path / str(len(bounds)), {
            "1_init.sql": init, "2_attach.sql": f"ALTER TABLE events ATTACH PARTITION old FOR VALUES {bounds};"
        })  # fmt: skip
        (one,) = migrate.check(folder, Config(select=("BG726",)), RULEBOOK).findings
        assert f"ALTER TABLE old ADD CONSTRAINT old_bounds CHECK ({condition}) NOT VALID;" in one.fix


@pytest.mark.parametrize(
    ("type_", "parent_type", "severity"),
    [
        ("uuid", "text", "high"), ("numeric", "bigint", "high"), ("date", "bigint", "high"), ("boolean", "bigint", "high"),
        ("double precision", "bigint", "high"), ("text", "bigint", "high"), ("integer", "bigint", "medium"),
        ("smallint", "integer", "medium"), ("bigint", "integer", None), ("varchar(9)", "text", None),
        ("char(3)", "text", None), ("integer", "numeric", None), ("citext", "text", None), ("bigint", "bigint", None),
        ("code", "text", None),
    ],
)  # fmt: skip
def test_types_that_a_foreign_key_can_compare(
    tmp_path: Path, type_: str, parent_type: str, severity: str | None
) -> None:
    files = {
        "1_init.sql": f"CREATE DOMAIN code AS text; CREATE TABLE p (id {parent_type} PRIMARY KEY);",
        "2_child.sql": f"CREATE TABLE c (p_id {type_} REFERENCES p (id));",
    }
    expected = [f"2_child.sql:1 BG720 {severity} high"] if severity else []
    assert found(tmp_path, files, "BG720") == expected


def test_an_operator_class_makes_it_another_index(tmp_path: Path) -> None:
    files = {
        "1_init.sql": "CREATE TABLE t (a text); CREATE INDEX i ON t (a text_pattern_ops);",
        "2_like.sql": "CREATE INDEX j ON t (a);",
        "3_same.sql": "CREATE INDEX k ON t (a text_pattern_ops);",
    }
    assert found(tmp_path, files, "BG719") == ["3_same.sql:1 BG719 low high"]


def test_policies_follow_their_table(tmp_path: Path) -> None:
    files = {
        "1_init.sql": "CREATE TABLE a (id bigint); CREATE TABLE b (id bigint);",
        "2_policy.sql": "CREATE POLICY p ON a USING (true); CREATE POLICY q ON b USING (true);",
        "3_rename.sql": "ALTER TABLE a RENAME TO c; DROP POLICY q ON b;",
        "4_on.sql": "ALTER TABLE c ENABLE ROW LEVEL SECURITY;\nALTER TABLE b ENABLE ROW LEVEL SECURITY;",
    }
    assert found(tmp_path, files, "BG730") == ["4_on.sql:2 BG730 high high"]


def test_a_domain_of_a_domain_is_checked_too(tmp_path: Path) -> None:
    files = {
        "1_init.sql": "CREATE DOMAIN d AS int; CREATE DOMAIN e AS d; CREATE TABLE t (a e); CREATE TABLE u (a int);",
        "2_check.sql": "ALTER DOMAIN d ADD CHECK (VALUE > 0);",
    }
    (one,) = migrate.check(write(tmp_path, files), Config(select=("BG722",)), RULEBOOK).findings
    assert one.message == "a new constraint of the domain d blocks writes to t while all rows are checked"


def test_a_table_with_many_keys_is_told_in_one_line(tmp_path: Path) -> None:
    keys = ", ".join(f"k{number} bigint REFERENCES p{number} (id)" for number in range(5))
    report = migrate.check(
        write(tmp_path, {"1_init.sql": f"CREATE TABLE t ({keys});"}), Config(select=("BG724",)), RULEBOOK
    )
    assert [one.message for one in report.findings] == [
        "no index on t (k0), which refers to p0; t (k1), which refers to p1; t (k2), which refers to p2; 2 more: "
        "each DELETE there reads all of t"
    ]


def test_one_call_of_alembic_may_be_two_statements(tmp_path: Path) -> None:
    revision = """import sqlalchemy as sa
from alembic import op

revision = "1"
down_revision = None


def upgrade():
    op.alter_column("t", "a", nullable=False, type_=sa.Integer())
"""
    folder = write(tmp_path, {"versions/1.py": revision})
    (one,) = migrate.check(folder, Config(select=("BG732",)), RULEBOOK).findings
    assert one.message.startswith("t is read or written from end to end here and once more by the same call")
    assert one.fix == 'op.execute("ALTER TABLE t ALTER COLUMN a SET NOT NULL, ALTER COLUMN a TYPE INTEGER")'
