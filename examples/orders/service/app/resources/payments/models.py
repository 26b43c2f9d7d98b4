"""What requests to /payments may carry. The limits are those of the table."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class PaymentQuery(BaseModel):
    """Which payments to list, and in what order."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=100)] = 20
    cursor: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")] | None = None
    sort: Literal["-created_at"] = "-created_at"


class PaymentCreate(BaseModel):
    """A new payment."""

    model_config = ConfigDict(extra="forbid")

    order_id: UUID
