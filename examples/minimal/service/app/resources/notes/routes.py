"""The operations of /notes."""

from collections.abc import Mapping
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from psycopg.sql import SQL, Composed

from app import conditional
from app.auth.principal import Caller, authenticated
from app.conditional import IfMatch, IfNoneMatch
from app.database import Connection, Db
from app.idempotency import IdempotencyKey, once
from app.pagination import Pages, after, bind, list_scope, order_by, page, reject_repeats
from app.problems import not_found, precondition_failed
from app.resources.notes import statements
from app.resources.notes.models import NoteCreate, NoteQuery, NoteUpdate
from app.responses import etag, json, no_content

router = APIRouter(prefix="/notes", tags=["notes"])


@router.get("", operation_id="list_notes", dependencies=[Depends(authenticated)])
async def list_notes(
    request: Request,
    query: Annotated[NoteQuery, Query()],
    db: Db,
    cursors: Pages,
) -> Response:
    """List notes, a page at a time."""
    reject_repeats(request.query_params)
    keys = statements.ORDER
    scope = list_scope("notes", "", {})
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


@router.get("/{id}", operation_id="get_note", dependencies=[Depends(authenticated)])
async def get_note(
    id: UUID,
    db: Db,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Return one note."""
    parameters = {
        "key.id": id,
    }
    row = await db.fetch_one(statements.GET, parameters)
    if row is None:
        raise not_found("note")
    return conditional.json(row, if_none_match)


@router.post("", operation_id="create_note", status_code=201)
async def create_note(
    body: NoteCreate,
    db: Db,
    caller: Caller,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Create a note."""
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
        operation="notes.create",
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
        "Location": f"/notes/{row['id']}",
        "ETag": etag(row["version"]),
    }
    return json(row, 201, headers)


@router.patch(
    "/{id}",
    operation_id="update_note",
    dependencies=[Depends(authenticated)],
    openapi_extra=conditional.GUARDED,
)
async def update_note(
    id: UUID,
    body: NoteUpdate,
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
            raise not_found("note")
    return json(row, headers={"ETag": etag(row["version"])})


@router.delete(
    "/{id}", operation_id="delete_note", status_code=204, dependencies=[Depends(authenticated)]
)
async def delete_note(
    id: UUID,
    db: Db,
) -> Response:
    """Delete the note."""
    parameters = {
        "key.id": id,
    }
    if await db.fetch_one(statements.DELETE, parameters) is None:
        raise not_found("note")
    return no_content()
