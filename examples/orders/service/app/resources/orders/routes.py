"""The operations of /orders."""

from collections.abc import Mapping
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from psycopg.sql import SQL

from app import conditional
from app.auth.principal import Caller
from app.conditional import IfNoneMatch
from app.database import Connection, Db
from app.idempotency import IdempotencyKey, once
from app.pagination import Pages, after, bind, list_scope, order_by, page, reject_repeats
from app.problems import forbidden, not_found
from app.resources.orders import statements
from app.resources.orders.models import OrderCreate, OrderQuery
from app.responses import etag, json

router = APIRouter(prefix="/orders", tags=["orders"])


@router.get("", operation_id="list_orders")
async def list_orders(
    request: Request,
    query: Annotated[OrderQuery, Query()],
    db: Db,
    cursors: Pages,
    caller: Caller,
) -> Response:
    """List orders, a page at a time."""
    reject_repeats(request.query_params)
    keys = statements.SORTS[query.sort]
    filters = query.filters()
    scope = list_scope("orders", query.sort, filters)
    position = cursors.open(query.cursor, scope) if query.cursor else None
    conditions = [*(statements.FILTERS[name] for name in filters), after(keys, position)]
    statement = statements.LIST.format(
        conditions=SQL(" AND ").join(conditions),
        order=order_by(keys),
    )
    parameters = {
        **filters,
        **bind(position),
        "page.rows": query.limit + 1,
        "caller.user_id": caller.user_id,
        "caller.is_staff": "staff" in caller.roles,
    }
    rows = await db.fetch_all(statement, parameters)
    return page(request, rows, limit=query.limit, keys=keys, cursors=cursors, scope=scope)


@router.get("/{id}", operation_id="get_order")
async def get_order(
    id: UUID,
    db: Db,
    caller: Caller,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Return one order."""
    parameters = {
        "key.id": id,
        "caller.user_id": caller.user_id,
        "caller.is_staff": "staff" in caller.roles,
    }
    row = await db.fetch_one(statements.GET, parameters)
    if row is None:
        raise not_found("order")
    return conditional.json(row, if_none_match)


@router.post("", operation_id="create_order", status_code=201)
async def create_order(
    body: OrderCreate,
    db: Db,
    caller: Caller,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Create an order."""
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
        operation="orders.create",
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
        raise forbidden("You may not create such an order.")
    headers = {
        "Location": f"/orders/{row['id']}",
        "ETag": etag(row["version"]),
    }
    return json(row, 201, headers)
