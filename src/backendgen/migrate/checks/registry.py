"""The register of checks: `@check("BG701")` on a pure function of an Operation, the Schema before it and its Context."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from backendgen.findings.finding import Hit
from backendgen.migrate.context import Context
from backendgen.rules import Checks
from backendgen.sql.operation import Operation
from backendgen.sql.replay import Schema

Check: TypeAlias = Callable[[Operation, Schema, Context], Iterator[Hit]]
CHECKS: Checks[Check] = Checks()
check = CHECKS
