"""FEATURES: the one list of what can be generated. A feature is a folder of templates, a spec section, a line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from backendgen.spec.model import Spec
from backendgen.spec.resources import versioned


@dataclass(frozen=True, slots=True)
class Feature:
    """A folder below `templates/features` that a service has when `when(spec)` says so."""

    name: str
    when: Callable[[Spec], bool]


def _conditional(spec: Spec) -> bool:
    return any(
        versioned(resource.table) and (resource.action("get") or resource.action("update"))
        for resource in spec.resources
    )


def _idempotency(spec: Spec) -> bool:
    return any(action.idempotency != "off" for resource in spec.resources for action in resource.actions)


FEATURES: tuple[Feature, ...] = (
    Feature("auth", lambda spec: spec.auth is not None),
    Feature("rate_limits", lambda spec: spec.rate_limits is not None),
    Feature("idempotency", _idempotency),
    Feature("conditional", _conditional),
)


def active(spec: Spec) -> tuple[Feature, ...]:
    """Return the features that the spec asks for, in the order of FEATURES."""
    return tuple(feature for feature in FEATURES if feature.when(spec))
