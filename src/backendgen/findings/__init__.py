"""Findings: what engines yield, what a report holds, and how ignores and engines' overlaps are settled."""
