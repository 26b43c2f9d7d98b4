from __future__ import annotations

import pytest

from backendgen import process
from backendgen.errors import UserError
from backendgen.scaffold.style import formatted

SETTINGS = b"[tool.ruff]\nline-length = 40\n"


def test_python_is_laid_out_by_the_services_own_settings_and_the_rest_is_left_alone() -> None:
    source = b"from b import c\nimport a\nvalue = function(argument, another, a_third)\n"
    written = {"pyproject.toml": SETTINGS, "app/x.py": source, "notes.txt": b"a  =  1\n"}
    assert formatted(written) == {
        "pyproject.toml": SETTINGS,
        "app/x.py": b"import a\nfrom b import c\n\nvalue = function(\n    argument, another, a_third\n)\n",
        "notes.txt": b"a  =  1\n",
    }


def test_python_that_cannot_be_parsed_is_an_error_of_ours() -> None:
    with pytest.raises(AssertionError, match=r"x\.py:1"):
        formatted({"pyproject.toml": SETTINGS, "x.py": b"def\n"})


def test_a_missing_formatter_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "find", lambda program: None)
    with pytest.raises(UserError, match="ruff is not installed"):
        formatted({"pyproject.toml": SETTINGS, "x.py": b""})
