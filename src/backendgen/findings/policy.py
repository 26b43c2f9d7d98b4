"""What a project's configuration says of findings: other severities, and rules that do not count in some folders."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from backendgen.config import Config, PathSettings
from backendgen.findings.finding import Finding
from backendgen.rules import Rulebook, Severity

if TYPE_CHECKING:
    import pathspec

UNANALYSED = "BG901"  # a `select` does not drop it: nothing is known about such a file


@dataclass(frozen=True, slots=True)
class _Folder:
    """One `[[tool.backendgen.paths]]`, ready to be asked."""

    patterns: pathspec.GitIgnoreSpec
    select: tuple[str, ...]
    ignore: tuple[str, ...]
    severity: tuple[tuple[str, Severity], ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """The severities and folders of one configuration, for the findings beneath one root."""

    severity: tuple[tuple[str, Severity], ...]
    folders: tuple[_Folder, ...]
    prefix: str

    @classmethod
    def of(cls, config: Config, rulebook: Rulebook, root: Path) -> Policy:
        """Make it. Raises UserError for rules that there are not, and for patterns that cannot be read."""
        folders = tuple(_folder(one, rulebook) for one in config.paths)
        below, above = os.path.abspath(root), os.path.abspath(config.folder or root)  # noqa: PTH100 - `..` taken out
        inside = Path(below).is_relative_to(above) and below != above
        prefix = f"{Path(below).relative_to(above).as_posix()}/" if inside else ""
        return cls(_severities(config.severity, rulebook), folders, prefix)

    def grade(self, one: Finding) -> Finding:
        """Return the finding with the severity that the configuration gives it: the last folder's, else the project's."""
        tables = [self.severity, *(folder.severity for folder in self._folders_of(one))]
        for table in reversed(tables):
            grades = [(len(words), grade) for words, grade in table if one.rule_id.startswith(words)]
            if grades:
                return replace(one, severity=max(grades)[1])
        return one

    def wants(self, one: Finding) -> bool:
        """Do the folders that a finding is in let its rule count?"""
        return all(
            not (folder.ignore and one.rule_id.startswith(folder.ignore))
            and (not folder.select or one.rule_id.startswith(folder.select) or one.rule_id == UNANALYSED)
            for folder in self._folders_of(one)
        )

    def _folders_of(self, one: Finding) -> list[_Folder]:
        path = f"{self.prefix}{one.location.path}"
        return [folder for folder in self.folders if folder.patterns.match_file(path)]


def _folder(settings: PathSettings, rulebook: Rulebook) -> _Folder:
    import pathspec

    return _Folder(
        pathspec.GitIgnoreSpec.from_lines(settings.match),
        rulebook.prefixes(settings.select),
        rulebook.prefixes(settings.ignore),
        _severities(settings.severity, rulebook),
    )


def _severities(written: Iterable[tuple[str, str]], rulebook: Rulebook) -> tuple[tuple[str, Severity], ...]:
    return tuple((rulebook.prefixes([words])[0], Severity[grade.upper()]) for words, grade in written)
