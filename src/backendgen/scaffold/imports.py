"""The imports of a resource's modules: what their text uses, no more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backendgen.scaffold import layout

if TYPE_CHECKING:
    from backendgen.scaffold.views import ResourceView

_TYPES = {
    "UUID": "uuid",
    "Decimal": "decimal",
    "Literal": "typing",
    "Annotated": "typing",
    "Field": "pydantic",
    "NOT_SENT": "app.fields",
    "BigInteger": "app.fields",
    "Date": "app.fields",
    "Integer": "app.fields",
    "Json": "app.fields",
    "LocalTimestamp": "app.fields",
    "SmallInteger": "app.fields",
    "Text": "app.fields",
    "Time": "app.fields",
    "Timestamp": "app.fields",
}


class _Wanted(dict[str, set[str]]):
    """Module -> the names to import from it."""

    def add(self, module: str, *words: str, when: object = True) -> None:
        if when:
            self.setdefault(module, set()).update(words)

    def add_types(self, text: str) -> None:
        for word in layout.words(text):
            if word in _TYPES:
                self.add(_TYPES[word], word)


def of_models(resource: ResourceView) -> str:
    """Return the imports of `models.py`."""
    wanted = _Wanted()
    fields = [*resource.filters] if resource.list else []
    fields += [*resource.body] if resource.create else []
    fields += [*resource.changes] if resource.update else []
    sources = [resource.sort_source, *(field.source for field in fields), *(one.source for one in resource.choices)]
    wanted.add_types("\n".join(sources))
    wanted.add("pydantic", "BaseModel", "ConfigDict", when=resource.list or resource.create or resource.update)
    wanted.add("typing", "Annotated", when=resource.list)
    wanted.add("pydantic", "Field", when=resource.list)
    wanted.add("typing", "Any", when=resource.list and resource.filters)
    wanted.add("typing", "Self", when=resource.update)
    wanted.add("pydantic", "model_validator", when=resource.update)
    return layout.imports(wanted)


def of_routes(resource: ResourceView) -> str:
    """Return the imports of `routes.py`."""
    wanted = _Wanted()
    here = f"app.resources.{resource.module}"
    wanted.add("fastapi", "APIRouter", "Response")
    wanted.add("app.database", "Db")
    wanted.add("app.resources." + resource.module, "statements")
    row = resource.get or resource.update or resource.delete
    if row:
        wanted.add_types(" ".join(key.annotation for key in resource.keys))
        wanted.add("fastapi", "Path", when=any("Path(" in key.annotation for key in resource.keys))
        wanted.add("app.problems", "not_found")
    _of_access(resource, wanted)
    _of_list(resource, wanted, here)
    _of_create(resource, wanted, here)
    _of_update(resource, wanted, here)
    wanted.add("app", "conditional", when=resource.versioned and (resource.get or resource.update))
    wanted.add("app.conditional", "IfNoneMatch", when=resource.versioned and resource.get)
    wanted.add(
        "app.responses", "json", when=resource.create or resource.update or (resource.get and not resource.versioned)
    )
    wanted.add("app.responses", "etag", when=resource.versioned and (resource.create or resource.update))
    wanted.add("app.responses", "no_content", when=resource.delete)
    return layout.imports(wanted)


def _of_access(resource: ResourceView, wanted: _Wanted) -> None:
    callers = [action.caller for action in resource.actions if action.caller]
    dependencies = [one for action in resource.actions for one in action.dependencies]
    roles = any("require(" in caller for caller in callers)
    wanted.add("app.auth.principal", "Caller", when="Caller" in callers)
    wanted.add("app.auth.principal", "Principal", when=roles)
    wanted.add("app.auth.principal", "require", when=roles or any("require(" in one for one in dependencies))
    wanted.add("app.auth.principal", "authenticated", when="authenticated" in dependencies)
    wanted.add("fastapi", "Depends", when=roles or dependencies)
    wanted.add("typing", "Annotated", when=roles)
    limited = any(action.limit for action in resource.actions)
    wanted.add("app.rate_limit.limiter", "Limiter", when=limited)
    wanted.add("fastapi", "Request", when=limited)


def _of_list(resource: ResourceView, wanted: _Wanted, here: str) -> None:
    if resource.list:
        wanted.add("typing", "Annotated")
        wanted.add("fastapi", "Query", "Request")
        wanted.add("app.pagination", "Pages", "after", "bind", "list_scope", "order_by", "page", "reject_repeats")
        wanted.add(f"{here}.models", f"{resource.type}Query")
        wanted.add("psycopg.sql", "SQL", when=resource.filters)


def _of_create(resource: ResourceView, wanted: _Wanted, here: str) -> None:
    create = resource.create
    if not create:
        return
    wanted.add("collections.abc", "Mapping")
    wanted.add("app.database", "Connection")
    wanted.add("psycopg.sql", "SQL")
    wanted.add("psycopg.sql", "Composed", when=resource.sql.given)
    wanted.add(f"{here}.models", f"{resource.type}Create")
    wanted.add("app.problems", "forbidden", when=create.permitted)
    wanted.add("urllib.parse", "quote", when="{quote(" in resource.location)
    if create.idempotency != "off":
        wanted.add("app.idempotency", "once")
        wanted.add("app.idempotency", "IdempotencyKey", when=create.idempotency == "optional")
        wanted.add("app.idempotency", "REQUIRED", "RequiredIdempotencyKey", when=create.idempotency == "required")
        wanted.add("fastapi", "Request", when=not create.caller)
        wanted.add("app.client_address", "client_address", when=not create.caller)


def _of_update(resource: ResourceView, wanted: _Wanted, here: str) -> None:
    if resource.update:
        wanted.add("psycopg.sql", "SQL")
        wanted.add(f"{here}.models", f"{resource.type}Update")
        wanted.add("app.problems", "forbidden", when=resource.update.permitted)
        wanted.add("app.problems", "precondition_failed", when=resource.versioned)
        wanted.add("app.conditional", "IfMatch", when=resource.versioned)


_TESTS = {
    "Any": "typing",
    "Identifier": "psycopg.sql",
    "SQL": "psycopg.sql",
    "Stage": "tests.resources.stage",
    "after": "app.pagination",
    "factories": "tests",
    "order_by": "app.pagination",
    "prepare": "tests.resources.prepare",
    "to_jsonable_python": "pydantic_core",
    "uuid4": "uuid",
    "walk": "tests.resources.paging",
    **dict.fromkeys(("eq", "ge", "gt", "le", "lt"), "operator"),
}


def of_tests(text: str, module: str) -> str:
    """Return the imports of a resource's tests: those names of `_TESTS` that its text uses."""
    wanted = _Wanted()
    used = layout.words(text)
    for word, source in _TESTS.items():
        wanted.add(source, word, when=word in used)
    wanted.add(f"app.resources.{module}", "statements", when="statements" in used)
    for whole in ("itertools", "pytest"):
        wanted.add(whole, when=whole in used)
    wanted.add("json", when="json.loads(" in text)
    return layout.imports(wanted)


_FIELDS = {
    "Annotated": "typing",
    "Any": "typing",
    "Jsonb": "psycopg.types.json",
    **dict.fromkeys(
        (
            *("AfterValidator", "AwareDatetime", "Field", "NaiveDatetime", "PlainSerializer", "SerializationInfo"),
            *("StringConstraints", "WithJsonSchema"),
        ),
        "pydantic",
    ),
}


def of_fields(text: str) -> str:
    """Return the imports of `app/fields.py`: those names of `_FIELDS` that its text uses, and two modules."""
    wanted = _Wanted()
    used = layout.words(text)
    for word, source in _FIELDS.items():
        wanted.add(source, word, when=word in used)
    wanted.add("json", when="dumps" in used)
    wanted.add("datetime as dt", when="dt" in used)
    wanted.add("re", when="re" in used)
    return layout.imports(wanted)
