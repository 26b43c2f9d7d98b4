"""Titles and categories as OWASP published them."""

from __future__ import annotations

import pytest

from backendgen import taxonomy
from backendgen.rules import Rule, Rulebook

# "List of Mapped CWEs" of https://owasp.org/Top10/2021/ and https://owasp.org/Top10/2025/, as far as cards name them.
PUBLISHED = {
    20: ("A03:2021", "A05:2025"),
    22: ("A01:2021", "A01:2025"),
    78: ("A03:2021", "A05:2025"),
    79: ("A03:2021", "A05:2025"),
    88: ("A03:2021", "A05:2025"),
    89: ("A03:2021", "A05:2025"),
    90: ("A03:2021", "A05:2025"),
    91: ("A03:2021", "A05:2025"),
    93: ("A03:2021", "A05:2025"),
    94: ("A03:2021", "A05:2025"),
    95: ("A03:2021", "A05:2025"),
    113: ("A03:2021", "A05:2025"),
    117: ("A09:2021", "A09:2025"),
    200: ("A01:2021", "A01:2025"),
    209: ("A04:2021", "A10:2025"),
    248: ("A10:2025",),
    252: ("A10:2025",),
    256: ("A04:2021", "A06:2025"),
    284: ("A01:2021", "A01:2025"),
    285: ("A01:2021", "A01:2025"),
    287: ("A07:2021", "A07:2025"),
    290: ("A07:2021", "A07:2025"),
    295: ("A07:2021", "A07:2025"),
    306: ("A07:2021", "A07:2025"),
    307: ("A07:2021", "A07:2025"),
    312: ("A04:2021", "A06:2025"),
    319: ("A02:2021", "A04:2025"),
    321: ("A02:2021", "A04:2025"),
    326: ("A02:2021", "A04:2025"),
    327: ("A02:2021", "A04:2025"),
    328: ("A02:2021", "A04:2025"),
    329: ("A02:2021", "A04:2025"),
    330: ("A02:2021", "A04:2025"),
    338: ("A02:2021", "A04:2025"),
    340: ("A02:2021", "A04:2025"),
    345: ("A08:2021", "A08:2025"),
    347: ("A02:2021", "A04:2025"),
    352: ("A01:2021", "A01:2025"),
    353: ("A08:2021", "A08:2025"),
    362: ("A06:2025",),
    377: ("A01:2021", "A01:2025"),
    384: ("A07:2021", "A07:2025"),
    390: ("A10:2025",),
    426: ("A08:2021", "A08:2025"),
    427: ("A08:2025",),
    434: ("A04:2021", "A06:2025"),
    460: ("A10:2025",),
    470: ("A03:2021", "A05:2025"),
    489: ("A02:2025",),
    494: ("A08:2021", "A08:2025"),
    501: ("A04:2021", "A06:2025"),
    502: ("A08:2021", "A08:2025"),
    521: ("A07:2021", "A07:2025"),
    522: ("A04:2021", "A06:2025"),
    523: ("A02:2021", "A04:2025"),
    532: ("A09:2021", "A09:2025"),
    538: ("A01:2021", "A01:2025"),
    565: ("A08:2021", "A08:2025"),
    598: ("A04:2021", "A06:2025"),
    601: ("A01:2021", "A01:2025"),
    611: ("A05:2021", "A02:2025"),
    613: ("A07:2021", "A07:2025"),
    614: ("A05:2021", "A02:2025"),
    636: ("A10:2025",),
    639: ("A01:2021", "A01:2025"),
    640: ("A07:2021", "A07:2025"),
    643: ("A03:2021", "A05:2025"),
    644: ("A03:2021", "A05:2025"),
    668: ("A01:2021", "A01:2025"),
    693: ("A06:2025",),
    732: ("A01:2025",),
    755: ("A10:2025",),
    760: ("A02:2021", "A04:2025"),
    776: ("A05:2021", "A02:2025"),
    778: ("A09:2021", "A09:2025"),
    780: ("A02:2021", "A04:2025"),
    798: ("A07:2021", "A07:2025"),
    829: ("A08:2021", "A08:2025"),
    862: ("A01:2021", "A01:2025"),
    915: ("A08:2021", "A08:2025"),
    916: ("A02:2021", "A04:2025"),
    918: ("A10:2021", "A01:2025"),
    942: ("A05:2021", "A02:2025"),
    1004: ("A05:2021", "A02:2025"),
    1104: ("A06:2021", "A03:2025"),
    1275: ("A01:2021", "A01:2025"),
    1357: ("A03:2025",),
    1392: ("A07:2025",),
}
# Where the list's category says less about the rule than another one.
DIFFERENT = {
    "BG415": "CWE-693 is listed under design; headers that a setting would switch on are configuration",
    "BG443": "the same",
}
RULEBOOK = Rulebook()


def test_both_editions_and_the_api_list_are_whole() -> None:
    for edition in ("2021", "2025"):
        assert [key for key in taxonomy.OWASP if key.endswith(edition)] == [f"A{n:02}:{edition}" for n in range(1, 11)]
    assert list(taxonomy.API) == [f"API{n}:2023" for n in range(1, 11)]


def test_what_moved_between_the_editions_is_known() -> None:
    assert [taxonomy.OWASP[f"A{n:02}:2025"] for n in range(1, 11)] == [
        "Broken Access Control", "Security Misconfiguration", "Software Supply Chain Failures", "Cryptographic Failures",
        "Injection", "Insecure Design", "Authentication Failures", "Software or Data Integrity Failures",
        "Security Logging and Alerting Failures", "Mishandling of Exceptional Conditions",
    ]  # fmt: skip


@pytest.mark.parametrize("rule", [one for one in RULEBOOK if one.owasp and one.cwe], ids=lambda rule: rule.id)
def test_a_card_is_in_a_category_that_its_weakness_is_listed_under(rule: Rule) -> None:
    for edition in ("2021", "2025"):
        listed = {key for number in rule.cwe for key in PUBLISHED.get(number, ()) if key.endswith(edition)}
        own = {key for key in rule.owasp if key.endswith(edition)}
        assert not listed or own & listed or rule.id in DIFFERENT, (rule.id, edition, own, listed)
