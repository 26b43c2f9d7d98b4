"""The operations of /payments."""

from collections.abc import Mapping
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from psycopg.sql import SQL

from app.auth.principal import Caller, require
from app.database import Connection, Db
from app.idempotency import REQUIRED, RequiredIdempotencyKey, once
from app.pagination import Pages, after, bind, list_scope, order_by, page, reject_repeats
from app.problems import forbidden, not_found
from app.rate_limit.limiter import Limiter
from app.resources.payments import statements
from app.resources.payments.models import PaymentCreate, PaymentQuery
from app.responses import json

router = APIRouter(prefix="/payments", tags=["payments"])


@router.get("", operation_id="list_payments", dependencies=[Depends(require("staff"))])
async def list_payments(
    request: Request,
    query: Annotated[PaymentQuery, Query()],
    db: Db,
    cursors: Pages,
) -> Response:
    """List payments, a page at a time."""
    reject_repeats(request.query_params)
    keys = statements.SORTS[query.sort]
    scope = list_scope("payments", query.sort, {})
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


@router.get("/{id}", operation_id="get_payment")
async def get_payment(
    id: UUID,
    db: Db,
    caller: Caller,
) -> Response:
    """Return one payment."""
    parameters = {
        "key.id": id,
        "caller.user_id": caller.user_id,
        "caller.is_staff": "staff" in caller.roles,
    }
    row = await db.fetch_one(statements.GET, parameters)
    if row is None:
        raise not_found("payment")
    return json(row)


@router.post("", operation_id="create_payment", status_code=201, openapi_extra=REQUIRED)
async def create_payment(
    body: PaymentCreate,
    db: Db,
    caller: Caller,
    request: Request,
    idempotency_key: RequiredIdempotencyKey,
) -> Response:
    """Create a payment."""
    limiter: Limiter = request.app.state.limiter
    await limiter.operation(request.scope, "payments.create", caller.user_id)
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
        operation="payments.create",
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
    if not row.pop("caller.permitted"):
        raise forbidden("You may not create such a payment.")
    headers = {
        "Location": f"/payments/{row['id']}",
    }
    return json(row, 201, headers)
