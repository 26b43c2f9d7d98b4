"""Types and CHECKs of the DDL become limits of the request, exactly."""

from __future__ import annotations

import pytest

from backendgen.errors import UserError
from backendgen.scaffold import domains
from backendgen.sql import postgres
from backendgen.sql.replay import replay


def domain(definition: str, types: str = "") -> domains.Domain:
    schema = replay(postgres.parse(f"{types}; CREATE TABLE t (x {definition});"))
    table = schema.tables["t"]
    return domains.domain(table, table.columns[0], schema)


@pytest.mark.parametrize(
    ("definition", "annotation"),
    [
        ("text", "Annotated[Text, Field(max_length=10000)]"),
        ("text CHECK (length(x) BETWEEN 1 AND 200)", "Annotated[Text, Field(min_length=1, max_length=200)]"),
        ("text CHECK (char_length(x) < 5)", "Annotated[Text, Field(max_length=4)]"),
        ("text CHECK (x <> '')", "Annotated[Text, Field(min_length=1, max_length=10000)]"),
        ("text CHECK (x IS NULL OR length(x) <= 9)", "Annotated[Text, Field(max_length=9)]"),
        ("varchar(20) CHECK (length(x) <= 30)", "Annotated[Text, Field(max_length=20)]"),
        ("char(3)", "Annotated[Text, Field(max_length=3)]"),
        ("text CHECK (x IN ('a', 'b'))", 'Literal["a", "b"]'),
        ("text CHECK (x = ANY (ARRAY['a', 'b']))", 'Literal["a", "b"]'),
        ("smallint", "SmallInteger"),
        ("int CHECK (x > 0)", "Annotated[Integer, Field(ge=1)]"),
        ("bigint CHECK (0 <= x AND x < 10)", "Annotated[BigInteger, Field(ge=0, le=9)]"),
        ("int CHECK (x > 0.5)", "Annotated[Integer, Field(ge=1)]"),
        ("int CHECK (x BETWEEN -5 AND 5)", "Annotated[Integer, Field(ge=-5, le=5)]"),
        ("numeric(10, 2) CHECK (x >= 0)", "Annotated[Decimal, Field(ge=0, max_digits=10, decimal_places=2)]"),
        ("double precision CHECK (x < 1)", "Annotated[float, Field(lt=1, allow_inf_nan=False)]"),
        ("int CHECK (x > 0 OR x < -9)", "Integer"),
        ("uuid", "UUID"),
        ("timestamptz", "Timestamp"),
        ("jsonb", "Json"),
        ("text[]", "Annotated[list[Annotated[Text, Field(max_length=10000)]], Field(max_length=1000)]"),
    ],
)
def test_annotation(definition: str, annotation: str) -> None:
    assert domains.annotation(domain(definition)) == annotation


def test_an_enum_is_its_choices() -> None:
    values = domain("mood", "CREATE TYPE mood AS ENUM ('ok', 'bad')")
    assert values.choices == ("ok", "bad")
    assert domains.json_schema(values) == {"type": "string", "enum": ["ok", "bad"]}


def test_a_filter_knows_the_type_but_not_the_checks() -> None:
    schema = domains.json_schema(domains.unchecked(domain("int CHECK (x BETWEEN 1 AND 5)")))
    assert schema == {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1}


def test_a_numeric_is_a_string_in_a_response() -> None:
    assert domains.response_schema(domain("numeric(5, 2)"))["type"] == "string"


def test_bytes_have_no_place_in_json() -> None:
    with pytest.raises(UserError) as caught:
        domain("bytea")
    assert "column 't.x' has the type bytea, which a resource cannot carry" in str(caught.value)
