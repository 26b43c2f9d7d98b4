"""Walking through the pages of a list."""

from collections.abc import Iterator
from typing import Any

import httpx2


def walk(caller: httpx2.Client, path: str, /, **query: Any) -> Iterator[dict[str, Any]]:
    """Yield the rows of all pages, as long as there is a next one."""
    while True:
        answer = caller.get(path, params=query)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        yield from page["items"]
        if page["next"] is None:
            assert "link" not in answer.headers
            return
        assert 'rel="next"' in answer.headers["link"]
        query["cursor"] = page["next"]
