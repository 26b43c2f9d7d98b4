"""GitHub's workflows: what starts them, what their token may do, and the steps of their jobs.

Source: https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax.
"""

from __future__ import annotations

from dataclasses import dataclass

from backendgen.code.trees import Node, read


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a job, or a job that is another workflow: `uses` names what it runs, `run` is its script."""

    node: Node
    uses: str = ""
    run: str = ""

    def given(self, key: str) -> str:
        """What it hands to the action that it uses, empty without it."""
        found = self.node.get("with", key)
        return found.text if found else ""

    def line_of(self, *keys: str) -> int:
        """The line of a key, or of the step."""
        found = self.node.get(*keys)
        return found.line if found else self.node.line


@dataclass(frozen=True, slots=True)
class Job:
    """A job with its steps."""

    name: str
    node: Node
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Workflow:
    """A workflow. `triggers` are the events that start it."""

    path: str
    node: Node
    triggers: frozenset[str]
    jobs: tuple[Job, ...]


def load(text: str, path: str) -> Workflow:
    """Read a workflow. Raises Unreadable when it is no YAML."""
    node = read(text, path)
    started = node.get("on")
    names = {started.text, *started.entries, *(one.text for one in started.items)} if started else set()
    jobs = node.get("jobs")
    entries = jobs.entries if jobs else {}
    return Workflow(path, node, frozenset(names - {""}), tuple(_job(name, one) for name, one in entries.items()))


def _job(name: str, node: Node) -> Job:
    steps = node.get("steps")
    calls = [node] if node.get("uses") is not None else []  # a reusable workflow is called by the job itself
    found = [*calls, *(steps.items if steps else [])]
    return Job(name, node, tuple(Step(one, one.word("uses"), one.word("run")) for one in found))
