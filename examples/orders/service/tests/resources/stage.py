"""Who calls, and the database behind the API."""

from dataclasses import dataclass
from uuid import UUID

import httpx2
import psycopg

from app.database import Row
from tests.auth_fixtures import SignIn, add_user

SignedIn = dict[str, tuple[httpx2.Client, UUID]]


@dataclass(frozen=True, slots=True)
class Stage:
    """`client` is nobody; `owner` owns the tables."""

    client: httpx2.Client
    owner: psycopg.Connection[Row]
    sign_in: SignIn
    signed_in: SignedIn

    def enter(self, role: str) -> tuple[httpx2.Client, UUID]:
        """Return a caller of that role, or nobody, and the user to whom the test's rows belong.

        Signing in takes long, on purpose: a role does it once for all tests.
        """
        if not role:
            return self.client, add_user(self.owner, "buyer")[1]
        if role not in self.signed_in:
            first = self.sign_in(role)
            token = {"Authorization": first.headers["Authorization"]}
            lasting = httpx2.Client(base_url=first.base_url, headers=token, timeout=10)
            self.signed_in[role] = (lasting, first.user_id)
        return self.signed_in[role]
