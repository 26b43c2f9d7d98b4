"""Reports: pure functions from (Report, Rulebook) to text. `FORMATS` names them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from backendgen.findings.finding import Report
from backendgen.rules import Rulebook

Renderer = Callable[[Report, Rulebook], str]


def renderer(name: str, *, colour: bool = False) -> Renderer:
    """Return the renderer of a format's name. Raises KeyError for one that is not in FORMATS."""
    return FORMATS[name](colour)


def _text(colour: bool) -> Renderer:
    from backendgen.report import text

    return lambda report, rulebook: text.render(report, rulebook, colour=colour)


def _json(_colour: bool) -> Renderer:
    from backendgen.report import json

    return json.render


def _sarif(_colour: bool) -> Renderer:
    from backendgen.report import sarif

    return sarif.render


FORMATS: Mapping[str, Callable[[bool], Renderer]] = {"text": _text, "json": _json, "sarif": _sarif}
