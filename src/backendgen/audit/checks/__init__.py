"""The `detect: python` rules, by topic. Importing this package registers them all."""

from backendgen.audit.checks import (
    access,
    authentication,
    availability,
    ciphers,
    cookies,
    failures,
    fallbacks,
    leaks,
    output,
    passwords,
    randomness,
    rows,
    secrets,
    state,
    system,
    tokens,
    transport,
)
from backendgen.audit.registry import check

__all__ = [
    "access",
    "authentication",
    "availability",
    "check",
    "ciphers",
    "cookies",
    "failures",
    "fallbacks",
    "leaks",
    "output",
    "passwords",
    "randomness",
    "rows",
    "secrets",
    "state",
    "system",
    "tokens",
    "transport",
]
