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


def _plain(name: str) -> Callable[[bool], Renderer]:
    """The renderer of a module, loaded when it is asked for; only text knows colours."""

    def load(_colour: bool) -> Renderer:
        from importlib import import_module

        render: Renderer = import_module(f"backendgen.report.{name}").render
        return render

    return load


FORMATS: Mapping[str, Callable[[bool], Renderer]] = {
    "text": _text,
    **{name: _plain(name) for name in ("json", "sarif", "github", "gitlab", "junit", "markdown")},
}
