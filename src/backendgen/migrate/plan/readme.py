"""The plan in words: which migration runs when, and what the code must do in between."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from backendgen.migrate.history import Action, Migration
from backendgen.migrate.plan.route import Route
from backendgen.migrate.plan.write import Written


class Taken(Protocol):
    """A route, and the operation whose place it takes."""

    @property
    def route(self) -> Route:
        """The route."""

    @property
    def migration(self) -> Migration:
        """The migration that held the operation."""

    @property
    def action(self) -> Action:
        """The operation, where it stands."""


def readme(written: Sequence[Written], taken: Sequence[Sequence[Taken]]) -> str:
    """Return the README of a plan."""
    every = [one for group in taken for one in group]
    parts = ["# Changes that one deploy cannot make safely\n", _intro(every)]
    waves = max(phase.wave for done in written for _, phase, _ in done.migrations)
    for wave in range(waves + 1):
        if wave:
            parts.append(_release(wave, every))
        parts.append(_wave(wave, written))
    cautions = [f"- **{one.route.title}**: {text}\n" for one in every for text in one.route.cautions]
    if cautions:
        parts.append("## What only you can know\n\n" + "".join(cautions))
    return "\n".join(parts)


def _intro(taken: Sequence[Taken]) -> str:
    lines = [
        "Each migration below does one thing that does not get in the way of the code that runs at that time. Copy those",
        "of a step into your migrations folder when its time has come, not earlier: your tool runs whatever it finds there.",
        "",
        "Taken out of your migrations (the files of the same name here are what is left of them):",
        "",
    ]
    lines += [f"- `{one.action.path}`, line {one.action.operation.line}: {one.route.title}" for one in taken]
    return "\n".join(lines) + "\n"


def _release(wave: int, taken: Sequence[Taken]) -> str:
    wanted = [
        f"- {one.route.title}: the code {one.route.releases[wave - 1]}\n"
        for one in taken
        if len(one.route.releases) >= wave
    ]
    after = "Go on when no instance of an older release runs any more."
    return f"## Release {wave} of the code\n\n{''.join(wanted)}\n{after}\n"


def _wave(wave: int, written: Sequence[Written]) -> str:
    when = "Before the next release" if wave == 0 else f"After release {wave} runs everywhere"
    lines = [f"## {when}\n"]
    number = 0
    for done in written:
        for route, phase, name in done.migrations:
            if phase.wave == wave:
                number += 1
                outside = "" if phase.transactional else ", outside a transaction"
                command = f"; `{done.commands[name]}`" if name in done.commands else ""
                lines.append(f"{number}. `{name}`: {route.title}, {phase.word}{outside}{command}")
    if not number:
        lines.append("Nothing to migrate.")
    return "\n".join(lines) + "\n"
