"""One report in every format."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from jsonschema.validators import validator_for
from pydantic_sarif.model import StaticAnalysisResultsFormatSarifVersion210JsonSchema as OfficialSchema

from backendgen.errors import Problem
from backendgen.findings.finding import Hit, Ignored, Location, Report, Step, finding
from backendgen.report import FORMATS, renderer
from backendgen.rules import Rulebook, Severity

RULEBOOK = Rulebook()


def report() -> Report:
    steps = (
        Step(Location("app/a b.py", 3), "from the query", "def f(q):"),
        Step(Location("app/db.py", 9), "reaches execute()", "execute(q)"),
    )
    hit = Hit(
        Location("app/a b.py", 12, 5, 13),
        "the file é is not\nreadable",
        "save it as UTF-8",
        "main",
        steps,
        Severity.HIGH,
    )
    first = replace(finding(RULEBOOK["BG901"], hit, "own"), engines=("own", "bandit"), statement="run(x, y)")
    first = replace(first, source=("    run(x,", "        y)"))
    second = finding(RULEBOOK["BG902"], Hit(Location("app/z.py", 1), "unused", "-- one\n-- two"), "own")
    ignored = Ignored(finding(RULEBOOK["BG903"], Hit(Location("app/z.py", 2), "hidden"), "own"), "known since May")
    return Report(
        (first, second), (ignored,), (Problem("is empty", "c.py"),), (Problem("semgrep is missing"),), files=1200
    )


def test_text() -> None:
    assert (
        renderer("text")(report(), RULEBOOK)
        == """\
app/a b.py
  12:5  high  BG901  A file could not be analysed  (found by own, bandit)
      12 | run(x,
         | ^
      13 |     y)
      the file é is not
      readable
      app/a b.py:3  from the query
        | def f(q):
      app/db.py:9  reaches execute()
        | execute(q)
      fix: save it as UTF-8

app/z.py
  1:1  low  BG902  An ignore that hides nothing
      unused
      fix:
        -- one
        -- two

could not run: semgrep is missing
skipped: c.py is empty
2 findings (1 high, 1 low); 1,200 files checked, 1 ignored with a reason
"""
    )


def test_text_never_calls_an_incomplete_run_clean() -> None:
    text = renderer("text")
    assert text(Report(files=1), RULEBOOK) == "no findings; 1 file checked\n"
    failed = Report(failures=(Problem("semgrep is missing"),), files=2)
    assert text(failed, RULEBOOK).endswith("incomplete: something could not run; 2 files checked\n")


def test_text_in_colour_only_when_asked() -> None:
    assert "\x1b[31mhigh" in renderer("text", colour=True)(report(), RULEBOOK)
    assert "\x1b" not in renderer("text")(report(), RULEBOOK)


def test_json() -> None:
    content = json.loads(renderer("json")(report(), RULEBOOK))
    assert [one["rule"] for one in content["findings"]] == ["BG901", "BG902"]
    assert content["findings"][0]["end_line"] == 13
    assert content["findings"][0]["steps"][1] == {
        "path": "app/db.py",
        "line": 9,
        "column": 1,
        "note": "reaches execute()",
        "code": "execute(q)",
    }
    assert content["ignored"][0]["reason"] == "known since May"
    assert content["failures"][0]["message"] == "semgrep is missing"


def test_sarif_conforms_to_the_official_schema() -> None:
    text = renderer("sarif")(report(), RULEBOOK)
    OfficialSchema.model_validate_json(text)
    schema_file = os.environ.get("SARIF_SCHEMA")  # the schema's own text, where one is at hand
    if schema_file:
        schema = json.loads(Path(schema_file).read_text(encoding="utf-8"))
        validator_for(schema)(schema).validate(json.loads(text))


def test_sarif_carries_flows_fingerprints_and_suppressions() -> None:
    run = json.loads(renderer("sarif")(report(), RULEBOOK))["runs"][0]
    first, second, hidden = run["results"]
    assert first["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "app/a%20b.py"
    assert first["locations"][0]["physicalLocation"]["region"] == {"startLine": 12, "startColumn": 5, "endLine": 13}
    flow = first["codeFlows"][0]["threadFlows"][0]["locations"]
    assert [step["location"]["message"]["text"] for step in flow] == ["from the query", "reaches execute()"]
    assert hidden["suppressions"] == [{"kind": "inSource", "justification": "known since May"}]
    assert len({one["partialFingerprints"]["backendgen/v1"] for one in run["results"]}) == 3
    assert run["invocations"][0]["executionSuccessful"] is False
    assert [run["tool"]["driver"]["rules"][one["ruleIndex"]]["id"] for one in run["results"]] == [
        "BG901",
        "BG902",
        "BG903",
    ]
    assert "suppressions" not in second


@pytest.mark.parametrize("name", FORMATS)
def test_an_empty_report_renders(name: str) -> None:
    assert renderer(name)(Report(), RULEBOOK)
