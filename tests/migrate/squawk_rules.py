"""squawk's rules beside ours: for its labelled cases, and for the comparison on real histories (benchmarks/histories.py)."""

from __future__ import annotations

# Theirs -> ours. Several of theirs are one of ours, and one of theirs is split where we can tell the cases apart.
OURS = {
    "adding-field-with-default": {"BG709"},
    "ban-alter-domain-with-add-constraint": {"BG722"},
    "ban-create-domain-with-constraint": {"BG722"},
    "prefer-repack": {"BG712"},
    "require-concurrent-partition-detach": {"BG717", "BG727"},
    "require-concurrent-reindex": {"BG712"},
    "adding-foreign-key-constraint": {"BG704"},
    "adding-not-nullable-field": {"BG706"},
    "adding-required-field": {"BG804"},
    "adding-serial-primary-key-field": {"BG707"},
    "ban-char-field": {"BG821"},
    "ban-concurrent-index-creation-in-transaction": {"BG702"},
    "ban-drop-column": {"BG802"},
    "ban-drop-database": {"BG801"},
    "ban-drop-table": {"BG801"},
    "ban-truncate-cascade": {"BG807"},
    "ban-uncommitted-transaction": {"BG737"},
    "changing-column-type": {"BG708"},
    "constraint-missing-not-valid": {"BG704", "BG705", "BG707", "BG711"},
    "disallowed-unique-constraint": {"BG707"},
    "identifier-too-long": {"BG742"},
    "prefer-bigint-over-int": {"BG820"},
    "prefer-bigint-over-smallint": {"BG820"},
    "prefer-robust-stmts": {"BG738"},
    "prefer-timestamp-tz": {"BG821"},
    "renaming-column": {"BG803"},
    "renaming-table": {"BG803"},
    "require-concurrent-index-creation": {"BG701"},
    "require-concurrent-index-deletion": {"BG703"},
    "require-lock-timeout": {"BG710"},
    "require-statement-timeout": {"BG735"},
    "require-timeout-settings": {"BG710"},
    "transaction-nesting": {"BG736"},
}
# Rules of squawk 2.70 that its labelled cases do not have.
UNLABELLED = {
    "ban-drop-constraint": {"BG808", "BG721"},
    "ban-drop-default": {"BG811"},
    "ban-drop-extension": {"BG825"},
    "ban-drop-function": {"BG815", "BG816"},
    "ban-drop-not-null": {"BG810"},
    "ban-drop-schema": {"BG801"},
    "ban-drop-sequence": {"BG816"},
    "ban-drop-type": {"BG816"},
    "ban-drop-view": {"BG816"},
    "renaming-object": {"BG803"},
}
NOT_WANTED = {
    "ban-duplicate-column-assignments": "PostgreSQL refuses the statement whenever it is run, on any database",
    "prefer-identity": "a serial column works; only the rights on its sequence differ",
    "prefer-text-field": "a length is a decision, and to raise it changes the catalogue only (BG708 is silent)",
    "require-enum-value-ordering": "where the order of values means nothing, the end is the right place",
    "require-table-schema": "the search_path decides, and BG739 reports the migration that changes it",
}
