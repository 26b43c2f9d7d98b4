"""The reports that other programs read, held to what those programs accept."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from jsonschema import Draft202012Validator
from markdown_it import MarkdownIt
from pydantic_sarif.model import StaticAnalysisResultsFormatSarifVersion210JsonSchema as OfficialSchema

from backendgen.errors import Problem
from backendgen.findings.finding import Comparison, Finding, Hit, Ignored, Known, Location, Report, Step, finding
from backendgen.report import renderer
from backendgen.report.markdown import LIMIT
from backendgen.rules import Rulebook, Severity

RULEBOOK = Rulebook()
NASTY = "100 %, `a`|<b>: \r\n::set-output name=x::y, @team #1 *bold* é"


def made(rule_id: str, path: str, line: int, message: str = "m", **more: Any) -> Finding:
    return replace(finding(RULEBOOK[rule_id], Hit(Location(path, line), message), "own"), **more)


def report() -> Report:
    steps = (Step(Location("app/a.py", 3), "from the query", "def f(q):"), Step(Location("db/x.py", 9), "reaches it"))
    return Report(
        (
            made("BG103", "app/a,b:c.py", 4, NASTY, fix="one\n```\ntwo", steps=steps, source=("execute(q)",)),
            replace(made("BG701", "db/1.sql", 2), location=Location("db/1.sql", 2, 3, 5), source=("CREATE INDEX", "x")),
            made("BG701", "db/1.sql", 9, severity=Severity.MEDIUM, fix="wait", ordinal=1),
            made("BG710", "db/2.sql", 1),
        ),
        (Ignored(made("BG801", "db/1.sql", 7), "an empty table"),),
        (Problem("is empty", "db/3.sql"),),
        (Problem("semgrep is missing"),),
        5,
        Comparison(Path("known.json"), (made("BG802", "db/2.sql", 3),), (Known("db/9.sql", "BG803", "00"),)),
        "service",
    )


COMMAND = re.compile(r"::(?P<level>error|warning|notice) (?P<properties>[^:]*?)::(?P<message>.*)")


def unescaped(text: str, *more: tuple[str, str]) -> str:
    for code, character in (*more, ("%0D", "\r"), ("%0A", "\n"), ("%25", "%")):
        text = text.replace(code, character)
    return text


def commands(text: str) -> list[tuple[str, dict[str, str], str]]:
    """Read workflow commands as the runner does: properties end at the next `::`, escapes are taken back."""
    read = []
    for line in text.splitlines():
        if command := COMMAND.fullmatch(line):
            pairs = (pair.split("=", 1) for pair in command["properties"].split(","))
            properties = {key: unescaped(value, ("%3A", ":"), ("%2C", ",")) for key, value in pairs}
            read.append((command["level"], properties, unescaped(command["message"])))
    return read


def test_github() -> None:
    text = renderer("github")(report(), RULEBOOK)
    assert [(level, message) for level, _, message in commands(text)] == [
        ("error", f"{NASTY}\n\nFix: one\n```\ntwo"),
        ("error", "m"),
        ("warning", "m\n\nFix: wait"),
        ("notice", "m"),
        ("error", "semgrep is missing"),
        ("notice", "db/3.sql is empty"),
        ("notice", "known.json: 1 entry hides nothing any more (BG803 in db/9.sql); --write-baseline takes them out"),
    ]
    assert [properties for _, properties, _ in commands(text)][:2] == [
        {
            "file": "service/app/a,b:c.py",
            "line": "4",
            "col": "1",
            "title": "BG103 SQL built from a request's text (critical)",
        },
        {
            "file": "service/db/1.sql",
            "line": "2",
            "endLine": "5",
            "title": "BG701 Index built without CONCURRENTLY (high)",
        },
    ]
    assert text.splitlines()[-1] == (
        "backendgen: 4 new findings (1 critical, 1 high, 1 medium, 1 low); "
        "5 files checked, 1 ignored with a reason, 1 in the baseline"
    )
    assert len(text.splitlines()) == len(commands(text)) + 1, "no text of a finding starts a line of its own"


GITLAB = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["description", "check_name", "fingerprint", "severity", "location"],
        "properties": {
            "type": {"const": "issue"},
            "description": {"type": "string", "minLength": 1, "pattern": "^[^\n]*$"},
            "check_name": {"type": "string", "minLength": 1},
            "fingerprint": {"type": "string", "minLength": 1},
            "severity": {"enum": ["info", "minor", "major", "critical", "blocker"]},
            "categories": {"type": "array", "items": {"enum": ["Security", "Bug Risk"]}, "minItems": 1},
            "content": {"type": "object", "required": ["body"], "additionalProperties": {"type": "string"}},
            "location": {
                "type": "object",
                "required": ["path", "lines"],
                "additionalProperties": False,
                "properties": {
                    "path": {"type": "string", "pattern": "^[^/]"},
                    "lines": {
                        "type": "object",
                        "required": ["begin"],
                        "properties": {"begin": {"type": "integer", "minimum": 1}, "end": {"type": "integer"}},
                        "additionalProperties": False,
                    },
                },
            },
        },
        "additionalProperties": False,
    },
}


def test_gitlab() -> None:
    issues = json.loads(renderer("gitlab")(report(), RULEBOOK))
    Draft202012Validator(GITLAB).validate(issues)
    assert [(one["check_name"], one["severity"], one["location"]) for one in issues] == [
        ("BG103", "blocker", {"path": "service/app/a,b:c.py", "lines": {"begin": 4}}),
        ("BG701", "critical", {"path": "service/db/1.sql", "lines": {"begin": 2, "end": 5}}),
        ("BG701", "major", {"path": "service/db/1.sql", "lines": {"begin": 9}}),
        ("BG710", "minor", {"path": "service/db/2.sql", "lines": {"begin": 1}}),
        ("could-not-run", "blocker", {"path": "service", "lines": {"begin": 1}}),
    ]
    assert len({one["fingerprint"] for one in issues}) == len(issues)


# What Jenkins' junit-10.xsd allows: attributes (required ones first) and children of each element.
JUNIT = {
    "testsuites": ("", "name tests failures errors", "testsuite"),
    "testsuite": ("name tests failures errors", "skipped file", "testcase system-out"),
    "testcase": ("name", "classname", "failure error skipped"),
    "failure": ("", "message type", ""),
    "error": ("", "message type", ""),
    "skipped": ("", "message", ""),
    "system-out": ("", "", ""),
}


def test_junit() -> None:
    text = renderer("junit")(report(), RULEBOOK)
    suites = ElementTree.fromstring(text)
    for element in suites.iter():
        required, optional, children = (words.split() for words in JUNIT[element.tag])
        assert set(required) <= set(element.attrib) <= {*required, *optional}, element.tag
        assert {child.tag for child in element} <= set(children), element.tag
    counts = ("tests", "failures", "errors", "skipped")
    assert [(suite.attrib["name"], *(suite.attrib[count] for count in counts)) for suite in suites] == [
        ("service/app/a,b:c.py", "1", "1", "0", "0"),
        ("service/db/1.sql", "3", "2", "0", "1"),
        ("service/db/2.sql", "2", "1", "0", "1"),
        ("backendgen", "1", "0", "1", "0"),
    ]
    assert [suites.attrib[count] for count in counts[:3]] == ["7", "4", "1"]
    first = suites[0][0]
    assert first.attrib == {
        "name": "BG103 SQL built from a request's text (4:1)",
        "classname": "service/app/a,b:c.py",
    }
    assert first[0].attrib["type"] == "critical" and first[0].attrib["message"] == NASTY
    assert first[0].text == (
        "service/app/a,b:c.py:4\nexecute(q)\nservice/app/a.py:3 from the query\nservice/db/x.py:9 reaches it\n"
        "fix: one\n```\ntwo"
    )
    assert [one.attrib["message"] for one in suites.iter("skipped")] == ["in the baseline", "ignored: an empty table"][
        ::-1
    ]


def test_junit_of_a_clean_run_is_one_passed_test() -> None:
    suites = ElementTree.fromstring(renderer("junit")(Report(files=8), RULEBOOK))
    assert [(case.attrib["name"], len(case)) for case in suites.iter("testcase")] == [("runs to its end", 0)]
    assert suites[0][1].text == "no findings; 8 files checked"


def test_junit_holds_what_xml_cannot() -> None:
    odd = Report((made("BG701", "a\x00.sql", 1, "\x1b[31m \ud800 \ufffe ]]> & <"),))
    (failure,) = ElementTree.fromstring(renderer("junit")(odd, RULEBOOK).encode()).iter("failure")
    assert failure.attrib["message"] == "\ufffd[31m \ufffd \ufffd ]]> & <"


def test_markdown() -> None:
    text = renderer("markdown")(report(), RULEBOOK)
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(text)
    headings = [tokens[at + 1].content for at, token in enumerate(tokens) if token.type == "heading_open"]
    assert headings == [
        "backendgen: 4 new findings (1 critical, 1 high, 1 medium, 1 low); "
        "5 files checked, 1 ignored with a reason, 1 in the baseline",
        "`service/app/a,b:c.py`",
        "`service/db/1.sql`",
        "`service/db/2.sql`",
    ]
    cells = [tokens[at + 1].content for at, token in enumerate(tokens) if token.type == "td_open"]
    assert cells == [
        *("🔴 critical", "BG103", "SQL built from a request's text", "1"),
        *("🟠 high", "BG701", "Index built without CONCURRENTLY", "1"),
        *("🟡 medium", "BG701", "Index built without CONCURRENTLY", "1"),
        *("🔵 low", "BG710", r"No lock\_timeout before a strong lock", "1"),
    ]
    fences = [(token.info, token.content) for token in tokens if token.type == "fence"]
    assert fences == [
        ("python", "execute(q)\n"),
        ("python", "one\n```\ntwo\n"),
        ("sql", "CREATE INDEX\nx\n"),
    ]
    html = {token.content.strip() for token in tokens if token.type == "html_block"}
    assert html == {"<details><summary>Fix</summary>", "</details>"}
    inline = [child for token in tokens for child in token.children or ()]
    assert not [child for child in inline if child.type in ("html_inline", "em_open", "link_open")]
    said = "".join(child.content for child in inline if child.type == "text")
    assert "100 %, " in said and "|<b>:" in said and "@\u2060team #1 *bold* é" in said
    assert [child.content for child in inline if child.type == "code_inline"][1] == "a"
    assert "**Could not run:** semgrep is missing" in text
    assert "Skipped: db/3.sql is empty" in text
    assert "known.json: 1 entry hides nothing any more (BG803 in db/9.sql)" in text


@pytest.mark.parametrize("number", [400, 4_000])
def test_markdown_leaves_the_least_severe_out_and_says_so(number: int) -> None:
    many = [made("BG710", "db/1.sql", line, "é" * 300) for line in range(1, number)]
    worst = made("BG801", "db/zz.sql", 3, "the one that matters", fix="x\ny")
    text = renderer("markdown")(Report((*many, worst), files=2), RULEBOOK)
    assert LIMIT - 500 < len(text) <= LIMIT
    assert "the one that matters" in text
    shown = text.count("🔵 **BG710")
    left_out = number - 1 - shown
    assert f"**{left_out:,} findings not shown ({left_out:,} low):** a comment holds 65,536 characters." in text
    assert f"| 🔵 low | BG710 | No lock\\_timeout before a strong lock | {number - 1:,} |" in text


def test_markdown_of_one_monstrous_finding_still_fits() -> None:
    text = renderer("markdown")(Report((made("BG801", "a.sql", 1, "x" * 100_000),)), RULEBOOK)
    assert len(text) <= LIMIT and "**1 finding not shown (1 high):**" in text


def test_sarif_compares_with_the_baseline() -> None:
    text = renderer("sarif")(report(), RULEBOOK)
    OfficialSchema.model_validate_json(text)
    run = json.loads(text)["runs"][0]
    assert [(one["ruleId"], one["baselineState"], one.get("suppressions")) for one in run["results"]] == [
        ("BG103", "new", None),
        ("BG701", "new", None),
        ("BG701", "new", None),
        ("BG710", "new", None),
        ("BG801", "new", [{"kind": "inSource", "justification": "an empty table"}]),
        ("BG802", "unchanged", [{"kind": "external", "justification": "in the baseline known.json"}]),
    ]
    place = run["results"][1]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "service/db/1.sql"}
    assert place["contextRegion"] == {"startLine": 2, "endLine": 3, "snippet": {"text": "CREATE INDEX\nx"}}
    notes = run["invocations"][0]["toolExecutionNotifications"]
    assert [note["level"] for note in notes] == ["error", "warning", "note"]
    fingerprints = run["results"][0]["partialFingerprints"]
    assert fingerprints["primaryLocationLineHash"] == f"{fingerprints['backendgen/v1']}:1"


def test_json_tells_known_from_new() -> None:
    content = json.loads(renderer("json")(report(), RULEBOOK))
    assert content["root"] == "service"
    assert [one["rule"] for one in content["known"]] == ["BG802"]
    assert content["stale"] == [{"path": "db/9.sql", "rule": "BG803", "content": "00"}]
    assert content["findings"][1]["source"] == ["CREATE INDEX", "x"]


def test_text_shows_the_worst_files_first_and_the_rest_by_line() -> None:
    lines = renderer("text")(report(), RULEBOOK).splitlines()
    assert [line for line in lines if re.match(r"service|  \d", line)] == [
        "service/app/a,b:c.py",
        "  4:1  critical  BG103  SQL built from a request's text",
        "service/db/1.sql",
        "  2:3  high  BG701  Index built without CONCURRENTLY",
        "  9:1  medium  BG701  Index built without CONCURRENTLY",
        "service/db/2.sql",
        "  1:1  low  BG710  No lock_timeout before a strong lock",
    ]
    assert lines[-4:] == [
        "could not run: semgrep is missing",
        "skipped: db/3.sql is empty",
        "known.json: 1 entry hides nothing any more (BG803 in db/9.sql); --write-baseline takes them out",
        "4 new findings (1 critical, 1 high, 1 medium, 1 low); 5 files checked, 1 ignored with a reason, 1 in the baseline",
    ]


def test_text_shows_the_source_once_for_findings_in_one_place() -> None:
    two = (made("BG701", "1.sql", 1, source=("CREATE INDEX i",)), made("BG710", "1.sql", 1, source=("CREATE INDEX i",)))
    assert renderer("text")(Report(two), RULEBOOK).count("CREATE INDEX i") == 1
