"""GitHub's workflows: strangers' text and code beside secrets, tokens that may do all, actions that may change."""

from __future__ import annotations

import re
from collections.abc import Iterator

from backendgen.audit.registry import Context, check
from backendgen.code.workflow import Job, Step, Workflow
from backendgen.findings.finding import Hit, Location
from backendgen.rules import Confidence

EXPRESSION = re.compile(r"\$\{\{(?P<inner>[^{}]{1,300})\}\}")
BY_STRANGERS = re.compile(
    r"github\.(?:head_ref\b|event\.(?:(?:issue|pull_request|discussion)\.(?:title|body)\b|(?:comment|review|review_comment)\.body\b"
    r"|pull_request\.head\.(?:ref|label|repo\.default_branch)\b|pages\S*\.page_name\b|workflow_run\.head_branch\b"
    r"|workflow_run\.head_commit\.(?:message|author\.\w+)|(?:head_commit|commits\S*)\.(?:message|author\.(?:name|email))\b))"
)
ANSWERS = re.compile(r"==|!=|\b(?:contains|startsWith|endsWith|hashFiles)\s*\(")  # yes or no, not the text itself
OPEN_TO_ALL = frozenset(
    {"pull_request_target", "issues", "issue_comment", "discussion", "discussion_comment", "workflow_run"}
)
FOR_FORKS = frozenset({"pull_request_target", "workflow_run"})
HEADS = re.compile(r"github\.(?:head_ref|event\.(?:pull_request\.head\.|workflow_run\.head_))|refs/pull/")
OURS_ONLY = re.compile(r"workflow_run\.event\b|head_repository|head\.repo\.(?:full_name|owner|fork)")
CHECKOUT = re.compile(r"actions/checkout@")
SCRIPTS = re.compile(r"actions/github-script@")
COMMIT = re.compile(r"[0-9a-f]{40}")
BRANCHES = frozenset({"main", "master", "develop", "dev", "trunk", "HEAD", "latest"})
OF_GITHUB = ("actions/", "github/")
SHOWN = 4


def _steps(context: Context) -> Iterator[tuple[Workflow, Job, Step]]:
    for workflow in context.configuration.workflows:
        for job in workflow.jobs:
            for step in job.steps:
                yield workflow, job, step


@check("BG460")
def text_of_strangers(context: Context) -> Iterator[Hit]:
    """Titles, branches and comments that are pasted into a script before it runs."""
    for workflow, job, step in _steps(context):
        is_script = SCRIPTS.match(step.uses) is not None
        text, start = (
            (step.given("script"), step.line_of("with", "script")) if is_script else (step.run, step.line_of("run"))
        )
        for found in EXPRESSION.finditer(text):
            part = BY_STRANGERS.search(found["inner"])
            if part is None or ANSWERS.search(found["inner"]):
                continue
            name = re.sub(r"\W+", "_", part[0].rpartition("github.")[2].removeprefix("event.")).upper()
            line = context.configuration.by_path[workflow.path].line_of(found[0], start - 1)
            use = f"process.env.{name}" if is_script else f'"${name}"'
            yield Hit(
                Location(workflow.path, line),
                f"the job `{job.name}` pastes `{part[0]}` into its script: whoever writes that text writes commands",
                f"hand it over as a variable, and use {use}: `env: {{ {name}: {found[0]} }}`",
                job.name,
                confidence=None if workflow.triggers & OPEN_TO_ALL else Confidence.LOW,
            )


@check("BG461")
def code_of_strangers(context: Context) -> Iterator[Hit]:
    """The code of a pull request, checked out where secrets are."""
    for workflow, job, step in _steps(context):
        triggers = sorted(workflow.triggers & FOR_FORKS)
        if not triggers or not CHECKOUT.match(step.uses) or not HEADS.search(step.given("ref")):
            continue
        if OURS_ONLY.search(job.node.word("if") + step.node.word("if")):
            continue
        after = job.steps[job.steps.index(step) + 1 :]
        runs = next((one for one in after if one.run or one.uses.startswith("./")), None)
        what = (runs.node.word("name") or runs.run.strip().partition("\n")[0] or runs.uses) if runs else ""
        yield Hit(
            Location(workflow.path, step.line_of("with", "ref")),
            f"the job `{job.name}` checks out the code of whoever sent a pull request, and `{triggers[0]}` gives it this "
            "repository's secrets and token" + (f"; `{what}` then works in it" if what else ""),
            "run that code under `on: pull_request`, and do what needs secrets in a job that leaves `ref` out",
            job.name,
            confidence=None if runs and not _is_narrowed(workflow) else Confidence.LOW,
        )


def _is_narrowed(workflow: Workflow) -> bool:
    """Does it follow only runs of some branches? A fork may name its branch so, which is a doubt."""
    return workflow.node.get("on", "workflow_run", "branches") is not None


@check("BG462")
def action_that_may_change(context: Context) -> Iterator[Hit]:
    """Others' actions by a branch or a tag: one finding a workflow."""
    for workflow in context.configuration.workflows:
        steps = [one for job in workflow.jobs for one in job.steps if _may_change(one.uses)]
        moving = [one for one in steps if one.uses.rpartition("@")[2] in BRANCHES]
        names = list(dict.fromkeys(one.uses for one in moving or steps))
        if names:
            more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
            first = (moving or steps)[0]
            yield Hit(
                Location(workflow.path, first.line_of("uses")),
                f"`{workflow.path}` runs {', '.join(f'`{one}`' for one in names[:SHOWN])}{more}: whoever may move that "
                f"{'branch' if moving else 'tag'} runs code with this workflow's token and secrets",
                f"name the commit: `uses: {names[0].rpartition('@')[0]}@<40 hex digits>  # {names[0].rpartition('@')[2]}`",
                workflow.path,
                confidence=Confidence.MEDIUM if any(map(_holds_secrets, moving)) else None,
            )


def _holds_secrets(step: Step) -> bool:
    return any("secrets." in one.text for one in step.node.walk())


def _may_change(uses: str) -> bool:
    name, at, version = uses.partition("@")
    return bool(at) and not name.startswith((*OF_GITHUB, "./", "docker://")) and not COMMIT.fullmatch(version)


@check("BG463")
def token_that_may_write_all(context: Context) -> Iterator[Hit]:
    """Workflows and jobs whose token may change everything."""
    for workflow in context.configuration.workflows:
        for name, node in ((workflow.path, workflow.node), *((job.name, job.node) for job in workflow.jobs)):
            granted = node.get("permissions")
            if granted is not None and granted.text == "write-all":
                yield Hit(
                    Location(workflow.path, granted.line),
                    f"the token of `{name}` may change code, releases, packages and settings (`write-all`): so may each "
                    "action and script that it runs",
                    "name what it needs: `permissions: { contents: read }`, and a `write` for the job that needs one",
                    name,
                )
