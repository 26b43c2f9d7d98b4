"""Django's registry of applications: what `apps` says, modules that are looked for in each, and what `ready` registers."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from backendgen.audit.frameworks.django.settings import texts
from backendgen.audit.frameworks.made import UNKNOWN, Closure, Made, Value
from backendgen.code.nodes import unparse
from backendgen.code.symbols import Class, Function, Module

if TYPE_CHECKING:
    from backendgen.audit.frameworks.django.urlconf import Urlconf

APPS = frozenset({"django.apps.AppConfig", "django.apps.config.AppConfig"})
OWN = frozenset({
    "apps", "default_auto_field", "get_model", "get_models", "import_models", "label", "models", "models_module", "module",
    "name", "path", "ready", "verbose_name",
})  # fmt: skip


class Applications:
    """The installed applications of one project."""

    def __init__(self, urlconf: Urlconf) -> None:
        self.urlconf = urlconf
        self.symbols = urlconf.symbols
        self._configs: list[Value] | None = None

    def answer(self, name: str, args: list[Value]) -> Value:
        """What a call of Django's registry, or of `importlib`, gives; UNKNOWN for other calls."""
        last = name.rpartition(".")[2]
        if name == "django.apps.apps.get_app_configs":
            return self.configs()
        if name == "django.apps.apps.get_app_config" and args:
            return next((one for one in self.configs() if one.attributes.get("label") == args[0]), UNKNOWN)
        if name in ("importlib.import_module", "django.utils.module_loading.import_module") and args:
            return self._module(args[0]) or UNKNOWN
        if last == "module_has_submodule" and len(args) == 2 and isinstance(args[0], Module):
            return isinstance(args[1], str) and self._module(f"{args[0].names[0]}.{args[1]}") is not None
        if last == "autodiscover_modules":
            for one in self.configs():
                for wanted in args:
                    if isinstance(wanted, str):
                        self._module(f"{one.attributes['name']}.{wanted}")
            return None
        return UNKNOWN

    def configs(self) -> list[Value]:
        """The applications of the project that the settings install."""
        if self._configs is None:
            self._configs = []
            for name in texts(self.urlconf.settings.get("INSTALLED_APPS")):
                owner = self.urlconf.dotted(name) if name.rpartition(".")[2][:1].isupper() else None
                dotted = name.rpartition(".apps.")[0] if isinstance(owner, Class) else name
                module = self._find(dotted)
                if module is not None:
                    attributes = {"name": dotted, "label": dotted.rpartition(".")[2], "module": module}
                    target = owner if isinstance(owner, Class) else self._only(dotted)
                    kinds = self.symbols.bases(target) if target is not None else APPS
                    self._configs.append(Made(target, kinds, attributes=dict(attributes)))
        return self._configs

    def _only(self, dotted: str) -> Class | None:
        """The configuration that Django takes when the settings name the package: the only one in its `apps`."""
        module = self._find(f"{dotted}.apps")
        found = [one for one in module.classes if self.symbols.bases(one) & APPS] if module is not None else []
        return found[0] if len(found) == 1 else None

    def has(self, application: Value, name: str) -> bool | None:
        """Has the class of an application this attribute? None when another library's class may have it."""
        if not isinstance(application, Made) or application.member or not application.kinds & APPS:
            return None
        if isinstance(application.target, Class) and self.symbols.member(application.target, name) is not None:
            return True
        return False if application.kinds <= APPS and name not in {*application.attributes, *OWN} else None

    def _find(self, dotted: str) -> Module | None:
        return self.symbols.module(dotted, next(iter(self.symbols.modules.values())))

    def _module(self, dotted: Value) -> Module | None:
        module = self._find(dotted) if isinstance(dotted, str) else None
        if module is not None:
            self.urlconf.run(module)
        return module

    def start(self) -> None:
        """Run `ready` of the project's applications, which may register what URL configurations ask for."""
        for module in self.symbols.modules.values():
            if "AppConfig" in module.file.text:
                for owner in module.classes:
                    ready = self.symbols.member(owner, "ready")
                    if isinstance(ready, Function) and self.symbols.bases(owner) & APPS:
                        application = Made(owner, self.symbols.bases(owner))
                        application.attributes[" models"] = list(self._models(module))
                        self.urlconf.call(Closure(ready, self.urlconf.run(module), application), [], {}, None)

    def _models(self, application: Module) -> Iterator[Class]:
        folder = application.file.path.rpartition("/")[0] + "/models"
        for path, module in self.symbols.modules.items():
            if path.startswith((folder + ".py", folder + "/")):
                for one in module.classes:
                    if any(base.endswith("models.Model") for base in self.symbols.bases(one)) and not _is_abstract(one):
                        yield one


def _is_abstract(model: Class) -> bool:
    """`class Meta: abstract = True`."""
    for node in model.node.body:
        if isinstance(node, ast.ClassDef) and node.name == "Meta":
            return any(
                isinstance(one, ast.Assign) and unparse(one.targets[0]) == "abstract" and unparse(one.value) == "True"
                for one in node.body
            )
    return False
