"""Django's settings as they resolve: which module a deployment runs with, and what each setting may be.

A setting is a tuple of what it may be, since a branch that depends on the environment leaves several.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from backendgen.code.project import is_test
from backendgen.code.settings_reading import ABSENT, UNKNOWN, Reading, Value
from backendgen.code.symbols import Module, Symbols

PRODUCTION = re.compile(
    r"(?:^|[._])(?:prod|production|live|deploy|deployed|heroku|docker_compose|fly|aws|gcp|azure)(?:$|[._])"
)
DEVELOPMENT = re.compile(
    r"(?:^|[._])(?:dev(?:el|elop|elopment|project|server|site)?|local|tests?|testing|ci|debug|e2e|examples?|sandbox|demo|docs|stage|staging"
    r"|proxito_test|playground)(?:$|[._])"
)


@dataclass(frozen=True)
class Settings:
    """A settings module as it resolves. `is_sure`: it says itself, or wsgi.py says, that it is for production.

    `is_open`: something that is not known may add to it or override it.
    """

    module: Module
    values: Mapping[str, tuple[Value, ...]] = field(repr=False)
    is_sure: bool = False
    is_open: bool = False

    def of(self, name: str) -> tuple[Value, ...]:
        """What a setting may be; ABSENT when nothing sets it."""
        return self.values.get(name, (Value(UNKNOWN if self.is_open else ABSENT, self.module.file.path, self.line),))

    def only(self, name: str) -> Value | None:
        """What a setting is, when that is sure (or sure unless the environment says otherwise)."""
        found = self.of(name)
        return found[0] if len(found) == 1 and found[0].value is not UNKNOWN else None

    @property
    def line(self) -> int:
        """Where to point for what is missing: at the list of applications."""
        listed = self.values.get("INSTALLED_APPS") or self.values.get("ROOT_URLCONF")
        own = [one.line for one in listed or () if one.path == self.module.file.path]
        return own[0] if own else 1

    def texts(self, name: str) -> tuple[frozenset[str], bool]:
        """The texts that a list may hold, and whether these are all."""
        found = self.of(name)
        texts: set[str] = set()
        is_whole = True
        for one in found:
            items = one.value if isinstance(one.value, list | tuple) else ()
            is_whole &= one.value is ABSENT or (isinstance(one.value, list | tuple) and UNKNOWN not in one.value)
            texts.update(item for item in items if isinstance(item, str))
        return frozenset(texts), is_whole


def production(symbols: Symbols) -> tuple[Settings, ...]:
    """The settings that a deployment runs with: by name, by what wsgi.py names, or the only ones that there are."""
    readings = {
        path: Reading(symbols, module)
        for path, module in symbols.modules.items()
        if not is_test(path) and _may_be_settings(module)
    }
    modules = {
        path: one for path, one in readings.items() if "INSTALLED_APPS" in one.values or "ROOT_URLCONF" in one.values
    }
    modules = {path: one for path, one in modules.items() if "INSTALLED_APPS" in one.values and len(one.values) > 2}
    named = [path for path in modules if PRODUCTION.search(_dotted(path)) and not DEVELOPMENT.search(_name(path))]
    served = [path for path in _served(symbols) if path in modules and not DEVELOPMENT.search(_name(path))]
    imported = {path for one in modules.values() for path in one.imported}
    leaves = [path for path in modules if path not in imported and not DEVELOPMENT.search(_dotted(path))]
    bases = [path for path in modules if not DEVELOPMENT.search(_name(path))]
    chosen = dict.fromkeys(named or served or leaves or bases)
    return tuple(
        Settings(modules[path].module, modules[path].values, bool(named or served), modules[path].is_open)
        for path in chosen
    )


def _dotted(path: str) -> str:
    """The last folders and the name of a file: what its settings are for."""
    return ".".join(path.removesuffix(".py").split("/")[-2:]).lower()


def _name(path: str) -> str:
    return path.removesuffix(".py").rpartition("/")[2].lower()


def _may_be_settings(module: Module) -> bool:
    text = module.file.text
    if "INSTALLED_APPS" in text or "ROOT_URLCONF" in text:
        return True
    return bool(module.stars) and re.search(r"^[A-Z][A-Z_]{3,}\s*=", text, re.MULTILINE) is not None


def _served(symbols: Symbols) -> Iterator[str]:
    """The settings modules that wsgi.py and asgi.py name."""
    for path, module in symbols.modules.items():
        if _name(path) not in ("wsgi", "asgi") or is_test(path):
            continue
        for call, _ in module.calls:
            words = [one.value for one in call.args if isinstance(one, ast.Constant)]
            if len(words) == 2 and words[0] == "DJANGO_SETTINGS_MODULE":
                found = symbols.module(str(words[1]), module)
                if found is not None:
                    yield found.file.path
