"""Semgrep's native core on all our patterns at once; the `semgrep` command when the core does not answer as expected.

The core is called directly: 0.1 s instead of 2 s, and we choose the files. That is no public interface, so its answer is
checked, and on any doubt the public command runs instead. Neither is ever taken to mean "clean" when it failed.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from backendgen import process, witness
from backendgen.audit.engines.result import EngineResult
from backendgen.code.documents import Document
from backendgen.code.parse import older
from backendgen.code.project import Hole, Project, SourceFile
from backendgen.errors import Problem, UserError
from backendgen.files import write
from backendgen.findings.finding import Finding, Hit, Location, finding
from backendgen.rules import Rule

NAME = "semgrep"
ENVIRONMENT = {"SEMGREP_SEND_METRICS": "off", "SEMGREP_ENABLE_VERSION_CHECK": "0"}
TIMEOUT, PER_TARGET = 60.0, 0.2  # it takes a hundredth of that


Target = SourceFile | Document
Pair = tuple[str, str]  # a file to match in, and the language whose patterns are for it


class Unexpected(Exception):
    """The program answered, but not as its contract says."""


def run(project: Project, rules: tuple[Rule, ...]) -> EngineResult:
    """Run the semgrep patterns of the rules over the files that they are for; without such files nothing is started."""
    everything: tuple[Target, ...] = (*project.files, *project.documents)
    chosen = {rule.id: rule for rule in rules if rule.detect.kind == "semgrep"}
    files = {str(file.location): file for file in everything if any(_is_for(rule, file) for rule in chosen.values())}
    if not files:
        return EngineResult(NAME)
    with tempfile.TemporaryDirectory(prefix="backendgen-") as folder:
        patterns = Path(folder, "rules.json")
        with witness.repeatable():
            write(patterns, json.dumps({"rules": [pattern(rule) for rule in chosen.values()]}).encode())
        result = _matched(patterns, chosen, files, Path(folder))
        return _again(patterns, chosen, project, Path(folder), result) if result.holes else result


def _is_for(rule: Rule, file: Target) -> bool:
    """Is this a file that a rule's patterns are meant for? Without kinds of documents they are meant for Python."""
    if isinstance(file, Document):
        return file.kind in rule.detect.documents
    return not rule.detect.documents


def _languages(rule: Rule) -> list[str]:
    languages: list[str] = pattern(rule)["languages"]
    return languages


def _matched(patterns: Path, rules: dict[str, Rule], files: Mapping[str, Target], folder: Path) -> EngineResult:
    """Match the patterns in these files: by the core, or else by the command."""
    meant = ((name, rule) for name, file in files.items() for rule in rules.values() if _is_for(rule, file))
    pairs = list(dict.fromkeys((name, language) for name, rule in meant for language in _languages(rule)))
    reasons = []
    for attempt in (_core, _command):
        try:
            return _result(attempt(patterns, pairs, folder), rules, files)
        except (UserError, Unexpected) as error:
            reasons.append(str(error))
    return EngineResult(NAME, failures=(Problem(f"semgrep could not run: {'; '.join(reasons)}"),))


def _again(patterns: Path, rules: dict[str, Rule], project: Project, folder: Path, first: EngineResult) -> EngineResult:
    """Match once more in the files that semgrep could not read, with syntax that is too new for it written as before."""
    copies: dict[str, SourceFile] = {}
    for path in dict.fromkeys(hole.path for hole in first.holes):
        file = project.by_path.get(path)
        text = older(file.text) if file is not None else None
        if file is not None and text is not None:
            copy = folder / f"{len(copies)}.py"
            with witness.repeatable():
                write(copy, text.encode())
            copies[str(copy)] = file
    if not copies:
        return first
    second = _matched(patterns, rules, copies, folder)
    read = {file.path for file in copies.values()} - {hole.path for hole in second.holes}
    if second.failures:
        return replace(first, failures=first.failures + second.failures)
    return EngineResult(
        NAME,
        tuple(one for one in first.findings if one.location.path not in read)
        + tuple(one for one in second.findings if one.location.path in read),
        tuple(hole for hole in first.holes if hole.path not in read),
        first.failures,
    )


def pattern(rule: Rule) -> dict[str, Any]:
    """Return a card's patterns as a semgrep rule: id, message and severity are the card's."""
    return {"id": rule.id, "message": rule.title, "severity": "WARNING", "languages": ["python"], **rule.detect.data}


def core_path() -> Path:
    """Return the native program inside the installed semgrep. Raises UserError without it."""
    from importlib.util import find_spec

    package = find_spec("semgrep")
    for folder in (package.submodule_search_locations or []) if package else []:
        candidate = Path(folder, "bin", "semgrep-core")
        if candidate.is_file():
            return candidate
    raise UserError("the installed semgrep has no semgrep-core; reinstall backendgen")


def _core(patterns: Path, pairs: list[Pair], folder: Path) -> dict[str, Any]:
    targets = folder / "targets.json"
    listed = [
        ["CodeTarget", {"path": {"fpath": name, "ppath": name}, "analyzer": language, "products": ["sast"]}]
        for name, language in pairs
    ]
    core = core_path()
    command: list[str | Path] = [core, "-rules", patterns, "-targets", targets, "-json_nodots", "-fast", "-j", "2"]
    witness.depend(core)
    with witness.repeatable():
        write(targets, json.dumps(["Targets", listed]).encode())
        result = process.run(command, timeout=TIMEOUT + PER_TARGET * len(pairs), env=ENVIRONMENT)
    answer = _parsed(result)
    scanned = set(answer["paths"]["scanned"])
    wanted = {name for name, _ in pairs}
    if scanned != wanted:
        raise Unexpected(f"semgrep-core read {len(scanned)} of {len(wanted)} files")
    return answer


def _command(patterns: Path, pairs: list[Pair], folder: Path) -> dict[str, Any]:
    program = process.find("semgrep")
    if program is None:
        raise UserError("the program semgrep is not installed beside backendgen")
    options = ["--json", "--quiet", "--metrics", "off", "--disable-version-check", "--max-target-bytes", "0",
               "--no-git-ignore", "--x-ignore-semgrepignore-files"]  # fmt: skip
    files = dict.fromkeys(name for name, _ in pairs)
    result = process.run(
        [program, "scan", "--config", patterns, *options, *files],
        timeout=TIMEOUT + PER_TARGET * len(pairs),
        env=ENVIRONMENT,
        cwd=folder,
    )
    return _parsed(result)


def _parsed(result: process.Result) -> dict[str, Any]:
    said = result.stderr.decode(errors="replace").strip().splitlines()
    try:
        answer: dict[str, Any] = json.loads(result.stdout.decode(errors="replace"))
    except ValueError as error:
        last = said[-1] if said else "nothing"
        raise Unexpected(f"exit code {result.code} without JSON ({last[:200]})") from error
    whole = isinstance(answer, dict) and all(isinstance(answer.get(key), list) for key in ("results", "errors"))
    if not whole or not isinstance(answer.get("paths"), dict) or not isinstance(answer["paths"].get("scanned"), list):
        raise Unexpected("its JSON has another form than expected")
    return answer


def _result(answer: dict[str, Any], rules: dict[str, Rule], files: Mapping[str, Target]) -> EngineResult:
    try:
        findings = tuple(_findings(answer["results"], rules, files))
        holes, failures = _errors(answer["errors"], files)
    except (KeyError, TypeError, IndexError) as error:
        raise Unexpected(f"a result has another form than expected: {error!r}") from error
    return EngineResult(NAME, findings, tuple(holes), tuple(failures))


def _findings(
    results: Iterable[dict[str, Any]], rules: dict[str, Rule], files: Mapping[str, Target]
) -> Iterator[Finding]:
    for one in results:
        rule = rules[one["check_id"].rpartition(".")[2]]
        file = files[one["path"]]
        if not _is_for(rule, file):  # of the same language, for another kind of document
            continue
        line = one["start"]["line"]
        place = Location(file.path, line, one["start"]["col"], one["end"]["line"])
        statement = " ".join(file.lines[line - 1].split())[:120]
        symbol = file.symbol_at(line) if isinstance(file, SourceFile) else ""
        where = f" in {symbol}" if symbol else ""
        hit = Hit(place, f"{rule.title}{where}: `{statement}`", rule.fix.split("\n\n")[0].strip(), symbol)
        yield finding(rule, hit, NAME)


def _errors(errors: Iterable[dict[str, Any]], files: Mapping[str, Target]) -> tuple[list[Hole], list[Problem]]:
    """A file that semgrep could not read is a hole; a rule that it could not read is a failure of the run."""
    holes, failures = [], []
    for one in errors:
        file = files.get(str(one.get("path") or (one.get("location") or {}).get("path", "")))
        message = str(one.get("message", "")).strip().splitlines()[0:1]
        text = f"semgrep: {message[0] if message else one.get('type', 'an error')}"
        if file is not None:
            line = int(((one.get("location") or {}).get("start") or {}).get("line", 1))
            holes.append(Hole(file.path, text, line))
        else:
            failures.append(Problem(text))
    return holes, failures
