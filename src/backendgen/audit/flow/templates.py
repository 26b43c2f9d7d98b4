"""Templates that send a value as it is: `{{ name|safe }}`, and what stands where escaping is switched off."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

from backendgen.audit.flow.values import NOTHING, Value
from backendgen.code.documents import Document

Names: TypeAlias = frozenset[tuple[str, ...]]  # `("user", "name")` of `{{ user.name|safe }}`

COMMENT = re.compile(r"\{#.*?#\}|<!--.*?-->|\{%-?\s*comment\b.*?%\}.*?\{%-?\s*endcomment\s*-?%\}", re.DOTALL)
SAFE = re.compile(r"\{\{-?\s*([a-zA-Z_][\w.]*)\s*\|\s*safe\s*-?\}\}")
OFF = re.compile(
    r"\{%-?\s*autoescape\s+(?:off|false)\s*-?%\}(.*?)(?:\{%-?\s*endautoescape\s*-?%\}|\Z)", re.DOTALL | re.IGNORECASE
)
PLAIN = re.compile(r"\{\{-?\s*([a-zA-Z_][\w.]*)\s*-?\}\}")
RENDERERS = frozenset({
    "flask.render_template", "flask.templating.render_template", "quart.render_template", "django.shortcuts.render",
    "fastapi.templating.Jinja2Templates.TemplateResponse", "starlette.templating.Jinja2Templates.TemplateResponse",
    "django.template.response.TemplateResponse",
})  # fmt: skip


def unescaped(documents: Iterable[Document]) -> dict[str, Names]:
    """What each template sends as it is, by the template's path."""
    found = {one.path: frozenset(_names(one.text)) for one in documents if one.kind == "template" and "{{" in one.text}
    return {path: names for path, names in found.items() if names}


def _names(text: str) -> Iterator[tuple[str, ...]]:
    shown = COMMENT.sub("", text)
    texts = [*SAFE.findall(shown), *(name for part in OFF.findall(shown) for name in PLAIN.findall(part))]
    yield from (tuple(each.split(".")) for each in texts)


def sent(
    templates: Mapping[str, Names], name: str, positional: list[Value], keywords: Mapping[str, Value]
) -> Iterator[tuple[Value, tuple[str, ...]]]:
    """The values that a call renders as they are, each with the path of what is shown of it."""
    if name not in RENDERERS or not templates:
        return
    given = [*positional, *keywords.values()]
    template = next((each.const for each in given if isinstance(each.const, str)), "")
    names = frozenset[tuple[str, ...]]().union(
        *(shown for path, shown in templates.items() if path == template or path.endswith(f"/{template}"))
    )
    context = {key: part for each in given for key, part in (each.items or {}).items()} | dict(keywords)
    for root, *path in sorted(names) if template else ():
        value = context.get(root, NOTHING)
        if value is not NOTHING:
            yield value, tuple(path)
