"""Bodies of the /auth requests."""

from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from app.auth.passwords import MAX_LENGTH

# RFC 5321 addresses in ASCII, an internationalised domain in its xn-- form; whether one exists
# only a message to it can show.
EMAIL_PATTERN = r"^ *[!-?A-~]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+ *$"
REFRESH_PATTERN = r"^[A-Za-z0-9_-]{43}$"


def normalised_email(email: str) -> str:
    """Return the one form in which an address is stored and compared."""
    return email.strip().lower()


Email = Annotated[
    str,
    Field(min_length=3, max_length=254, pattern=EMAIL_PATTERN),
    AfterValidator(normalised_email),
]


class Registration(BaseModel):
    """A new account."""

    model_config = ConfigDict(extra="forbid")

    email: Email
    password: Annotated[SecretStr, Field(min_length=12, max_length=MAX_LENGTH)]

    @model_validator(mode="after")
    def _password_is_not_the_email(self) -> Self:
        if normalised_email(self.password.get_secret_value()) == self.email:
            raise ValueError("The password must differ from the e-mail address.")
        return self


class Credentials(BaseModel):
    """Who signs in. The password rules of registration are not repeated: they may have changed."""

    model_config = ConfigDict(extra="forbid")

    email: Email
    password: Annotated[SecretStr, Field(min_length=1, max_length=MAX_LENGTH)]


class RefreshToken(BaseModel):
    """The token that continues a session."""

    model_config = ConfigDict(extra="forbid")

    refresh_token: Annotated[str, Field(pattern=REFRESH_PATTERN, repr=False)]
