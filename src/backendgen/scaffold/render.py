"""Renders templates. The only importer of jinja2."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from backendgen.scaffold import imports, layout


def literal(text: str) -> str:
    """Return a string literal of JSON, YAML and TOML."""
    return json.dumps(text, ensure_ascii=False)


@cache
def _environment() -> Environment:
    environment = Environment(
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,
        auto_reload=False,
    )
    environment.filters["literal"] = literal
    environment.filters["python"] = layout.string
    environment.filters["field_imports"] = imports.of_fields
    environment.filters["test_imports"] = imports.of_tests
    return environment


def render(template: Path, names: Mapping[str, object]) -> str:
    """Render one template. Raises jinja2.UndefinedError for a name that the view does not give: an error of ours."""
    return _environment().from_string(template.read_text("utf-8")).render(names)
