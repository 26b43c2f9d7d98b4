"""Loading and changing specs in tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from backendgen.errors import UserError
from backendgen.spec.load import load_text
from backendgen.spec.model import Spec

EXAMPLES = Path(__file__).parents[2] / "examples"
ORDERS = (EXAMPLES / "orders" / "spec.yaml").read_text(encoding="utf-8")


def orders(*replacements: tuple[str, str]) -> str:
    """Return the orders example with texts replaced; each must be there."""
    text = ORDERS
    for old, new in replacements:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


def accept(text: str) -> Spec:
    """Load a text that must be accepted."""
    return load_text(text, Path("spec.yaml"))


def refuse(text: str | bytes) -> str:
    """Load a text that must be refused, and return the message as the user sees it."""
    with pytest.raises(UserError) as caught:
        load_text(text, Path("spec.yaml"))
    return str(caught.value)
