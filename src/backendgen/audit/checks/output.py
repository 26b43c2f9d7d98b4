"""Text for browsers that is not escaped, and documents that are read too trustingly."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from backendgen.audit.checks.walk import hit, is_command
from backendgen.audit.registry import Context, check
from backendgen.code.index import UNKNOWN, Use
from backendgen.code.nodes import unparse
from backendgen.findings.finding import Hit
from backendgen.rules import Confidence

ENVIRONMENTS = (
    "jinja2.Environment", "jinja2.sandbox.SandboxedEnvironment", "jinja2.environment.Environment",
    "jinja2.nativetypes.NativeEnvironment",
)  # fmt: skip
FOR_BROWSERS = re.compile(r"\.html['\"]|\.html\.j|HTMLResponse|text/html|MIMEText\(.*html|['\"]html['\"]\)")
MARKS = (
    "django.utils.safestring.mark_safe", "django.utils.safestring.SafeString", "django.utils.safestring.SafeText",
    "markupsafe.Markup", "flask.Markup", "jinja2.Markup",
)  # fmt: skip
ESCAPES = re.compile(
    r"(?:^|\.)(?:escape|conditional_escape|format_html|format_html_join|bleach\.clean|nh3\.clean|clean|sanitize\w*|json_script|reverse"
    r"|static|render_to_string|render|get_template|dumps|gettext\w*|ngettext|_|int|len|force_escape|urlencode|quote|markdown)$"
)
LXML = ("lxml.etree.XMLParser", "lxml.etree.ETCompatXMLParser", "lxml.etree.iterparse")
STDLIB = tuple(
    f"xml.{name}"
    for name in (
        "etree.ElementTree.parse", "etree.ElementTree.fromstring", "etree.ElementTree.iterparse", "etree.ElementTree.XML",
        "dom.minidom.parse", "dom.minidom.parseString", "dom.pulldom.parse", "dom.pulldom.parseString", "sax.parse",
        "sax.parseString",
    )
)  # fmt: skip
EXTERNAL = frozenset({"xml.sax.handler.feature_external_ges", "xml.sax.handler.feature_external_pes"})


@check("BG160")
def nothing_escaped(context: Context) -> Iterator[Hit]:
    """Jinja environments that escape nothing."""
    for use in context.index.calls(*ENVIRONMENTS):
        given = use.argument("autoescape")
        if given is None and use.is_open:
            continue
        value = False if given is None else context.index.value(given, use.module, use.function)
        if value is False:
            for_browsers = use.module.file.mentions(FOR_BROWSERS) and not is_command(use.module.file)
            yield hit(
                use.module,
                use.call,
                "{who} makes a Jinja environment that escapes nothing: what a user wrote is markup and "
                "script in the page",
                "autoescape=jinja2.select_autoescape()",
                Confidence.MEDIUM if for_browsers else Confidence.LOW,
            )


@check("BG161")
def marked_safe(context: Context) -> Iterator[Hit]:
    """Text that is called safe and is put together from other text."""
    for use in context.index.calls(*MARKS):
        text = use.call.args[0] if use.call.args else None
        if text is not None and context.index.value(text, use.module, use.function) is UNKNOWN and _is_built(text):
            parts = [part for part in _parts(text) if not _is_escaped(context, part, use)]
            if parts:
                shown = ", ".join(f"`{unparse(part)}`" for part in parts[:3])
                yield hit(
                    use.module,
                    use.call,
                    f"{{who}} calls text safe that holds {shown}: where that comes from a user, it is script "
                    "in the page",
                    'format_html("<b>{}</b>", value), or `Markup("<b>{}</b>").format(value)`: both escape what they put in',
                )


def _is_built(text: ast.expr) -> bool:
    if isinstance(text, ast.JoinedStr):
        return True
    if isinstance(text, ast.BinOp):
        return isinstance(text.op, ast.Add | ast.Mod)
    return isinstance(text, ast.Call) and isinstance(text.func, ast.Attribute) and text.func.attr in ("format", "join")


def _parts(text: ast.expr) -> Iterator[ast.expr]:
    """What is put into a text."""
    if isinstance(text, ast.JoinedStr):
        yield from (one.value for one in text.values if isinstance(one, ast.FormattedValue))
    elif isinstance(text, ast.BinOp) and isinstance(text.op, ast.Add):
        yield from (*_parts(text.left), *_parts(text.right))
    elif isinstance(text, ast.BinOp):
        yield from text.right.elts if isinstance(text.right, ast.Tuple) else [text.right]
    elif isinstance(text, ast.Call) and isinstance(text.func, ast.Attribute) and text.func.attr == "format":
        yield from (*text.args, *(one.value for one in text.keywords))
    elif not isinstance(text, ast.Constant):
        yield text


def _is_escaped(context: Context, part: ast.expr, use: Use) -> bool:
    if context.index.value(part, use.module, use.function) is not UNKNOWN:
        return True
    return isinstance(part, ast.Call) and ESCAPES.search(unparse(part.func)) is not None


@check("BG162")
def trusting_xml(context: Context) -> Iterator[Hit]:
    """XML parsers that fetch what a document names, or let it grow without end."""
    for use in context.index.calls(*LXML):
        opened = [name for name, safe in (("resolve_entities", False), ("load_dtd", False), ("no_network", True))
                  if context.index.value(use.argument(name), use.module, use.function) is (not safe)]  # fmt: skip
        if opened:
            yield _external(use, " and ".join(opened))
    for use in context.index.methods("setFeature"):
        feature = use.argument("name", 0)
        state = context.index.value(use.argument("state", 1), use.module, use.function)
        if feature is not None and state in (True, 1) and context.index.name_of(feature, use.module) in EXTERNAL:
            yield _external(use, unparse(feature))
    for use in context.index.calls(*STDLIB):
        yield hit(
            use.module,
            use.call,
            f"{{who}} reads XML with `{unparse(use.call.func)}`: a document of a few lines may ask for gigabytes",
            "defusedxml has the same functions and refuses such documents",
            Confidence.LOW,
        )


def _external(use: Use, how: str) -> Hit:
    return hit(
        use.module,
        use.call,
        f"{{who}} lets an XML document name files and addresses to read ({how}): it reads this server's own",
        "leave the defaults: `resolve_entities=False`, `no_network=True`, no DTD",
    )
