"""Objects that are built from data."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from backendgen.audit.checks.walk import hit
from backendgen.audit.registry import Context, check
from backendgen.code.index import Use
from backendgen.code.nodes import unparse
from backendgen.code.symbols import Class
from backendgen.findings.finding import Hit
from backendgen.rules import Confidence

LOADERS = (
    "pickle.loads", "pickle.load", "pickle.Unpickler", "dill.loads", "dill.load", "cloudpickle.loads", "cloudpickle.load",
    "jsonpickle.decode", "yaml.unsafe_load", "yaml.unsafe_load_all", "yaml.full_load", "yaml.full_load_all", "_pickle.loads",
)  # fmt: skip
YAML = ("yaml.load", "yaml.load_all")
SAFE = ("SafeLoader", "CSafeLoader", "BaseLoader", "CBaseLoader")


@check("BG109")
def objects_loaded(context: Context) -> Iterator[Hit]:
    """Loaders that build whatever the data names."""
    for use in context.index.calls(*LOADERS):
        yield _loaded(
            use, None if use.name.startswith("yaml.unsafe") else Confidence.LOW
        )  # full: code before PyYAML 5.4
    for use in context.index.calls(*YAML):
        if not use.is_open and not _is_safe(context, use):
            yield _loaded(use)


def _loaded(use: Use, sure: Confidence | None = None) -> Hit:
    return hit(
        use.module,
        use.call,
        f"{{who}} calls `{unparse(use.call.func)}`, which builds any object that the data names, and runs code with it",
        "read data, not objects: `yaml.safe_load`, `json.loads`, a Pydantic model's `model_validate_json`",
        sure,
    )


def _is_safe(context: Context, use: Use) -> bool:
    """Is the loader a safe one, made from one, or chosen when it runs: `getattr(yaml, "CSafeLoader", ...)`?"""
    loader = use.argument("Loader", 1)
    if loader is None:
        return False
    found = context.symbols.value(loader, use.module, use.function)
    if isinstance(found, Class):
        return any(base.endswith(SAFE) for base in context.symbols.bases(found))
    name = context.index.name_of(loader, use.module, use.function)
    return isinstance(loader, ast.Call) or name.endswith(SAFE)
