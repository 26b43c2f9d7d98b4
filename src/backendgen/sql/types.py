"""What ALTER COLUMN ... TYPE costs, and whether every value survives it.

After ATColumnChangeRequiresRewrite and the support functions of the length coercions in PostgreSQL's source.
"""

from __future__ import annotations

from typing import Literal

from backendgen.sql.schema import Type

Change = Literal["same", "metadata", "scan", "rewrite"]

# Casts that leave the bytes as they are, where the types also share their index operators.
_SAME_BYTES = {
    ("character varying", "text"),
    ("text", "character varying"),
    ("xml", "text"),
    ("xml", "character varying"),
    ("cidr", "inet"),
    ("character", "bpchar"),
}
# The same for the table, but its indexes are built anew.
_NEW_INDEXES = {
    ("citext", "text"),
    ("citext", "character varying"),
    ("text", "citext"),
    ("character varying", "citext"),
    ("bit", "bit varying"),
    ("integer", "oid"),
    ("oid", "integer"),
    ("text", "bpchar"),
    ("character varying", "bpchar"),
}
_MAY_GROW = ("character varying", "bit varying")
_TIMES = (
    "timestamp with time zone",
    "timestamp without time zone",
    "time with time zone",
    "time without time zone",
    "interval",
)
_FULL_PRECISION = 6  # microseconds: what a time type without modifiers keeps
_INTEGER_DIGITS = {"smallint": 5, "integer": 10, "bigint": 19}
_EXACT_DIGITS = {"real": 7, "double precision": 15}
_WIDER = {
    ("real", "double precision"),
    ("date", "timestamp without time zone"),
    ("date", "timestamp with time zone"),
    ("time without time zone", "time with time zone"),
    ("json", "jsonb"),
    ("cidr", "inet"),
    ("character varying", "citext"),
    ("text", "citext"),
    ("text", "bpchar"),
}


def type_change(old: Type, new: Type) -> Change:
    """Return what PostgreSQL does to the table: nothing, a catalog change, a read (its indexes are rebuilt), or a rewrite.

    A USING expression is taken to be the plain cast. `timestamp` to `timestamptz` counts as a rewrite; it is none where the
    session's time zone is UTC.
    """
    if old == new:
        return "same"
    if old.array or new.array:
        # An array's elements are coerced one by one; PostgreSQL sees through that only where there is nothing to coerce.
        return "metadata" if old.array == new.array and old.name == new.name and not new.modifiers else "rewrite"
    if old.name == new.name:
        return "metadata" if _keeps_bytes(old, new) else "rewrite"
    if new.modifiers:
        return "rewrite"
    if (old.name, new.name) in _SAME_BYTES:
        return "metadata"
    return "scan" if (old.name, new.name) in _NEW_INDEXES else "rewrite"


def _keeps_bytes(old: Type, new: Type) -> bool:
    """Whether other modifiers of the same type leave every stored value as it is."""
    if old.name in _MAY_GROW:
        return not new.modifiers or (bool(old.modifiers) and new.modifiers[0] >= old.modifiers[0])
    if old.name == "numeric":
        if not new.modifiers:
            return True
        (old_precision, old_scale), (precision, scale) = _numeric(old), _numeric(new)
        return bool(old.modifiers) and scale == old_scale and precision >= old_precision
    if old.name in _TIMES:
        return _time_precision(new) >= _time_precision(old)
    return False


def _numeric(numeric: Type) -> tuple[int, int]:
    precision, *scale = numeric.modifiers or (0,)
    return precision, scale[0] if scale else 0


def _time_precision(time: Type) -> int:
    return time.modifiers[0] if time.modifiers else _FULL_PRECISION


def narrows(old: Type, new: Type) -> bool:
    """Whether some value of the old type does not fit the new one, or is rounded or cut in it; True when in doubt."""
    if old == new:
        return False
    if old.array != new.array:
        return not (new.name in ("text", "character varying") and not new.array and not new.modifiers)
    if new.name in ("text", "citext") or (new.name == "character varying" and not new.modifiers):
        return False
    if old.name in _INTEGER_DIGITS:
        return _integer_narrows(_INTEGER_DIGITS[old.name], new)
    if old.name == new.name:
        return _modifiers_narrow(old, new)
    if old.name in ("character", "character varying") and new.name in ("character", "character varying"):
        return not old.modifiers or old.modifiers[0] > (new.modifiers or (1,))[0]
    return (old.name, new.name) not in _WIDER or (new.name in _TIMES and _time_precision(new) < _time_precision(old))


def _integer_narrows(digits: int, new: Type) -> bool:
    if new.name in _INTEGER_DIGITS:
        return _INTEGER_DIGITS[new.name] < digits
    if new.name == "numeric":
        precision, scale = _numeric(new)
        return bool(new.modifiers) and precision - scale < digits
    return _EXACT_DIGITS.get(new.name, 0) < digits


def _modifiers_narrow(old: Type, new: Type) -> bool:
    if old.name == "numeric" and old.modifiers and new.modifiers:
        (old_precision, old_scale), (precision, scale) = _numeric(old), _numeric(new)
        return scale < old_scale or precision - scale < old_precision - old_scale
    if old.name == "character" and old.modifiers and new.modifiers:
        return new.modifiers < old.modifiers
    return not _keeps_bytes(old, new)
