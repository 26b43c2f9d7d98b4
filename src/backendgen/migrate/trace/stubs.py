"""What migrations expect of a database and a scratch one lacks: extensions by their functions and types, and roles."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from backendgen.migrate.trace.scratch import Refused, Session
from backendgen.sql.lexer import quote

_CREATE = re.compile(
    r"""\s*create\s+extension\s+(?:if\s+not\s+exists\s+)?["]?([\w-]+)["]?(?:.*?\bschema\s+["]?(\w+)["]?)?""",
    re.IGNORECASE | re.DOTALL,
)
_NO_ROLE = re.compile(r'role "(.+)" does not exist')
_NO_EXTENSION = re.compile(r'extension "(.+)" does not exist')
_NOT_PERMITTED, _NO_OBJECT = "42501", "42704"
_RANDOM = "LANGUAGE sql VOLATILE AS"
_STEADY = "LANGUAGE sql IMMUTABLE STRICT AS"
# The functions with the volatility of the real ones, which decides about rewrites; their results are made up.
_SCRIPTS: Mapping[str, tuple[str, ...]] = {
    "uuid-ossp": (
        *(f"FUNCTION {name}() RETURNS uuid {_RANDOM} 'SELECT pg_catalog.gen_random_uuid()'"
          for name in ("uuid_generate_v1", "uuid_generate_v1mc", "uuid_generate_v4")),
        *(f"FUNCTION {name}() RETURNS uuid {_STEADY} $$SELECT '00000000-0000-0000-0000-000000000000'::uuid$$"
          for name in ("uuid_nil", "uuid_ns_dns", "uuid_ns_url", "uuid_ns_oid", "uuid_ns_x500")),
        *(f"FUNCTION {name}(uuid, text) RETURNS uuid {_STEADY} 'SELECT md5($1::text || $2)::uuid'"
          for name in ("uuid_generate_v3", "uuid_generate_v5")),
    ),
    "pgcrypto": (
        *(f"FUNCTION digest({kind}, text) RETURNS bytea {_STEADY} 'SELECT sha256($1::text::bytea)'"
          for kind in ("text", "bytea")),
        *(f"FUNCTION hmac({kind}, {kind}, text) RETURNS bytea {_STEADY} 'SELECT sha256($1::text::bytea)'"
          for kind in ("text", "bytea")),
        f"FUNCTION crypt(text, text) RETURNS text {_STEADY} 'SELECT md5($1 || $2)'",
        f"FUNCTION gen_salt(text) RETURNS text {_RANDOM} 'SELECT md5(random()::text)'",
        f"FUNCTION gen_salt(text, integer) RETURNS text {_RANDOM} 'SELECT md5(random()::text)'",
        f"FUNCTION gen_random_bytes(integer) RETURNS bytea {_RANDOM} 'SELECT sha256(random()::text::bytea)'",
        *(f"FUNCTION {name}(bytea, bytea, text) RETURNS bytea {_STEADY} 'SELECT $1'" for name in ("encrypt", "decrypt")),
        f"FUNCTION pgp_sym_encrypt(text, text) RETURNS bytea {_RANDOM} 'SELECT $1::bytea'",
        f"FUNCTION pgp_sym_decrypt(bytea, text) RETURNS text {_STEADY} 'SELECT $1::text'",
    ),
    "citext": ("DOMAIN citext AS text",),
}  # fmt: skip


@dataclass(slots=True)
class Stubs:
    """Puts in place what a statement was refused for. `notes` say what, once each."""

    admin: Session
    owner: str
    extensions: set[str] = field(default_factory=set)
    notes: dict[str, None] = field(default_factory=dict)

    def supply(self, sql: str, refused: Refused) -> bool | None:
        """Make up for what a statement lacks: True to send it again, False when it is done, None when nobody can."""
        if created := _CREATE.match(sql):
            return self._extension(sql, created[1].lower(), created[2] or "public", refused)
        if refused.code == _NO_OBJECT and (role := _NO_ROLE.search(refused.message)):
            return self._role(role[1])
        missing = _NO_EXTENSION.search(refused.message)
        return False if missing and missing[1] in self.extensions else None

    def _extension(self, sql: str, name: str, schema: str, refused: Refused) -> bool | None:
        if refused.code == _NOT_PERMITTED:
            return False if self._run(sql) else None
        if name not in _SCRIPTS:
            self.notes[f"the extension {name} is not on this server, so what needs it fails: use --trace-dsn"] = None
            return None
        if not all(self._run(f"CREATE {_placed(part, schema)}") for part in _SCRIPTS[name]):
            return None
        self.extensions.add(name)
        how = "a domain over text stands" if name == "citext" else "functions of the same names and volatility stand"
        self.notes[f"the extension {name} is not on this server: {how} in for it"] = None
        return False

    def _role(self, role: str) -> bool | None:
        made = self._run(f"CREATE ROLE {quote(role)}") and self._run(f"GRANT {quote(role)} TO {quote(self.owner)}")
        if made:
            self.notes[f"the role {role} was made up"] = None
        return True if made else None

    def _run(self, sql: str) -> bool:
        try:
            self.admin.run(sql)
        except Refused:
            return False
        return True


def _placed(part: str, schema: str) -> str:
    kind, _, rest = part.partition(" ")
    return f"{kind} {quote(schema)}.{rest}"
