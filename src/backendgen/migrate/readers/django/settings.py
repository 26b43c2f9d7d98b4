"""Where a Django project has its migrations, and what it says outside of them: labels of its apps, settings."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from backendgen import files
from backendgen.code.parse import Unparsable, parse
from backendgen.errors import UserError
from backendgen.migrate.readers.reading import Reading

_SETTING = re.compile(
    r"^([A-Z][A-Z_]*(?:_MODEL|AUTO_FIELD)|[A-Z][A-Z_]*(?=[^=\n]*=\s*\d+\s*$))\s*(?::[^=\n]*)?=\s*['\"]?([\w.]+)['\"]?",
    re.MULTILINE,
)
_MIGRATION = re.compile(rb"^class Migration\b", re.MULTILINE)
_DJANGO = re.compile(rb"\bmigrations\b")
_CONFIGURES = frozenset({"settings", "config", "conf", "configuration"})
_LARGEST = 1_000_000


def candidates(reading: Reading) -> Iterator[Path]:
    """Yield the Python files in folders of migrations that have a class Migration."""
    for path in reading.found:
        if path.suffix != ".py" or path.name == "__init__.py" or path.name[0] in "_~":
            continue
        if not reading.single and "migration" not in path.parent.name and "migration" not in path.parent.parent.name:
            continue
        content = reading.content(path, home="migrations")
        if _MIGRATION.search(content) and _DJANGO.search(content):
            yield path


def settings_of(reading: Reading) -> dict[str, str]:
    """Return the settings that are numbers, or name a model or the default primary key, from files that look like settings.

    `lock_timeout` is there too when such a file speaks of it.
    """
    found: dict[str, str] = {}
    for path in reading.found:
        inside = path.relative_to(reading.root).parts if path.is_relative_to(reading.root) else (path.name,)
        parts = {part.removesuffix(".py").lower() for part in inside}
        if path.suffix != ".py" or not any(word in part for part in parts for word in _CONFIGURES) or "tests" in parts:
            continue
        try:
            text = files.read_text(path) if files.size(path) < _LARGEST else ""
        except UserError:
            continue
        for name, value in _SETTING.findall(text):
            found.setdefault(name, value)
        if "lock_timeout" in text and "DATABASES" in text:
            found["lock_timeout"] = "set"
    return found


@lru_cache(maxsize=4096)
def app_label(folder: Path) -> str:
    """Return the label of the app that a folder of migrations belongs to: its AppConfig's, else its folder's name."""
    app = folder.parent if "migration" in folder.name else folder
    return _configured(app / "apps.py", app.name) or app.name


def _configured(path: Path, package: str) -> str:
    """Return the label in apps.py: of the config whose name ends in the package, or the only one."""
    if not files.is_file(path):
        return ""
    try:
        tree = parse(files.read_text(path))
    except (UserError, Unparsable):
        return ""
    labels: dict[str, str] = {}
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            said = {
                target.id: statement.value.value
                for statement in node.body
                if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant)
                for target in statement.targets
                if isinstance(target, ast.Name) and isinstance(statement.value.value, str)
            }
            if "name" in said or "label" in said:
                label = said.get("label") or said.get("name", "").rpartition(".")[2]
                labels[said.get("name", package).rpartition(".")[2]] = label
    return labels.get(package) or (next(iter(labels.values())) if len(labels) == 1 else "")
