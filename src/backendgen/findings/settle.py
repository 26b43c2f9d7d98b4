"""The end of every run: merged, graded, ignores and baseline applied, and what is too doubtful for the profile left out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import date
from pathlib import Path

from backendgen.config import Config
from backendgen.findings import baseline, foreign, ignore
from backendgen.findings.finding import Finding, Report
from backendgen.findings.merge import merge, numbered
from backendgen.findings.policy import Policy
from backendgen.rules import Confidence, Rulebook


def settle(
    findings: Iterable[Finding],
    texts: Mapping[str, str],
    judged: Collection[str],
    rulebook: Rulebook,
    config: Config,
    root: Path,
    *,
    today: date | None = None,
) -> Report:
    """Return a report of the findings that stand, in order, those that a comment ignores, and those that a baseline knows.

    `findings` come best judge first; `texts` are the scanned files' texts by path beneath `root` (for fingerprints and
    ignores); `judged` are the ids of the rules that ran, so that an ignore of a rule that did not run is not called unused.
    Those below the profile's confidence are merged apart: they supersede none that is shown, and an ignore or a baseline's
    entry that hides them is of use all the same.
    """
    every = list(findings)
    least = Confidence[config.confidence.upper()]
    policy = Policy.of(config, rulebook, root)
    doubtful = [one for one in every if one.confidence < least]
    merged = merge((one for one in every if one.confidence >= least), rulebook, doubtful) + merge(doubtful, rulebook)
    comments = [comment for path, text in texts.items() for comment in ignore.scan(path, text)]
    applied = ignore.apply(numbered(merged, texts), comments, rulebook, judged.__contains__, today or date.today())
    left, hidden = foreign.apply(applied.standing, texts, rulebook)
    standing = [*left, *numbered(applied.complaints, texts)]
    standing = [policy.grade(one) for one in standing if policy.wants(one)]
    comparison = None
    if config.baseline:
        standing, comparison = baseline.compare(standing, config.baseline, root, texts.keys(), judged)
    shown = [one for one in standing if one.confidence >= least]
    shown.sort(key=lambda one: (one.location, one.rule_id))
    hidden = [one for one in hidden if one.finding.confidence >= least]  # nobody would have seen the others
    ignored = tuple(one for one in (*applied.hidden, *hidden) if policy.wants(one.finding))
    return Report(tuple(shown), ignored, comparison=comparison)
