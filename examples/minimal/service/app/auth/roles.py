"""Roles as the spec declares them: each with itself and all that it includes."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

DEFAULT_ROLE: Final = "user"

ROLES: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "user": frozenset(
            {
                "user",
            }
        ),
    }
)
