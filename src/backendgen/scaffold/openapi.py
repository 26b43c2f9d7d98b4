"""Spec + Schema -> the OpenAPI document."""

from __future__ import annotations

import json
from collections.abc import Sequence

from backendgen.scaffold.views import ResourceView
from backendgen.spec.model import Spec


def document(spec: Spec, resources: Sequence[ResourceView], fragments: Sequence[str]) -> bytes:
    """Return the document as JSON."""
    return json.dumps({"openapi": "3.1.0"}).encode()
