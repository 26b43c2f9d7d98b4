"""Who may: roles, policies, and the meaning of an `allow`."""

from __future__ import annotations

from dataclasses import dataclass

from backendgen.errors import did_you_mean
from backendgen.spec.conform import suggestion
from backendgen.spec.ddl import Data
from backendgen.spec.document import Entry, Mapping, Node, Scalar, Sequence, shown
from backendgen.spec.expression import Expression, ExpressionProblem, UnknownTable, read_expression
from backendgen.spec.model import Allow, Auth, Policy, Role, Term, TermKind
from backendgen.spec.questions import Notes
from backendgen.spec.reading import entries, number, text

BUILT_IN = ("public", "user")
PUBLIC = Term("public", "public")
USER = Term("user", "user")


@dataclass(frozen=True, slots=True)
class Access:
    """What an `allow` may name. `auth` is None when it is switched off; `expressions` are the policies' by name.

    `broken` are roles and policies that were reported where they are declared. When it is not `complete`, all of the roles
    or policies were, so any name may be one of them.
    """

    auth: Auth | None
    expressions: dict[str, Expression]
    broken: frozenset[str] = frozenset()
    complete: bool = True

    def privileged(self, term: Term) -> bool:
        """True for a role that one does not get by registering."""
        default = self.auth.default_role if self.auth else ""
        roles = self.auth.roles if self.auth else ()
        included = next((role.includes for role in roles if role.name == default), ())
        return term.kind == "role" and term.name not in (default, *included)


def read_auth(node: Node | None, data: Data, notes: Notes, *, refused: bool) -> Access:
    """Return what the `auth` section says; None stands for one that is absent, or `refused` as a whole."""
    if isinstance(node, Scalar):
        return Access(None, {})
    section = node if isinstance(node, Mapping) else Mapping((), 0, 0)
    refused = refused or not section.refused.isdisjoint(("roles", "policies"))
    lost = _refused(section.get("roles"))
    roles = _roles(section.get("roles"), lost, notes)
    policies, expressions, broken = _policies(section.get("policies"), data, notes)
    default_role = text(section, "default_role")
    if not refused:
        _check_names(section, {role.name for role in roles}, lost, notes)
    jwt, defaults = section.get("jwt"), Auth()
    auth = Auth(
        access_ttl=number(jwt, "access_ttl", defaults.access_ttl),
        refresh_ttl=number(jwt, "refresh_ttl", defaults.refresh_ttl),
        password_min_length=number(section.get("passwords"), "min_length", defaults.password_min_length),
        roles=roles,
        default_role=default_role,
        policies=policies,
    )
    if jwt is not None and auth.access_ttl >= auth.refresh_ttl:
        notes.error(jwt, "auth.jwt: refresh_ttl must be longer than access_ttl")
    return Access(auth, expressions, broken | lost | _refused(section.get("policies")), not refused)


def _refused(node: Node | None) -> frozenset[str]:
    return node.refused if isinstance(node, Mapping) else frozenset()


def _roles(node: Node | None, lost: frozenset[str], notes: Notes) -> tuple[Role, ...]:
    direct: dict[str, tuple[str, ...]] = {}
    known = [entry.key for entry in entries(node)]
    for entry in entries(node):
        items = entry.node.items if isinstance(entry.node, Sequence) else ()
        names = [item for item in items if isinstance(item, Scalar)]
        for item in names:
            if item.text not in known and item.text not in lost:
                guess = did_you_mean(item.text, known)
                notes.error(item, f"auth.roles.{entry.key}: unknown role {shown(item.text)}{guess}")
        direct[entry.key] = tuple(item.text for item in names if item.text in known)
    roles = []
    cyclic: set[str] = set()
    for entry in entries(node):
        included = _reachable(entry.key, direct)
        if entry.key in included and entry.key not in cyclic:
            cyclic.update(included)
            notes.error(entry, f"auth.roles.{entry.key}: the role includes itself: {_cycle(entry.key, direct)}")
        roles.append(Role(entry.key, tuple(name for name in included if name != entry.key)))
    return tuple(roles)


def _reachable(role: str, direct: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Return every role that the role includes, in breadth-first order; itself too when there is a cycle."""
    found: dict[str, None] = {}
    queue = list(direct[role])
    for name in queue:
        if name not in found:
            found[name] = None
            queue += direct[name]
    return tuple(found)


def _cycle(role: str, direct: dict[str, tuple[str, ...]]) -> str:
    """Return one way from the role back to itself: `a > b > a`."""
    paths: list[tuple[str, ...]] = [(role,)]
    seen: set[str] = set()
    for path in paths:
        for name in direct[path[-1]]:
            if name == role:
                return " > ".join((*path, role))
            if name not in seen:
                seen.add(name)
                paths.append((*path, name))
    return role


def _policies(
    node: Node | None, data: Data, notes: Notes
) -> tuple[tuple[Policy, ...], dict[str, Expression], frozenset[str]]:
    policies, expressions, broken = [], {}, set()
    for entry in entries(node):
        expression = expression_at(entry, f"auth.policies.{entry.key}", data, notes)
        if expression is None:
            broken.add(entry.key)
            continue
        if not _known(expression, entry, data, notes):
            broken.add(entry.key)
            continue
        expressions[entry.key] = expression
        policies.append(Policy(entry.key, expression.sql, expression.columns, expression.parameters))
    return tuple(policies), expressions, frozenset(broken)


def _known(expression: Expression, entry: Entry, data: Data, notes: Notes) -> bool:
    """Report names that no table has, so that they are told once, not wherever the policy is allowed."""
    tables = data.schema.tables
    columns = {column.name for table in tables.values() for column in table.columns}
    wrong = [name for name in expression.names if name.column not in columns or name.table not in ("", *tables)]
    if not data.complete:
        return not wrong
    for name in wrong:
        if name.column in columns:
            guess, message, hint = did_you_mean(name.table, tables), f"unknown table '{name.table}'", ""
        else:
            guess, message = did_you_mean(name.column, columns), f"no table has a column '{name.column}'"
            hint = "" if guess else "a text has quotes of its own in SQL: name = 'text'"
        notes.error(entry.node, f"auth.policies.{entry.key}: {message}{guess}", hint)
    return not wrong


def expression_at(entry: Entry, path: str, data: Data, notes: Notes) -> Expression | None:
    """Return the SQL expression that an entry holds, or report why it is none."""
    scalar = entry.node
    if not isinstance(scalar, Scalar):
        return None
    try:
        return read_expression(scalar.text, data.schema)
    except UnknownTable as problem:
        if data.complete:
            notes.error(scalar, f"{path}: {problem}")
        return None
    except ExpressionProblem as problem:
        before = scalar.text[: problem.offset]
        line, column = scalar.place(before.count("\n") + 1, problem.offset - (before.rfind("\n") + 1) + 1)
        notes.error(Scalar(None, "", line, column), f"{path}: {problem.message}")
        return None


def _check_names(section: Mapping, roles: set[str], lost: frozenset[str], notes: Notes) -> None:
    for kind in ("roles", "policies"):
        for entry in entries(section.get(kind)):
            if entry.key in BUILT_IN or entry.key == "all":
                notes.error(entry, f"auth.{kind}: '{entry.key}' is built in; choose another name")
            elif kind == "policies" and entry.key in roles:
                notes.error(entry, f"auth.policies: '{entry.key}' is a role too; choose another name")
    default = section.get("default_role")
    name = text(section, "default_role")
    if default is not None and name not in roles | lost:
        notes.error(default, f"auth.default_role: unknown role {shown(name)}{did_you_mean(name, roles)}")
    elif default is None and roles and (given := section.entry("roles")):
        notes.ask("S104", given, roles=", ".join(sorted(roles)))


def read_allow(node: Node, path: str, access: Access, notes: Notes) -> Allow:
    """Return the meaning of an `allow`: a list is an OR, `{all: [...]}` an AND. Unknown words are reported."""
    items = node.items if isinstance(node, Sequence) else ()
    grants = []
    for item in items:
        words = _words(item)
        grant = tuple(term for word in words if (term := _term(word, path, access, notes)))
        if isinstance(item, Mapping) and PUBLIC in grant:
            notes.error(item, f"{path}: 'public' with a condition is not built yet; remove the one or the other")
        elif words and len(grant) == len(words):
            grants.append(grant)
    widest = next((grant for grant in ((PUBLIC,), (USER,)) if grant in grants), None)
    if len(grants) > 1 and widest:
        whom = "everybody" if widest == (PUBLIC,) else "everybody who is signed in"
        notes.error(node, f"{path}: '{widest[0].name}' admits {whom}, so the others change nothing; name it alone")
    return Allow(tuple(dict.fromkeys(grants)))


def allow_words(node: Node) -> list[Scalar]:
    """Return all words of an `allow`."""
    return [word for item in node.items for word in _words(item)] if isinstance(node, Sequence) else []


def _words(item: Node) -> list[Scalar]:
    if isinstance(item, Mapping):
        inner = item.get("all")
        return [word for word in inner.items if isinstance(word, Scalar)] if isinstance(inner, Sequence) else []
    return [item] if isinstance(item, Scalar) else []


def _term(word: Scalar, path: str, access: Access, notes: Notes) -> Term | None:
    name = word.text
    if name == "public":
        return PUBLIC
    if access.auth is None:
        notes.error(word, f"{path}: auth is off, so only 'public' may be allowed, not {shown(name)}")
        return None
    if name == "user":
        return USER
    roles = [role.name for role in access.auth.roles]
    kind: TermKind = "role" if name in roles else "policy"
    if name in roles or name in access.expressions:
        return Term(kind, name)
    if access.complete and name not in access.broken:
        known = [*BUILT_IN, *roles, *access.expressions]
        notes.error(word, f"{path}: unknown role or policy {shown(name)}{suggestion(name, known)}")
    return None
