"""Costs as PostgreSQL 18 showed them (relfilenode of the table and of an index, before and after)."""

from __future__ import annotations

import pytest

from backendgen.sql.operation import CreateTable
from backendgen.sql.postgres import parse
from backendgen.sql.schema import Type
from backendgen.sql.types import narrows, type_change


def type_named(name: str) -> Type:
    (table,) = parse(f"CREATE TABLE t (a {name})")
    assert isinstance(table, CreateTable)
    return table.columns[0].type


@pytest.mark.parametrize(
    ("old", "new", "change", "narrower"),
    [
        ("int", "int4", "same", False),
        ("int", "bigint", "rewrite", False),
        ("bigint", "int", "rewrite", True),
        ("int", "text", "rewrite", False),
        ("bigint", "numeric(10,2)", "rewrite", True),
        ("int", "numeric(12,2)", "rewrite", False),
        ("bigint", "double precision", "rewrite", True),
        ("varchar(20)", "varchar(50)", "metadata", False),
        ("varchar(50)", "varchar(20)", "rewrite", True),
        ("varchar(50)", "varchar", "metadata", False),
        ("varchar(50)", "text", "metadata", False),
        ("varchar", "varchar(50)", "rewrite", True),
        ("text", "varchar", "metadata", False),
        ("text", "varchar(50)", "rewrite", True),
        ("char(3)", "char(5)", "rewrite", False),
        ("char(5)", "varchar(3)", "rewrite", True),
        ("char(3)", "varchar(5)", "rewrite", False),
        ("citext", "text", "scan", False),
        ("numeric(8,2)", "numeric(10,2)", "metadata", False),
        ("numeric(8,2)", "numeric(10,4)", "rewrite", False),
        ("numeric(8,2)", "numeric(8,3)", "rewrite", True),
        ("numeric(8,2)", "numeric(6,2)", "rewrite", True),
        ("numeric(8,2)", "numeric", "metadata", False),
        ("numeric", "numeric(8,2)", "rewrite", True),
        ("timestamp(3)", "timestamp(6)", "metadata", False),
        ("timestamp", "timestamp(3)", "rewrite", True),
        ("timestamp(6)", "timestamp", "metadata", False),
        ("timestamp", "timestamptz", "rewrite", True),
        ("date", "timestamptz", "rewrite", False),
        ("interval(3)", "interval", "metadata", False),
        ("cidr", "inet", "metadata", False),
        ("varbit(3)", "varbit(5)", "metadata", False),
        ("bit(3)", "varbit", "scan", True),
        ("json", "jsonb", "rewrite", False),
        ("text", "uuid", "rewrite", True),
        ("varchar(5)[]", "varchar[]", "metadata", False),
        ("varchar(5)[]", "varchar(9)[]", "rewrite", False),
        ("text", "text[]", "rewrite", True),
        ("int[]", "text", "rewrite", False),
    ],
)
def test_cost_and_loss(old: str, new: str, change: str, narrower: bool) -> None:
    assert type_change(type_named(old), type_named(new)) == change
    assert narrows(type_named(old), type_named(new)) is narrower


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("int4", "integer"),
        ("INT8", "bigint"),
        ("varchar(20)", "character varying(20)"),
        ("char", "character(1)"),
        ('"char"', '"char"'),
        ("bpchar", "bpchar"),
        ("timestamptz(3)", "timestamp(3) with time zone"),
        ("timestamp", "timestamp without time zone"),
        ("time(0) with time zone", "time(0) with time zone"),
        ("bool[]", "boolean[]"),
        ("decimal(10,2)", "numeric(10,2)"),
        ("float", "double precision"),
        ("float(20)", "real"),
        ("interval(3)", "interval(3)"),
        ('"OrderStatus"', '"OrderStatus"'),
        ('app."OrderStatus"[]', '"app"."OrderStatus"[]'),
        ("public.mood", "mood"),
        ("geometry(Point,4326)", "geometry(point,4326)"),
    ],
)
def test_types_have_canonical_names(written: str, canonical: str) -> None:
    assert str(type_named(written)) == canonical
