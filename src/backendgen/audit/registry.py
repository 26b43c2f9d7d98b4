"""Where checks register: `@check("BG301")` over what is known of a project."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from backendgen.audit.callees import Callees
from backendgen.audit.properties import Facts
from backendgen.audit.service import Service
from backendgen.code.configuration import Configuration
from backendgen.code.index import Index
from backendgen.code.project import Project
from backendgen.code.symbols import Symbols
from backendgen.config import Config
from backendgen.findings.finding import Hit
from backendgen.rules import Checks


@dataclass(frozen=True, slots=True)
class Context:
    """What a check may look at. `facts` of endpoints are found out when they are first asked for."""

    project: Project
    symbols: Symbols
    index: Index
    service: Service
    config: Config
    configuration: Configuration
    facts: Facts
    callees: Callees


Check = Callable[[Context], Iterable[Hit]]
check: Checks[Check] = Checks()
