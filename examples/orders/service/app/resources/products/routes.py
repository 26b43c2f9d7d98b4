"""The operations of /products."""

from collections.abc import Mapping
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from psycopg.sql import SQL, Composed

from app import conditional
from app.auth.principal import Principal, require
from app.conditional import IfMatch, IfNoneMatch
from app.database import Connection, Db
from app.idempotency import IdempotencyKey, once
from app.pagination import Pages, after, bind, list_scope, order_by, page, reject_repeats
from app.problems import not_found, precondition_failed
from app.resources.products import statements
from app.resources.products.models import ProductCreate, ProductQuery, ProductUpdate
from app.responses import etag, json, no_content

router = APIRouter(prefix="/products", tags=["products"])


@router.get("", operation_id="list_products")
async def list_products(
    request: Request,
    query: Annotated[ProductQuery, Query()],
    db: Db,
    cursors: Pages,
) -> Response:
    """List products, a page at a time."""
    reject_repeats(request.query_params)
    keys = statements.SORTS[query.sort]
    filters = query.filters()
    scope = list_scope("products", query.sort, filters)
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
    }
    rows = await db.fetch_all(statement, parameters)
    return page(request, rows, limit=query.limit, keys=keys, cursors=cursors, scope=scope)


@router.get("/{id}", operation_id="get_product")
async def get_product(
    id: UUID,
    db: Db,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Return one product."""
    parameters = {
        "key.id": id,
    }
    row = await db.fetch_one(statements.GET, parameters)
    if row is None:
        raise not_found("product")
    return conditional.json(row, if_none_match)


@router.post("", operation_id="create_product", status_code=201)
async def create_product(
    body: ProductCreate,
    db: Db,
    caller: Annotated[Principal, Depends(require("staff"))],
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Create a product."""
    parameters = {
        **body.model_dump(by_alias=True),
    }
    sent = body.model_fields_set
    given = {
        name: value if name in sent else SQL("DEFAULT") for name, value in statements.GIVEN.items()
    }
    statement = statements.CREATE.format(**given)

    async def write(connection: Connection) -> Response:
        return await insert(connection, statement, parameters)

    return await once(
        db,
        key=idempotency_key,
        principal=str(caller.user_id),
        operation="products.create",
        request=body.model_dump_json(by_alias=True, exclude_unset=True).encode(),
        write=write,
    )


async def insert(
    connection: Connection,
    statement: Composed,
    parameters: Mapping[str, object],
) -> Response:
    """Insert the row and describe it; what is raised rolls the transaction back."""
    [row] = await (await connection.execute(statement, parameters)).fetchall()
    headers = {
        "Location": f"/products/{row['id']}",
        "ETag": etag(row["version"]),
    }
    return json(row, 201, headers)


@router.patch(
    "/{id}",
    operation_id="update_product",
    dependencies=[Depends(require("staff"))],
    openapi_extra=conditional.GUARDED,
)
async def update_product(
    id: UUID,
    body: ProductUpdate,
    db: Db,
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
    }
    async with db.transaction() as connection:
        row = await (await connection.execute(statement, parameters)).fetchone()
        if row is None:
            found = await (await connection.execute(statements.UPDATABLE, parameters)).fetchone()
            if found:
                raise precondition_failed("It has changed since you read it: read it again.")
            raise not_found("product")
    return json(row, headers={"ETag": etag(row["version"])})


@router.delete(
    "/{id}",
    operation_id="delete_product",
    status_code=204,
    dependencies=[Depends(require("admin"))],
)
async def delete_product(
    id: UUID,
    db: Db,
) -> Response:
    """Delete the product."""
    parameters = {
        "key.id": id,
    }
    if await db.fetch_one(statements.DELETE, parameters) is None:
        raise not_found("product")
    return no_content()
