"""How PostgreSQL's types look in JSON."""

import json

import psycopg

from app import responses
from app.database import Row

ROW = """
SELECT '00000000-0000-0000-0000-00000000000a'::uuid AS uuid,
       '2026-01-02 03:04:05.000001+02'::timestamptz AT TIME ZONE 'UTC' AS timestamp,
       '2026-01-02'::date AS date, '03:04:05'::time AS time, '1 day 2 s'::interval AS interval,
       12345678901234567890.10::numeric AS numeric, 9007199254740993::bigint AS bigint,
       0.1::float8 AS float8, 'NaN'::float8 AS nan, '\\xff00'::bytea AS bytea, true AS boolean,
       '{"a": [1]}'::jsonb AS jsonb, ARRAY['x', 'y'] AS texts, 'é'::text AS text, NULL AS nothing
"""


def test_every_type(owner: psycopg.Connection[Row]) -> None:
    response = responses.json(owner.execute(ROW).fetchone(), 201, {"X-More": "1"})
    assert json.loads(bytes(response.body)) == {
        "uuid": "00000000-0000-0000-0000-00000000000a",
        "timestamp": "2026-01-02T01:04:05.000001",
        "date": "2026-01-02",
        "time": "03:04:05",
        "interval": "P1DT2S",
        "numeric": "12345678901234567890.10",
        "bigint": 9007199254740993,
        "float8": 0.1,
        "nan": None,
        "bytea": "_wA=",
        "boolean": True,
        "jsonb": {"a": [1]},
        "texts": ["x", "y"],
        "text": "é",
        "nothing": None,
    }
    assert response.status_code == 201
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-more"] == "1"


def test_no_content() -> None:
    response = responses.no_content({"X-More": "1"})
    assert (response.status_code, response.body) == (204, b"")
    assert "content-type" not in response.headers


def test_etag() -> None:
    assert responses.etag(7) == '"7"'
