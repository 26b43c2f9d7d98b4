from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from backendgen.config import Config, PathSettings, load
from backendgen.errors import UserError


def test_the_nearest_file_wins(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.backendgen]\nfail-on = "high"\n')
    inner = tmp_path / "app"
    inner.mkdir()
    assert load(inner).fail_on == "high"
    (inner / "backendgen.toml").write_text('select = ["BG1"]\npublic = ["GET /catalog"]\npg-version = 16\n')
    assert load(inner / "main.py") == Config(select=("BG1",), public=("GET /catalog",), pg_version=16)


def test_a_pyproject_without_a_table_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "backendgen.toml").write_text('confidence = "low"\n')
    inner = tmp_path / "app"
    inner.mkdir()
    (inner / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert load(inner).confidence == "low"


def test_the_search_ends_at_the_repository(tmp_path: Path) -> None:
    (tmp_path / "backendgen.toml").write_text('confidence = "low"\n')
    repository = tmp_path / "repo"
    (repository / ".git").mkdir(parents=True)
    assert load(repository) == Config()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('fail_on = "high"', "unknown key 'fail_on' (did you mean 'fail-on'?)"),
        ('select = "BG1"', "select is a list of strings, not 'BG1'"),
        ("select = [1]", "select is a list of strings, not [1]"),
        ("pg-version = true", "pg-version is a whole number, not True"),
        ("pg-version = 9", "pg-version is 10 to 18, not 9"),
        (
            'fail-on = "hihg"',
            "fail-on is one of info, low, medium, high, critical, never, not 'hihg' (did you mean 'high'?)",
        ),
        ("fail-on", "cannot be read as TOML: "),
        ("baseline = 1", "baseline is a string, not 1"),
        ('severity = "low"', "severity is a table of rules and severities, not 'low'"),
        ("[severity]\nBG710 = 1", "severity is a table of rules and severities, not {'BG710': 1}"),
        (
            '[severity]\nBG710 = "lo"',
            "severity of BG710 is one of info, low, medium, high, critical, not 'lo' (did you mean 'low'?)",
        ),
        ('[severity]\nBG710 = "never"', "severity of BG710 is one of info, low, medium, high, critical, not 'never'"),
        ('[paths]\nmatch = ["a"]', "paths is written as [[tool.backendgen.paths]] tables, not {'match': ['a']}"),
        ("[[paths]]\nignore = []", "paths 1: match is missing: the gitignore patterns of what it holds for"),
        ('[[paths]]\nmatch = ["a"]\n[[paths]]\nmatch = "b"', "paths 2: match is a list of strings, not 'b'"),
        ('[[paths]]\nmatch = ["a"]\nignor = ["BG7"]', "paths 1: unknown key 'ignor' (did you mean 'ignore'?)"),
        ('[[paths]]\nmatch = ["a"]\nfail-on = "low"', "paths 1: unknown key 'fail-on'"),
        (
            '[[paths]]\nmatch = ["a"]\n[paths.severity]\nBG7 = "x"',
            "severity of BG7 is one of info, low, medium, high, critical, not 'x'",
        ),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "backendgen.toml"
    path.write_text(text + "\n")
    with pytest.raises(UserError) as error:
        load(tmp_path)
    assert str(error.value).startswith(f"{path} {expected}")


def test_settings_for_folders(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        """[tool.backendgen]
baseline = "ci/known.json"
severity = {BG710 = "info"}
[[tool.backendgen.paths]]
match = ["legacy/", "!legacy/new"]
ignore = ["BG7"]
[tool.backendgen.paths.severity]
BG801 = "low"
"""
    )
    config = load(tmp_path)
    assert config.folder == tmp_path
    assert config == Config(
        baseline=tmp_path / "ci/known.json",
        severity=(("BG710", "info"),),
        paths=(PathSettings(("legacy/", "!legacy/new"), (), ("BG7",), (("BG801", "low"),)),),
    )


def test_all_mistakes_are_listed_at_once(tmp_path: Path) -> None:
    (tmp_path / "backendgen.toml").write_text('a = 1\nb = 2\nselect = "x"\nfail-on = "x"\n')
    with pytest.raises(UserError) as error:
        load(tmp_path)
    assert len(error.value.problems) == 4


def test_a_broken_pyproject_without_our_table_is_not_our_matter(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project\n")
    assert load(tmp_path) == Config()
    (tmp_path / "pyproject.toml").write_text("[tool.backendgen\n")
    with pytest.raises(UserError, match="cannot be read as TOML"):
        load(tmp_path)


def test_what_is_no_pattern_is_said(tmp_path: Path) -> None:
    path = tmp_path / "backendgen.toml"
    path.write_text('exclude = ["gen/", "!"]\n[[paths]]\nmatch = ["!"]\n')
    with pytest.raises(UserError) as caught:
        load(tmp_path)
    assert [problem.message for problem in caught.value.problems] == [
        "paths 1: match: '!' is no gitignore pattern",
        "exclude: '!' is no gitignore pattern",
    ]


def test_a_pipe_is_no_configuration(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match="is not a regular file"):
        load(tmp_path, tmp_path / "pipe")


def test_a_word_that_selects_no_rule_is_refused(tmp_path: Path) -> None:
    text = 'ignore = [""]\nselect = ["BG1"]\n[[paths]]\nmatch = ["a"]\nselect = [" "]\n'
    (tmp_path / "backendgen.toml").write_text(text)
    with pytest.raises(UserError) as refused:
        load(tmp_path)
    assert [problem.message for problem in refused.value.problems] == [
        "select: '' is not the start of a rule's id, such as BG1",
        "ignore: '' is not the start of a rule's id, such as BG1",
    ]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 20) | st.floats() | st.sampled_from(("", "BG1", "[", "medium", "\0")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(("match", "select", "BG1")), inner),
    max_leaves=5,
)  # fmt: skip
KEYS = st.sampled_from(
    ("select", "ignore", "exclude", "public", "fail-on", "confidence", "pg-version", "baseline", "dialect", "mysql-version",
     "since", "code", "deployed", "reader", "severity", "paths", "unknown")
)  # fmt: skip


def _toml(value: object) -> str:
    """A value as TOML writes it; nothing of Python's that TOML has not."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, bool) or value is None:
        return str(bool(value)).lower()
    return json.dumps(value) if isinstance(value, str) else repr(value)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(KEYS, VALUES, max_size=4), st.sampled_from(("backendgen.toml", "pyproject.toml")))
@example({"paths": 1}, "backendgen.toml")
@example({"paths": [{"match": ["a"], "select": 1}]}, "pyproject.toml")
def test_any_value_is_read_or_refused(written: dict[str, object], name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        lines = [f"{key} = {_toml(value)}\n" for key, value in written.items()]
        head = "[tool.backendgen]\n" if name == "pyproject.toml" else ""
        (Path(folder) / name).write_text(head + "".join(lines))
        try:
            config = load(Path(folder))
        except UserError as error:
            assert error.problems
        else:
            assert "unknown" not in written
            assert list(config.select) == written.get("select", [])


@pytest.mark.parametrize("text", ["tool = 1\n# backendgen\n", "[tool]\nbackendgen = 1\n"])
def test_a_table_that_is_none_is_no_settings(tmp_path: Path, text: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    if "tool = 1" in text:
        assert load(tmp_path) == Config()
    else:
        with pytest.raises(UserError, match="is a table of settings"):
            load(tmp_path)
