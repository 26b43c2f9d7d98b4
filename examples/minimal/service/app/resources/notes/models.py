"""What requests to /notes may carry. The limits are those of the table."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.fields import NOT_SENT, Text


class NoteQuery(BaseModel):
    """Which notes to list, and in what order."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=100)] = 20
    cursor: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")] | None = None


class NoteCreate(BaseModel):
    """A new note."""

    model_config = ConfigDict(extra="forbid")

    title: Annotated[Text, Field(min_length=1, max_length=200)]
    content: Annotated[Text, Field(max_length=10000)] = NOT_SENT


class NoteUpdate(BaseModel):
    """The fields of a note to change."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"minProperties": 1})

    title: Annotated[Text, Field(min_length=1, max_length=200)] = NOT_SENT
    content: Annotated[Text, Field(max_length=10000)] = NOT_SENT

    @model_validator(mode="after")
    def change_something(self) -> Self:
        """Refuse an empty change."""
        if not self.model_fields_set:
            raise ValueError("send at least one field to change")
        return self
