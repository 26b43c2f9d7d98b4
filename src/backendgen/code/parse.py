"""Any Python syntax on any interpreter: `ast.parse`, and where it is too old, the new syntax rewritten line by line.

What is rewritten: f-strings of PEP 701 (nested quotes, backslashes, comments), t-strings of PEP 750 (read as f-strings),
type parameters and aliases of PEP 695 and 696 (dropped), `except A, B:` of PEP 758, and `lazy import` of PEP 810. Line
numbers stay those of the file.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeVar

from backendgen.code.extent import too_much

if TYPE_CHECKING:
    import tree_sitter

STAND_IN = re.compile(r"__formatted_string_(\d+)__\n*")
LAZY = re.compile(r"^([ \t]*)lazy([ \t]+)(import|from)\b", re.MULTILINE)
TYPE_ALIAS = re.compile(rb"type\s+(\w+)")
MAX_NESTING = 20
Expr = TypeVar("Expr", bound=ast.expr)


class Unparsable(Exception):
    """The text is not Python of any version that is known; `line` and `column` are 1-based."""

    def __init__(self, message: str, line: int = 1, column: int = 1) -> None:
        super().__init__(message)
        self.message, self.line, self.column = message, line, column


def parse(text: str) -> ast.Module:
    """Return the syntax tree of a module. Raises Unparsable, never anything else, whatever the text."""
    if "\0" in text:
        raise Unparsable("holds a NUL byte, which Python refuses", text.count("\n", 0, text.find("\0")) + 1)
    if excess := too_much(text):
        raise Unparsable(*excess)
    try:
        return _ast(text)
    except SyntaxError as error:
        try:
            tree = _rewritten(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            tree = None
        if tree is None:
            raise Unparsable(f"not valid Python: {error.msg}", error.lineno or 1, max(error.offset or 1, 1)) from error
        return tree
    except (RecursionError, MemoryError) as error:
        raise Unparsable("nested too deeply to be parsed") from error


def older(text: str) -> str | None:
    """Return a text over the same lines that older parsers read too: without type parameters, `except A, B:`, t-strings.

    None when there is none of these. It is for matching patterns; what a t-string holds stays.
    """
    text, lazy = LAZY.subn(r"\1\3\2    ", text)
    source = text.encode()
    edits: list[tuple[int, int, bytes]] = []
    for node in _outermost(_tree(source)):
        if node.type != "string":
            edits.extend(_edits(node))
        elif b"t" in ((node.children[0].text or b"").lower()):
            prefix = node.children[0]
            edits.append((prefix.start_byte, prefix.end_byte, (prefix.text or b"").lower().replace(b"t", b"f")))
    return _edited(source, edits).decode() if edits or lazy else None


def _tree(source: bytes) -> tree_sitter.Node:
    import tree_sitter
    import tree_sitter_python

    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_python.language())).parse(source).root_node


def _edited(source: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    parts, at = [], 0
    for start, end, replacement in sorted(edits):
        parts += [source[at:start], replacement]
        at = end
    return b"".join([*parts, source[at:]])


def _ast(text: str) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the file's invalid escapes are its own matter
        return ast.parse(text)


def _rewritten(text: str, depth: int = 0) -> ast.Module | None:
    """Return the tree after the new syntax was rewritten, or None when there is none that we know."""
    if depth > MAX_NESTING:
        return None
    text, lazy = LAZY.subn(r"\1\3\2    ", text)
    source = text.encode()
    edits: list[tuple[int, int, bytes]] = []
    strings: list[ast.JoinedStr] = []
    for node in _outermost(_tree(source)):
        if node.type == "string":
            if _is_accepted(node.text or b""):
                continue
            strings.append(_joined(node, depth))
            edits.append((node.start_byte, node.end_byte, _stand_in(node, len(strings) - 1)))
        else:
            edits.extend(_edits(node))
    if not edits and not lazy:
        return None
    tree = _ast(_edited(source, edits).decode())
    return _Graft(strings).visit(tree) if strings else tree


def _outermost(root: tree_sitter.Node) -> Iterator[tree_sitter.Node]:
    """Yield the nodes that may hold new syntax: formatted strings (not what is inside them), definitions, excepts."""
    pending = [root]
    while pending:
        node = pending.pop()
        if node.type == "string":
            prefix = (node.children[0].text or b"").lower() if node.children else b""
            if b"f" in prefix or b"t" in prefix:
                yield node
            continue
        if node.type in ("function_definition", "class_definition", "type_alias_statement", "except_clause"):
            yield node
        pending.extend(node.children)


def _is_accepted(literal: bytes) -> bool:
    try:
        _ast(f"({literal.decode()})")
    except SyntaxError:
        return False
    return True


def _edits(node: tree_sitter.Node) -> Iterator[tuple[int, int, bytes]]:
    """Yield (start, end, replacement) for one definition, alias or except clause."""
    if node.type in ("function_definition", "class_definition"):
        for child in node.children:
            if child.type == "type_parameter":
                yield child.start_byte, child.end_byte, _blank(child.text or b"")
    elif node.type == "type_alias_statement":
        text = node.text or b""
        named = TYPE_ALIAS.match(text)
        equals = text.find(b"=", text.rfind(b"]", 0, _alias_value(node) - node.start_byte) + 1)
        if named and equals > 0:
            head = text[:equals]
            yield node.start_byte, node.start_byte + equals, named[1] + _blank(head)[: len(head) - len(named[1])]
    else:
        values = [child for child in node.named_children if child.type not in ("block", "comment")]
        if len(values) > 1:
            start, end = values[0].start_byte, values[-1].end_byte
            inside = (node.text or b"")[start - node.start_byte : end - node.start_byte]
            last = values[-1]
            if last.type == "as_pattern":
                end = last.named_children[0].end_byte
                inside = inside[: end - start]
            yield start, end, b"(" + inside + b")"


def _alias_value(node: tree_sitter.Node) -> int:
    return node.named_children[-1].start_byte if node.named_children else node.end_byte


def _blank(text: bytes) -> bytes:
    """The same lines without their text: inside brackets and after a backslash a line break means nothing."""
    return re.sub(rb"[^\n]", b" ", text).replace(b"\n", b"\\\n")


def _stand_in(node: tree_sitter.Node, number: int) -> bytes:
    """Return a plain string over as many lines, which the formatted string's tree replaces later."""
    breaks = (node.text or b"").count(b"\n")
    quote = b'"""' if breaks else b'"'
    return quote + b"__formatted_string_%d__" % number + b"\n" * breaks + quote


def _joined(node: tree_sitter.Node, depth: int) -> ast.JoinedStr:
    """Build the tree of a formatted string that `ast` of this interpreter refuses."""
    values: list[ast.expr] = []
    for child in node.children:
        if child.type == "string_content":
            values.append(_constant(child))
        elif child.type == "interpolation":
            values.append(_formatted(child, depth))
    joined = ast.JoinedStr(values=values)
    return _placed(joined, node)


def _constant(node: tree_sitter.Node) -> ast.Constant:
    raw = (node.text or b"").decode().replace("{{", "{").replace("}}", "}")
    return _placed(ast.Constant(value=raw), node)


def _formatted(node: tree_sitter.Node, depth: int) -> ast.FormattedValue:
    inner = next((child for child in node.named_children if child.type != "comment"), None)
    conversion, spec = -1, None
    for child in node.children:
        if child.type == "type_conversion":
            conversion = ord((child.text or b"! ").decode()[1:2] or " ")
        elif child.type == "format_specifier":
            values = [_formatted(each, depth) for each in child.children if each.type == "format_expression"]
            spec = _placed(ast.JoinedStr(values=list(values)), child)
    if inner is None:
        raise SyntaxError("an empty replacement field")
    value = _expression(inner, depth)
    return _placed(ast.FormattedValue(value=value, conversion=conversion, format_spec=spec), node)


def _expression(node: tree_sitter.Node, depth: int) -> ast.expr:
    text = f"({(node.text or b'').decode()}\n)"
    try:
        tree: ast.Module | None = _ast(text)
    except SyntaxError:
        tree = _rewritten(text, depth + 1)
    if tree is None or len(tree.body) != 1 or not isinstance(tree.body[0], ast.Expr):
        raise SyntaxError("a replacement field that is no expression")
    value = tree.body[0].value
    row, column = node.start_point
    for each in ast.walk(value):
        if isinstance(each, ast.expr | ast.arg | ast.keyword):
            if each.lineno == 1:
                each.col_offset += column - 1
            each.lineno += row
            each.end_lineno = (each.end_lineno or each.lineno - row) + row
    return value


def _placed(expression: Expr, node: tree_sitter.Node) -> Expr:
    expression.lineno, expression.col_offset = node.start_point.row + 1, node.start_point.column
    expression.end_lineno, expression.end_col_offset = node.end_point.row + 1, node.end_point.column
    return expression


class _Graft(ast.NodeTransformer):
    """Put the trees of the formatted strings where their stand-ins are, also among strings joined by juxtaposition."""

    def __init__(self, strings: list[ast.JoinedStr]) -> None:
        self.strings = strings

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        if not isinstance(node.value, str) or not STAND_IN.search(node.value):
            return node
        return ast.copy_location(ast.JoinedStr(values=self._pieces(node)), node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.expr:
        values: list[ast.expr] = []
        for value in node.values:
            if isinstance(value, ast.Constant):
                values.extend(self._pieces(value))
            else:
                values.append(self.visit(value))
        node.values = values
        return node

    def _pieces(self, node: ast.Constant) -> list[ast.expr]:
        pieces: list[ast.expr] = []
        for index, part in enumerate(STAND_IN.split(str(node.value))):
            if index % 2:
                pieces.extend(self.strings[int(part)].values)
            elif part:
                pieces.append(ast.copy_location(ast.Constant(value=part), node))
        return pieces
