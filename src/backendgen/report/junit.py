"""JUnit XML, for CI systems that show test results: a suite for each file, a failed test for each finding.

There is no one specification: this keeps to the strictest schema in use, Jenkins' junit-10.xsd (jenkinsci/xunit-plugin).
"""

from __future__ import annotations

import re
from xml.etree import ElementTree as xml

from backendgen.findings.finding import Finding, Report
from backendgen.report import outline
from backendgen.rules import Rulebook

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(report: Report, rulebook: Rulebook) -> str:
    """Render suites of failures, of what is ignored or known (skipped), and of errors; a clean run is one passed test."""
    suites = xml.Element("testsuites", name="backendgen")
    silent = [(one.finding, f"ignored: {one.reason}") for one in report.ignored]
    silent += [(one, "in the baseline") for one in report.known]
    reasons = dict(silent)
    for path, findings in outline.by_file([*report.findings, *reasons]):
        shown = _clean(report.path_of(path))
        suite = xml.SubElement(suites, "testsuite", name=shown, file=shown)
        for one in findings:
            _case(suite, one, reasons.get(one, ""), report, rulebook)
    own = xml.SubElement(suites, "testsuite", name="backendgen")
    for problem in report.failures:
        failed = xml.SubElement(own, "testcase", name="runs to its end", classname="backendgen")
        xml.SubElement(failed, "error", message=_clean(str(problem)), type="could-not-run")
    if not report.failures:
        xml.SubElement(own, "testcase", name="runs to its end", classname="backendgen")
    output = xml.SubElement(own, "system-out")
    output.text = _clean("\n".join(filter(None, [outline.summary(report), outline.stale(report)])))
    for suite in (*suites, suites):
        _count(suite)
    xml.indent(suites)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{xml.tostring(suites, encoding="unicode")}\n'


def _case(suite: xml.Element, one: Finding, reason: str, report: Report, rulebook: Rulebook) -> None:
    path = _clean(report.path_of(one.location.path))
    title = rulebook[one.rule_id].title
    name = _clean(f"{one.rule_id} {title} ({one.location.line}:{one.location.column})")
    case = xml.SubElement(suite, "testcase", name=name, classname=path)
    if reason:
        xml.SubElement(case, "skipped", message=_clean(reason))
        return
    failure = xml.SubElement(case, "failure", message=_clean(one.message), type=one.severity.word)
    steps = [f"{report.path_of(step.location.path)}:{step.location.line} {step.note}" for step in one.steps]
    fix = [f"fix: {one.fix}"] if one.fix else []
    failure.text = _clean("\n".join([f"{path}:{one.location.line}", *one.source, *steps, *fix]))


def _count(element: xml.Element) -> None:
    for attribute, tag in (("tests", "testcase"), ("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        element.set(attribute, str(sum(1 for _ in element.iter(tag))))
    if element.tag == "testsuites":
        del element.attrib["skipped"]  # Jenkins' schema knows it for a suite only


def _clean(text: str) -> str:
    """Replace what XML 1.0 cannot hold."""
    return _NOT_XML.sub("\ufffd", text)
