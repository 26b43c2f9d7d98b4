"""Names in the generated code, made from the user's names: identifiers, class names, columns' fields."""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Iterable

_IRREGULAR = {
    "people": "person",
    "children": "child",
    "men": "man",
    "women": "woman",
    "data": "datum",
    "media": "medium",
}
_SAME = ("ss", "us", "is", "news", "series", "species")
# What a pydantic model or a module of models already means by a name.
_TAKEN = frozenset(
    {
        *("copy", "dict", "filters", "json", "schema", "schema_json", "construct", "validate", "fields"),
        *("parse_obj", "parse_raw", "parse_file", "from_orm", "update_forward_refs"),
        *("int", "str", "bool", "float", "list"),
        *("Annotated", "Any", "BaseModel", "BigInteger", "ConfigDict", "Date", "Decimal", "Field", "Integer", "Json"),
        *("Literal", "LocalTimestamp", "NOT_SENT", "Self", "SmallInteger", "Text", "Time", "Timestamp", "UUID"),
    }
)


def identifier(name: str) -> str:
    """Return a Python identifier for any name: `user-name` is `user_name`, `from` is `from_`, `1st` is `n1st`."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    word = re.sub(r"\W", "_", plain).lstrip("_") or "n"
    if word[0].isdigit():
        word = f"n{word}"
    return f"{word}_" if keyword.iskeyword(word) or keyword.issoftkeyword(word) else word


def fields(columns: Iterable[str]) -> dict[str, str]:
    """Return column -> the name of its model field; no two alike, none that means something to pydantic."""
    taken: dict[str, str] = {}
    for column in columns:
        word = identifier(column)
        if word in _TAKEN or word.startswith("model_"):
            word = f"{word}_"
        while word in taken.values():
            word = f"{word}_"
        taken[column] = word
    return taken


def singular(word: str) -> str:
    """Return the singular of an English plural, or the word itself: `orders` is `order`, `status` stays."""
    head, joint, last = word.rpartition("_")
    lower = last.lower()
    if lower in _IRREGULAR:
        last = _IRREGULAR[lower]
    elif lower.endswith(_SAME) or not lower.endswith("s"):
        pass
    elif lower.endswith("ies") and len(lower) > 4:
        last = f"{last[:-3]}y"
    elif re.search(r"(ss|x|z|ch|sh|[^oa]us)es$", lower):
        last = last[:-2]
    else:
        last = last[:-1]
    return f"{head}{joint}{last}"


def class_name(name: str) -> str:
    """Return the name of the thing in CapWords: `order_items` is `OrderItem`."""
    word = "".join(part[:1].upper() + part[1:] for part in singular(identifier(name)).split("_"))
    return f"{word}_" if keyword.iskeyword(word) else word


def phrase(name: str) -> str:
    """Return the thing's name in a sentence: `order_items` is `order item`."""
    return singular(identifier(name)).rstrip("_").replace("_", " ").lower()
