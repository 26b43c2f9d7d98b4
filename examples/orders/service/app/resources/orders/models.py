"""What requests to /orders may carry. The limits are those of the table."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.fields import Timestamp

OrderStatus = Literal["draft", "placed", "paid", "shipped", "cancelled"]


class OrderQuery(BaseModel):
    """Which orders to list, and in what order."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=100)] = 20
    cursor: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")] | None = None
    sort: Literal["-created_at"] = "-created_at"
    status: OrderStatus | None = None
    created_at: Timestamp | None = None
    created_at_gte: Timestamp | None = Field(default=None, alias="created_at[gte]")
    created_at_gt: Timestamp | None = Field(default=None, alias="created_at[gt]")
    created_at_lte: Timestamp | None = Field(default=None, alias="created_at[lte]")
    created_at_lt: Timestamp | None = Field(default=None, alias="created_at[lt]")

    def filters(self) -> dict[str, Any]:
        """Return the filters that are set, by the names that requests use."""
        return self.model_dump(
            by_alias=True, exclude_none=True, exclude={"cursor", "limit", "sort"}
        )


class OrderCreate(BaseModel):
    """A new order."""

    model_config = ConfigDict(extra="forbid")

    customer_id: UUID
