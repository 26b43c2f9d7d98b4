"""MySQL's and MariaDB's text as Operations, and replayed."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backendgen.sql import operation as op
from backendgen.sql.mysql import parse
from backendgen.sql.replay import Schema, replay
from backendgen.sql.schema import Column, Constraint, Index, IndexKey, Type

DUMP = """
-- MySQL dump
# `not a name
/*!40101 SET NAMES utf8mb4 */;
/*M!100616 SET sql_mode='' */;
CREATE TABLE `shop`.`Users` (
  `id` int(10) unsigned NOT NULL AUTO_INCREMENT,
  Email varchar(255) CHARACTER SET latin1 COLLATE latin1_bin NOT NULL DEFAULT 'it\\'s; "here"' COMMENT 'a;b',
  made timestamp(6) NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
  flag BOOL DEFAULT b'0', amount NUMERIC(10) UNSIGNED, `key` char(3) AS (upper(email)) STORED,
  team int REFERENCES teams (id),
  PRIMARY KEY (`id`), UNIQUE KEY `by_email` (`email`(20)), KEY (made DESC), FULLTEXT KEY words (email) WITH PARSER ngram,
  CONSTRAINT teamed FOREIGN KEY (team) REFERENCES teams (id) ON DELETE SET NULL ON UPDATE CASCADE, CHECK (amount > 1)
) ENGINE=InnoDB AUTO_INCREMENT=7 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='people' ROW_FORMAT = DYNAMIC;
"""


def only(text: str, dialect: str = "mysql") -> op.Operation:
    (found,) = parse(text, dialect)  # type: ignore[arg-type]
    return found


def test_a_table() -> None:
    first, second, table = parse(DUMP)
    assert isinstance(first, op.Harmless) and second == op.SetSetting(name="sql_mode", value="''")
    assert isinstance(table, op.CreateTable) and (table.table, table.line, table.end_line) == ("shop.Users", 6, 14)
    assert table.columns == (
        Column("id", Type("int unsigned"), not_null=True, auto_increment=True, line=6),
        Column("Email", Type("varchar", (255,)), not_null=True, default="'it\\'s; \"here\"'", comment="a;b", line=6,
               charset="latin1", collation="latin1_bin"),
        Column("made", Type("timestamp", (6,)), default="CURRENT_TIMESTAMP(6)", on_update="CURRENT_TIMESTAMP(6)", line=6),
        Column("flag", Type("tinyint"), default="b'0'", line=6),
        Column("amount", Type("decimal unsigned", (10, 0)), line=6),
        Column("key", Type("char", (3,)), generated="upper(email)", stored=True, line=6),
        Column("team", Type("int"), line=6),
    )  # fmt: skip
    assert table.options == (
        ("engine", "innodb"), ("auto_increment", "7"), ("charset", "utf8mb4"), ("collation", "utf8mb4_bin"),
        ("comment", "people"), ("row_format", "dynamic"),
    )  # fmt: skip
    known = replay([table], Schema(dialect="mysql")).tables["shop.Users"]
    assert [(one.kind, one.name, one.columns, one.on_delete) for one in known.constraints] == [
        ("primary_key", "PRIMARY", ("id",), ""),
        ("unique", "by_email", ("Email",), ""),
        ("foreign_key", "teamed", ("team",), "set null"),
        ("check", "shop.Users_chk_1", ("amount",), ""),
    ]
    assert [(one.name, one.columns, one.method) for one in known.indexes] == [
        ("PRIMARY", ("id",), "btree"), ("by_email", ("Email",), "btree"), ("teamed", ("team",), "btree"),
        ("made", ("made",), "btree"), ("words", ("Email",), "fulltext"),
    ]  # fmt: skip


CHECK = Constraint("check", "c", ("a",), expression="a > 0", valid=False, line=1)


@pytest.mark.parametrize(
    ("sql", "operations"),
    [
        ("CREATE INDEX i ON t (a(10), (lower(b)) DESC) ALGORITHM=INPLACE LOCK NONE", [
            op.CreateIndex(table="t", algorithm="INPLACE", lock="NONE", index=Index(
                "i", "t", (IndexKey("a", options="(10)"), IndexKey("", "(lower(b))", True)), line=1,
                expression_columns=("lower", "b")))]),
        ("ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT ENFORCED, ALGORITHM=INPLACE", [
            op.AddConstraint(table="t", constraint=CHECK, algorithm="INPLACE")]),
        ("ALTER TABLE t DROP PRIMARY KEY, DROP FOREIGN KEY f, DROP INDEX i, DROP c, LOCK = SHARED", [
            op.DropConstraint(table="t", name="PRIMARY", lock="SHARED"),
            op.DropConstraint(table="t", name="f", lock="SHARED"),
            op.DropIndex(table="t", index="i", lock="SHARED"),
            op.DropColumn(table="t", name="c", lock="SHARED")]),
        ("ALTER TABLE t CHANGE a b int NOT NULL FIRST", [
            op.RenameColumn(table="t", name="a", new_name="b"),
            op.ModifyColumn(table="t", name="b", definition=Column("b", Type("int"), True, line=1), position="FIRST",
                            said=frozenset({"NOT", "FIRST"}))]),
        ("ALTER TABLE t ADD (a int, b int), RENAME INDEX x TO y, ALTER c SET DEFAULT (1 + 1)", [
            op.AddColumn(table="t", definition=Column("a", Type("int"), line=1)),
            op.AddColumn(table="t", definition=Column("b", Type("int"), line=1)),
            op.RenameIndex(table="t", index="x", new_name="y"),
            op.SetDefault(table="t", name="c", default="(1 + 1)")]),
        ("ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, ENGINE = InnoDB", [
            op.SetTableOptions(table="t", options=(("charset", "utf8mb4"), ("collation", "utf8mb4_bin")), convert=True),
            op.SetTableOptions(table="t", options=(("engine", "innodb"),))]),
        ("RENAME TABLE a TO b, `x y`.c TO `x y`.d", [
            op.RenameTable(table="a", new_name="b"), op.RenameTable(table="x y.c", new_name="d")]),
        ("ALTER TABLE t ADD PARTITION (PARTITION p VALUES LESS THAN (9))", [
            op.Harmless(what="ALTER TABLE ADD PARTITION", table="t")]),
        ("ALTER TABLE t PARTITION BY HASH (id) PARTITIONS 4", [op.RewriteTable(table="t", how="PARTITION BY")]),
        ("OPTIMIZE TABLE a, b", [
            op.RewriteTable(table="a", how="OPTIMIZE TABLE"), op.RewriteTable(table="b", how="OPTIMIZE TABLE")]),
        ("LOCK TABLES a READ, b AS c WRITE", [
            op.LockTable(table="a", mode="READ"), op.LockTable(table="b", mode="WRITE")]),
        ("SET @@SESSION.foreign_key_checks = 0, @x := 1", [
            op.SetSetting(name="foreign_key_checks", value="0"), op.SetSetting(name="x", value="1")]),
        ("UPDATE t a JOIN u ON u.id = a.id SET a.x = 1 WHERE a.y IS NULL", [
            op.ChangeRows(verb="update", table="t", where="a.y IS NULL")]),
        ("DELETE o FROM users u JOIN orders o ON o.user_id = u.id WHERE u.gone", [
            op.ChangeRows(verb="delete", table="orders", where="u.gone")]),
        ("INSERT IGNORE INTO a (x) SELECT y FROM b JOIN c ON 1", [
            op.ChangeRows(verb="insert", table="a", reads=("b", "c"))]),
        ("DELETE FROM t ORDER BY id LIMIT 10", [op.ChangeRows(verb="delete", table="t", where="ORDER BY id LIMIT 10")]),
        ("DROP INDEX i ON t LOCK=NONE", [op.DropIndex(index="i", table="t", lock="NONE")]),
        ("CREATE OR REPLACE DEFINER=`a`@`%` SQL SECURITY INVOKER VIEW v AS SELECT * FROM t", [
            op.CreateView(name="v", query="SELECT * FROM t", reads=("t",), replace=True)]),
        ("ALTER TABLE t WAIT 5 ADD COLUMN IF NOT EXISTS a int", [
            op.AddColumn(table="t", definition=Column("a", Type("int"), line=1), if_not_exists=True)]),
    ],
)  # fmt: skip
def test_a_statement(sql: str, operations: list[op.Operation]) -> None:
    assert list(parse(sql)) == operations


def test_bodies_and_delimiters() -> None:
    text = """CREATE TRIGGER a BEFORE INSERT ON t FOR EACH ROW
BEGIN IF NEW.x THEN SET NEW.y = CASE WHEN 1 THEN 2 END; END IF; SET NEW.z = 1; END;
DELIMITER $$
CREATE PROCEDURE p() BEGIN SELECT 1; END$$
CREATE FUNCTION f() RETURNS int DETERMINISTIC RETURN 1 $$
delimiter ;
DROP TABLE t;"""
    assert [(type(one).__name__, one.line) for one in parse(text)] == [
        ("Harmless", 1), ("Harmless", 4), ("Harmless", 5), ("DropTable", 7)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("ALTER TABLE t FROB x", "syntax error at or near FROB, expected an action of ALTER TABLE"),
        ("CREATE TABLE t (a int", "syntax error at or near the end, expected )"),
        ("CALL p()", "CALL runs a procedure whose effect is not known"),
        ("EXECUTE stmt", "EXECUTE runs a prepared statement whose effect is not known"),
        ("ALTER TABLE t ADD a int NOT", "syntax error at or near the end, expected NULL"),
        ("VACUUM", "syntax error at or near VACUUM, expected a statement"),
    ],
)
def test_what_cannot_be_read_is_said(sql: str, reason: str) -> None:
    found = only(sql)
    assert isinstance(found, op.NotUnderstood) and found.reason == reason


def test_columns_go_by_any_case_and_tables_by_their_own() -> None:
    spelling: dict[str, str] = {}
    first = parse("CREATE TABLE Users (Email varchar(20));", spelling=spelling)
    second = parse("ALTER TABLE Users DROP COLUMN EMAIL; ALTER TABLE users ADD COLUMN a int;", spelling=spelling)
    assert [one.name for one in second if isinstance(one, op.DropColumn)] == ["Email"]
    schema = replay((*first, *second), Schema(dialect="mysql"))
    assert {name: table.columns for name, table in schema.tables.items()} == {"Users": ()}


def replayed(text: str, dialect: str = "mysql") -> Schema:
    return replay(parse(text, dialect), Schema(dialect=dialect))  # type: ignore[arg-type]


def test_references_beside_a_column() -> None:
    text = "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE t (a int REFERENCES p);"
    assert replayed(text).tables["t"].constraints == ()
    (key,) = replayed(text, "mariadb").tables["t"].constraints
    assert (key.kind, key.name, key.referenced_columns) == ("foreign_key", "t_ibfk_1", ("id",))


def test_names_and_places() -> None:
    schema = replayed(
        "CREATE TABLE t (a int, b int, c int, UNIQUE (a), UNIQUE (a, b), KEY k (b, c));"
        "CREATE TABLE u (a int, KEY k (a));"
        "ALTER TABLE t ADD x int FIRST, ADD y int AFTER a, MODIFY b bigint AFTER x, DROP COLUMN c;"
        "ALTER TABLE u DROP KEY k; ALTER TABLE t DROP INDEX a_2;"
    )
    assert [(one.name, str(one.type)) for one in schema.tables["t"].columns] == [
        ("x", "int"), ("b", "bigint"), ("a", "int"), ("y", "int")
    ]  # fmt: skip
    assert [(one.name, one.columns) for one in schema.tables["t"].indexes] == [("a", ("a",)), ("k", ("b",))]
    assert schema.tables["u"].indexes == ()
    assert [one.name for one in schema.tables["t"].constraints] == ["a"]


@pytest.mark.parametrize(
    "text", ["'", '"', "`", "/*", "/*!", "DELIMITER", "CREATE TABLE t (", "ALTER TABLE", "((", "\x00"]
)
def test_broken_text_is_no_crash(text: str) -> None:
    assert all(isinstance(one, op.NotUnderstood) for one in parse(text))


WORDS = st.sampled_from([
    "CREATE", "TABLE", "ALTER", "DROP", "ADD", "INDEX", "KEY", "PRIMARY", "(", ")", ",", ";", "a", "b", "`c`", "'x'", "1",
    "int", "varchar", "NOT", "NULL", "DEFAULT", "MODIFY", "CHANGE", "LOCK", "=", "ALGORITHM", "PARTITION", "BY", "BEGIN",
    "END", "UPDATE", "SET", "WHERE", "DELETE", "FROM", "REFERENCES", "CHECK", "COMMENT", "AS", "ON", "UNIQUE", "RENAME",
])  # fmt: skip


@settings(max_examples=500, deadline=None)
@given(st.one_of(st.text(), st.lists(WORDS, max_size=20).map(" ".join)))
def test_any_text_is_no_crash(text: str) -> None:
    schema = Schema(dialect="mysql")
    for operation in parse(text):
        schema.apply(operation)
