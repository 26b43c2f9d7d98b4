"""Write the list of all cards into the file that is named, below its heading `## Index`."""

from __future__ import annotations

import sys
from pathlib import Path

from backendgen.rules import Rulebook

HEADING = "## Index\n"


def with_index(text: str) -> str:
    """Return the text with a current index."""
    rows = [
        f"| [{rule.id}]({rule.command}/{Path(rule.path).name}) | {rule.severity.word} | {rule.title} |"
        for rule in Rulebook()
    ]
    table = "\n".join(["| rule | severity | title |", "|---|---|---|", *rows])
    return f"{text.partition(HEADING)[0]}{HEADING}{table}\n"


if __name__ == "__main__":
    readme = Path(sys.argv[1])
    readme.write_text(with_index(readme.read_text(encoding="utf-8")), encoding="utf-8")
