"""Django and Django REST framework: URL configurations, views, routers, and who may call them."""

from __future__ import annotations

import re

from backendgen.audit.frameworks.django.access import Access
from backendgen.audit.frameworks.django.parameters import parameters_of
from backendgen.audit.frameworks.django.permissions import is_rest
from backendgen.audit.frameworks.django.refusals import Refusals
from backendgen.audit.frameworks.django.routes import Route, Routes
from backendgen.audit.frameworks.django.urlconf import Urlconf
from backendgen.audit.frameworks.django.views import Views
from backendgen.audit.frameworks.outcomes import Outcomes
from backendgen.audit.service import Endpoint, Guard
from backendgen.code.symbols import Symbols

PATTERNS = re.compile(r"^\s*urlpatterns\b", re.MULTILINE)
ADMIN = re.compile(r"(?:^|\.)(?:admin(?:\.\w+)*\.site|AdminSite)\.urls$")


class Django:
    """Reads one project. Use `endpoints`."""

    def __init__(self, symbols: Symbols) -> None:
        self.symbols = symbols

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Return every endpoint with all that guards it, in order of file and line."""
        modules = [one for one in self.symbols.modules.values() if PATTERNS.search(one.file.text)]
        if not modules:
            return ()
        urlconf, views = Urlconf(self.symbols), Views(self.symbols)
        access = Access(urlconf, views, Refusals(self.symbols, Outcomes(self.symbols)))
        found = [self._endpoint(route, access) for route in Routes(urlconf, views).all(modules)]
        return tuple(sorted(found, key=lambda one: (one.location.path, one.location.line, one.path, one.method)))

    def _endpoint(self, route: Route, access: Access) -> Endpoint:
        answer = route.answer
        guards, limits = access.of(answer, route.above)
        if ADMIN.search(answer.handler.name):
            guards = (*guards, Guard("AdminSite", "include", frozenset({302}), ("staff",)))
        framework = "Django"
        if route.operation is not None:
            guards, limits = (*guards, *route.operation.guards), (*limits, *route.operation.limits)
            framework = "django-ninja"
        bases = self.symbols.bases(answer.view) if answer.view is not None else frozenset[str]()
        rest = is_rest(answer, bases)
        parameters = parameters_of(answer, route.path, rest, self.symbols if route.operation else None)
        return Endpoint(
            answer.method, route.path, answer.handler, route.location, route.module.file.path,
            parameters, (), guards, limits, None, route.mounted,
            "Django REST framework" if rest else framework, answer.view, route.optional,
        )  # fmt: skip
