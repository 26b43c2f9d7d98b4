"""If-Match: which versions a caller says to have seen (RFC 9110, section 13.1.1)."""

import pytest

from app.conditional import versions
from app.problems import Problem


@pytest.mark.parametrize(
    ("if_match", "expected"),
    [
        ('"7"', [7]),
        ('"7", "8"', [7, 8]),
        ('"x", W/"b", "8"', [8]),
        ('W/"7"', []),
        ('"07"', []),
        ('"2147483648"', []),
        ('"-7"', []),
        ("7", []),
        ('"7', []),
        ("", []),
    ],
)
def test_only_strong_tags_of_ours_name_a_version(if_match: str, expected: list[int]) -> None:
    assert versions(if_match) == expected


@pytest.mark.parametrize("if_match", [None, "*"])
def test_no_tag_names_nothing(if_match: str | None) -> None:
    with pytest.raises(Problem) as caught:
        versions(if_match)
    assert caught.value.status == 428
