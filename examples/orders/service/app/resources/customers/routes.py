"""The operations of /customers."""

from collections.abc import Mapping
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from psycopg.sql import SQL

from app import conditional
from app.auth.principal import Caller, require
from app.conditional import IfMatch, IfNoneMatch
from app.database import Connection, Db
from app.idempotency import IdempotencyKey, once
from app.pagination import Pages, after, bind, list_scope, order_by, page, reject_repeats
from app.problems import forbidden, not_found, precondition_failed
from app.resources.customers import statements
from app.resources.customers.models import CustomerCreate, CustomerQuery, CustomerUpdate
from app.responses import etag, json

router = APIRouter(prefix="/customers", tags=["customers"])


@router.get("", operation_id="list_customers", dependencies=[Depends(require("staff"))])
async def list_customers(
    request: Request,
    query: Annotated[CustomerQuery, Query()],
    db: Db,
    cursors: Pages,
) -> Response:
    """List customers, a page at a time."""
    reject_repeats(request.query_params)
    keys = statements.SORTS[query.sort]
    scope = list_scope("customers", query.sort, {})
    position = cursors.open(query.cursor, scope) if query.cursor else None
    statement = statements.LIST.format(
        conditions=after(keys, position),
        order=order_by(keys),
    )
    parameters = {
        **bind(position),
        "page.rows": query.limit + 1,
    }
    rows = await db.fetch_all(statement, parameters)
    return page(request, rows, limit=query.limit, keys=keys, cursors=cursors, scope=scope)


@router.get("/{id}", operation_id="get_customer")
async def get_customer(
    id: UUID,
    db: Db,
    caller: Caller,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Return one customer."""
    parameters = {
        "key.id": id,
        "caller.user_id": caller.user_id,
        "caller.is_staff": "staff" in caller.roles,
    }
    row = await db.fetch_one(statements.GET, parameters)
    if row is None:
        raise not_found("customer")
    return conditional.json(row, if_none_match)


@router.post("", operation_id="create_customer", status_code=201)
async def create_customer(
    body: CustomerCreate,
    db: Db,
    caller: Caller,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Create a customer."""
    parameters = {
        **body.model_dump(by_alias=True),
        "caller.user_id": caller.user_id,
    }

    async def write(connection: Connection) -> Response:
        return await insert(connection, statements.CREATE, parameters)

    return await once(
        db,
        key=idempotency_key,
        principal=str(caller.user_id),
        operation="customers.create",
        request=body.model_dump_json(by_alias=True, exclude_unset=True).encode(),
        write=write,
    )


async def insert(
    connection: Connection,
    statement: SQL,
    parameters: Mapping[str, object],
) -> Response:
    """Insert the row and describe it; what is raised rolls the transaction back."""
    [row] = await (await connection.execute(statement, parameters)).fetchall()
    headers = {
        "Location": f"/customers/{row['id']}",
        "ETag": etag(row["version"]),
    }
    return json(row, 201, headers)


@router.patch("/{id}", operation_id="update_customer", openapi_extra=conditional.GUARDED)
async def update_customer(
    id: UUID,
    body: CustomerUpdate,
    db: Db,
    caller: Caller,
    if_match: IfMatch = None,
) -> Response:
    """Change the fields that are sent."""
    changes = body.model_dump(by_alias=True, exclude_unset=True)
    statement = statements.UPDATE.format(
        changes=SQL(", ").join(statements.CHANGES[column] for column in changes)
    )
    parameters = {
        **changes,
        "key.id": id,
        "key.versions": conditional.versions(if_match),
        "caller.user_id": caller.user_id,
    }
    async with db.transaction() as connection:
        row = await (await connection.execute(statement, parameters)).fetchone()
        if row is None:
            found = await (await connection.execute(statements.UPDATABLE, parameters)).fetchone()
            if found:
                raise precondition_failed("It has changed since you read it: read it again.")
            raise not_found("customer")
        if not row.pop("caller.permitted"):
            raise forbidden("You may not change the customer like this.")
    return json(row, headers={"ETag": etag(row["version"])})
