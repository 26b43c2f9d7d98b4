"""Views of Django REST framework that list: the rows of everybody, or all rows at once."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator

from backendgen.audit.flow.values import place
from backendgen.audit.registry import Context
from backendgen.audit.service import Endpoint
from backendgen.code.nodes import unparse
from backendgen.code.symbols import Class, External, Function, Variable
from backendgen.findings.finding import Hit
from backendgen.rules import Confidence

CALLER = re.compile(
    r"(?:self\.)?request\.(?:user|auth|space|team|tenant|organi[sz]ation|org|account|company|workspace)\b"
)
SCOPES = re.compile(r"\brequest\b(?!\.(?:query_params|GET|method|version|data)\b)|\bself\.kwargs\b|\[:\s*\w+\]")
FEW = re.compile(r"\[:\s*\w+\]|\bself\.kwargs\b")
OWN = re.compile(r"=\s*(?:self\.)?request\.user\b")
LISTS = re.compile(r"(?:^|\.)(?:ReadOnly)?ModelViewSet$|(?:^|\.)List(?:Create)?APIView$|(?:^|\.)ListModelMixin$")
MANY = 2  # other views that keep to a column


def listing(context: Context) -> Iterator[tuple[Endpoint, Class]]:
    """Yield the views that list, each once, with one of their endpoints."""
    seen: set[int] = set()
    for endpoint in context.service.endpoints:
        view = endpoint.view
        if view is None or id(view.node) in seen or endpoint.framework != "Django REST framework":
            continue
        if any(LISTS.search(one) for one in context.symbols.bases(view)):
            seen.add(id(view.node))
            yield endpoint, view


def whole(context: Context) -> Iterator[Hit]:
    """Views that switch the pages of their lists off."""
    for endpoint, view in listing(context):
        member = context.symbols.member(view, "pagination_class")
        value = member.value if isinstance(member, Variable) else None
        if not isinstance(value, ast.Constant) or value.value is not None or member is None:
            continue
        rows = _rows(context, view)
        if context.symbols.member(view, "list") is not None or any(FEW.search(unparse(one)) for one in rows):
            continue
        is_sure = bool(rows) and not any(OWN.search(unparse(one)) for one in rows)  # one user's rows may be few
        yield Hit(
            place(member.module.file.path, value),
            f"`{view.name}` answers without pages: `{endpoint.name}` reads every row that its query finds, however many "
            "there are by then",
            "leave pagination_class out, or name one: pagination_class = LimitOffsetPagination",
            view.name,
            confidence=Confidence.MEDIUM if is_sure else Confidence.LOW,
        )


def everybodys(context: Context) -> Iterator[Hit]:
    """Views of rows that have the column by which other views keep to who calls, without that condition."""
    views = list(listing(context))
    columns = Counter[str]()
    for _, view in views:
        columns.update({name for one in _rows(context, view) for name in _kept_to(one)})
    common = sorted(name for name, count in columns.items() if count >= MANY)
    for endpoint, view in views if common else ():
        rows = _rows(context, view)
        table = context.facts.tables.of(_model(context, view, rows))
        if table is None or not endpoint.guards or _is_limited_otherwise(context, endpoint, view, rows):
            continue
        for name in common:
            if table.column(name) is not None:
                yield Hit(
                    place(view.module.file.path, rows[0] if rows else view.node),
                    f"`{view.name}` lists the `{table.name}` rows of everybody: `{endpoint.name}` does not ask for "
                    f"`{name}`, to which {columns[name]} other views keep",
                    f"keep to who calls in get_queryset: .filter({name}=self.request.user), as the others do",
                    view.name,
                    confidence=Confidence.MEDIUM,
                )
                break


def _is_limited_otherwise(context: Context, endpoint: Endpoint, view: Class, rows: list[ast.AST]) -> bool:
    """Is it for a role, or does something else than its query choose the rows?"""
    facts = context.facts
    if facts.is_administration(endpoint) or facts.roles(endpoint) or any(SCOPES.search(unparse(one)) for one in rows):
        return True
    if any(context.symbols.member(view, one) is not None for one in ("list", "filter_queryset")):
        return True
    backends = context.symbols.member(view, "filter_backends")
    listed = backends.value if isinstance(backends, Variable) else None
    named = listed.elts if isinstance(listed, ast.List | ast.Tuple) else [listed] if listed is not None else []
    is_own = backends is not None and any(
        not isinstance(context.symbols.value(one, backends.module), External) for one in named
    )
    return is_own or not rows


def _rows(context: Context, view: Class) -> list[ast.AST]:
    """What says which rows a view lists: its `get_queryset`, else its `queryset`."""
    method = context.symbols.member(view, "get_queryset")
    stated = context.symbols.member(view, "queryset")
    value = [stated.value] if isinstance(stated, Variable) and stated.value is not None else []
    return [method.node, *value] if isinstance(method, Function) else [*value]


def _kept_to(rows: ast.AST) -> Iterator[str]:
    """The columns that a query compares with who calls: `filter(owner=self.request.user)`."""
    for node in ast.walk(rows):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "filter":
            for keyword in node.keywords:
                if keyword.arg and "__" not in keyword.arg and CALLER.match(unparse(keyword.value)):
                    yield keyword.arg


def _model(context: Context, view: Class, rows: list[ast.AST]) -> Class | None:
    """The class whose rows they are: `Note` of `Note.objects`."""
    for part in rows:
        for node in ast.walk(part):
            if isinstance(node, ast.Attribute) and node.attr == "objects" and isinstance(node.value, ast.Name):
                found = context.symbols.value(node.value, view.module)
                if isinstance(found, Class):
                    return found
    return None
