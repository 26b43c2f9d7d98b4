"""Which primary keys can name a row in a path."""

from __future__ import annotations

import pytest
from specs import accept, refuse

SPEC = """backendgen: 1
service: {{name: keys}}
auth: off
schema: |
  CREATE TYPE lang AS ENUM ('de', 'en');
  CREATE TABLE t (k {key} PRIMARY KEY, note text);
api: {{resources: {{t: {{}}}}}}
"""


@pytest.mark.parametrize("key", ["uuid", "smallint", "bigint", "text", "varchar(9)", "char(2)", "date", "lang"])
def test_what_reads_the_same_everywhere_is_a_key(key: str) -> None:
    [resource] = accept(SPEC.format(key=key)).resources
    assert resource.table.primary_key == ("k",)


@pytest.mark.parametrize("key", ["timestamp with time zone", "numeric(5,1)", "boolean", "real", "jsonb", "text[]"])
def test_what_has_several_spellings_is_none(key: str) -> None:
    assert refuse(SPEC.format(key=key)) == (
        f"spec.yaml:7:19 api.resources.t: the primary key 't.k' is {key}, by which a path cannot name a row\n"
        "  use an enum or one of: bigint, character, character varying, date, integer, smallint, text, uuid"
    )


def test_foreign_keys_that_need_each_other_are_refused() -> None:
    itself = SPEC.format(key="int").replace("note text", "up int NOT NULL REFERENCES t")
    hint = "\n  no first row could be made: let one of the columns on the way be NULL"
    assert refuse(itself) == f"spec.yaml:6:3 schema: 't.up' is NOT NULL and leads back to 't'{hint}"
    accept(itself.replace("up int NOT NULL", "up int"))
    two = SPEC.format(key="int").replace(
        "note text);", "o int NOT NULL);\n  CREATE TABLE o (k int PRIMARY KEY, t int NOT NULL);"
    )
    two = two.replace(
        "api:",
        "  ALTER TABLE t ADD FOREIGN KEY (o) REFERENCES o (k);\n  ALTER TABLE o ADD FOREIGN KEY (t) REFERENCES t (k);\napi:",
    )
    assert "'t.o' is NOT NULL and leads back to 't'" in refuse(two)
