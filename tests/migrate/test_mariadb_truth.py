"""The table of algorithms against a real MariaDB. Runs where `mariadbd` is installed (apt-get install mariadb-server)."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from on_disk import write

from backendgen import files
from backendgen.config import Config
from backendgen.migrate import rewrite
from backendgen.migrate.history import History
from backendgen.migrate.mysql_algorithms import Cost, change
from backendgen.migrate.pending import Pending
from backendgen.migrate.sizes import MYSQL_QUERY, load
from backendgen.rules import Rulebook
from backendgen.sql import operation as op
from backendgen.sql.mysql import parse
from backendgen.sql.replay import Schema, replay

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("mariadbd"), reason="mariadbd is not installed"),
]
LEVELS = ("INSTANT", "NOCOPY", "INPLACE", "COPY")
SETUP = """
CREATE TABLE p (id int PRIMARY KEY, k int NOT NULL, UNIQUE KEY (k)) ENGINE=InnoDB;
CREATE TABLE np (a int NOT NULL) ENGINE=InnoDB;
CREATE TABLE g (id int PRIMARY KEY, x geometry NOT NULL) ENGINE=InnoDB;
CREATE TABLE t (id int NOT NULL AUTO_INCREMENT PRIMARY KEY, a int, b varchar(60) NOT NULL DEFAULT 'x', v1 varchar(100),
  v3 varchar(300), c varchar(20) CHARACTER SET latin1, w varchar(255) CHARACTER SET latin1, n int NOT NULL,
  e enum('a','b'), KEY ka (a)) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
CREATE TABLE s (id int PRIMARY KEY, a int, st int GENERATED ALWAYS AS (a + 1) STORED,
  vi int GENERATED ALWAYS AS (a + 2) VIRTUAL) ENGINE=InnoDB;
CREATE TABLE tc (id int PRIMARY KEY, a int) ENGINE=InnoDB ROW_FORMAT=COMPRESSED;
CREATE TABLE tf (id int PRIMARY KEY, a int, t text, FULLTEXT KEY (t)) ENGINE=InnoDB;
INSERT INTO p VALUES (1, 1);
INSERT INTO t (a, n) VALUES (1, 1);
INSERT INTO tc VALUES (1, 1);
INSERT INTO tf VALUES (1, 1, 'x');
"""
CHANGES = [
    "t ADD COLUMN z int", "t ADD COLUMN z int NOT NULL DEFAULT 5", "t ADD COLUMN z int AFTER id", "t ADD COLUMN z int FIRST",
    "np ADD COLUMN z int NOT NULL AUTO_INCREMENT, ADD KEY (z)", "tc ADD COLUMN z int", "tf ADD COLUMN z int",
    "tf DROP COLUMN a", "tc DROP COLUMN a", "t DROP COLUMN n", "t RENAME COLUMN n TO nn", "t MODIFY n int NOT NULL FIRST",
    "t ALTER n SET DEFAULT 3", "t MODIFY n bigint NOT NULL", "t MODIFY b varchar(63) NOT NULL DEFAULT 'x'",
    "t MODIFY b varchar(64) NOT NULL DEFAULT 'x'", "t MODIFY v3 varchar(400)", "t MODIFY v1 varchar(200)",
    "t MODIFY c varchar(300) CHARACTER SET latin1", "t MODIFY w varchar(256) CHARACTER SET latin1",
    "t MODIFY b varchar(10) NOT NULL DEFAULT 'x'", "t MODIFY c varchar(20) CHARACTER SET utf8mb4", "t MODIFY n int",
    "t MODIFY a int NOT NULL", "t MODIFY a int COMMENT 'x'", "t MODIFY e enum('a','b','c')", "t MODIFY e enum('a','c','b')",
    "t MODIFY e enum('a')", "t MODIFY a int DEFAULT 4", "t MODIFY a int unsigned",
    "t ADD COLUMN z int GENERATED ALWAYS AS (a) STORED", "t ADD COLUMN z int GENERATED ALWAYS AS (a) VIRTUAL",
    "s DROP COLUMN st", "s DROP COLUMN vi", "t ADD INDEX z (n)", "t ADD UNIQUE z (n)", "t DROP INDEX ka",
    "t RENAME INDEX ka TO kb", "t ADD FULLTEXT f (b)", "tf ADD FULLTEXT f2 (t)", "g ADD SPATIAL INDEX (x)",
    "p DROP PRIMARY KEY, ADD PRIMARY KEY (k)", "p DROP PRIMARY KEY", "tc DROP PRIMARY KEY", "np ADD PRIMARY KEY (a)",
    "t ADD CONSTRAINT f FOREIGN KEY (n) REFERENCES p (id)", "t ADD CONSTRAINT c CHECK (n > 0)",
    "t CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", "t DEFAULT CHARACTER SET latin1", "t ROW_FORMAT=DYNAMIC",
    "t ROW_FORMAT=COMPRESSED", "t ENGINE=InnoDB", "t FORCE", "tf FORCE", "t COMMENT='x'", "tf MODIFY a int NOT NULL",
    "tc MODIFY a int NOT NULL", "tf ADD INDEX (a)", "tc RENAME COLUMN a TO b",
]  # fmt: skip
Run = Callable[[str], str]


@pytest.fixture(scope="module")
def server() -> Iterator[Run]:
    """Start a server on a socket of its own; running SQL returns what went wrong."""
    folder = Path(tempfile.mkdtemp(prefix="md"))  # the path of a socket must be short
    data, socket = folder / "d", folder / "s"
    options = ["--no-defaults", f"--datadir={data}", "--skip-test-db", "--auth-root-authentication-method=normal"]
    subprocess.run(["mariadb-install-db", *options, "--user=root"], check=True, capture_output=True)
    start = ["mariadbd", "--no-defaults", "--user=root", f"--datadir={data}", f"--socket={socket}", "--skip-networking",
             f"--pid-file={folder / 'pid'}", "--innodb-buffer-pool-size=32M"]  # fmt: skip
    client = ["mariadb", "--no-defaults", f"--socket={socket}", "--user=root", "-N"]

    def run(sql: str) -> str:
        done = subprocess.run([*client, "d", "-e", sql], capture_output=True, text=True, check=False)
        return done.stderr or done.stdout

    process = subprocess.Popen(start, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 60
        while subprocess.run(
            [*client, "-e", "CREATE DATABASE IF NOT EXISTS d"], capture_output=True, check=False
        ).returncode:
            assert time.monotonic() < until and process.poll() is None, "the server does not start"
            time.sleep(0.2)
        yield run
    finally:
        process.terminate()
        process.wait(timeout=30)
        shutil.rmtree(folder, ignore_errors=True)


def expected(alteration: str, version: tuple[int, ...]) -> tuple[str, str]:
    """Return the level and lock that the table of algorithms gives a statement: the worst of its operations."""
    schema = replay(parse(SETUP, "mariadb"), Schema(dialect="mariadb"))
    history = History("x", (), dialect="mariadb", version=version)
    steps = parse(f"ALTER TABLE {alteration}", "mariadb")
    replaces = "DROP PRIMARY KEY, ADD" in alteration
    costs = [each.cost for step in steps if (each := change(step, schema, history, replaces_key=replaces))]
    assert len(steps) >= 1 and costs and not any(isinstance(step, op.NotUnderstood) for step in steps)
    return max(map(level, costs), key=LEVELS.index), max((cost.lock for cost in costs), key=("NONE", "SHARED").index)


def level(cost: Cost) -> str:
    """Return MariaDB's name: NOCOPY is INPLACE without a rebuild."""
    return "NOCOPY" if cost.algorithm == "INPLACE" and not cost.rebuilds else cost.algorithm


def measured(run: Run, alteration: str) -> tuple[str, str]:
    tables = ", ".join(("t", "p", "np", "g", "s", "tc", "tf"))
    problem = ""
    for algorithm in LEVELS:
        for lock in ("NONE", "SHARED"):
            assert not run(f"SET foreign_key_checks = 0; DROP TABLE IF EXISTS {tables}; {SETUP}")
            if not (problem := run(f"ALTER TABLE {alteration}, ALGORITHM={algorithm}, LOCK={lock}")):
                return algorithm, lock
    raise AssertionError(problem)


@pytest.mark.parametrize("alteration", CHANGES)
def test_what_the_server_does(server: Run, alteration: str) -> None:
    version = tuple(int(part) for part in server("SELECT version()").split("-")[0].split("."))
    assert measured(server, alteration) == expected(alteration, version)


@pytest.mark.parametrize("alteration", CHANGES)
def test_what_is_fixed_runs(server: Run, alteration: str, tmp_path: Path) -> None:
    version = ".".join(server("SELECT version()").split("-")[0].split(".")[:3])
    root = write(tmp_path, {"1_a.sql": SETUP, "2_b.sql": f"ALTER TABLE {alteration};\n"})
    config = Config(dialect="mariadb", mariadb_version=version, confidence="low")
    for _ in range(3):
        plan = rewrite.fix(root, config, Rulebook(), Pending(applied=("1",)))
        files.write_tree(root, plan.files, force=True)
    assert plan.files == ()
    tables = ", ".join(("t", "p", "np", "g", "s", "tc", "tf"))
    assert not server(f"SET foreign_key_checks = 0; DROP TABLE IF EXISTS {tables}; {SETUP}")
    assert server((root / "2_b.sql").read_text()) == ""


def test_the_query_of_sizes(server: Run, tmp_path: Path) -> None:
    tables = ", ".join(("t", "p", "np", "g", "s", "tc", "tf"))
    assert not server(f"SET foreign_key_checks = 0; DROP TABLE IF EXISTS {tables}; {SETUP}")
    path = tmp_path / "stats.json"
    path.write_text(server(MYSQL_QUERY))
    sizes = load(path)
    assert sorted(sizes) == sorted(tables.split(", "))
    assert sizes["t"].bytes == 16384
