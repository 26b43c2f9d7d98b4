"""What is no usable YAML, and what it is told. Each message is the whole of what the user sees."""

from __future__ import annotations

from pathlib import Path

import pytest
from specs import refuse

from backendgen.errors import Problem, UserError
from backendgen.spec.document import Mapping, Scalar, compose, resolve
from backendgen.spec.load import load

BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{here}: &{here} [{','.join([f'*{before}'] * 9)}]\n" for before, here in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "spec.yaml the file is empty\n  the smallest start is: backendgen: 1"),
        ("# nothing yet\n", "spec.yaml the file is empty\n  the smallest start is: backendgen: 1"),
        ("- a\n- b\n", "spec.yaml:1:1 expected a mapping, found a list"),
        ("just text", "spec.yaml:1:1 expected a mapping, found 'just text'"),
        ("a:\n\t- b\n", "spec.yaml:2:1 a tab is used for indentation; YAML takes spaces only"),
        ("a: 1\n---\nb: 2\n", "spec.yaml:2:1 a second document starts here; a spec is one document"),
        (
            "a: b: c",
            "spec.yaml:1:5 unexpected ':'; put the value in quotes when the ':' belongs to it, or check the indentation",
        ),
        ("- a\nb: c", "spec.yaml:2:1 this line does not line up with the lines above it; check the indentation"),
        ("a: [1,", "spec.yaml:1:7 the file ends inside a list, a mapping or a quoted text; close it"),
        ("a: @x", "spec.yaml:1:4 not YAML: found character '@' that cannot start any token"),
        (b"a: \xff", "spec.yaml:1:4 is not UTF-8: byte 0xff cannot be decoded\n  save the file as UTF-8"),
        ("a: 1".encode("utf-16"), "spec.yaml:1:1 is not UTF-8: byte 0xff cannot be decoded\n  save the file as UTF-8"),
        (b"#" * 10_000_000, "spec.yaml is larger than 1,000,000 bytes"),
        (BOMB, "spec.yaml:5:26 the file holds more than 50000 values once aliases are expanded"),
        ("a: &a {b: *a}", "spec.yaml:1:11 alias '*a' refers to the value that it is part of"),
        ("a: *b", "spec.yaml:1:4 alias '*b' has no anchor above it"),
        ("[" * 100_000, "spec.yaml:1:33 nested more than 32 levels deep"),
        ("a:\n" + "".join(f"{' ' * i}-\n" for i in range(1, 200)), "spec.yaml:33:33 nested more than 32 levels deep"),
        ("? [a]\n: b", "spec.yaml:1:3 a key must be a plain word, not a list or a mapping"),
        (
            "a: !!python/object:os.system x",
            "spec.yaml:1:4 YAML tags such as '!!python/object:os.system' are not used in a spec; remove it",
        ),
        ('a: "\\U99999999"', "spec.yaml not YAML: an escape or a directive holds a number that is out of range"),
        ('a: "\\0"', "spec.yaml:1:4 the text holds a NUL or half a surrogate pair; remove the escape"),
        ('a: "\\ud800"', "spec.yaml:1:4 the text holds a NUL or half a surrogate pair; remove the escape"),
        ("a: \x07", "spec.yaml:1:4 character U+0007 is not allowed in YAML"),
    ],
)
def test_unreadable(text: str | bytes, message: str) -> None:
    assert refuse(text) == message


def test_a_deep_alias_cannot_get_around_the_depth() -> None:
    levels = "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 60))
    with pytest.raises(UserError, match="nested more than 32 levels deep"):
        compose(f"a0: &a0 [x]\n{levels}".encode(), "spec.yaml", [])


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        load(tmp_path / "absent.yaml")
    assert str(caught.value) == f"{tmp_path}/absent.yaml no such file"


def test_directory(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        load(tmp_path)
    assert str(caught.value) == f"{tmp_path} is a directory, not a file"


def test_a_large_file_is_not_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    with path.open("wb") as handle:
        handle.truncate(10_000_000_000)  # sparse: reading it would take all memory
    with pytest.raises(UserError) as caught:
        load(path)
    assert str(caught.value) == f"{path} is larger than 1,000,000 bytes"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("off", "off"),
        ("1:30", "1:30"),
        ("2026-12-01", "2026-12-01"),
        ("0o7", 7),
        ("1_000", "1_000"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("null", None),
        ("12", 12),
        ("-3", -3),
        ("1.5", 1.5),
        ("9" * 30, 1e30),
        ("1e400", 1e309),
        ("-.inf", -1e309),
        ("0x1F", 31),
    ],
)
def test_core_schema(text: str, value: object) -> None:
    resolved = resolve(text)
    assert (resolved, type(resolved)) == (value, type(value))


def test_quoted_scalars_are_text_and_duplicates_are_all_told() -> None:
    problems: list[Problem] = []
    root = compose(b'a: "12"\nb: 1\na: 2\nb: 3\n', "spec.yaml", problems)
    assert isinstance(root, Mapping)
    first = root.get("a")
    assert isinstance(first, Scalar)
    assert first.value == "12"
    assert [str(problem) for problem in problems] == [
        "spec.yaml:3:1 duplicate key 'a' (first on line 1)",
        "spec.yaml:4:1 duplicate key 'b' (first on line 2)",
    ]


@pytest.mark.parametrize(
    ("text", "inside", "place"),
    [
        ("a: |\n  one\n  two\n", (2, 1), (3, 3)),
        ("a: |\n\n    one\n      two\n", (3, 3), (4, 7)),
        ("a: |2\n    one\n", (1, 3), (2, 5)),
        ("a: 'one two'\n", (1, 5), (1, 9)),
        ("a: one two\n", (1, 5), (1, 8)),
        ("a: >\n  one\n  two\n", (1, 5), (1, 4)),
        ("a: one\n  two\n", (1, 5), (1, 4)),
    ],
)
def test_positions_inside_a_text(text: str, inside: tuple[int, int], place: tuple[int, int]) -> None:
    root = compose(text.encode(), "spec.yaml", [])
    assert isinstance(root, Mapping)
    scalar = root.get("a")
    assert isinstance(scalar, Scalar)
    assert scalar.place(*inside) == place
