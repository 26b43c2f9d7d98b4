"""Until when what services run on gets security fixes, and libraries that get none any more. As known in November 2026.

Sources: https://devguide.python.org/versions/, https://www.djangoproject.com/download/#supported-versions,
https://nodejs.org/en/about/previous-releases, https://www.debian.org/releases/ (long-term support),
https://ubuntu.com/about/release-cycle (standard support), https://alpinelinux.org/releases/,
https://www.postgresql.org/support/versioning/, https://endoflife.date/.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

_D = date

PYTHON: Mapping[str, date] = {
    "2.7": _D(2020, 1, 1), "3.5": _D(2020, 9, 30), "3.6": _D(2021, 12, 23), "3.7": _D(2023, 6, 27), "3.8": _D(2024, 10, 7),
    "3.9": _D(2025, 10, 31), "3.10": _D(2026, 10, 31), "3.11": _D(2027, 10, 31), "3.12": _D(2028, 10, 31),
    "3.13": _D(2029, 10, 31), "3.14": _D(2030, 10, 31),
}  # fmt: skip
DJANGO: Mapping[str, date] = {
    "1.11": _D(2020, 4, 1), "2.0": _D(2019, 4, 1), "2.1": _D(2019, 12, 2), "2.2": _D(2022, 4, 11), "3.0": _D(2021, 4, 6),
    "3.1": _D(2021, 12, 7), "3.2": _D(2024, 4, 1), "4.0": _D(2023, 4, 1), "4.1": _D(2023, 12, 1), "4.2": _D(2026, 4, 30),
    "5.0": _D(2025, 4, 2), "5.1": _D(2025, 12, 3), "5.2": _D(2028, 4, 30), "6.0": _D(2027, 4, 30),
}  # fmt: skip
_NODE: Mapping[str, date] = {
    "10": _D(2021, 4, 30), "12": _D(2022, 4, 30), "14": _D(2023, 4, 30), "16": _D(2023, 9, 11), "18": _D(2025, 4, 30),
    "20": _D(2026, 4, 30), "22": _D(2027, 4, 30), "24": _D(2028, 4, 30),
}  # fmt: skip
_DEBIAN: Mapping[str, date] = {
    "8": _D(2020, 6, 30), "9": _D(2022, 6, 30), "10": _D(2024, 6, 30), "11": _D(2026, 8, 31), "12": _D(2028, 6, 30),
    "13": _D(2030, 6, 30),
}  # fmt: skip
CODENAMES: Mapping[str, str] = {
    "jessie": "8", "stretch": "9", "buster": "10", "bullseye": "11", "bookworm": "12", "trixie": "13",
    "bionic": "18.04", "focal": "20.04", "jammy": "22.04", "noble": "24.04",
}  # fmt: skip
_UBUNTU: Mapping[str, date] = {
    "16.04": _D(2021, 4, 30), "18.04": _D(2023, 5, 31), "20.04": _D(2025, 5, 31), "22.04": _D(2027, 4, 30),
    "24.04": _D(2029, 4, 30),
}  # fmt: skip
_ALPINE: Mapping[str, date] = {
    "3.14": _D(2023, 5, 1), "3.15": _D(2023, 11, 1), "3.16": _D(2024, 5, 23), "3.17": _D(2024, 11, 22),
    "3.18": _D(2025, 5, 9), "3.19": _D(2025, 11, 1), "3.20": _D(2026, 4, 1), "3.21": _D(2026, 11, 1), "3.22": _D(2027, 5, 1),
    "3.23": _D(2027, 11, 1),
}  # fmt: skip
_POSTGRESQL: Mapping[str, date] = {
    "9.6": _D(2021, 11, 11), "10": _D(2022, 11, 10), "11": _D(2023, 11, 9), "12": _D(2024, 11, 21), "13": _D(2025, 11, 13),
    "14": _D(2026, 11, 12), "15": _D(2027, 11, 11), "16": _D(2028, 11, 9), "17": _D(2029, 11, 8), "18": _D(2030, 11, 14),
}  # fmt: skip
_CENTOS: Mapping[str, date] = {"6": _D(2020, 11, 30), "7": _D(2024, 6, 30), "8": _D(2021, 12, 31)}
_MYSQL: Mapping[str, date] = {"5.6": _D(2021, 2, 28), "5.7": _D(2023, 10, 31), "8.0": _D(2026, 4, 30)}

# By an image's name without its registry and owner.
IMAGES: Mapping[str, tuple[str, Mapping[str, date]]] = {
    "python": ("Python", PYTHON), "node": ("Node.js", _NODE), "debian": ("Debian", _DEBIAN), "ubuntu": ("Ubuntu", _UBUNTU),
    "alpine": ("Alpine", _ALPINE), "postgres": ("PostgreSQL", _POSTGRESQL), "centos": ("CentOS", _CENTOS),
    "mysql": ("MySQL", _MYSQL),
}  # fmt: skip
BASES: Mapping[str, tuple[str, Mapping[str, date]]] = {"debian": ("Debian", _DEBIAN), "alpine": ("Alpine", _ALPINE)}

# Package -> (what became of it, what to use). Only what concerns security, by its own word or its last release.
ABANDONED: Mapping[str, tuple[str, str]] = {
    "pycrypto": ("has had no release since 2013", "cryptography, or pycryptodome under the same names"),
    "passlib": (
        "has had no release since 2020, and needs the module crypt that Python 3.13 took away",
        "pwdlib or argon2-cffi",
    ),
    "python-jose": ("had no release between 2021 and 2025", "joserfc or PyJWT"),
    "djangorestframework-jwt": ("is archived; its last release is of 2017", "djangorestframework-simplejwt"),
    "flask-jwt": ("has had no release since 2015", "Flask-JWT-Extended"),
    "fastapi-jwt-auth": ("has had no release since 2020, and asks for PyJWT 1", "PyJWT with a dependency of one's own"),
    "oauth2client": ("was given up by Google in 2018", "google-auth"),
    "oauth2": ("has had no release since 2011", "Authlib or requests-oauthlib"),
    "python-oauth2": ("has had no release since 2018", "Authlib"),
    "python-saml": ("is for Python 2 only", "python3-saml"),
    "rsa": ("was archived in 2025", "cryptography"),
    "ecdsa": ("says itself that it does not resist timing attacks, and will not", "cryptography"),
    "py-bcrypt": ("has had no release since 2013", "bcrypt"),
    "python-keyczar": ("was given up by Google in 2017", "cryptography or tink"),
    "django-secure": (
        "has had no release since 2013: Django's SecurityMiddleware does its work",
        "django.middleware.security",
    ),
    "django-cors-middleware": ("has had no release since 2018", "django-cors-headers"),
    "bleach": ("was deprecated by Mozilla in 2023", "nh3"),
    "simple-crypt": ("has had no release since 2014", "cryptography"),
}
