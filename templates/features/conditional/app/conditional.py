"""Conditional requests (RFC 9110, section 13): nobody overwrites a change without seeing it."""

import re
from typing import Annotated, Any

from fastapi import Header
from fastapi.responses import Response

from app import responses
from app.database import Row
from app.problems import precondition_required
from app.responses import etag

ENTITY_TAG = re.compile(r'(W/)?"([^"]*)"')
VERSION = re.compile("0|[1-9][0-9]{0,9}")  # as `etag` writes it: "01" is another tag
MAX_VERSION = 2**31 - 1

# Its absence is answered with 428, not with 422: the contract says that it is required, in GUARDED.
IfMatch = Annotated[str | None, Header(alias="If-Match", include_in_schema=False)]
GUARDED: dict[str, Any] = {
    "parameters": [
        {
            "name": "If-Match",
            "in": "header",
            "required": True,
            "description": "The ETag of the representation that you change.",
            "schema": {"type": "string"},
        }
    ]
}
IfNoneMatch = Annotated[
    str | None,
    Header(alias="If-None-Match", description="The ETag that you have: 304 when it is current."),
]


def versions(if_match: str | None) -> list[int]:
    """Return the versions that the caller has seen. Raises a 428 `Problem` without If-Match.

    `*` names no version: it counts as none. Weak tags never match (section 13.1.1), nor do tags
    that are not ours.
    """
    if if_match is None or if_match.strip() == "*":
        raise precondition_required("Send If-Match with the ETag of what you change.")
    tags = [tag for weak, tag in ENTITY_TAG.findall(if_match) if not weak]
    return [int(tag) for tag in tags if VERSION.fullmatch(tag) and int(tag) <= MAX_VERSION]


def json(row: Row, if_none_match: str | None) -> Response:
    """Return the row with its ETag, or 304 when the caller has it."""
    tag = etag(row["version"])
    headers = {"ETag": tag}
    known = [found for _, found in ENTITY_TAG.findall(if_none_match or "")]
    if str(row["version"]) in known or (if_none_match or "").strip() == "*":
        return Response(status_code=304, headers=headers)
    return responses.json(row, headers=headers)
