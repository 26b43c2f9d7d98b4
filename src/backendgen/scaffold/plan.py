"""Spec -> tuple[File, ...]: pure and deterministic. Never reads the target, never prints."""

from __future__ import annotations

import bz2
import io
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from backendgen import __version__
from backendgen.files import File
from backendgen.resources import directory
from backendgen.scaffold import access, features, migrations, openapi, refusals, seeds, style, trials, views, violations
from backendgen.scaffold.render import render
from backendgen.scaffold.seeds import Factory
from backendgen.scaffold.trials import Trial
from backendgen.scaffold.views import ResourceView
from backendgen.spec.model import Role, Spec

FRAGMENT = "openapi.yaml"
DEPENDENCIES = "dependencies.txt"
SETTINGS = "env.example"
PRISTINE = ".backendgen/pristine.tar.bz2"
_EXECUTABLE = "scripts/"
_MARK = "_resource_"
_SUFFIX = ".jinja"


def plan(spec: Spec) -> tuple[File, ...]:
    """Return every file of the service, sorted by path. Raises UserError for a spec that cannot become a service."""
    spec = _with_a_role(spec)
    for resource in spec.resources:
        refusals.refuse_unfit(resource, spec)
    resources = tuple(views.view(resource, spec) for resource in spec.resources)
    refusals.refuse_twins(resources)
    folders = ("base", *(f"features/{feature.name}" for feature in features.active(spec)), "resource")
    context = _context(spec, resources, folders)
    context["env_examples"] = [
        _text(template, context).strip()
        for folder in folders
        for source, template in _templates(folder)
        if source == SETTINGS
    ]
    written: dict[str, bytes] = {}
    fragments: list[str] = []
    for folder in folders:
        for source, template in _templates(folder):
            if source == FRAGMENT:
                fragments.append(_text(template, context))
            elif source not in (DEPENDENCIES, SETTINGS):
                written.update(_written(source, template, context))
    written.update(migrations.revisions(spec, written))
    written["app/openapi.json"] = openapi.document(spec, resources, fragments)
    written = style.formatted(written)
    files = [File(path, written[path], path.startswith(_EXECUTABLE)) for path in sorted(written)]
    return (*_record(spec, files), *files)


def _with_a_role(spec: Spec) -> Spec:
    """Give those who register a role where the spec names none: they are just users, which no spec can call a role."""
    if spec.auth is None or spec.auth.default_role:
        return spec
    return replace(spec, auth=replace(spec.auth, roles=(*spec.auth.roles, Role("user")), default_role="user"))


def _context(spec: Spec, resources: tuple[ResourceView, ...], folders: tuple[str, ...]) -> dict[str, Any]:
    auth = spec.auth
    tests = tuple(trials.trial(resource, spec) for resource in resources)
    rows = seeds.factories(spec)
    roles = [
        {
            "name": role.name,
            "includes": role.includes,
            "grants": ", ".join(f'"{n}"' for n in (role.name, *role.includes)),
        }
        for role in (auth.roles if auth else ())
    ]
    return {
        "service": spec.service,
        "database": spec.database,
        "page": spec.page,
        "auth": auth,
        "roles": roles,
        "strongest_role": max(auth.roles, key=lambda role: len(role.includes)).name if auth and auth.roles else "",
        "default_role": auth.default_role if auth else "",
        "rate_limits": spec.rate_limits,
        "features": frozenset(feature.name for feature in features.active(spec)),
        "resources": resources,
        "kinds": views.kinds(resources),
        "trials": tests,
        "listed": any(resource.list for resource in resources),
        "factories": rows,
        "unsure": seeds.unsure(rows),
        "same": any("factories.same(" in trial.change for trial in tests),
        "days": any("day()" in source for source in _expressions(rows, tests)),
        "cells": access.cells(spec),
        "operations": trials.operations(tests),
        "constraints": violations.constraints(spec),
        "assumptions": spec.assumptions,
        "dependencies": _dependencies(folders),
        "open_writes": tuple(one for resource in resources for one in resource.open_writes),
        "version": __version__,
    }


def _expressions(rows: Iterable[Factory], tests: Iterable[Trial]) -> Iterator[str]:
    """Yield the expressions that call the functions of tests/factories.py."""
    for row in rows:
        yield from (expression for _, expression in row.values)
    for trial in tests:
        yield from (expression for _, expression in (*trial.seed.values, *trial.ties, *trial.filled))
        yield trial.change


def _written(source: str, template: Path, context: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
    """Yield the files that one template makes: one, or one for each resource; none when nothing is left of it."""
    if _MARK not in source:
        content = _content(template, context)
        if content or template.suffix != _SUFFIX:
            yield source, content
        return
    for trial in context["trials"]:
        names = {**context, "resource": trial.view, "trial": trial}
        yield source.replace(_MARK, trial.view.module), _content(template, names)


def _content(template: Path, context: Mapping[str, object]) -> bytes:
    return _text(template, context).encode() if template.suffix == _SUFFIX else template.read_bytes()


def _text(template: Path, context: Mapping[str, object]) -> str:
    return render(template, context) if template.suffix == _SUFFIX else template.read_text("utf-8")


@cache
def _templates(folder: str) -> tuple[tuple[str, Path], ...]:
    """Return (path in the service, template) of a folder's files, sorted."""
    root = directory("templates") / folder
    paths = sorted(path for path in root.rglob("*") if path.is_file() and not _is_litter(path.relative_to(root)))
    return tuple((path.relative_to(root).as_posix().removesuffix(_SUFFIX), path) for path in paths)


def _is_litter(path: Path) -> bool:
    """True for what tools leave behind in a checkout."""
    return path.suffix == ".pyc" or any(part == "__pycache__" or part.endswith("_cache") for part in path.parts)


def _dependencies(folders: tuple[str, ...]) -> tuple[str, ...]:
    found: set[str] = set()
    for folder in folders:
        for source, template in _templates(folder):
            if source == DEPENDENCIES:
                found.update(line.strip() for line in template.read_text("utf-8").splitlines() if line.strip())
    return tuple(sorted(found))


def _record(spec: Spec, files: list[File]) -> tuple[File, ...]:
    """Return what the generator needs to know about its own work later: the base of a three-way merge."""
    return (
        File(PRISTINE, _archive(files)),
        File(".backendgen/spec.yaml", spec.source),
        File(".backendgen/version", f"{__version__}\n".encode()),
    )


def _archive(files: list[File]) -> bytes:
    """Return the files as one archive, the same bytes on every machine: bzip2's output never depends on a version."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for file in files:
            entry = tarfile.TarInfo(file.path)
            entry.size = len(file.content)
            entry.mode = 0o755 if file.executable else 0o644
            archive.addfile(entry, io.BytesIO(file.content))
    return bz2.compress(buffer.getvalue(), 9)
