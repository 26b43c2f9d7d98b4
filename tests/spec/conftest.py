from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from backendgen.errors import UserError
from backendgen.spec.load import load_text
from backendgen.spec.model import Spec

EXAMPLES = Path(__file__).parents[2] / "examples"
ORDERS = (EXAMPLES / "orders" / "spec.yaml").read_text(encoding="utf-8")
HEAD = """\
backendgen: 1
service: {name: shop}
schema: |
  CREATE TABLE notes (
    id    uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    title text NOT NULL
  );
"""


@pytest.fixture
def refuse() -> Callable[[str | bytes], str]:
    """Load a text that must be refused, and return the message as the user sees it."""

    def refused(text: str | bytes) -> str:
        with pytest.raises(UserError) as caught:
            load_text(text, Path("spec.yaml"))
        return str(caught.value)

    return refused


@pytest.fixture
def orders() -> Callable[..., str]:
    """Return the orders example with texts replaced; each must be there."""

    def changed(*replacements: tuple[str, str]) -> str:
        text = ORDERS
        for old, new in replacements:
            assert old in text, old
            text = text.replace(old, new, 1)
        return text

    return changed


@pytest.fixture
def accept() -> Callable[[str], Spec]:
    """Load a text that must be accepted."""
    return lambda text: load_text(text, Path("spec.yaml"))
