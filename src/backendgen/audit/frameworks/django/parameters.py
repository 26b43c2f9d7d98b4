"""What Django passes to a view: the request, and the parts of the path."""

from __future__ import annotations

import re

from backendgen.audit.frameworks.dependencies import parameter_defaults
from backendgen.audit.frameworks.django.views import Answer
from backendgen.audit.service import Parameter, Source

IN_PATH = re.compile(r"{(\w+)(?::(\w+))?}")
KINDS = {"int": "int", "uuid": "uuid.UUID"}


def parameters_of(answer: Answer, path: str, rest: bool) -> tuple[Parameter, ...]:
    """Return a handler's parameters; `rest` when Django REST framework makes the request."""
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
    return tuple(found)
