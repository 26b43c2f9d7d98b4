"""What goes in and what comes out: fields that a caller may set, fields that an answer shows."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from backendgen.audit.checks.access import is_open
from backendgen.audit.properties import PASSWORDS
from backendgen.audit.queries.model import Roots, Value, Write
from backendgen.audit.queries.tables import schema_fields
from backendgen.audit.registry import Context, check
from backendgen.audit.service import Endpoint, Parameter
from backendgen.code.nodes import last, unparse
from backendgen.code.symbols import Class, Variable
from backendgen.findings.finding import Hit, Location, Step
from backendgen.rules import Confidence

PRIVILEGED = re.compile(
    r"^(?:is_?)?(?:admin|administrator|superuser|super_admin|staff|moderator|root|verified|email_verified|approved)$"
    r"|^(?:user_?)?(?:roles?|role_id|permissions?|privileges?|access_level|scopes|groups)$"
    r"|^(?:balance|credits?|wallet|plan|tier|subscription_status)$",
    re.IGNORECASE,
)
OWNER = re.compile(
    r"^(?:user|owner|author|creator|account|tenant|organization|organisation|org|workspace|company)_?(?:id|uuid)$|^(?:owner|author|created_by)$",
    re.IGNORECASE,
)


@check("BG309")
def mass_assignment(context: Context) -> Iterator[Hit]:
    """Rows filled with a body as it came, where the body may hold what only the service should set."""
    seen: set[Location] = set()
    for endpoint, write in _open_writes(context):
        if write.location in seen:
            continue
        named = [name for name, roots in write.columns if name and PRIVILEGED.match(name) and _is_chosen(roots)]
        why = (
            f"`{named[0]}` comes from the body"
            if named
            else next(filter(None, (_lets_in(context, write, each) for each in write.whole)), "")
        )
        if why:
            seen.add(write.location)
            yield Hit(
                write.location,
                f"`{endpoint.name}` ({endpoint.handler.name}) fills `{write.table}` from the body and {why}: "
                "whoever calls may "
                "set it, and make himself what he likes",
                'name the fields that a caller may set in a model of their own (`extra="forbid"`), or leave the others out: '
                "body.model_dump(exclude={...})",
                endpoint.name,
                (Step(endpoint.location, f"`{endpoint.name}`"), Step(write.location, f"`{write.table}` takes it")),
                confidence=_sureness(context, endpoint, write),
            )


def _sureness(context: Context, endpoint: Endpoint, write: Write) -> Confidence:
    """Sure for those who sign in; a role in another table may be one that the caller is to choose."""
    table = context.facts.tables.of(write.model)
    is_user = table is not None and any(PASSWORDS.match(name) for name in table.names)
    if not is_user or context.facts.access(endpoint).unsure:
        return Confidence.LOW
    return Confidence.HIGH


def _open_writes(context: Context) -> Iterator[tuple[Endpoint, Write]]:
    """New and changed rows of endpoints that ask for no role."""
    for endpoint in context.service.endpoints:
        if context.facts.roles(endpoint) or context.facts.is_administration(endpoint):
            continue
        for write in context.facts.access(endpoint).writes:
            if write.verb in ("insert", "update"):
                yield endpoint, write


def _is_chosen(roots: Roots) -> bool:
    """Does the caller, and nothing of the service's own, decide the value?"""
    kinds = {root.kind for root in roots}
    return bool(kinds & {"body", "query"}) and not kinds & {"user", "row"}


def _lets_in(context: Context, write: Write, value: Value) -> str:
    """Why a mapping may hold too much: it is raw JSON, its model takes any field, or one that is a privilege."""
    if not value.has("body") or value.has("row", "user"):
        return ""
    table = context.facts.tables.of(write.model)
    if value.kind is None:
        is_whole = any(root.kind == "body" and not root.name for root in value.roots)
        privileged = sorted(name for name in table.names if PRIVILEGED.match(name)) if table else []
        return (
            f"nothing says which fields it may hold; `{write.table}` has `{privileged[0]}`"
            if is_whole and privileged
            else ""
        )
    if context.facts.tables.of(value.kind) is not None:
        return ""
    names = _sent(context, value) - value.excluded
    columns = table.names if table is not None else frozenset(names)
    privileged = sorted(name for name in names & columns if PRIVILEGED.match(name))
    if privileged:
        return f"`{(value.sent or value.kind).name}` has `{privileged[0]}`"
    if value.sent is not None and _takes_anything(context, value.sent):
        hidden = sorted(name for name in columns - names if PRIVILEGED.match(name))
        return f"`{value.sent.name}` takes any field, so also `{hidden[0]}`" if hidden else ""
    return ""


def _sent(context: Context, value: Value) -> set[str]:
    """The fields that come from the body: those of its model that the mapping has, or those given by name."""
    if value.sent is None:
        return {name for name, held in value.holds if held.has("body")}
    names = set(schema_fields(context.symbols, value.sent))
    return names if value.kind is None else names & set(schema_fields(context.symbols, value.kind)) or names


def _takes_anything(context: Context, owner: Class) -> bool:
    """Does a model say, by `model_config`, `class Config` or a keyword of the class, that it takes any field?"""
    for one in context.symbols.lineage(owner):
        if any(each.arg == "extra" and "allow" in unparse(each.value) for each in one.node.keywords):
            return True
        for name, member in one.module.members.get(id(one.node), {}).items():
            if name == "model_config" and isinstance(member, Variable) and _says_allow(member.value):
                return True
            if name == "Config" and isinstance(member, Class):
                extra = member.module.members.get(id(member.node), {}).get("extra")
                if isinstance(extra, Variable) and "allow" in unparse(extra.value):
                    return True
    return False


def _says_allow(node: ast.expr) -> bool:
    if isinstance(node, ast.Call):
        return any(each.arg == "extra" and "allow" in unparse(each.value) for each in node.keywords)
    if isinstance(node, ast.Dict):
        return any(
            isinstance(key, ast.Constant) and key.value == "extra" and "allow" in unparse(value)
            for key, value in zip(node.keys, node.values, strict=True)
        )
    return False


@check("BG310")
def table_as_body(context: Context) -> Iterator[Hit]:
    """Bodies that are a mapped class: every column may be sent."""
    seen: set[Location] = set()
    for endpoint in context.service.endpoints:
        for parameter in endpoint.parameters:
            owner = _class(context, parameter) if parameter.source == "body" else None
            table = context.facts.tables.of(owner)
            if owner is None or table is None:
                continue
            location = Location(endpoint.handler.path, parameter.line, 1, parameter.line)
            if location not in seen:
                seen.add(location)
                yield Hit(
                    location,
                    f"`{endpoint.name}` takes `{owner.name}`, the table itself, as its body: a caller may "
                    "set every column" + (f", also `{worst}`" if (worst := _worst(table.names)) else ""),
                    f"take a model that has only what a caller may set: class {owner.name}Create(SQLModel) "
                    "without table=True",
                    endpoint.name,
                )


def _worst(names: frozenset[str]) -> str:
    for pattern in (PRIVILEGED, OWNER, re.compile("^id$")):
        found = sorted(name for name in names if pattern.match(name))
        if found:
            return found[0]
    return ""


def _class(context: Context, parameter: Parameter) -> Class | None:
    kind = context.facts.tracer.types.of(parameter.annotation, parameter.module)
    inner = kind.element.kind if kind.element is not None else kind.kind
    return inner if isinstance(inner, Class) else None


@check("BG311")
def secret_in_answer(context: Context) -> Iterator[Hit]:
    """Answers that hold a password, its hash or another secret of a row."""
    seen: set[Location] = set()
    for endpoint in context.service.endpoints:
        if endpoint.location in seen:
            continue
        seen.add(endpoint.location)
        found = _shown_by_model(context, endpoint) or _shown_by_value(context, endpoint)
        if found:
            where, name = found
            yield Hit(
                endpoint.location,
                f"`{endpoint.name}` ({endpoint.handler.name}) answers with `{name}` of {where}: whoever may "
                "call it reads it, and "
                "logs and caches keep it",
                "answer with a model that names what may be seen: response_model=UserPublic",
                endpoint.name,
            )


def _shown_by_model(context: Context, endpoint: Endpoint) -> tuple[str, str] | None:
    """A secret among the fields of the response model."""
    types = context.facts.tracer.types
    kind = types.of(endpoint.response, endpoint.handler.module)
    pending = [(kind.element.kind if kind.element is not None else kind.kind, 0)]
    while pending:
        owner, depth = pending.pop()
        if not isinstance(owner, Class) or depth > 2:
            continue
        table = context.facts.tables.of(owner)
        names = table.names if table is not None else frozenset[str]()
        fields = schema_fields(context.symbols, owner)
        for name in (*fields, *names):
            member = context.symbols.member(owner, name)
            if PASSWORDS.match(name) and not _is_left_out(member):
                return f"`{owner.name}`", name
        if table is None:
            for annotation, module in fields.values():
                inner = types.of(annotation, module)
                pending.append((inner.element.kind if inner.element is not None else inner.kind, depth + 1))
    return None


def _is_left_out(member: object) -> bool:
    """`Field(exclude=True)`, `SecretStr`."""
    if not isinstance(member, Variable):
        return False
    hidden = isinstance(member.value, ast.Call) and any(
        each.arg in ("exclude", "repr_only") and isinstance(each.value, ast.Constant) and each.value.value is True
        for each in member.value.keywords
    )
    return hidden or "Secret" in (unparse(member.annotation) if member.annotation is not None else "")


def _shown_by_value(context: Context, endpoint: Endpoint) -> tuple[str, str] | None:
    """A row as it is, or a mapping with the secret of one, without a model that leaves it out."""
    if _is_filtered(context, endpoint):
        return None
    pending = [context.facts.access(endpoint).answer]
    while pending:
        value = pending.pop()
        table = context.facts.tables.of(value.kind)
        if table is not None and value.has("row", "user") and endpoint.framework == "FastAPI":
            secret = sorted(name for name in table.names if PASSWORDS.match(name))
            if secret:
                return f"the `{table.name}` row", secret[0]
        if table is None and value.kind is not None and value.has("row", "user") and not value.dumped:
            named = [name for name in schema_fields(context.symbols, value.kind) if PASSWORDS.match(name)]
            if (
                named
                and endpoint.framework == "FastAPI"
                and not _is_left_out(context.symbols.member(value.kind, named[0]))
            ):
                return f"`{value.kind.name}`", named[0]
        for name, held in value.holds:
            if PASSWORDS.match(name) and held.has("row"):
                return "a row", name
            pending.append(held)
    return None


def _is_filtered(context: Context, endpoint: Endpoint) -> bool:
    """Does a response model, or the type that is returned, say what is shown?"""
    if endpoint.response is None:
        return False
    if last(endpoint.response) in ("Any", "dict", "Dict", "list", "List", "Response", "JSONResponse", "object", ""):
        return False
    kind = context.facts.tracer.types.of(endpoint.response, endpoint.handler.module)
    owner = kind.element.kind if kind.element is not None else kind.kind
    return context.facts.tables.of(owner if isinstance(owner, Class) else None) is None


@check("BG312")
def owner_from_body(context: Context) -> Iterator[Hit]:
    """Rows whose owner the caller names, where the service knows who calls."""
    facts = context.facts
    seen: set[Location] = set()
    for endpoint, write in _open_writes(context):
        if write.verb != "insert" or write.location in seen or not endpoint.guards or not facts.access(endpoint).knows:
            continue
        if is_open(endpoint, context.config.public):
            continue
        own = facts.owners.get(write.table, frozenset())
        for name, roots in write.columns:
            named = any(root.name == name or OWNER.match(root.name) for root in roots)
            if OWNER.match(name) and name in own and named and _is_chosen(roots):
                seen.add(write.location)
                yield Hit(
                    write.location,
                    f"`{endpoint.name}` ({endpoint.handler.name}) takes `{name}` of the new `{write.table}` "
                    "from the body, though it "
                    "knows who calls: one may write in another's name",
                    f"take it from who is signed in: {write.table}({name}=current_user.id)",
                    endpoint.name,
                    confidence=Confidence.MEDIUM,
                )
                break
