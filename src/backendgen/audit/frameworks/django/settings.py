"""The settings that a Django project runs with: found by what its programs name, read by running the module.

Several modules may be named (production, development); one setting has the value of the first that gives it.
"""

from __future__ import annotations

import ast
import fnmatch
import posixpath
import re
from typing import TYPE_CHECKING

from backendgen.audit.frameworks.made import UNKNOWN, Value
from backendgen.code.nodes import unparse
from backendgen.code.symbols import Class, Module, Symbols, Variable

if TYPE_CHECKING:
    from backendgen.audit.frameworks.django.urlconf import Urlconf

NAMED = re.compile(
    r"""DJANGO_SETTINGS_MODULE["']\s*[\],]?\s*[,=]\s*(?:[\w.]+\(\s*["']\w+["']\s*,\s*)?["']([\w.]+)["']"""
)
MENTIONS = re.compile(r"^\s*(?:ROOT_URLCONF|INSTALLED_APPS)\b", re.MULTILINE)


class Settings:
    """Reads one project's settings."""

    def __init__(self, symbols: Symbols, urlconf: Urlconf) -> None:
        self.symbols = symbols
        self.urlconf = urlconf
        self._modules: list[Module] | None = None
        self._values: dict[str, Value] = {}

    @property
    def modules(self) -> list[Module]:
        """The settings modules: those that manage.py, wsgi.py and the like name, else those that look like one."""
        if self._modules is None:
            found: dict[int, Module] = {}
            for module in self.symbols.modules.values():
                if "DJANGO_SETTINGS_MODULE" in module.file.text:
                    for match in NAMED.finditer(module.file.text):
                        named = self.symbols.module(match[1], module)
                        if named is not None:
                            found.setdefault(id(named), named)
            if not found:
                alike = [one for one in self.symbols.modules.values() if "ROOT_URLCONF" in one.file.text]
                found = {id(one): one for one in alike if MENTIONS.search(one.file.text)}
            self._modules = [one for module in found.values() for one in (*self._included(module), module)]
        return self._modules

    def _included(self, module: Module) -> list[Module]:
        """What django-split-settings runs in the place of a module: `include("base.py", optional("parts/*.py"))`."""
        if "split_settings" not in module.file.text:
            return []
        folder = module.file.path.rpartition("/")[0]
        calls = [call for call, _ in module.calls if unparse(call.func).rpartition(".")[2] in ("include", "optional")]
        given = [one.value for call in calls for one in call.args if isinstance(one, ast.Constant)]
        patterns = [posixpath.normpath(posixpath.join(folder, one)) for one in given if isinstance(one, str)]
        return [
            one
            for pattern in reversed(patterns)  # the last has the last word
            for one in self.symbols.modules.values()
            if one is not module and fnmatch.fnmatchcase(one.file.path, pattern)
        ]

    def roots(self) -> list[Module]:
        """The modules that ROOT_URLCONF names."""
        found: dict[int, Module] = {}
        for module in self.modules:
            name = self._of(module, "ROOT_URLCONF")
            root = self.symbols.module(name, module) if isinstance(name, str) else None
            if root is not None:
                found.setdefault(id(root), root)
        return list(found.values())

    def get(self, name: str, default: Value = UNKNOWN) -> Value:
        """Return a setting's value, the default when it is not known."""
        if name not in self._values:
            self._values[name] = default  # a setting that asks for itself
            for module in self.modules:
                value = self._of(module, name)
                if value is not UNKNOWN:
                    self._values[name] = value
                    break
        return self._values[name]

    def _of(self, module: Module, name: str) -> Value:
        names = self.urlconf.run(module).names
        if name in names:
            return names[name]
        found = self.symbols.lookup(name, module)
        if isinstance(found, Variable):
            return self.urlconf.known(found)
        for one in reversed(module.classes):  # settings as a class: django-configurations and the like
            value = self._of_class(one, name)
            if value is not UNKNOWN:
                return value
        return UNKNOWN

    def _of_class(self, owner: Class, name: str) -> Value:
        if self.symbols.member(owner, name) is None:
            return UNKNOWN
        made = self.urlconf.instance(owner)
        return self.urlconf.attribute(made, name, self.urlconf.run(owner.module))


def texts(value: Value) -> list[str]:
    """Return the texts of a list that is a setting."""
    return [one for one in value if isinstance(one, str)] if isinstance(value, list | tuple) else []
