"""The `detect: python` rules, by topic. Importing this package registers them all."""

from importlib import import_module
from pkgutil import iter_modules

from backendgen.audit.registry import check

for _topic in iter_modules(__path__):
    import_module(f"{__name__}.{_topic.name}")

__all__ = ["check"]
