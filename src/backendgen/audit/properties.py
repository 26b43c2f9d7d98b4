"""What is true of each endpoint beyond its guards: roles, object-level checks, limits, its answer. Never judges."""

from __future__ import annotations

import ast
import re
from collections import Counter
from functools import cached_property

from backendgen.audit.frameworks.libraries import is_optional
from backendgen.audit.frameworks.outcomes import mentions
from backendgen.audit.queries.model import OUTSIDE, USER, Access, Query, Root, Roots, Statement, Term, Write
from backendgen.audit.queries.trace import Tracer
from backendgen.audit.service import Endpoint, Service
from backendgen.code.symbols import Function, Symbols, Variable

PASSWORDS = re.compile(
    r"^(?:(?:user|admin|account|hashed|encrypted|_)_?)?(?:password|passwd|pwd)(?:_?(?:hash|digest|salt))?$|^(?:salt|otp_secret|totp_secret|mfa_secret)$",
    re.IGNORECASE,
)
ADMINISTRATION = re.compile(
    r"(?:^|[/_-])(?:admin|internal|scim|backoffice|back-office|superuser|staff|root|system)(?:$|[/_-])", re.IGNORECASE
)
PASSWORD = re.compile(r"passw|pwd", re.IGNORECASE)
SIGNATURE = re.compile(
    r"signature|\bhmac\b|compare_digest|construct_event|verify_webhook|\.verify_header\(|Webhook\(", re.IGNORECASE
)
CAPABILITY = re.compile(r"secret|token|(?:^|_)code\b|hash|nonce|signature|key\b|jti|(?:^|_)state\b", re.IGNORECASE)
REPEATED = frozenset({"POST", "PATCH"})  # methods of which a repeat may do more
REPEAT = re.compile(r"idempot|request_?id", re.IGNORECASE)
HEADER = re.compile(r"(?:x-|http_)?idempotency[-_]key", re.IGNORECASE)
KEY, UNIQUE, NO_KEY = "key", "unique column", "none"
ASKS = frozenset({"is_authenticated", "is_anonymous"})
CALLER = re.compile(r"user|request|auth", re.IGNORECASE)
NEARLY_ALL = 0.75
DEMANDS = re.compile(r"\(\s*(?!\s*(?:required|optional|auto_error|verified|active)\s*=)[^\s()]")


def is_tied(query: Query) -> bool:
    """Do a query's conditions ask for rows of who calls?"""
    return any(USER in term.roots and term.operator != "!=" for term in query.statement.terms)


def _vouched(access: Access, query: Query) -> frozenset[Root]:
    """What the caller chose, and earlier queries of the endpoint found to be his: `WHERE id = :id AND user_id = :me`.

    A row that is compared with the user vouches as well for the key by which it was found.
    """
    found: set[Root] = set()
    for each in access.queries[: access.queries.index(query)]:
        if each.statement.verb == "select" and (each.statement.table in access.checked or is_tied(each)):
            found |= {
                root for term in each.statement.terms for root in term.roots if root.kind in OUTSIDE and root.name
            }
    return frozenset(found)


class Facts:
    """The facts of a service's endpoints, each found out once."""

    def __init__(self, symbols: Symbols, service: Service) -> None:
        self.service = service
        self.tracer = Tracer(symbols)
        self.tables = self.tracer.tables
        self._signs: dict[int, bool] = {}
        self._are_traced = False

    def access(self, endpoint: Endpoint) -> Access:
        """What an endpoint does with the database, and what it tests.

        All endpoints are followed in their order, so that what is known of one does not depend on who asks first.
        """
        if not self._are_traced:
            for one in self.service.endpoints:
                self.tracer.access(one)
            self._are_traced = True
        return self.tracer.access(endpoint)

    def roles(self, endpoint: Endpoint) -> frozenset[str]:
        """What is asked of callers beyond being known: by guards with arguments, and by tests of the user's attributes.

        What nearly every guarded endpoint tests tells none of them apart.
        """
        return self.asked(endpoint) | (self.access(endpoint).roles - self._common)

    def asked(self, endpoint: Endpoint) -> frozenset[str]:
        """What its guards ask for, by what they do or by their arguments."""
        named = frozenset(guard.name for guard in endpoint.guards if DEMANDS.search(guard.name))
        return frozenset(endpoint.roles) | named

    @cached_property
    def _common(self) -> frozenset[str]:
        guarded = [self.access(one).roles for one in self.service.endpoints if one.guards]
        counted = Counter(role for roles in guarded for role in roles)
        return frozenset(
            role for role, count in counted.items() if len(guarded) > 2 and count > NEARLY_ALL * len(guarded)
        )

    def is_administration(self, endpoint: Endpoint) -> bool:
        """Is it for those who run the service, by its path?"""
        return ADMINISTRATION.search(endpoint.path) is not None

    def knows_caller(self, endpoint: Endpoint) -> bool:
        """Is there somebody that an object could belong to? A signature or an allowed address is nobody."""
        if self.verifies_signature(endpoint):
            return False
        return any(guard.scope != "body" for guard in endpoint.guards) or self.access(endpoint).knows

    def verifies_signature(self, endpoint: Endpoint) -> bool:
        """Does the handler, what fills its parameters, or what these call, look at a signature or compare a digest?"""
        guards = (one.function for one in endpoint.guards if one.function is not None)
        return any(self._looks_at_signature(each) for each in (endpoint.handler, *endpoint.dependencies, *guards))

    def _looks_at_signature(self, function: Function) -> bool:
        key = id(function.node)
        if key not in self._signs:
            callees = (self.tracer.outcomes.callee(call, function) for call in function.module.calls_in(function))
            functions = (function, *(each for each in callees if isinstance(each, Function)))
            self._signs[key] = any(SIGNATURE.search(text_of(each)) for each in functions)
        return self._signs[key]

    def is_scoped(self, endpoint: Endpoint, query: Query) -> bool:
        """Is what a query finds tied to the caller: by a condition, a comparison, or a row that is itself?"""
        access = self.access(endpoint)
        statement = query.statement
        if statement.opaque or access.unsure or statement.table in access.checked:
            return True
        for term in statement.terms:
            if USER in term.roots or any(root.kind in ("header", "cookie") for root in term.roots):
                return True
            if any(root.kind in OUTSIDE and root.name and root.name in access.checked for root in term.roots):
                return True
            if term.roots & _vouched(access, query):
                return True
            if any(root.kind == "row" and root.name != statement.table for root in term.roots):
                return True
        return False

    @cached_property
    def scoped(self) -> dict[str, tuple[Endpoint, ...]]:
        """For each table, the endpoints that tie its rows to the caller."""
        found: dict[str, dict[Endpoint, None]] = {}
        for endpoint in self.service.endpoints:
            access = self.access(endpoint)
            for table in access.checked:
                found.setdefault(table, {})[endpoint] = None
            for query in access.queries:
                if is_tied(query):
                    found.setdefault(query.statement.table, {})[endpoint] = None
        return {table: tuple(endpoints) for table, endpoints in found.items()}

    @cached_property
    def readers(self) -> dict[str, tuple[Endpoint, ...]]:
        """For each table, the endpoints that read it."""
        found: dict[str, dict[Endpoint, None]] = {}
        for endpoint in self.service.endpoints:
            for query in self.access(endpoint).queries:
                if query.statement.verb == "select":
                    found.setdefault(query.statement.table, {})[endpoint] = None
        return {table: tuple(endpoints) for table, endpoints in found.items()}

    @cached_property
    def owners(self) -> dict[str, frozenset[str]]:
        """For each table, the columns that new rows get from the caller: who owns them."""
        found: dict[str, set[str]] = {}
        for endpoint in self.service.endpoints:
            for write in self.access(endpoint).writes:
                if write.verb == "insert":
                    names = {name for name, roots in write.columns if _is_the_user(roots)}
                    found.setdefault(write.table, set()).update(names)
        return {table: frozenset(names) for table, names in found.items() if names}

    def object_check(self, endpoint: Endpoint) -> str:
        """How it is told whose the object is that a caller names: `query`, `comparison`, `guard`; empty when it is not."""
        access = self.access(endpoint)
        chosen = [one for one in access.queries if self.keys(one.statement)]
        if access.checked:
            return "comparison"
        if any(USER in term.roots for one in chosen for term in one.statement.terms):
            return "query"
        return "guard" if access.unsure else ""

    def idempotency(self, endpoint: Endpoint) -> str:
        """How a repeated request is told from another one: by a `key`, a `unique column`; `none`: each makes a row.

        Empty for methods of which HTTP says that a repeat changes nothing more, and when it is not known.
        """
        if endpoint.method not in REPEATED:
            return ""
        access = self.access(endpoint)
        names = [*(one.name for one in endpoint.parameters), *(one.statement.table for one in access.queries)]
        functions = (endpoint.handler, *endpoint.dependencies)
        if any(map(REPEAT.search, names)) or any(map(_reads_a_key, functions)):
            return KEY
        made = next((one for one in access.writes if one.verb == "insert"), None)
        if made is None:
            return ""
        table = self.tables.of(made.model)
        unique = {one.name for one in table.columns if one.unique} if table is not None else set[str]()
        sent = {name for name, roots in made.columns if any(root.kind in OUTSIDE for root in roots)}
        if unique & sent:
            return UNIQUE
        return "" if unique else NO_KEY  # one that is made up for each row tells nothing

    def looks_who_calls(self, endpoint: Endpoint) -> bool:
        """Does an endpoint that refuses no stranger look who calls? By a scheme that is optional, or in its code."""
        functions = (endpoint.handler, *endpoint.dependencies)
        return self.access(endpoint).knows or any(map(self._asks_in_vain, functions))

    def _asks_in_vain(self, function: Function) -> bool:
        """`Depends(OAuth2PasswordBearer(auto_error=False))`, `@jwt_required(optional=True)`."""
        for node in (one for head in (function.node.args, *function.node.decorator_list) for one in ast.walk(head)):
            if isinstance(node, ast.Name | ast.Attribute):
                named = self.tracer.symbols.value(node, function.module, function.outer)
                if isinstance(named, Variable) and is_optional(named.value):
                    return True
            elif isinstance(node, ast.Call) and is_optional(node):
                return True
        return any(
            isinstance(one, ast.Attribute) and one.attr in ASKS and mentions(one.value, CALLER)
            for one in ast.walk(function.node)
        )

    def pages(self, endpoint: Endpoint) -> str:
        """Do its lists have a limit: `limited`, `unlimited`, empty without a list?"""
        lists = [
            one
            for one in self.access(endpoint).queries
            if one.many and one.statement.verb == "select" and not one.statement.few and not self.by_one(one.statement)
        ]
        if not lists:
            return ""
        return "limited" if any(one.statement.limited for one in lists) else "unlimited"

    def by_one(self, statement: Statement) -> bool:
        """Do its conditions name one row, or a few by their keys?"""
        return any(
            term.operator in ("in_", "in")
            or (term.operator in ("==", "exact") and self._is_key(statement, term.column))
            for term in statement.terms
        ) or any(root.kind == "row" for term in statement.terms for root in term.roots)

    def is_user(self, statement: Statement) -> bool:
        """Is it the table of those who sign in?"""
        table = self.tables.of(statement.model)
        if table is None:
            return statement.table.lower() in ("user", "users", "account", "accounts")
        return any(PASSWORD.search(column) for column in table.names)

    def changes(self, endpoint: Endpoint, table: str) -> tuple[Write, ...]:
        """The rows of a table that an endpoint changes or deletes."""
        return tuple(
            write
            for write in self.access(endpoint).writes
            if write.table == table and write.verb in ("update", "delete")
        )

    def keys(self, statement: Statement) -> tuple[Term, ...]:
        """The conditions that say which one: what the path names, or a key compared with what the caller sends."""
        return tuple(term for term in statement.terms if term.column and self._chooses(statement, term))

    def _chooses(self, statement: Statement, term: Term) -> bool:
        if term.operator not in ("==", "exact", "in_") or not term.roots:
            return False
        words = {term.column, *(root.name for root in term.roots)}
        if any(CAPABILITY.search(word) for word in words) and not (words == {"code"} and self._is_owned(statement)):
            return False
        if not all(root.kind in OUTSIDE for root in term.roots):
            return False
        return self._is_key(statement, term.column) or all(root.kind == "path" for root in term.roots)

    def _is_owned(self, statement: Statement) -> bool:
        """Do new rows get their owner from the caller? Then a `code` in their address is a name, not a right."""
        return statement.table in self.owners

    def _is_key(self, statement: Statement, name: str) -> bool:
        if name in ("id", "pk", "uuid", "uid", "slug", "guid", "public_id"):
            return True
        table = self.tables.of(statement.model)
        column = table.column(name) if table is not None else None
        if column is not None:
            return column.unique or column.primary
        return False


def _is_the_user(roots: Roots) -> bool:
    """Does a value come from who calls, or from the row that is the user, and from nowhere else?"""
    return USER in roots and all(root.kind in ("user", "row") for root in roots)


def _reads_a_key(function: Function) -> bool:
    """Does a function read an `Idempotency-Key`?"""
    return any(
        isinstance(one, ast.Constant) and isinstance(one.value, str) and HEADER.fullmatch(one.value) is not None
        for one in ast.walk(function.node)
    )


def text_of(function: Function) -> str:
    """A function as it is written."""
    return "\n".join(function.module.file.lines[function.line - 1 : function.node.end_lineno])
