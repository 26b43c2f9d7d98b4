"""What Django passes to a view: the request, and the parts of the path."""

from __future__ import annotations

import re

from backendgen.audit.frameworks.dependencies import parameter_defaults
from backendgen.audit.frameworks.django.views import Answer
from backendgen.audit.service import Parameter, Source
from backendgen.code.symbols import Class, Symbols

IN_PATH = re.compile(r"{(\w+)(?::(\w+))?}")
KINDS = {"int": "int", "uuid": "uuid.UUID"}


def parameters_of(answer: Answer, path: str, rest: bool, symbols: Symbols | None = None) -> tuple[Parameter, ...]:
    """Return a handler's parameters; `rest` when Django REST framework makes the request.

    With `symbols`, the other parameters are filled from the request too, as django-ninja does: by what they are declared as.
    """
    converters = dict(IN_PATH.findall(path))
    handler = answer.handler
    arguments = handler.parameters
    is_method = handler.owner is not None and handler.outer is None
    defaults = parameter_defaults(handler)
    found = []
    for index, one in enumerate(arguments[1:] if is_method else arguments):
        is_request = (index == 0 and one.arg not in converters) or one.arg == "request"
        kind = ("rest_framework.request.Request" if rest else "django.http.HttpRequest") if is_request else ""
        if not is_request:
            kind = KINDS.get(converters.get(one.arg, ""), "")
        if is_request or one.arg in converters:
            source: Source = "request" if is_request else "path"
            found.append(
                Parameter(
                    one.arg, source, one.annotation, handler.module, one.lineno, defaults.get(one.arg), None, kind
                )
            )
        elif symbols is not None:
            kind_of = symbols.value(one.annotation, handler.module) if one.annotation is not None else None
            given: Source = "body" if isinstance(kind_of, Class) else "query"
            found.append(Parameter(one.arg, given, one.annotation, handler.module, one.lineno, defaults.get(one.arg)))
    return tuple(found)
