"""What requests to /customers may carry. The limits are those of the table."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.fields import NOT_SENT, Text


class CustomerQuery(BaseModel):
    """Which customers to list, and in what order."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=100)] = 20
    cursor: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")] | None = None
    sort: Literal["-created_at"] = "-created_at"


class CustomerCreate(BaseModel):
    """A new customer."""

    model_config = ConfigDict(extra="forbid")

    email: Annotated[Text, Field(min_length=3, max_length=254)]
    tax_id: Annotated[Text, Field(max_length=32)] | None = None


class CustomerUpdate(BaseModel):
    """The fields of a customer to change."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"minProperties": 1})

    email: Annotated[Text, Field(min_length=3, max_length=254)] = NOT_SENT
    tax_id: Annotated[Text, Field(max_length=32)] | None = NOT_SENT

    @model_validator(mode="after")
    def change_something(self) -> Self:
        """Refuse an empty change."""
        if not self.model_fields_set:
            raise ValueError("send at least one field to change")
        return self
