"""The end of every run: merged, ignores applied, and what is too doubtful for the chosen profile left out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from backendgen.config import Config
from backendgen.findings import ignore
from backendgen.findings.finding import Finding, Ignored
from backendgen.findings.merge import merge
from backendgen.rules import Confidence, Rulebook


def settle(
    findings: Iterable[Finding], texts: Mapping[str, str], judged: Collection[str], rulebook: Rulebook, config: Config
) -> tuple[tuple[Finding, ...], tuple[Ignored, ...]]:
    """Return the findings that stand, in order, and those that a comment in the code ignores.

    `findings` come best judge first; `texts` are the scanned files' texts by path (for fingerprints and ignores);
    `judged` are the ids of the rules that ran, so that an ignore of a rule that did not run is not called unused.
    Those below the profile's confidence are merged apart: they supersede none that is shown, and an ignore that hides
    them is of use all the same.
    """
    every = list(findings)
    least = Confidence[config.confidence.upper()]
    merged = merge((one for one in every if one.confidence >= least), rulebook, texts)
    merged += merge((one for one in every if one.confidence < least), rulebook, texts)
    comments = [comment for path, text in texts.items() for comment in ignore.scan(path, text)]
    standing, ignored = ignore.apply(merged, comments, rulebook, judged.__contains__)
    shown = [one for one in standing if one.confidence >= least]
    shown.sort(key=lambda one: (one.location, one.rule_id))
    return tuple(shown), ignored
