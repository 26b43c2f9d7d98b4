"""The spec language, version 1: every section and key that is built, documented, and the names of what is to come."""

from __future__ import annotations

from backendgen.spec.shape import (
    Choice,
    Duration,
    Either,
    Frequency,
    Key,
    ListOf,
    MapOf,
    Prose,
    Section,
    Whole,
    Word,
)

_NAME = r"[a-z][a-z0-9_]{0,62}"
_SQL_NAME = r"[^\x00-\x1f\x7f]{1,63}"
_DAY = 86_400
_LETTERS = "lower-case letters, digits and _"

ROLE = Word(f"a role's name ({_LETTERS})", _NAME)
TERM = Word("a role, a policy, 'public' or 'user'", _NAME, later=(r"scope:.*",))
COLUMN = Word("a column", _SQL_NAME)
TERMS = Either(
    (
        TERM,
        Section(
            "an AND",
            (
                Key(
                    "all",
                    ListOf(TERM, required=True),
                    "All of these must hold.",
                    ["staff", "refundable"],
                    required=True,
                ),
            ),
        ),
    )
)

_ALLOW = Key(
    "allow",
    ListOf(TERMS, single=True, required=True),
    "Who may. A list means OR, {all: [...]} AND. `public` and `user` (any signed-in user) are built in, the rest are roles "
    "and policies. What a policy hides is 404, a row that it does not admit 403, a missing role 403.",
    ["staff", "own_order"],
)
_SET = Key(
    "set",
    MapOf(
        Word("a column", r"[^\x00-\x1f\x7f.]{1,63}", later=(r"[a-z0-9_]+\.[a-z0-9_.]+",)),
        Prose("a SQL expression", numbers=True),
    ),
    "Columns that the server gives, as SQL expressions; no body may carry them. On create an expression may name the body's "
    "columns, on update the row's columns as they were before; :user_id and :role are bound.",
    {"user_id": ":user_id"},
)
_FILTER = Key(
    "filter",
    ListOf(COLUMN, single=True, required=True),
    "Columns that a list may be filtered by.",
    ["status", "created_at"],
)
_SORT = Key(
    "sort",
    ListOf(Word("a column, or -column for descending", "-?" + _SQL_NAME), single=True, required=True),
    "Orders to choose from; `-` means descending, the first is the default. Without it, the primary key orders.",
    ["-created_at", "name"],
)
_IDEMPOTENCY = Key(
    "idempotency",
    Choice(("off", "optional", "required")),
    "Whether a POST takes an Idempotency-Key: `required` where money moves.",
    "required",
)

RESOURCE = Section(
    "a resource",
    (
        Key(
            "table", Word("a table", _SQL_NAME), "The table, when it is not called as the resource.", "customer_orders"
        ),
        Key(
            "list",
            Section("the list action", (_ALLOW, _FILTER, _SORT), later=("expand", "search", "cache")),
            "GET /name: a page of rows.",
            {"allow": "user", "sort": ["-created_at"]},
        ),
        Key(
            "get",
            Section("the get action", (_ALLOW,), later=("expand", "cache")),
            "GET /name/{id}: one row.",
            {"allow": ["staff", "own_order"]},
        ),
        Key(
            "create",
            Section("the create action", (_ALLOW, _SET, _IDEMPOTENCY), later=("saga", "emit")),
            "POST /name: a new row.",
            {"allow": "user", "set": {"user_id": ":user_id"}},
        ),
        Key(
            "update",
            Section("the update action", (_ALLOW, _SET), later=("transition", "emit", "saga")),
            "PATCH /name/{id}: changes to a row, guarded by If-Match when the table has a `version` column.",
            {"allow": "staff"},
        ),
        Key(
            "delete",
            Section("the delete action", (_ALLOW,), later=("emit", "saga")),
            "DELETE /name/{id}.",
            {"allow": "admin"},
        ),
    ),
    later=("nested", "cache", "operations", r"v[0-9]+"),
)

SERVICE = Section(
    "the service",
    (
        Key(
            "name",
            Word(
                "a word of at most 40 lower-case letters and digits that starts with a letter", r"[a-z][a-z0-9]{0,39}"
            ),
            "A word that is safe in Python, in host names and as a database.",
            "orders",
            required=True,
        ),
        Key("title", Prose("a title"), "The API's title.", "Orders API"),
        Key("description", Prose("a description"), "What the service is for.", "Order taking for shops."),
    ),
)

DATABASE = Section(
    "the database",
    (
        Key(
            "pool",
            Section(
                "the pool",
                (
                    Key("min", Whole(0, 1000), "Connections that are kept open.", 2),
                    Key("max", Whole(1, 1000), "Connections at most.", 20),
                ),
            ),
            "The connection pool of each worker.",
            {"min": 2, "max": 20},
        ),
        Key("statement_timeout", Duration("ms", 1, 3_600_000), "After this a statement is cancelled.", "5s"),
    ),
    later=("replicas",),
)

AUTH = Section(
    "auth",
    (
        Key(
            "jwt",
            Section(
                "the tokens",
                (
                    Key("access_ttl", Duration("s", 60, _DAY), "How long an access token is good for.", "15m"),
                    Key(
                        "refresh_ttl",
                        Duration("s", 60, 365 * _DAY),
                        "How long a refresh token is good for; it rotates, and a reused one kills its family.",
                        "30d",
                    ),
                ),
            ),
            "Lifetimes of tokens.",
            {"access_ttl": "15m", "refresh_ttl": "30d"},
        ),
        Key(
            "passwords",
            Section("passwords", (Key("min_length", Whole(8, 128), "Characters at least (NIST SP 800-63B: 8).", 12),)),
            "Rules for passwords.",
            {"min_length": 12},
        ),
        Key(
            "roles",
            MapOf(ROLE, Either((ListOf(ROLE),))),
            "Each role, and the roles that it includes.",
            {"admin": ["staff"], "staff": [], "buyer": []},
        ),
        Key("default_role", ROLE, "What a user who registers gets.", "buyer"),
        Key(
            "policies",
            MapOf(Word(f"a policy's name ({_LETTERS})", _NAME), Prose("a SQL condition")),
            "SQL conditions on the row; :user_id and :role are bound.",
            {"own_customer": "user_id = :user_id"},
        ),
    ),
    later=("mfa", "api_keys", "oidc", "tenancy"),
)

API = Section(
    "the API",
    (
        _IDEMPOTENCY,
        Key(
            "page",
            Section(
                "pages",
                (
                    Key("default", Whole(1, 1000), "Rows without `limit`.", 20),
                    Key("max", Whole(1, 1000), "Rows at most.", 100),
                ),
            ),
            "Rows per page of a list.",
            {"default": 20, "max": 100},
        ),
        Key(
            "resources",
            MapOf(Word(f"a resource's name ({_LETTERS})", _NAME), RESOURCE, required=True),
            "Tables under URLs. One without actions offers all five.",
            {"notes": {}},
            required=True,
        ),
    ),
    later=("formats", "versions", "graphql"),
)

RATE_LIMITS = Section(
    "rate limits",
    (
        Key(
            "algorithm",
            Choice(("sliding_window",), later=("token_bucket",)),
            "How requests are counted.",
            "sliding_window",
        ),
        Key("ip", Frequency(), "Requests per address.", "60/minute"),
        Key("user", Frequency(), "Requests per signed-in user.", "600/minute"),
        Key("login", Frequency(), "Logins per address and per account.", "5/minute"),
        Key(
            "operations",
            MapOf(Word("an operation such as orders.create", _NAME + r"\.[a-z_]+"), Frequency()),
            "Requests per caller to single operations.",
            {"payments.create": "10/minute"},
        ),
    ),
    later=("api_key",),
)

SPEC = Section(
    "a spec",
    (
        Key("backendgen", Choice((1,)), "The version of the spec language.", 1, required=True),
        Key("service", SERVICE, "What the service is called.", {"name": "orders"}, required=True),
        Key(
            "schema",
            Either(
                (Prose("PostgreSQL DDL"), ListOf(Word("a .sql file beside the spec", r"[^\x00]+\.sql"), required=True))
            ),
            "The data as PostgreSQL DDL: inline, or a list of .sql files beside the spec, in order.",
            "CREATE TABLE notes (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), title text NOT NULL);",
            required=True,
        ),
        Key("database", DATABASE, "Connections and timeouts.", {"statement_timeout": "5s"}),
        Key(
            "auth",
            Either((Choice(("off",)), AUTH)),
            "Sign-in, roles and policies; `off` for a service without users. Absent: safe defaults.",
            {"default_role": "buyer", "roles": {"buyer": []}},
        ),
        Key("api", API, "The resources and what may be done with them.", {"resources": {"notes": {}}}, required=True),
        Key(
            "rate_limits",
            Either((Choice(("off",)), RATE_LIMITS)),
            "How often callers may call; `off` for no limits. Absent: safe defaults.",
            {"ip": "60/minute"},
        ),
    ),
    later=("events", "sagas", "slo", "jobs", "webhooks"),
)
