"""What requests to /products may carry. The limits are those of the table."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.fields import NOT_SENT, BigInteger, Text


class ProductQuery(BaseModel):
    """Which products to list, and in what order."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=100)] = 20
    cursor: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")] | None = None
    sort: Literal["name", "-updated_at"] = "name"
    active: bool | None = None
    price_cents: BigInteger | None = None
    price_cents_gte: BigInteger | None = Field(default=None, alias="price_cents[gte]")
    price_cents_gt: BigInteger | None = Field(default=None, alias="price_cents[gt]")
    price_cents_lte: BigInteger | None = Field(default=None, alias="price_cents[lte]")
    price_cents_lt: BigInteger | None = Field(default=None, alias="price_cents[lt]")

    def filters(self) -> dict[str, Any]:
        """Return the filters that are set, by the names that requests use."""
        return self.model_dump(
            by_alias=True, exclude_none=True, exclude={"cursor", "limit", "sort"}
        )


class ProductCreate(BaseModel):
    """A new product."""

    model_config = ConfigDict(extra="forbid")

    sku: Annotated[Text, Field(min_length=1, max_length=64)]
    name: Annotated[Text, Field(min_length=1, max_length=200)]
    price_cents: Annotated[BigInteger, Field(ge=0)]
    active: bool = NOT_SENT


class ProductUpdate(BaseModel):
    """The fields of a product to change."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"minProperties": 1})

    sku: Annotated[Text, Field(min_length=1, max_length=64)] = NOT_SENT
    name: Annotated[Text, Field(min_length=1, max_length=200)] = NOT_SENT
    price_cents: Annotated[BigInteger, Field(ge=0)] = NOT_SENT
    active: bool = NOT_SENT

    @model_validator(mode="after")
    def change_something(self) -> Self:
        """Refuse an empty change."""
        if not self.model_fields_set:
            raise ValueError("send at least one field to change")
        return self
