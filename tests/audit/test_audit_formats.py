"""Secrets by their form: checksums where a provider has them, and texts that only look like one."""

from __future__ import annotations

import zlib

import pytest

from backendgen.audit.checks.formats import BASE62, kind_of

BODY = "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC2"


def _token(body: str) -> str:
    number, written = zlib.crc32(body.encode()), ""
    while number:
        number, digit = divmod(number, 62)
        written = BASE62[digit] + written
    return f"ghp_{body}{written.rjust(6, '0')}"


def test_a_token_with_its_checksum_is_one() -> None:
    assert kind_of(f"Authorization: token {_token(BODY)}") == "a GitHub token"


@pytest.mark.parametrize(
    "text",
    [
        f"ghp_{BODY}000000",
        "ghp_" + "x" * 36,
        "AKIAIOSFODNN7EXAMPLE",
        "AKIA" + "A" * 16,
        "sk_live_" + "xxxxxxxxxxxxxxxxxxxxxxxx",
        "glpat-your-token-goes-here",
        "SG.",
    ],
)
def test_what_only_looks_like_one_is_none(text: str) -> None:
    assert kind_of(text) == ""
