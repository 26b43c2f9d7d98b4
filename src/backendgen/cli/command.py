"""Commands that read plain values themselves: typer does it with pydantic, and to load that is a third of a short run."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from typer.core import TyperCommand, TyperGroup

_OTHER = object()


class Command(TyperCommand):
    """A command."""

    def get_params(self, ctx: Any) -> Any:
        """Return the parameters, which read what needs no conversion but the plainest."""
        return [_reading_plainly(parameter) for parameter in super().get_params(ctx)]


class Group(TyperGroup):
    """The commands together, and the options before them."""

    def get_params(self, ctx: Any) -> Any:
        """Return the parameters, which read what needs no conversion but the plainest."""
        return [_reading_plainly(parameter) for parameter in super().get_params(ctx)]


def _reading_plainly(parameter: Any) -> Any:
    if "process_value" not in vars(parameter):
        parameter.process_value = partial(_processed, parameter, parameter.process_value)
    return parameter


def _processed(parameter: Any, usual: Callable[[Any, Any], Any], context: Any, value: Any) -> Any:
    """Do what typer does with a value; it does it itself where a value is missing, wrong, or of another kind."""
    annotated = getattr(getattr(parameter, "type_descriptor", None), "annotation", None)
    plain = _OTHER if parameter.required else _plain(annotated, value, many=parameter.nargs != 1 or _is_many(parameter))
    if plain is _OTHER or not _is_within(parameter, plain):
        return usual(context, value)
    return plain if parameter.callback is None else parameter.callback(context, parameter, plain)


def _is_many(parameter: Any) -> bool:
    return bool(getattr(parameter, "multiple", False))


def _plain(annotated: Any, value: Any, *, many: bool) -> Any:
    if value is None:
        return () if many else None
    if many:
        is_texts = annotated == list[str] and isinstance(value, list | tuple) and all(isinstance(v, str) for v in value)
        return list(value) if is_texts else _OTHER
    if annotated is Path and isinstance(value, str | Path):
        return Path(value)
    if annotated is int and isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    return value if annotated in (str, int, float, bool) and type(value) is annotated else _OTHER


def _is_within(parameter: Any, value: Any) -> bool:
    least, most = getattr(parameter, "min", None), getattr(parameter, "max", None)
    return not isinstance(value, int | float) or ((least is None or value >= least) and (most is None or value <= most))
