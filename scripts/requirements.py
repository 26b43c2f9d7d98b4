"""Print a pyproject.toml's requirements with all its extras, one a line, without installing the project itself."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

project = tomllib.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))["project"]
groups = [project["dependencies"], *project.get("optional-dependencies", {}).values()]
sys.stdout.write("".join(f"{requirement.replace(' ', '')}\n" for group in groups for requirement in group))
