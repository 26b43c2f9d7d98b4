"""Access tokens: JWTs signed with Ed25519, typed `at+jwt` (RFC 9068), checked as by RFC 8725."""

import hashlib
import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import GuestProtocol, OKPKey

from app.auth.keys import Keys

ALGORITHM: Final = "Ed25519"
TYPE: Final = "at+jwt"
LEEWAY: Final = 5  # seconds that the clocks of two machines may differ
TOKEN_LENGTH: Final = 2048  # ours are under 500 characters
TOKENS_REMEMBERED: Final = 10_000


class InvalidToken(Exception):
    """The token is malformed, expired, or not signed by us for this service."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What a valid token says; `expires_at` is in seconds since the epoch."""

    user_id: UUID
    session_id: UUID
    expires_at: int


class Tokens:
    """Issues and verifies access tokens. `lifetime` is in seconds."""

    def __init__(self, keys: Keys, *, issuer: str, audience: str, lifetime: int) -> None:
        """Sign with the keys; `issuer` and `audience` are demanded of every token."""
        self.lifetime = lifetime
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._registry = jwt.JWTClaimsRegistry(
            leeway=LEEWAY,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            sub={"essential": True},
            sid={"essential": True},
            jti={"essential": True},
            iat={"essential": True},
            exp={"essential": True},
        )
        # Verifying a signature is expensive: once for each token is enough.
        self._verified: OrderedDict[bytes, Claims] = OrderedDict()

    def issue(self, user_id: UUID, session_id: UUID) -> str:
        """Return a new token for the user's session."""
        now = int(time.time())
        claims = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": str(user_id),
            "sid": str(session_id),
            "jti": secrets.token_urlsafe(16),
            "iat": now,
            "exp": now + self.lifetime,
        }
        header = {"alg": ALGORITHM, "typ": TYPE, "kid": self._keys.signing_kid}
        return jwt.encode(header, claims, self._keys.signing, algorithms=[ALGORITHM])

    def verify(self, token: str) -> Claims:
        """Return the claims of a valid token. Raises InvalidToken."""
        if len(token) > TOKEN_LENGTH or not token.isascii():
            raise InvalidToken
        digest = hashlib.sha256(token.encode()).digest()  # no token lies about in memory
        claims = self._verified.get(digest)
        if claims is None:
            claims = self._decode(token)
            self._verified[digest] = claims
            if len(self._verified) > TOKENS_REMEMBERED:
                self._verified.popitem(last=False)
        elif claims.expires_at + LEEWAY <= time.time():
            del self._verified[digest]
            raise InvalidToken
        return claims

    def _decode(self, token: str) -> Claims:
        try:
            claims = jwt.decode(token, self._key, algorithms=[ALGORITHM]).claims
            self._registry.validate(claims)
            return Claims(UUID(claims["sub"]), UUID(claims["sid"]), int(claims["exp"]))
        except (JoseError, ValueError, TypeError, AttributeError) as error:
            raise InvalidToken from error

    def _key(self, token: GuestProtocol) -> OKPKey:
        """Choose the key before the signature is looked at: our type and a key id are a must."""
        headers = token.headers()
        key = self._keys.verifying.get(str(headers.get("kid")))
        if key is None or headers.get("typ") != TYPE:
            raise InvalidKeyIdError
        return key
